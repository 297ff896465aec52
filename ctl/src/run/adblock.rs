//! The commands of `adblock`.

use super::{Exit, server::told, show};
use crate::{
    args::AdblockCommand,
    client::{Client, Failure, Stream},
    print::Output,
    view,
};
use dnsplane_proto::pb::admin::{AdblockEdit, AdblockEverything, AdblockNames, adblock_edit::Deed};
use std::path::Path;

pub(super) async fn run(socket: &Path, command: AdblockCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let names = |names| AdblockNames { names };
    let deed = match command {
        AdblockCommand::List => {
            let lists = Client::connect(socket).await?.adblock_lists().await?;
            return show(&lists, view::block_lists, out);
        }
        AdblockCommand::Check(asked) => {
            let said = Client::connect(socket).await?.adblock_check(asked.name).await?;
            return show(&said, view::blocked, out);
        }
        AdblockCommand::Domains(part) => {
            let domains = Client::connect(socket).await?.adblock_domains(part.contains).await?;
            return list(domains, out).await;
        }
        AdblockCommand::Load(list) => Deed::Load(absolute(list.list)),
        AdblockCommand::Unload(list) => Deed::Unload(list.list),
        AdblockCommand::Add(add) => Deed::Add(names(add.names)),
        AdblockCommand::Remove(remove) => Deed::Remove(names(remove.names)),
        AdblockCommand::Allow(allow) => Deed::Allow(names(allow.names)),
        AdblockCommand::Disallow(disallow) => Deed::Disallow(names(disallow.names)),
        AdblockCommand::Clear => Deed::Clear(AdblockEverything {}),
        AdblockCommand::Pause(pause) => Deed::Pause(pause.minutes),
        AdblockCommand::Resume => Deed::Pause(0),
    };
    let edit = AdblockEdit { deed: Some(deed) };
    told(&Client::connect(socket).await?.adblock_edit(edit).await?, out)
}

/// The path as it is from everywhere. One that leads nowhere from here is left to the control plane, which begins at its
/// own folder.
fn absolute(list: String) -> String {
    let (start, path) = list.strip_prefix("allow:").map_or(("", list.as_str()), |path| ("allow:", path.trim()));
    match std::path::absolute(path) {
        Ok(absolute) if !path.contains("://") && absolute.exists() => format!("{start}{}", absolute.display()),
        _ => list,
    }
}

/// Writes names as they arrive: a line each, or one JSON document.
async fn list(mut pieces: Stream<AdblockNames>, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut comma = "[";
    while let Some(AdblockNames { names }) = pieces.next().await? {
        for name in &names {
            if out.is_json() {
                out.raw(comma)?;
                out.json(name)?;
                comma = ",";
            } else {
                out.line(name)?;
            }
        }
    }
    if out.is_json() {
        out.raw(if comma == "[" { "[]\n" } else { "]\n" })?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_somewhere_from_here_does_so_from_everywhere() {
        let here = std::env::current_dir().expect("a folder").join("Cargo.toml").display().to_string();
        assert_eq!(absolute("Cargo.toml".to_owned()), here);
        assert_eq!(absolute("allow:Cargo.toml".to_owned()), format!("allow:{here}"));
        for other in ["nothing-of-this-name", "https://lists.example/hosts", "allow:http://lists.example/"] {
            assert_eq!(absolute(other.to_owned()), other);
        }
    }
}
