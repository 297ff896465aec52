//! Git repositories over http: `git http-backend` behind a web server.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, runtime::Runtime};

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// What `Authorization` must say; empty: anybody may.
    login: String,
    /// Only files, as a web server that knows nothing of Git.
    dumb: bool,
    silent: AtomicBool,
    requests: AtomicUsize,
    transfers: AtomicUsize,
}

impl GitServer {
    /// Serves the repositories of a folder to anybody.
    pub fn start(root: &Path) -> Self {
        Self::with(root, "", false)
    }

    /// Serves them to whoever says this in `Authorization`.
    pub fn start_for(root: &Path, login: &str) -> Self {
        Self::with(root, login, false)
    }

    /// Serves their files, as a web server that knows nothing of Git (`git update-server-info` is up to the caller).
    pub fn start_dumb(root: &Path) -> Self {
        Self::with(root, "", true)
    }

    fn with(root: &Path, login: &str, dumb: bool) -> Self {
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            login: login.to_owned(),
            dumb,
            silent: AtomicBool::default(),
            requests: AtomicUsize::default(),
            transfers: AtomicUsize::default(),
        });
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// The address of a repository, with a login if one is given.
    pub fn url(&self, login: &str, repository: &str) -> String {
        let at = if login.is_empty() { String::new() } else { format!("{login}@") };
        format!("http://{at}{}/{repository}", self.address)
    }

    /// From now on it takes questions and says nothing, or answers again.
    pub fn be_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Relaxed);
    }

    /// Questions so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How often somebody was sent objects.
    pub fn transfers(&self) -> usize {
        self.shared.transfers.load(Ordering::Relaxed)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        // A silent one never ends.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    if shared.silent.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !shared.login.is_empty() && said("authorization") != shared.login {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")]).into_response();
    }
    let query = if shared.dumb { "" } else { uri.query().unwrap_or_default() };
    let mut command = Command::new("git");
    command.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("GIT_PROJECT_ROOT", &shared.root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("REQUEST_METHOD", method.as_str()).env("PATH_INFO", uri.path()).env("QUERY_STRING", query);
    command.env("CONTENT_TYPE", said("content-type")).env("HTTP_CONTENT_ENCODING", said("content-encoding"));
    command.env("GIT_PROTOCOL", said("git-protocol")).env("REMOTE_ADDR", "127.0.0.1");
    let mut child = command.spawn().expect("`git http-backend` starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writing = async move {
        // It may have heard enough.
        let _ = stdin.write_all(&body).await;
    };
    let (_, output) = tokio::join!(writing, child.wait_with_output());
    let output = output.expect("`git http-backend` ends").stdout;
    let fetched = output.windows(8).any(|octets| octets == b"packfile");
    shared.transfers.fetch_add(usize::from(fetched), Ordering::Relaxed);
    from_cgi(&output)
}

/// Header fields, an empty line, the body (RFC 3875 §6).
fn from_cgi(output: &[u8]) -> Response {
    let end = output.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap_or(output.len());
    let mut reply = Response::new(Body::from(output.get(end + 4..).unwrap_or_default().to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "status" => {
                let code = value.split(' ').next().and_then(|code| code.parse::<u16>().ok());
                *reply.status_mut() = code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or_default();
            }
            "content-type" => {
                reply.headers_mut().insert(header::CONTENT_TYPE, value.parse().expect("a media type"));
            }
            _ => {}
        }
    }
    reply
}
