//! DNS over HTTPS as curl sees it.

use crate::{Encrypted, NAME};
use dnsplane_tests::{
    dns::{Question, encode},
    program,
};
use std::{fs, process::Command};

impl Encrypted {
    /// What curl prints for a request of this path.
    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        program::run(self.command(path, arguments), "").success()
    }

    fn command(&self, path: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("curl");
        let to = format!("{NAME}:{}:127.0.0.1", self.https.port());
        command.args(["--silent", "--show-error", "--max-time", "30", "--resolve", &to, "--cacert"]);
        command.arg(self.authority()).args(arguments).arg(format!("https://{NAME}:{}{path}", self.https.port()));
        command
    }

    /// The status of a request of this path, and the protocol's version.
    fn status(&self, path: &str, arguments: &[&str]) -> String {
        let format = ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}"];
        self.curl(path, &[&format, arguments].concat())
    }
}

#[test]
fn rfc8484_s4_1_queries_are_answered_over_http_1_1_and_2_and_may_be_kept() {
    let encrypted = Encrypted::start();
    let query = encrypted.node.path("query");
    fs::write(&query, encode(&Question::new("www.lab.test", "A").message())).expect("the folder is writable");
    let content = format!("@{}", query.display());
    let post = ["--data-binary", &content, "--header", "content-type: application/dns-message"];
    for (version, flag) in [("1.1", "--http1.1"), ("2", "--http2")] {
        assert_eq!(encrypted.status("/dns-query", &[&post[..], &[flag]].concat()), format!("200 {version}"));
        // RFC 8484 §4.1.1: the example, www.example.com A.
        let get = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        assert_eq!(encrypted.status(get, &[flag]), format!("200 {version}"));
    }
    for (version, expected) in [("1.2", Some(0)), ("1.1", Some(35))] {
        let path = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let mut command = encrypted.command(path, &["--tls-max", version, "--output", "/dev/null"]);
        command.env("OPENSSL_CONF", "/dev/null");
        assert_eq!(program::run(command, "").code, expected, "TLS {version}");
    }
    let headers = encrypted.curl("/dns-query", &[&post[..], &["--output", "/dev/null", "--dump-header", "-"]].concat());
    for line in ["content-type: application/dns-message", "cache-control: max-age=300"] {
        assert!(headers.lines().any(|header| header == line), "{line}: {headers}");
    }
    // RFC 8484 §5.1: a negative answer holds as long as its SOA says.
    fs::write(&query, encode(&Question::new("nothing.lab.test", "A").message())).expect("the folder is writable");
    let headers = encrypted.curl("/dns-query", &[&post[..], &["--output", "/dev/null", "--dump-header", "-"]].concat());
    assert!(headers.lines().any(|header| header == "cache-control: max-age=40"), "{headers}");
}

#[test]
fn what_is_no_query_gets_a_status_and_a_sentence() {
    let encrypted = Encrypted::start();
    let large = encrypted.node.path("large");
    fs::write(&large, vec![0; 65_536]).expect("the folder is writable");
    let large = format!("@{}", large.display());
    let typed = ["--header", "content-type: application/dns-message"];
    for flag in ["--http1.1", "--http2"] {
        for (path, arguments, status) in [
            ("/", &[][..], 404),
            ("/dns/records", &[], 404),
            ("/dns-query/more", &[], 404),
            ("/dns-query", &[], 400),
            ("/dns-query?dns=a+b/", &[], 400),
            ("/dns-query?dns=AAAA", &[], 400),
            ("/dns-query", &["--head"], 405),
            ("/dns-query", &["--request", "PUT"], 405),
            ("/dns-query", &["--request", "OPTIONS"], 405),
            ("/dns-query", &["--data", "x"], 415),
            ("/dns-query", &["--data-binary", &large, typed[0], typed[1]], 413),
            ("/dns-query", &["--data-binary", "x", typed[0], typed[1]], 400),
        ] {
            let got = encrypted.status(path, &[&[flag], arguments].concat());
            assert!(got.starts_with(&status.to_string()), "{path} {arguments:?}: {got}");
        }
    }
    let headers = encrypted.curl("/dns-query", &["--request", "PUT", "--output", "/dev/null", "--dump-header", "-"]);
    assert!(headers.lines().any(|header| header == "allow: GET, POST"), "{headers}");
    assert_eq!(encrypted.curl("/", &[]), "there is nothing at this path\n");
}
