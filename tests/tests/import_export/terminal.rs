//! dnsplanectl at a terminal: `script` (util-linux) gives it one.

use dnsplane_tests::{Node, PATIENCE, program::binary, wait::eventually};
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// A terminal with one command in it.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    seen: Arc<Mutex<Vec<u8>>>,
    /// What was waited for ends here.
    from: usize,
}

impl Terminal {
    /// Runs dnsplanectl against a node.
    pub(crate) fn ctl(node: &Node, arguments: &[&str]) -> Self {
        let mut line = format!("stty rows 24 cols 120 && exec {}", binary("dnsplanectl").display());
        for word in [&["--socket", &node.path("dnsplane.sock").to_string_lossy()], arguments].concat() {
            line += &format!(" '{word}'");
        }
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script (Debian's bsdutils) is installed");
        let keyboard = child.stdin.take().expect("stdin is piped");
        let mut screen = child.stdout.take().expect("stdout is piped");
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let shown = Arc::clone(&seen);
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut octets) {
                shown.lock().expect("nobody panics with it").extend_from_slice(&octets[..count]);
            }
        });
        Self { child, keyboard, seen, from: 0 }
    }

    /// Waits until a text is on the screen, or was.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let from = self.from;
        self.from = eventually(&format!("the terminal shows `{text}`"), PATIENCE, || {
            let seen = String::from_utf8_lossy(&self.seen.lock().expect("nobody panics with it")).into_owned();
            let rest = seen.get(from..).unwrap_or_default();
            rest.find(text).map(|at| from + at + text.len()).ok_or_else(|| rest.to_owned())
        });
    }

    /// Types.
    pub(crate) fn say(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
        self.keyboard.flush().expect("the terminal is there");
    }

    /// Waits for the command's end; its exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        eventually("the command ends", PATIENCE, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            Ok(None) => Err("still running".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
