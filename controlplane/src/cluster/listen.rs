//! Where peers connect to us: sockets that follow the settings, and how many may come in.

use super::{Shared, serve, settings::Listen};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, lookup_host},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Connections at once: several for each of a hundred nodes.
const MAX_CONNECTIONS: usize = 512;
/// Connections that have not shown the token. Each may hold 64 KiB.
const MAX_UNPROVEN: usize = 64;
/// Connections that the kernel keeps for us.
const BACKLOG: i32 = 128;
/// Pause after a failed `accept`, most likely for lack of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// The door: at most one set of sockets at a time.
pub(super) struct Door {
    shared: Arc<Shared>,
    open: Option<Open>,
    connections: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
}

struct Open {
    listen: Listen,
    accepting: CancellationToken,
    /// Ends the connections too.
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Door {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (connections, unproven) = (Semaphore::new(MAX_CONNECTIONS), Semaphore::new(MAX_UNPROVEN));
        Self { shared, open: None, connections: Arc::new(connections), unproven: Arc::new(unproven) }
    }

    /// Listens there. A new address is bound before the old one is given up; when it cannot be, the old one stays.
    pub(super) async fn listen(&mut self, listen: &Listen) -> Result<(), io::Error> {
        if self.open.as_ref().is_some_and(|open| open.listen == *listen) {
            return Ok(());
        }
        let sockets = match bind(listen).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && self.holds_port(listen.port()) => {
                self.replace_in_place(listen).await?
            }
            bound => bound?,
        };
        self.accept(listen, sockets);
        Ok(())
    }

    /// Stops listening and ends every connection.
    pub(super) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.accepting.cancel();
            open.closing.cancel();
            open.tasks.close();
            open.tasks.wait().await;
            info!(listen = %open.listen, "no longer accepting peers");
        }
        self.shared.listening(Vec::new());
    }

    fn holds_port(&self, port: u16) -> bool {
        self.open.as_ref().is_some_and(|open| open.listen.port() == port)
    }

    /// The new address overlaps the old one: the old socket has to go first, and comes back if the new one fails.
    async fn replace_in_place(&mut self, listen: &Listen) -> io::Result<Vec<TcpListener>> {
        let Some(old) = self.open.as_ref().map(|open| open.listen.clone()) else {
            return bind(listen).await;
        };
        if let Some(open) = &self.open {
            open.accepting.cancel();
        }
        // The accepting task gives its socket up as soon as it is polled.
        for _ in 0..20 {
            sleep(Duration::from_millis(10)).await;
            match bind(listen).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    let again = bind(&old).await?;
                    self.accept(&old, again);
                    return Err(error);
                }
                bound => return bound,
            }
        }
        let again = bind(&old).await?;
        self.accept(&old, again);
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Starts accepting on these sockets instead of those before. Connections that are open stay open.
    fn accept(&mut self, listen: &Listen, sockets: Vec<TcpListener>) {
        let (closing, tasks) = match self.open.take() {
            Some(old) => {
                old.accepting.cancel();
                (old.closing, old.tasks)
            }
            None => (CancellationToken::new(), TaskTracker::new()),
        };
        let addresses: Vec<SocketAddr> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        info!(listen = ?addresses, "accepting peers");
        self.shared.listening(addresses);
        let accepting = CancellationToken::new();
        for socket in sockets {
            let acceptor = Acceptor {
                shared: Arc::clone(&self.shared),
                connections: Arc::clone(&self.connections),
                unproven: Arc::clone(&self.unproven),
                closing: closing.clone(),
                tasks: tasks.clone(),
            };
            let accepting = accepting.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = accepting.cancelled() => {}
                    () = acceptor.run(socket) => {}
                }
            });
        }
        self.open = Some(Open { listen: listen.clone(), accepting, closing, tasks });
    }
}

struct Acceptor {
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Acceptor {
    async fn run(&self, socket: TcpListener) {
        loop {
            let (stream, from) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.shared.listen_failed(Some(format!("cannot accept connections: {error}")));
                    sleep(AFTER_FAILED_ACCEPT).await;
                    continue;
                }
            };
            let places =
                (Arc::clone(&self.connections).try_acquire_owned(), Arc::clone(&self.unproven).try_acquire_owned());
            let (Ok(place), Ok(unproven)) = places else {
                self.shared.inbound.turned_away();
                continue;
            };
            let (shared, closing) = (Arc::clone(&self.shared), self.closing.clone());
            self.tasks.spawn(async move {
                let _place = place;
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = serve::connection(shared, stream, from, unproven) => {}
                }
            });
        }
    }
}

/// Binds every address that the setting means.
async fn bind(listen: &Listen) -> io::Result<Vec<TcpListener>> {
    let Some(host) = listen.host() else {
        // One socket for both families; a host without IPv6 gets one for IPv4.
        return match socket((Ipv6Addr::UNSPECIFIED, listen.port()).into()) {
            Ok(socket) => Ok(vec![socket]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(error) => {
                warn!(%error, "no IPv6 here; accepting peers over IPv4 alone");
                Ok(vec![socket((Ipv4Addr::UNSPECIFIED, listen.port()).into())?])
            }
        };
    };
    let mut sockets = Vec::new();
    for address in lookup_host((host, listen.port())).await? {
        sockets.push(socket(address)?);
    }
    if sockets.is_empty() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok(sockets) }
}

fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restarted node must not wait for its old connections to fade.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
