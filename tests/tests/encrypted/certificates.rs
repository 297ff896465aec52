//! Certificates that change while the node runs.

use crate::{Encrypted, Pair};
use dnsplane_tests::{
    program,
    wait::{PATIENCE, eventually},
};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// Waits until clients of TLS and QUIC are shown the certificate that is called so, with an answer behind it.
fn eventually_shown(encrypted: &Encrypted, called: &str) {
    for (at, how) in [(encrypted.tls, "+tls"), (encrypted.quic, "+quic")] {
        eventually(&format!("{how} shows the certificate `{called}`"), PATIENCE, || {
            let said = encrypted.kdig(at, &["-d", how, "+retry=0", "www.lab.test", "A"]).said();
            let is_shown = said.contains(&format!("#1, CN={called}\n")) && said.contains("192.0.2.7");
            if is_shown { Ok(()) } else { Err(said) }
        });
    }
}

fn fault(encrypted: &mut Encrypted, part: &str) -> String {
    encrypted.node.eventually(&format!("the status says {part}"), |node| {
        let status = node.data_plane_status()?;
        let error = status["listen_error"].as_str().unwrap_or_default().to_owned();
        if error.contains(part) { Ok(error) } else { Err(status.to_string()) }
    })
}

/// Asks over and over, until it is over; returns how often.
fn ask_until(over: &AtomicBool, at: SocketAddr, how: &str) -> usize {
    let mut asked = 0;
    while !over.load(Relaxed) {
        let mut command = Command::new("kdig");
        command.arg("@127.0.0.1").args(["-p", &at.port().to_string(), how, "+retry=0", "+short", "www.lab.test", "A"]);
        let ended = program::run(command, "");
        assert_eq!(ended.stdout, "192.0.2.7\n", "{how}: {}", ended.said());
        asked += 1;
    }
    asked
}

#[test]
fn a_certificate_is_replaced_while_clients_ask_and_none_of_them_notices() {
    let encrypted = Encrypted::start();
    let over = Arc::new(AtomicBool::new(false));
    let clients = [(encrypted.tls, "+tls"), (encrypted.quic, "+quic")].map(|(at, how)| {
        let over = over.clone();
        thread::spawn(move || ask_until(&over, at, how))
    });
    // As certbot does: new files beside the old ones, then links that lead to them, one after the other.
    for called in ["second", "third"] {
        let pair = Pair::new(called);
        for (file, text) in [("chain.pem", &pair.chain), ("key.pem", &pair.key)] {
            let (new, aside) = (encrypted.node.path(&format!("{called}.{file}")), encrypted.node.path("aside"));
            fs::write(&new, text).expect("the folder is writable");
            symlink(&new, &aside).expect("a link");
            fs::rename(&aside, encrypted.node.path(file)).expect("the link takes its place");
        }
        eventually_shown(&encrypted, called);
    }
    over.store(true, Relaxed);
    for client in clients {
        assert!(client.join().expect("all its questions were answered") > 2);
    }
}

#[test]
fn a_pair_that_does_not_fit_is_refused_and_the_one_before_goes_on() {
    let mut encrypted = Encrypted::start();
    let pair = Pair::new("second");
    encrypted.node.write("key.pem", &pair.key);
    let error = fault(&mut encrypted, "does not belong to the certificate");
    let end = "the pair that was read before goes on being used";
    assert!(error.contains("key.pem") && error.ends_with(end), "{error}");
    eventually_shown(&encrypted, "first");
    fs::remove_file(encrypted.node.path("key.pem")).expect("it can be removed");
    fault(&mut encrypted, "key.pem`: there is no such file");
    encrypted.node.write("chain.pem", &pair.chain);
    encrypted.node.write("key.pem", &pair.key);
    eventually_shown(&encrypted, "second");
    encrypted.node.eventually("nothing is wrong any more", |node| {
        let status = node.data_plane_status()?;
        if status["listen_error"].as_str().unwrap_or_default().is_empty() { Ok(()) } else { Err(status.to_string()) }
    });
}
