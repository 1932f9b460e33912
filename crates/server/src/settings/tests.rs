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
fn every_refusal_names_the_setting() {
    for (key, value) in [
        ("server.port", "65536"),
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
