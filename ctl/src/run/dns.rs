//! The commands of `dns`.

use super::{Exit, lines, show};
use crate::{
    args::{ChangedServer, DnsCommand, GoneServer, NewServer, ServerKeys, Transport},
    client::{Client, Failure},
    print::Output,
    view,
};
use dnsplane_proto::pb::admin::{ServerEdit, ServerKey, ServerSelection, ServersReply};
use serde_json::json;
use std::path::Path;

pub(super) async fn run(socket: &Path, command: DnsCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // Words are read before the connection is made: a slip of the keyboard is told as such, with or without a server.
    match command {
        DnsCommand::Add(NewServer { words, keys }) => {
            let (address, mut edit) = edit(words, keys)?;
            edit.keys.insert(0, key("address", address));
            told(&Client::connect(socket).await?.dns_server_add(edit).await?, out)
        }
        DnsCommand::Update(ChangedServer { at_port, at_transport, words, keys }) => {
            let (address, edit) = edit(words, keys)?;
            let which = selection(address, at_port, at_transport);
            let edit = ServerEdit { which: Some(which), ..edit };
            told(&Client::connect(socket).await?.dns_server_update(edit).await?, out)
        }
        DnsCommand::Remove(GoneServer { address, port, transport }) => {
            let which = selection(address, port, transport);
            told(&Client::connect(socket).await?.dns_server_remove(which).await?, out)
        }
        DnsCommand::List => show(&Client::connect(socket).await?.dns_servers().await?, view::dns, out),
        DnsCommand::Clear => told(&Client::connect(socket).await?.dns_servers_clear().await?, out),
        DnsCommand::Load => told(&Client::connect(socket).await?.dns_servers_load().await?, out),
        DnsCommand::Save => {
            let messages = vec!["nothing to save: every change is saved at once".to_owned()];
            told(&ServersReply { changed: false, messages }, out)
        }
    }
}

/// Reads `ADDRESS [PORT] [KEY:VALUE...]` and the options that say the same.
fn edit(words: Vec<String>, options: ServerKeys) -> Result<(String, ServerEdit), Failure> {
    let mut words = words.into_iter();
    let Some(address) = words.next() else { return Err(Failure::Usage("an address is missing".to_owned())) };
    let mut keys = Vec::new();
    for (at, word) in words.enumerate() {
        let key = match word.split_once(':') {
            Some((name, value)) => key(name, value.to_owned()),
            None if at == 0 && word.bytes().all(|byte| byte.is_ascii_digit()) => key("port", word),
            None => {
                let what = format!(
                    "`{word}` is neither a port right after the address nor a key with its value, such as active:false"
                );
                return Err(Failure::Usage(what));
            }
        };
        keys.push(key);
    }
    let text = |name: &str, value: Option<String>| value.map(|value| key(name, value));
    let transport = |name: &str, value: Option<Transport>| value.map(|value| key(name, value.as_str().to_owned()));
    let flag = |name: &str, value: Option<bool>| value.map(|value| key(name, value.to_string()));
    let options = [
        text("port", options.port),
        transport("transport", options.transport),
        text("doh_url", options.doh_url),
        text("tls_name", options.tls_name),
        flag("active", options.active),
        flag("local_resolver", options.local_resolver),
        flag("adblocker", options.adblocker),
        text("domain_whitelist", options.whitelist),
        text("fallback_address", options.fallback_address),
        text("fallback_port", options.fallback_port),
        transport("fallback_transport", options.fallback_transport),
        text("fallback_doh_url", options.fallback_doh_url),
        text("fallback_tls_name", options.fallback_tls_name),
    ];
    keys.extend(options.into_iter().flatten());
    Ok((address, ServerEdit { which: None, keys }))
}

fn key(name: &str, value: String) -> ServerKey {
    ServerKey { name: name.to_owned(), value }
}

fn selection(address: String, port: Option<String>, transport: Option<Transport>) -> ServerSelection {
    let transport = transport.map(Transport::as_str).unwrap_or_default().to_owned();
    ServerSelection { address, port: port.unwrap_or_default(), transport }
}

fn told(reply: &ServersReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({"changed": reply.changed, "messages": reply.messages}))?;
    } else if reply.messages.is_empty() {
        out.line("done")?;
    } else {
        lines(&reply.messages, out)?;
    }
    Ok(Exit::Done)
}
