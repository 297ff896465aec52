//! The one owner of the list of servers: the file, what it says, and what data planes are told.

use super::{
    document::Document,
    edit::{Edit, Edited, MOST_SERVERS, label},
    endpoint::is_ourselves,
    row::Meaning,
};
use crate::{aside, config::Forwarding};
use dnsplane_proto::Upstreams;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;
use tracing::{info, warn};

/// Far above any list of servers.
const MOST_OCTETS: u64 = 4 << 20;
/// Rows of which it is said what is wrong; more are counted.
const NAMED: usize = 10;

/// Why the list could not be read, changed or written. Each is a whole sentence; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The change does not do.
    #[error("{0}")]
    Refused(String),
    /// The file could not be read.
    #[error("cannot read servers file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not JSON of the right shape.
    #[error("servers file `{}`: {fault}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        fault: String,
    },
    /// The file could not be written.
    #[error("cannot write servers file `{}`: {source}; is its folder writable for this process?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The list, and where it goes.
pub(super) struct Book {
    pub(super) forwarding: Arc<Forwarding>,
    /// The file when it was read or written last; `None`: there was none.
    text: Option<String>,
    pub(super) document: Document,
    /// What is wrong with rows, a sentence each.
    faults: Vec<String>,
    /// Why the file as it is now cannot be read; empty when it can.
    problem: String,
    out: watch::Sender<Arc<Upstreams>>,
}

impl Book {
    /// Reads the file; one that cannot be read is an error.
    pub(super) fn open(forwarding: Arc<Forwarding>) -> Result<Self, ServersError> {
        aside::sweep(&forwarding.servers);
        let (text, document) = read(&forwarding.servers)?;
        let (out, _) = watch::channel(Arc::default());
        let (faults, problem) = (Vec::new(), String::new());
        let mut book = Self { forwarding, text, document, faults, problem, out };
        book.tell();
        Ok(book)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<Upstreams>> {
        self.out.subscribe()
    }

    /// What keeps the list from being as its owner wants it.
    pub(super) fn problems(&self) -> Vec<String> {
        let problem = Some(self.problem.clone()).filter(|text| !text.is_empty());
        problem.into_iter().chain(self.faults.iter().cloned()).collect()
    }

    /// Takes other settings in.
    pub(super) fn settle(&mut self, forwarding: Arc<Forwarding>) {
        let moved = self.forwarding.servers != forwarding.servers;
        self.forwarding = forwarding;
        if moved {
            self.text = None;
            self.document = Document::default();
            let path = self.forwarding.servers.display().to_string();
            match self.take_in() {
                Ok(_) => info!(path, servers = self.document.rows.len(), "upstream servers are read from another file"),
                Err(error) => warn!("{error}; there are no upstream servers until it can be read"),
            }
        }
        self.tell();
    }

    /// Looks whether the file was edited by hand, and takes it in. A file that cannot be read changes nothing.
    pub(super) fn look(&mut self) {
        let before = self.problem.clone();
        match self.take_in() {
            Ok(true) if self.text.is_none() => {
                warn!(path = %self.forwarding.servers.display(), "servers file is gone: there are no upstream servers");
            }
            Ok(true) => {
                let path = self.forwarding.servers.display();
                info!(%path, servers = self.document.rows.len(), "servers file was edited by hand; taken in");
            }
            Ok(false) => {}
            Err(error) => {
                if error.to_string() != before {
                    warn!("{error}; going on with the servers we have");
                }
            }
        }
    }

    /// The file as it is now, if it is not what we know.
    pub(super) fn take_in(&mut self) -> Result<bool, ServersError> {
        let read = read(&self.forwarding.servers).inspect_err(|error| self.problem = error.to_string());
        let (text, document) = read?;
        self.problem.clear();
        if text == self.text {
            return Ok(false);
        }
        (self.text, self.document) = (text, document);
        self.tell();
        Ok(true)
    }

    /// Changes the list: in the file and for data planes, or neither.
    pub(super) fn edit(&mut self, edit: Edit) -> Result<Edited, ServersError> {
        // What was edited by hand since the last look is not to be lost, nor is what cannot be read.
        if self.take_in()? {
            info!(path = %self.forwarding.servers.display(), "servers file was edited by hand; taken in");
        }
        // Rows behind one that goes get other numbers; that makes no news of what is wrong with them.
        let tells_news = matches!(edit, Edit::Add(_) | Edit::Update(..));
        let mut document = self.document.clone();
        let mut edited = edit.apply(&mut document).map_err(ServersError::Refused)?;
        if edited.changed {
            document.has_list = true;
            self.text = Some(write(&self.forwarding, &document)?);
            self.document = document;
            let before = self.faults.clone();
            self.tell();
            let news = self.faults.iter().filter(|fault| tells_news && !before.contains(fault));
            edited.messages.extend(news.map(|fault| format!("warning: {fault}")));
        }
        Ok(edited)
    }

    /// Tells data planes what the list says now, and the log what of it does not do.
    fn tell(&mut self) {
        let (upstreams, faults) = understood(&self.document, &self.forwarding);
        for fault in faults.iter().filter(|fault| !self.faults.contains(fault)) {
            warn!("{fault}");
        }
        self.faults = faults;
        self.out.send_if_modified(|now| {
            let changed = **now != upstreams;
            *now = Arc::new(upstreams);
            changed
        });
    }
}

/// What data planes are told, and what is wrong with rows.
pub(super) fn understood(document: &Document, forwarding: &Forwarding) -> (Upstreams, Vec<String>) {
    let path = forwarding.servers.display();
    let mut faults = Vec::new();
    let mut upstreams = Vec::new();
    if !document.has_list && !document.is_new() {
        faults.push(format!("servers file `{path}` has no list `dnsservers`: there are no upstream servers"));
    }
    for (at, row) in document.rows.iter().enumerate() {
        let Meaning { active, upstream, odd } = Meaning::of(row);
        let place = || format!("servers file `{path}`, server {} ({})", at + 1, label(row));
        faults.extend(odd.iter().map(|odd| format!("{}: {odd}", place())));
        match upstream {
            _ if !active => {}
            Ok(upstream) if is_ourselves(&upstream.server, &forwarding.own) => {
                faults.push(format!("{}: it is this node itself; it is not asked", place()));
            }
            Ok(_) if upstreams.len() >= MOST_SERVERS => {
                faults.push(format!("{}: it is not asked, a node has at most {MOST_SERVERS}", place()));
            }
            Ok(upstream) => upstreams.push(upstream),
            Err(why) => faults.push(format!("{}: {why}; it is not asked", place())),
        }
    }
    if faults.len() > NAMED {
        let more = faults.len() - NAMED;
        faults.truncate(NAMED);
        faults.push(format!("servers file `{path}`: {more} more complaints like these"));
    }
    let last_resort = forwarding.last_resort.clone();
    (Upstreams { upstreams, last_resort, roots: forwarding.roots.clone() }, faults)
}

/// The file with its text; a file that is not there is an empty list.
pub(super) fn read(path: &Path) -> Result<(Option<String>, Document), ServersError> {
    let failed = |source| ServersError::Read { path: path.to_owned(), source };
    let broken = |fault| ServersError::Parse { path: path.to_owned(), fault };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, Document::default())),
        Err(error) => return Err(failed(error)),
    };
    let mut octets = Vec::new();
    file.take(MOST_OCTETS + 1).read_to_end(&mut octets).map_err(failed)?;
    if octets.len() as u64 > MOST_OCTETS {
        return Err(broken(format!("it has more than {} MiB, which no list of servers has", MOST_OCTETS >> 20)));
    }
    let text = String::from_utf8(octets)
        .map_err(|fault| broken(format!("octet {} is not UTF-8 text", fault.utf8_error().valid_up_to())))?;
    let document = Document::read(&text).map_err(|error| broken(error.to_string()))?;
    Ok((Some(text), document))
}

/// Writes the list so that either the old or the new one is there, and returns the text. A link stays a link.
fn write(forwarding: &Forwarding, document: &Document) -> Result<String, ServersError> {
    let failed = |source| ServersError::Write { path: forwarding.servers.clone(), source };
    let octets = document.text(forwarding.pretty).map_err(failed)?;
    replace(&forwarding.servers, &octets).map_err(failed)?;
    String::from_utf8(octets).map_err(|error| failed(io::Error::other(error)))
}

fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut aside = aside::create(path)?; // mode 0600
    aside.write_all(octets)?;
    if let Ok(before) = fs::metadata(path) {
        aside.as_file().set_permissions(fs::Permissions::from_mode(before.permissions().mode() & 0o777))?;
    }
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}
