//! What identifies us: a chain of certificates and its key, read from files and looked after.
//!
//! The files are read again every few seconds, whatever their times say: they are small, and so no way of replacing them,
//! renamed files, switched links or copies that keep their times, goes unnoticed. Handshakes use the new pair from then on;
//! no listener restarts, no connection ends. A pair that cannot be used is refused, and the one before goes on. Programs
//! that renew certificates replace one file after the other, so a fault is told only when it is still there a look later.

use crate::chain;
use rustls::{
    InconsistentKeys,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

/// How often the files are read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Far above any chain; small enough to be read by mistake.
const MAX_FILE: u64 = 1 << 20;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("cannot read {what} file `{path}`: {}", advice(error))]
    Read { what: &'static str, path: PathBuf, error: io::Error },
    #[error("{what} file `{path}` holds no {what} in PEM form")]
    Nothing { what: &'static str, path: PathBuf },
    #[error("{what} file `{path}` is damaged")]
    Damaged { what: &'static str, path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("the key in `{}` does not belong to the certificate in `{}`", .0.key.display(), .0.certificate.display())]
    Strangers(Files),
    #[error("the certificate in `{}` and the key in `{}` cannot be used", files.certificate.display(), files.key.display())]
    Refused { files: Files, source: rustls::Error },
}

/// The newest usable pair of two files. Looked after until dropped.
pub(super) struct Identity {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

/// What handshakes and the task that reads the files share.
struct Shared {
    files: Files,
    state: RwLock<State>,
}

#[derive(Clone, Default)]
struct State {
    pair: Option<Arc<CertifiedKey>>,
    /// What is wrong with the files as they are.
    fault: Option<String>,
}

impl Identity {
    /// Starts to look after these files. Pokes `changed` whenever there is news.
    pub(super) fn of(files: Files, changed: Arc<Notify>) -> Self {
        let shared = Arc::new(Shared { files, state: RwLock::default() });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(look_after(shared.clone(), changed)));
        Self { shared, _stop: stop.drop_guard() }
    }

    /// Whether there is a pair to use.
    pub(super) fn is_usable(&self) -> bool {
        self.shared.state().pair.is_some()
    }

    /// What is wrong, and what that means.
    pub(super) fn fault(&self) -> Option<String> {
        let State { pair, fault } = self.shared.state();
        let goes_on = if pair.is_some() { "; the pair that was read before goes on being used" } else { "" };
        fault.map(|fault| format!("{fault}{goes_on}"))
    }

    /// For handshakes: always the newest pair.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.shared.clone()
    }
}

impl Shared {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shared {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).pair.clone()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

async fn look_after(shared: Arc<Shared>, changed: Arc<Notify>) {
    let mut look = Look::default();
    loop {
        let files = shared.files.clone();
        // Files may be on a disk that hangs, which is then its thread's problem alone.
        if let Ok(read) = tokio::task::spawn_blocking(move || files.read()).await {
            let before = shared.state();
            let now = look.at(&shared.files, read, before.clone());
            let is_news = now.fault != before.fault || now.pair.is_some() != before.pair.is_some();
            *shared.state.write().unwrap_or_else(PoisonError::into_inner) = now;
            if is_news {
                changed.notify_one();
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What was seen by the looks before.
#[derive(Default)]
struct Look {
    /// The content of the pair in use.
    used: Option<[u8; 32]>,
    /// There was a fault the last time.
    doubtful: bool,
}

impl Look {
    /// What becomes of `state` with what was read now.
    fn at(&mut self, files: &Files, read: Result<Pem, Unusable>, mut state: State) -> State {
        let pair = read.and_then(|pem| {
            let content = pem.digest();
            if self.used == Some(content) { Ok(None) } else { pem.pair(files).map(|pair| Some((content, pair))) }
        });
        match pair {
            Ok(fresh) => {
                if let Some((content, pair)) = fresh {
                    info!(certificate = %files.certificate.display(), "certificate and key read");
                    self.used = Some(content);
                    state.pair = Some(Arc::new(pair));
                }
                self.doubtful = false;
                state.fault = None;
            }
            Err(fault) => {
                if self.doubtful || state.pair.is_none() {
                    state.fault = Some(chain(&fault));
                }
                self.doubtful = true;
            }
        }
        state
    }
}

/// The content of both files.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(&self) -> Result<Pem, Unusable> {
        let read =
            |what, path: &Path| content(path).map_err(|error| Unusable::Read { what, path: path.to_owned(), error });
        Ok(Pem { certificate: read("certificate", &self.certificate)?, key: read("key", &self.key)? })
    }
}

impl Pem {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update((self.certificate.len() as u64).to_be_bytes());
        digest.update(&self.certificate);
        digest.update(&self.key);
        digest.finalize().into()
    }

    fn pair(&self, files: &Files) -> Result<CertifiedKey, Unusable> {
        let damaged = |what, path: &Path| {
            let path = path.to_owned();
            move |source| Unusable::Damaged { what, path, source }
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(damaged("certificate", &files.certificate))?;
        if chain.is_empty() {
            return Err(Unusable::Nothing { what: "certificate", path: files.certificate.clone() });
        }
        let key = match PrivateKeyDer::from_pem_slice(&self.key) {
            Err(rustls::pki_types::pem::Error::NoItemsFound) => {
                return Err(Unusable::Nothing { what: "key", path: files.key.clone() });
            }
            key => key.map_err(damaged("key", &files.key))?,
        };
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Unusable::Strangers(files.clone()),
            source => Unusable::Refused { files: files.clone(), source },
        })
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    // Opening anything else could wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut content = Vec::new();
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "the user that dnsplane-dns runs as may not read it".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
