//! `dnsplane.json` as it is written: every key, its JSON type, nothing understood yet.
//!
//! All fields are optional and `null` is the same as absent, so that `check.rs` alone knows the defaults. Old names are
//! fields of their own: a file may hold both, and the new one counts. docs/configuration.md says what each key does.

use serde::Deserialize;

/// The top level. Keys are matched to the letter.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) port: Option<String>,
    pub(super) dns_port: Option<String>,
    pub(super) dns_bind: Option<String>,
    pub(super) dns_refuse_any: Option<bool>,
    pub(super) dns_max_edns_udp_payload: Option<i64>,
    pub(super) dns_identity: Option<String>,
    pub(super) local_records_enabled: Option<bool>,
    pub(super) local_missing_type: Option<String>,
    pub(super) dns_rate_limit_rps: Option<f64>,
    pub(super) dns_rate_limit_burst: Option<i64>,
    pub(super) dns_amplification_max_ratio: Option<i64>,
    pub(super) dns_response_limit_mode: Option<String>,
    pub(super) dns_sliding_window_seconds: Option<i64>,
    pub(super) dns_max_responses_per_ip_window: Option<i64>,
    pub(super) dns_rrl_max_per_bucket: Option<i64>,
    pub(super) dns_rrl_window_seconds: Option<i64>,
    pub(super) dns_rrl_slip: Option<f64>,

    pub(super) dot_enabled: Option<bool>,
    pub(super) dot_bind: Option<String>,
    pub(super) dot_port: Option<String>,
    pub(super) dot_cert_file: Option<String>,
    pub(super) dot_key_file: Option<String>,
    pub(super) doh_enabled: Option<bool>,
    pub(super) doh_bind: Option<String>,
    pub(super) doh_port: Option<String>,
    pub(super) doh_path: Option<String>,
    pub(super) doh_cert_file: Option<String>,
    pub(super) doh_key_file: Option<String>,
    pub(super) doq_enabled: Option<bool>,
    pub(super) doq_bind: Option<String>,
    pub(super) doq_port: Option<String>,
    pub(super) doq_cert_file: Option<String>,
    pub(super) doq_key_file: Option<String>,

    pub(super) adblock_list_files: Option<Vec<String>>,
    pub(super) adblock_refresh_hours: Option<i64>,

    pub(super) fallback_server_ip: Option<String>,
    pub(super) fallback_server_port: Option<String>,
    pub(super) fallback_server_transport: Option<String>,
    pub(super) fallback_server_tls_name: Option<String>,
    pub(super) upstream_ca_file: Option<String>,
    pub(super) upstream_in_flight: Option<i64>,
    pub(super) timeout: Option<i64>,
    pub(super) upstream_health_check_enabled: Option<bool>,
    pub(super) upstream_health_check_failures: Option<i64>,
    pub(super) upstream_health_check_interval_seconds: Option<i64>,
    pub(super) upstream_health_check_query_name: Option<String>,
    pub(super) dns_allow_recursion: Option<Vec<String>>,
    pub(super) cache_records: Option<bool>,
    pub(super) cache_max_mb: Option<i64>,
    pub(super) min_cache_ttl_seconds: Option<i64>,
    pub(super) stale_while_revalidate: Option<bool>,
    pub(super) stale_max_seconds: Option<i64>,
    pub(super) cache_warm_enabled: Option<bool>,
    pub(super) dnssec_validate: Option<bool>,
    pub(super) dnssec_validate_strict: Option<bool>,
    pub(super) dnssec_trust_anchor_file: Option<String>,

    pub(super) api: Option<bool>,
    pub(super) api_enabled: Option<bool>,
    pub(super) apiport: Option<String>,
    pub(super) rest_port: Option<String>,
    pub(super) api_bind: Option<String>,
    pub(super) api_auth_token: Option<String>,
    pub(super) api_allow_unauthenticated: Option<bool>,
    pub(super) api_tls_cert: Option<String>,
    pub(super) api_tls_key: Option<String>,
    pub(super) api_rate_limit_rps: Option<f64>,
    pub(super) api_rate_limit_burst: Option<i64>,
    pub(super) stats_dashboard_enabled: Option<bool>,
    pub(super) dashboard_resolution_log_cap: Option<i64>,

    pub(super) feed_socket: Option<String>,
    pub(super) server_socket: Option<String>,
    pub(super) client_socket_path: Option<String>,
    pub(super) server_tcp: Option<String>,
    pub(super) client_tcp_address: Option<String>,

    pub(super) file_locations: Option<Locations>,
    pub(super) pretty_json: Option<bool>,
    #[serde(rename = "DNSRecordSettings")]
    pub(super) record_settings: Option<RecordSettings>,
    pub(super) log: Option<Log>,

    pub(super) cluster_enabled: Option<bool>,
    pub(super) cluster_listen_addr: Option<String>,
    pub(super) cluster_advertise_addr: Option<String>,
    pub(super) cluster_peers: Option<Vec<String>>,
    pub(super) cluster_auth_token: Option<String>,
    pub(super) cluster_node_id: Option<String>,
    pub(super) cluster_sync_interval_seconds: Option<i64>,
    pub(super) cluster_replica_only: Option<bool>,
    pub(super) cluster_reject_local_writes: Option<bool>,
    pub(super) cluster_admin: Option<bool>,
    pub(super) cluster_admin_token: Option<String>,
    pub(super) cluster_sync_policy: Option<String>,
    pub(super) cluster_allowed_writer_node_ids: Option<Vec<String>>,
    pub(super) cluster_invalid_records: Option<String>,
    pub(super) cluster_discovery_srv: Option<String>,
    pub(super) cluster_discovery_interval_seconds: Option<i64>,
    pub(super) cluster_discovery_servers: Option<Vec<String>>,

    // Read for their types alone today; `unused.rs` says which.
    dnssec_sign_enabled: Option<bool>,
    dnssec_sign_zone: Option<String>,
    dnssec_sign_key_file: Option<String>,
    dnssec_sign_private_key_file: Option<String>,
    cache_warm_interval_seconds: Option<i64>,
    cache_compact_enabled: Option<bool>,
    cache_compact_interval_seconds: Option<i64>,
    full_stats: Option<bool>,
    full_stats_dir: Option<String>,
    pprof_enabled: Option<bool>,
    pprof_listen: Option<String>,
    axfr_enabled: Option<bool>,
    axfr_allowed_networks: Option<Vec<String>>,
}

/// `file_locations`. Keys are matched to the letter.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Locations {
    pub(super) records_source: Option<Source>,
    pub(super) dnsrecords: Option<String>,
    pub(super) dnsrecords_file: Option<String>,
    pub(super) dnsservers: Option<String>,
    pub(super) dnsserver_file: Option<String>,
    cache: Option<String>,
    cache_file: Option<String>,
}

/// `file_locations.records_source`. From here on case does not matter in keys.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    pub(super) r#type: Option<String>,
    pub(super) location: Option<String>,
    pub(super) read_only: Option<bool>,
    pub(super) branch: Option<String>,
    pub(super) path: Option<String>,
    pub(super) refresh_interval_seconds: Option<i64>,
    pub(super) include_pattern: Option<String>,
    pub(super) named_conf: Option<String>,
    pub(super) watch: Option<bool>,
}

/// `DNSRecordSettings`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordSettings {
    pub(super) auto_build_ptr_from_a: Option<bool>,
    forward_ptr_queries: Option<bool>,
    add_updates_records: Option<bool>,
}

/// `log`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    pub(super) log_severity: Option<String>,
    log_dir: Option<String>,
    log_rotation: Option<String>,
    log_rotation_size_mb: Option<i64>,
    log_rotation_time_days: Option<i64>,
}
