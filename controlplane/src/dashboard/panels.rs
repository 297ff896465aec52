//! The panels below the table: one idea each, as names and values.

use super::{
    page::{Tone, moment},
    view::{Cluster, Incident, Plane, View},
    words::{clipped, counted, from_unix, grouped, span},
};
use maud::{Markup, html};

/// Faults of a source that are shown; `dnsplanectl server status` has more.
const FAULTS: usize = 10;

pub(super) fn content(cluster: &Cluster) -> Markup {
    let conflicts = cluster.conflicts.as_ref().map(|conflicts| grouped(conflicts.count));
    html! {
        section.panel {
            h2 { "Content" }
            dl {
                (row("Content is", &match &cluster.head {
                    Some(head) => html! {
                        "write " (head.seq) " of " bdi { (clipped(&head.node_id)) }
                        @if let Some(time) = from_unix(head.timestamp_unix) { ", " (moment(&time)) }
                    },
                    None => html! { span.hint { "not known" } },
                }))
                (row("Content hash", &html! {
                    code.hash #hash title=(cluster.content_hash) { (cluster.content_hash) }
                    button.plain.copy type="button" data-copy="hash" { "Copy" }
                }))
                (row("Our sequence", &html! { (cluster.local_seq) }))
                (row("Written here", &html! {
                    @if cluster.written { "yes" } @else { "never: this node’s records have no authority" }
                }))
                (row("Conflicts", &html! { (conflicts.unwrap_or_else(|| "–".to_owned())) }))
            }
        }
    }
}

pub(super) fn identity(view: &View) -> Markup {
    let cluster = &view.cluster;
    let flags: Vec<&str> = [
        (cluster.replica_only, "replica: never pushes"),
        (cluster.reject_local_writes, "refuses local writes"),
        (cluster.cluster_admin, "may administer peers"),
        (cluster.read_only_source.is_some(), "records source is read-only"),
    ]
    .into_iter()
    .filter_map(|(set, text)| set.then_some(text))
    .collect();
    let winner = cluster.last_global_lww_node_id.as_ref().zip(cluster.last_global_lww_unix.and_then(from_unix));
    html! {
        section.panel {
            h2 { "Node" }
            dl {
                (row("Node id", &html! { bdi { (clipped(&cluster.node_id)) } }))
                (row("Policy", &html! { code { (cluster.sync_policy) } }))
                @if !cluster.allowed_writer_node_ids.is_empty() {
                    (row("Writers", &html! { bdi { (clipped(&cluster.allowed_writer_node_ids.join(", "))) } }))
                }
                (row("Last winner", &match &winner {
                    Some((node, time)) => html! { bdi { (clipped(node)) } ", " (moment(time)) },
                    None => html! { span.hint { "none" } },
                }))
                (row("Roles", &html! {
                    @for flag in &flags { span.chip { (flag) } " " }
                    @if flags.is_empty() { span.hint { "full member" } }
                }))
                @if let Some(reason) = &cluster.read_only_source { (row("Read-only", &html! { (clipped(reason)) })) }
                @if !cluster.features.is_empty() { (row("Features", &html! { (cluster.features.join(" ")) })) }
                (row("Others dial", &html! { code { (clipped(&view.dial_address)) } }))
                (row("Listens on", &html! {
                    @if cluster.listening.is_empty() { span.hint { (cluster.listen_addr) " (not now)" } }
                    @for address in &cluster.listening { code { (address) } " " }
                }))
            }
        }
    }
}

pub(super) fn discovery(cluster: &Cluster) -> Markup {
    let every = match cluster.cluster_discovery_interval_seconds {
        None | Some(0) => "once at start".to_owned(),
        Some(seconds) => format!("every {}", span(seconds)),
    };
    html! {
        section.panel {
            h2 { "Peer list" }
            dl {
                (row("Configured", &html! { (grouped(cluster.static_peer_count)) }))
                (row("From SRV", &html! { (grouped(cluster.srv_peer_count)) }))
                (row("In effect", &html! { (grouped(cluster.effective_peer_count)) }))
                @match &cluster.cluster_discovery_srv {
                    None => { (row("Discovery", &html! { span.hint { "off" } })) }
                    Some(srv) => {
                        (row("Discovery", &html! { code { (clipped(srv)) } ", " (every) }))
                        (row("Last answer", &match &cluster.discovery_last_refresh {
                            Some(time) => moment(time),
                            None => html! { span.hint { "none yet" } },
                        }))
                        @if let Some(error) = &cluster.discovery_last_error {
                            (row("Last error", &html! { span.told { (clipped(error)) } }))
                        }
                    }
                }
            }
        }
    }
}

/// What came in from others.
pub(super) fn door(cluster: &Cluster) -> Markup {
    let inbound = &cluster.inbound;
    let incident = |incident: &Incident| {
        html! { " – " (moment(&incident.at)) " from " bdi { (clipped(&incident.from)) } ": " bdi { (clipped(&incident.reason)) } }
    };
    html! {
        section.panel {
            h2 { "At our door" }
            dl {
                (row("Connections", &html! { (grouped(inbound.connections)) }))
                (row("Turned down", &html! {
                    (grouped(inbound.auth_failures))
                    @if let Some(last) = &inbound.last_auth_failure { (incident(last)) }
                }))
                (row("Bad frames", &html! {
                    (grouped(inbound.bad_frames))
                    @if let Some(last) = &inbound.last_bad_frame { (incident(last)) }
                }))
            }
        }
    }
}

pub(super) fn data_planes(view: &View) -> Markup {
    let plane = |plane: &Plane| {
        let (tone, serves) = match &plane.records {
            Some(serving) if *serving == view.server.generation => (Tone::Ok, "the newest records".to_owned()),
            Some(serving) => (Tone::Warn, format!("generation {}", grouped(serving.number))),
            None => (Tone::Bad, "nothing".to_owned()),
        };
        html! {
            li {
                span class={ "dot " (tone.class()) } {}
                bdi { (clipped(&plane.follower)) } " serves " (serves)
                span.hint {
                    " – version " (clipped(&plane.version)) ", connected for " (span(plane.connected_seconds))
                    @if !plane.listening.is_empty() { ", on " (clipped(&plane.listening.join(", "))) }
                }
            }
        }
    };
    html! {
        section.panel {
            h2 { "Data planes" }
            @if view.server.data_planes.is_empty() { p.hint { "None is connected." } }
            ul.plain { @for each in &view.server.data_planes { (plane(each)) } }
        }
    }
}

pub(super) fn store(view: &View) -> Markup {
    let server = &view.server;
    let source = &server.records_source;
    html! {
        section.panel {
            h2 { "Store" }
            dl {
                (row("Records", &html! { (grouped(server.records)) }))
                (row("Generation", &html! { (grouped(server.generation.number)) span.hint { " of session " code { (server.generation.session) } } }))
                @if let Some(file) = &server.records_file {
                    @let behind = server.generation.number.saturating_sub(file.number);
                    (row("Records file", &html! {
                        code { (clipped(&file.path)) }
                        @if behind > 0 { span.hint { ", " (counted(behind, "change")) " behind" } }
                    }))
                } @else {
                    (row("Records from", &html! {
                        (clipped(&source.what))
                        @if !source.version.is_empty() { span.hint { ", " (clipped(&source.version)) } }
                    }))
                    (row("Last read", &html! {
                        @match source.age_seconds {
                            Some(age) => { (span(age)) " ago" },
                            None => { span.dot.bad {} " never" },
                        }
                    }))
                    @if !source.problem.is_empty() { (row("Problem", &html! { span.dot.bad {} " " (clipped(&source.problem)) })) }
                }
            }
            @if source.fault_count > 0 {
                h3 { (counted(source.fault_count, "fault")) " in " (clipped(&source.what)) }
                ul.plain {
                    @for fault in source.faults.iter().take(FAULTS) {
                        li {
                            code { (clipped(&fault.file)) @if fault.line > 0 { ":" (fault.line) } }
                            " " (clipped(&fault.what))
                        }
                    }
                }
            }
        }
    }
}

fn row(label: &str, value: &Markup) -> Markup {
    html! { dt { (label) } dd { (value) } }
}
