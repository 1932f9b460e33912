use std::time::Duration;

use super::*;
use crate::environment::Environment;

fn load<const N: usize>(variables: [(&str, &str); N], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let overrides = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment: Environment::from(variables), file: None, overrides };
    Settings::load(&sources).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_those_that_others_rely_on() {
    let settings = load([], &[]).expect("the defaults are good");
    assert_eq!(
        (settings.server.host.as_str(), settings.server.port, settings.server.workers),
        ("127.0.0.1", 5000, 0)
    );
    assert_eq!(settings.database.url, "sqlite://lobby.db?mode=rwc");
    assert_eq!((settings.database.durability, settings.auth.mode), (Durability::Full, AuthMode::Open));
    let socketio = &settings.socketio;
    assert_eq!(
        (socketio.ping_interval, socketio.ping_timeout),
        (Duration::from_secs(25), Duration::from_secs(20))
    );
    assert_eq!(socketio.max_payload, 1_000_000);
}

#[test]
fn production_is_stricter() {
    let settings = load([("LOBBY_ENV", "production")], &[]).expect("good settings");
    assert!(settings.auth.secure_cookie);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn flags_win_over_variables_and_these_over_files() {
    let settings = load(
        [
            ("LOBBY_SERVER__PORT", "5001"),
            ("LOBBY_SERVER__HOST", "0.0.0.0"),
            ("LOBBY_SERVER__ALLOWED_ORIGINS", "http://a, http://b"),
        ],
        &[("server.port", "5002"), ("names.reserved", "x, y")],
    );
    let settings = settings.expect("good settings");
    assert_eq!((settings.server.host.as_str(), settings.server.port), ("0.0.0.0", 5002));
    assert_eq!(
        (settings.server.allowed_origins, settings.names.reserved),
        (owned(["http://a", "http://b"]), owned(["x", "y"]))
    );
}

#[test]
fn limits_are_rates_numbers_or_none_and_proxies_are_networks() {
    let variables = [
        ("LOBBY_LIMITS__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8, ::1"),
        ("LOBBY_LIMITS__LOG_INS", "none"),
        ("LOBBY_LIMITS__EVENTS", "3/m burst 2"),
        ("LOBBY_LIMITS__CONNECTIONS", "none"),
        ("LOBBY_LIMITS__CONNECTIONS_PER_ADDRESS", "3"),
    ];
    let limits = load(variables, &[("limits.enabled", "false")]).expect("good settings").limits;
    assert_eq!(
        limits.trusted_proxies,
        ["127.0.0.1/32", "10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("one"))
    );
    assert_eq!((limits.enabled, limits.log_ins), (false, None));
    assert_eq!(limits.events, lobby_domain::limits::Quota::new(3, Duration::from_mins(1), 2));
    assert_eq!((limits.connections, limits.connections_per_address), (None, Some(3)));
    let usual = load([], &[]).expect("good settings").limits;
    assert!(usual.enabled && usual.trusted_proxies.is_empty());
    assert_eq!(usual.forwarded_header, Proxies::XForwardedFor);
    assert_eq!(usual.log_ins_per_address, lobby_domain::limits::Quota::new(2, Duration::from_secs(1), 100));
}

#[test]
fn every_refusal_names_the_setting() {
    for (key, value) in [
        ("server.port", "65536"),
        ("tls.certificate", ""),
        ("tls.handshake_timeout", "10ms"),
        ("server.workers", "-1"),
        ("server.workers", "100000000"),
        ("server.allowed_origins", "https://a.example,"),
        ("server.allowed_origins", "chat.example"),
        ("server.allowed_origins", "https://chat.example/"),
        ("names.reserved", "admin,,root"),
        ("server.shutdown_timeout", "soon"),
        ("server.shutdown_timeout", "0s"),
        ("server.shutdown_timeout", "2900ms"),
        ("websocket.write_timeout", "10ms"),
        ("database.durability", "maybe"),
        ("bus.url", "http://localhost:6379"),
        ("bus.url", "localhost:6379"),
        ("bus.url", ""),
        ("bus.url", "rediss://localhost:6379/#insecure"),
        ("bus.channel", ""),
        ("auth.secure_cookie", "perhaps"),
        ("cluster.address", "10.0.0.5:5000"),
        ("cluster.address", "https://10.0.0.5:5000"),
        ("cluster.address", "http://10.0.0.5:5000/lobby"),
        ("cluster.forwards", "0"),
        ("names.min_length", "0"),
        ("names.max_length", "256"),
        ("messages.queue", "0"),
        ("messages.queue", "9223372036854775807"),
        ("presence.snapshot", "1001"),
        ("presence.grace", "soon"),
        ("presence.unclaimed", "11y"),
        ("presence.lease", "299ms"),
        ("presence.lease", "11m"),
        ("auth.hold", "0s"),
        ("auth.token_ttl", "999ms"),
        ("socketio.max_payload", "1023"),
        ("websocket.max_message", "1"),
        ("websocket.outbox", "1"),
        ("limits.enabled", "perhaps"),
        ("limits.trusted_proxies", "nginx"),
        ("limits.trusted_proxies", "10.0.0.0/33"),
        ("limits.forwarded_header", "x-real-ip"),
        ("limits.log_ins", "2"),
        ("limits.messages_per_session", "0/s burst 1"),
        ("limits.events", "1/s burst 0"),
        ("limits.connects_per_address", "fast"),
        ("limits.connections", "0"),
        ("limits.connections_per_session", "many"),
        ("limits.head_timeout", "99ms"),
        ("limits.body_timeout", "61m"),
        ("limits.keep_alive", "2s"),
        ("log.format", "xml"),
        ("metrics.listen", "9464"),
        ("metrics.listen", "localhost:9464"),
        ("no.such.setting", "1"),
    ] {
        let refused = load([], &[(key, value)]).expect_err(key);
        let named = key.split('.').next().expect("a section");
        assert!(
            refused.contains(key) || key == "no.such.setting" && refused.contains(named),
            "{key}: {refused}"
        );
    }
}

#[test]
fn a_certificate_needs_its_key_and_nodes_reach_each_other_without_either() {
    let certificate = ("tls.certificate", "a.pem");
    let refused = load([], &[certificate]).expect_err("no key");
    assert_eq!(refused, "tls.key: tls.certificate is set, and needs its key");
    let refused = load([], &[("tls.key", "a.key")]).expect_err("no certificate");
    assert_eq!(refused, "tls.certificate: tls.key is set, and needs its certificate");
    let both = [certificate, ("tls.key", "a.key")];
    let files = load([], &both).expect("good settings").tls.files().expect("both");
    assert_eq!((files.certificate, files.key), ("a.pem".into(), "a.key".into()));
    let refused =
        load([("LOBBY_CLUSTER__ADDRESS", "http://10.0.0.5:5000")], &both).expect_err("both at once");
    assert!(refused.starts_with("cluster.address: nodes reach each other without TLS"), "{refused}");
}

#[test]
fn the_password_of_the_bus_is_said_neither_where_it_is_wrong_nor_where_it_is_right() {
    let refused = load([], &[("bus.url", "http://:hunter2@localhost")]).expect_err("it is no Redis");
    assert!(refused.starts_with("bus.url: ") && !refused.contains("hunter2"), "{refused}");
    let variables = [("LOBBY_BUS__URL", "rediss://nodes:hunter2@bus.example/1")];
    let settings = load(variables, &[]).expect("good settings");
    let shown = format!("{settings:?}");
    assert!(shown.contains("bus.example:6379") && !shown.contains("hunter2"), "{shown}");
    assert!(load([], &[]).expect("good settings").bus.url.is_none());
}

fn owned<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}
