use super::*;

/// What is found in these files, in a folder of their own, whose name is left out.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut checked = Checked::default();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for (name, _) in files.iter().filter(|(name, _)| !name.ends_with(".inc")) {
        checked.read(&folder.path().join(name), None).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    checked.findings().iter().map(|line| line.to_string().replace(&prefix, "")).collect()
}

#[track_caller]
fn assert_starts(found: &[String], starts: &[&str]) {
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start), "{line:?} should begin with {start:?}");
    }
}

#[test]
fn faults_of_json_have_line_and_column() {
    assert_starts(
        &found(&[("a.json", "{\"records\": [\n  {\"name\": 1}\n]}")]),
        &["a.json:2: error: column 12, `records[0]"],
    );
    assert_starts(&found(&[("a.json", "{\"records\": [\n")]), &["a.json:2: error: column "]);
    assert_starts(&found(&[("a.json", "[]")]), &["a.json:1: error: column "]);
}

#[test]
fn records_of_json_have_their_lines() {
    let text = r#"{"records": [
        {"name": "a.test", "type": "A", "value": "192.0.2.1", "ttl": 60},
        {"name": "a.test", "type": "A", "value": "::1", "ttl": 60},
        {"name": "A.test.", "type": "A", "value": "192.0.2.1", "ttl": 60},
        {"name": "a.test", "type": "CNAME", "value": "b.test", "ttl": 60}]}"#;
    assert_starts(
        &found(&[("dns.json", text)]),
        &[
            "dns.json:3: error: a.test A: value: ",
            "dns.json:4: warning: A.test A: says what the record at dns.json:2 has said",
            "dns.json:5: error: a.test CNAME: a CNAME stands alone",
        ],
    );
}

#[test]
fn zone_files_hosts_and_what_they_include_are_checked_together() {
    let zone = "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\n\nns A 192.0.2.1\n\
                $INCLUDE more.inc\nbad A 192.0.2.256\n$INCLUDE ../../etc/passwd\n";
    let files = [
        ("lab.zone", zone),
        ("more.inc", "@ MX 10 www\nwww CNAME ns\n"),
        ("hosts", "192.0.2.7 www.lab.test www\nx y\n"),
    ];
    let found = found(&files);
    assert_starts(
        &found,
        &[
            "lab.zone:8: error: ",
            "lab.zone:9: error: ",
            "more.inc:1: warning: lab.test MX: www.lab.test. is an alias",
            "more.inc:2: error: www.lab.test CNAME: a CNAME stands alone",
            "hosts:2: error: ",
        ],
    );
}

#[test]
fn the_format_is_told_by_the_name() {
    for (name, format) in [
        ("dns.JSON", Format::Json),
        ("hosts", Format::Hosts),
        ("lab.hosts", Format::Hosts),
        ("lab.zone", Format::Zone),
        ("db.lab.test", Format::Zone),
    ] {
        assert_eq!(Format::of(Path::new(name)), format, "{name}");
    }
}
