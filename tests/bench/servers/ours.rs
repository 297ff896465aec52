//! Our data plane, loaded through a control plane once and then left alone.
//!
//! The control plane is stopped before anything is measured: what answers is the data plane, from the copy that it keeps
//! for itself, and a control plane beside it would neither help nor cost.

use super::{
    cost,
    figures::OURS,
    server::{Server, answers},
    zone::Zone,
};
use dnsplane_tests::{Node, Plan, node::TERMINATION_LIMIT, program::binary};
use std::{net::SocketAddr, process::Command, time::Duration};

/// Longest wait for the control plane to take everything in and for the data plane to have it.
const LOAD_LIMIT: Duration = Duration::from_secs(300);

/// The data plane with the zone on its disk, not started; and the MiB that it held after it was sent the zone.
pub(crate) fn ours(zone: Zone, cores: usize) -> (Server, f64) {
    let node = Plan::new("bench").prepare();
    zone.write_records(&node);
    let address = node.dns();
    alone(node, zone, address, cores)
}

/// The data plane of a node once it answers for the zone, without its control plane; it is measured at this address.
pub(crate) fn alone(mut node: Node, zone: Zone, address: SocketAddr, cores: usize) -> (Server, f64) {
    node.start_control();
    node.start_data();
    let last = zone.last();
    let loaded = dnsplane_tests::wait::within(LOAD_LIMIT, || {
        if answers(&last, |question| question.udp(node.dns())) { Ok(()) } else { Err("no answer".to_owned()) }
    });
    loaded.unwrap_or_else(|_| panic!("the node does not load the zone\n{}", node.logs()));
    let memory = cost::memory_mib(&cost::tree(node.data().id()));
    // Told to stop, it writes what its copy lacks before it ends.
    node.data().terminate(TERMINATION_LIMIT).expect("SIGTERM ends the data plane");
    node.control().terminate(TERMINATION_LIMIT).expect("SIGTERM ends the control plane");
    let (feed, state) = (format!("unix:{}", node.path("feed.sock").display()), node.path("dns-state"));
    let server = Server::new(OURS, address, node.path("data.log"), node, move || {
        let mut command = Command::new(binary("dnsplane-dns"));
        command.arg("--feed").arg(&feed).arg("--state").arg(&state).args(["--threads", &cores.to_string()]);
        command.env_remove("RUST_LOG");
        command
    });
    (server, memory)
}
