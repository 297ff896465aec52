//! An authoritative server that is not ours: `hickory-server`, in this process, with the same zone.

use dnsplane_tests::Record;
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType};
use hickory_server::{
    Server,
    proto::rr::LowerName,
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, ZoneType},
};
use std::{net::SocketAddr, str::FromStr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, UdpSocket},
    runtime::Runtime,
};

/// A running server; it ends when dropped.
pub(crate) struct Oracle {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Oracle {
    /// Serves the records of one zone, whose SOA must be among them.
    pub(crate) fn start(origin: &str, records: &[Record]) -> Self {
        let origin = name(origin);
        let mut zone: InMemoryZoneHandler =
            InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        for record in records {
            let kind = RecordType::from_str(&record.kind).expect("a known type");
            let data = RData::try_from_str(kind, &record.value).unwrap_or_else(|error| panic!("{record}: {error}"));
            let ttl = u32::try_from(record.ttl).expect("a TTL");
            assert!(zone.upsert_mut(WireRecord::from_rdata(name(&record.name), ttl, data), 1), "{record}");
        }
        let mut catalog = Catalog::new();
        catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone)]);

        let runtime = Runtime::new().expect("a runtime");
        let address = runtime.block_on(async {
            let mut server = Server::new(catalog);
            let (udp, tcp, address) = sockets().await;
            server.register_socket(udp);
            server.register_listener(tcp, Duration::from_secs(10), 16);
            tokio::spawn(async move { server.block_until_done().await });
            address
        });
        Self { address, _runtime: runtime }
    }
}

/// One port for both; somebody else may have it for TCP, then it is another.
async fn sockets() -> (UdpSocket, TcpListener, SocketAddr) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = udp.local_addr().expect("a bound socket has an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp, address);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// A name from the root.
fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    name.set_fqdn(true);
    name
}
