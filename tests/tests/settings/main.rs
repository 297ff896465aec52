//! Settings that change while a node runs: each takes effect at once, by whichever way it came, and the file keeps
//! everything that was not changed.

mod file;
mod live;
mod peers;
mod secrets;

use dnsplane_tests::Node;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A way to change a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// `dnsplanectl server set`.
    Set,
    /// An edit of the file, then `dnsplanectl server load`.
    Load,
    /// An edit of the file, then SIGHUP.
    Hangup,
}

impl Door {
    /// Changes it. After a SIGHUP the change takes effect a moment later.
    #[track_caller]
    pub(crate) fn change(self, node: &mut Node, key: &str, value: Value) {
        match self {
            Self::Set => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let ended = node.ctl(&["server", "set", "--", key, &text]);
                assert_eq!(ended.code, Some(0), "{key} {value}: {}\n{}", ended.said(), node.logs());
            }
            Self::Load => {
                node.configure(&json!({ key: value }));
                node.ctl(&["server", "load"]).success();
            }
            Self::Hangup => {
                node.configure(&json!({ key: value }));
                node.control().signal(Signal::SIGHUP);
            }
        }
    }
}
