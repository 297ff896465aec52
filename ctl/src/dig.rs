//! `tools dig`: one question to a DNS server, and its answer as people or programs want it.
//!
//! Without `@SERVER` the node behind the admin socket is asked, at the address where its data plane says it answers.

use crate::{
    args::Dig,
    client::{Client, Failure},
    print::Output,
    question::{Answer, ask},
    run::Exit,
};
use dnsplane_proto::{RecordType, pb::admin::Explained};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, Record},
};
use serde_json::{Value, json};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

/// Pause between two questions of `--until`: short, since people time replication with it.
const AGAIN: Duration = Duration::from_millis(1);

/// What the words of the command ask for.
#[derive(Debug, PartialEq)]
struct Request {
    name: String,
    kind: Option<RecordType>,
    server: Option<(String, u16)>,
}

/// Asks, prints, and judges: NOERROR and NXDOMAIN are answers, other codes are refusals.
pub(crate) async fn dig(socket: &Path, words: Dig, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let request = read(&words.words)?;
    let query = query(&request)?;
    let server = match &request.server {
        Some((host, port)) => resolve(host, *port).await?,
        None => node_listener(socket).await?,
    };
    let answer = match &words.until {
        Some(value) => wait_for(server, &query, value, Duration::from_secs(words.within)).await?,
        None => ask(server, &query).await?,
    };
    print(&answer, server, &query, words.short, out)?;
    Ok(match answer.message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Exit::Done,
        _ => Exit::Refused,
    })
}

/// Reads `[type] <name|ip> [type] [@server[:port]] [port]`.
fn read(words: &[String]) -> Result<Request, Failure> {
    let (at, plain): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.starts_with('@'));
    let kind_of = |word: &str| word.parse::<RecordType>().ok();
    let (name, kind, rest) = match plain.as_slice() {
        [] => return Err(Failure::Usage("which name? [TYPE] NAME|IP [TYPE] [@SERVER[:PORT]] [PORT]".to_owned())),
        [kind, name, rest @ ..] if kind_of(kind).is_some() => (name, kind_of(kind), rest),
        [name, kind, rest @ ..] if kind_of(kind).is_some() => (name, kind_of(kind), rest),
        [name, rest @ ..] => (name, None, rest),
    };
    let port = match rest {
        [] => None,
        [port] => Some(port.parse().map_err(|_| Failure::Usage(format!("`{port}` is neither a type nor a port")))?),
        [_, extra, ..] => return Err(Failure::Usage(format!("`{extra}` is one word too many"))),
    };
    let server = match at.as_slice() {
        [] if port.is_some() => return Err(Failure::Usage("a port needs a server: @SERVER PORT".to_owned())),
        [] => None,
        [server] => Some(host_and_port(&server[1..], port)?),
        [_, extra, ..] => return Err(Failure::Usage(format!("`{extra}`: only one server can be asked"))),
    };
    Ok(Request { name: (*name).clone(), kind, server })
}

fn host_and_port(text: &str, port: Option<u16>) -> Result<(String, u16), Failure> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), port.unwrap_or(address.port())));
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Ok((bare.to_owned(), port.unwrap_or(53)));
    }
    match text.rsplit_once(':') {
        Some((host, inner)) if !host.is_empty() => {
            let inner = inner.parse().map_err(|_| Failure::Usage(format!("`{inner}` is not a port")))?;
            Ok((host.to_owned(), port.unwrap_or(inner)))
        }
        None if !text.is_empty() => Ok((text.to_owned(), port.unwrap_or(53))),
        _ => Err(Failure::Usage(format!("`@{text}` is not a server"))),
    }
}

fn query(request: &Request) -> Result<Query, Failure> {
    let (name, default) = match request.name.parse::<IpAddr>() {
        Ok(address) => (Name::from(address), RecordType::PTR),
        Err(_) => {
            let mut name = Name::from_ascii(&request.name)
                .or_else(|_| Name::from_utf8(&request.name))
                .map_err(|error| Failure::Usage(format!("`{}` is not a name: {error}", request.name)))?;
            name.set_fqdn(true);
            (name, RecordType::A)
        }
    };
    Ok(Query::query(name, request.kind.unwrap_or(default).0.into()))
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    let mut addresses =
        found.map_err(|error| Failure::Unreachable(format!("cannot find the server {host}: {error}")))?;
    addresses.next().ok_or_else(|| Failure::Unreachable(format!("the server {host} has no address")))
}

/// Where the first data plane of the node answers over UDP.
async fn node_listener(socket: &Path) -> Result<SocketAddr, Failure> {
    let document = Client::connect(socket).await?.server_status().await?;
    let status: Value = serde_json::from_str(&document.json).unwrap_or_default();
    listener(&status).ok_or_else(|| {
        Failure::Unreachable("no data plane of this node says where it answers; name a server with @SERVER".to_owned())
    })
}

fn listener(status: &Value) -> Option<SocketAddr> {
    let planes = status.get("data_planes")?.as_array()?;
    let listening = planes.iter().filter_map(|plane| plane.get("listening")?.as_array()).flatten();
    let mut addresses = listening.filter_map(|socket| socket.as_str()?.strip_prefix("udp ")?.parse().ok());
    addresses.next().map(|mut address: SocketAddr| {
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        address
    })
}

/// Repeats the question until `value` is among the answers.
async fn wait_for(server: SocketAddr, query: &Query, value: &str, within: Duration) -> Result<Answer, Failure> {
    let deadline = Instant::now() + within;
    let mut seen = "no reply".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, ask(server, query)).await {
            Ok(Ok(answer)) if answer.message.answers.iter().any(|record| text(&record.data) == value) => {
                return Ok(answer);
            }
            Ok(Ok(answer)) => seen = summary(&answer.message),
            Ok(Err(failure)) => seen = failure.to_string(),
            Err(_) => {
                let seconds = within.as_secs();
                return Err(Failure::Refused(format!(
                    "no answer held `{value}` within {seconds} s; last seen: {seen}"
                )));
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn print(answer: &Answer, server: SocketAddr, query: &Query, short: bool, out: &mut Output<'_>) -> Result<(), Failure> {
    let message = &answer.message;
    let millis = answer.took.as_secs_f64() * 1000.0;
    if out.is_json() {
        let section = |records: &[Record]| records.iter().map(record_json).collect::<Vec<_>>();
        out.json(&json!({
            "server": server.to_string(), "protocol": answer.protocol, "millis": (millis * 1000.0).round() / 1000.0,
            "question": {"name": query.name.to_string(), "type": RecordType(query.query_type.into()).to_string()},
            "rcode": code(message), "flags": flags(message), "answers": section(&message.answers),
            "authorities": section(&message.authorities), "additionals": section(&message.additionals)
        }))?;
        return Ok(());
    }
    if short {
        for record in &message.answers {
            out.line(&text(&record.data))?;
        }
        return Ok(());
    }
    for (title, records) in
        [("", &message.answers), ("authority:", &message.authorities), ("additional:", &message.additionals)]
    {
        if !title.is_empty() && !records.is_empty() {
            out.line(title)?;
        }
        out.table(&[], records.iter().map(record_row).collect())?;
    }
    out.line(&format!("{} from {server} over {} in {millis:.1} ms", summary(message), answer.protocol))?;
    Ok(())
}

/// What a data plane would answer, and why.
pub(crate) fn explained(said: &Explained, out: &mut Output<'_>) -> io::Result<()> {
    let message = Message::from_vec(&said.reply).ok();
    let answers = message.as_ref().map(|message| message.answers.as_slice()).unwrap_or_default();
    if out.is_json() {
        return out.json(&json!({
            "data_plane": said.data_plane, "step": said.step, "because": said.because, "micros": said.micros,
            "rcode": message.as_ref().map(code), "flags": message.as_ref().map(flags),
            "answers": answers.iter().map(record_json).collect::<Vec<_>>()
        }));
    }
    out.line(&format!("{}: {}", said.step, said.because))?;
    out.table(&[], answers.iter().map(record_row).collect())?;
    let message = message.as_ref().map_or_else(|| "no reply".to_owned(), summary);
    out.line(&format!("{message} in {:.1} ms", said.micros as f64 / 1000.0))
}

fn summary(message: &Message) -> String {
    let answers = match message.answers.len() {
        0 => "no answers".to_owned(),
        1 => "1 answer".to_owned(),
        count => format!("{count} answers"),
    };
    format!("{}, {answers} ({})", code(message), flags(message).join(" "))
}

fn flags(message: &Message) -> Vec<&'static str> {
    let header = &message.metadata;
    let flags = [
        ("aa", header.authoritative),
        ("tc", header.truncation),
        ("rd", header.recursion_desired),
        ("ra", header.recursion_available),
        ("ad", header.authentic_data),
        ("cd", header.checking_disabled),
    ];
    flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect()
}

/// Mnemonics of the IANA registry, which is what operators search for.
fn code(message: &Message) -> String {
    let known = match u16::from(message.metadata.response_code) {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        16 => "BADVERS",
        other => return format!("RCODE{other}"),
    };
    known.to_owned()
}

fn record_row(record: &Record) -> Vec<String> {
    let kind = RecordType(record.record_type().into());
    vec![record.name.to_string(), record.ttl.to_string(), kind.to_string(), text(&record.data)]
}

fn record_json(record: &Record) -> Value {
    let kind = RecordType(record.record_type().into());
    json!({"name": record.name.to_string(), "ttl": record.ttl, "type": kind.to_string(), "value": text(&record.data)})
}

/// RDATA as zone-file text; hickory shows the strings of TXT run together, which hides where one ends.
fn text(data: &RData) -> String {
    let RData::TXT(txt) = data else { return data.to_string() };
    let quoted = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{text}\"")
    };
    txt.txt_data.iter().map(|string| quoted(string)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let words = line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match read(&words) {
            Ok(request) => {
                let kind = request.kind.map_or("-".to_owned(), |kind| kind.to_string());
                let server = request.server.map_or("-".to_owned(), |(host, port)| format!("{host} {port}"));
                format!("{}|{kind}|{server}", request.name)
            }
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn words_are_read_in_the_order_operators_use() {
        let table = [
            ("www.lab", "www.lab|-|-"),
            ("mx", "mx|-|-"),
            ("mx lab", "lab|MX|-"),
            ("lab mx", "lab|MX|-"),
            ("a mx", "mx|A|-"),
            ("192.0.2.1", "192.0.2.1|-|-"),
            ("lab @127.0.0.1", "lab|-|127.0.0.1 53"),
            ("lab @127.0.0.1:5353", "lab|-|127.0.0.1 5353"),
            ("lab aaaa @127.0.0.1 5353", "lab|AAAA|127.0.0.1 5353"),
            ("@::1 lab", "lab|-|::1 53"),
            ("@[::1]:5353 lab", "lab|-|::1 5353"),
            ("@localhost:5353 lab", "lab|-|localhost 5353"),
            ("lab 5353", "a port needs a server: @SERVER PORT"),
            ("lab what @::1", "`what` is neither a type nor a port"),
            ("lab @:53", "`@:53` is not a server"),
            ("lab @", "`@` is not a server"),
            ("lab @a @b", "`@b`: only one server can be asked"),
            ("@::1", "which name? [TYPE] NAME|IP [TYPE] [@SERVER[:PORT]] [PORT]"),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn an_address_is_asked_for_its_name() {
        let request = |name: &str| Request { name: name.to_owned(), kind: None, server: None };
        let query = query(&request("192.0.2.7")).expect("an address");
        assert_eq!((query.name.to_string().as_str(), u16::from(query.query_type)), ("7.2.0.192.in-addr.arpa.", 12));
        assert!(super::query(&request("a..b")).is_err());
    }

    #[test]
    fn the_listener_of_the_node_is_found_in_its_status() {
        let status = json!({"data_planes": [{"listening": []}, {"listening": ["tcp 0.0.0.0:53", "udp 0.0.0.0:53"]}]});
        assert_eq!(listener(&status), "127.0.0.1:53".parse().ok());
        assert_eq!(listener(&json!({"data_planes": [{"listening": ["udp [::]:5353"]}]})), "[::1]:5353".parse().ok());
        assert_eq!(listener(&json!({"data_planes": []})), None);
    }
}
