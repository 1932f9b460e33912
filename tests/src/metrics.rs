//! What operators see: that the numbers are right, that Prometheus' own tool has nothing to say against them, and that nobody else
//! sees them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::docs::{assert_up_to_date, page, with_table};
use crate::harness::{
    Connection, Launch, LoggedIn, Polling, Program, Protocol, becomes_so, free_port, http_client, in_time,
};

/// A lobby whose metrics are served.
struct Watched {
    program: Program,
    port: u16,
}

/// Series with their labels, as they are written, and their values.
type Series = BTreeMap<String, f64>;

impl Watched {
    async fn start() -> Self {
        let port = free_port();
        let settings = vec![("LOBBY_METRICS__LISTEN", format!("127.0.0.1:{port}"))];
        Self { program: Program::launch(Launch { settings, ..Launch::default() }).await, port }
    }

    async fn scrape(&self) -> (String, Series) {
        let answer = http_client().get(format!("http://127.0.0.1:{}/metrics", self.port)).send();
        let answer = in_time("an answer", answer).await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = answer.text().await.expect("a body");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.rsplit_once(' ').expect("a name and a value"));
        let series = pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect();
        (text, series)
    }

    async fn becomes(&self, name: &str, value: f64) {
        becomes_so(name, async || self.scrape().await.1[name].to_bits() == value.to_bits()).await;
    }

    async fn log_in(&self, name: &str) -> LoggedIn {
        let url = format!("http://{}/login", self.program.socket());
        let request = http_client().post(url).json(&json!({"pseudonym": name, "claim": true})).send();
        let answer = in_time("an answer", request).await.expect("an answer");
        LoggedIn::from(&answer.json::<Value>().await.expect("JSON"))
    }

    async fn enter(&self, protocol: Protocol, data: &Value) -> Connection {
        let connection = Connection::connecting_at(self.program.socket(), protocol, &[], data).await;
        connection.entered().await.0
    }
}

async fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool is installed: `make tool-promtool`");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await.expect("it is read");
    drop(stdin);
    let output = in_time("promtool", child.wait_with_output()).await.expect("it ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// Ten messages to four who listen, of whom one talks over each protocol.
#[tokio::test]
async fn the_numbers_are_those_of_what_was_done() {
    const MESSAGES: usize = 10;

    let lobby = Watched::start().await;
    let (john, zoe) = (lobby.log_in("JohnDoe").await, lobby.log_in("Zoë").await);
    let mut connections = vec![
        lobby.enter(Protocol::Plain, &json!({"token": john.token})).await,
        lobby.enter(Protocol::SocketIo, &json!({"token": zoe.token})).await,
        lobby.enter(Protocol::Plain, &json!({})).await,
        lobby.enter(Protocol::SocketIo, &json!({"recovery": true})).await,
    ];
    for number in 0..MESSAGES {
        let answer =
            connections[number % 2].ask("send_message", &json!({"content": format!("{number}")})).await;
        assert!(answer["id"].is_i64(), "{answer}");
    }
    let private = connections[0].ask("send_message", &json!({"content": "hush", "to": zoe.session})).await;
    assert!(private["id"].is_i64(), "{private}");
    for connection in &mut connections[..2] {
        connection.messages(MESSAGES + 1).await;
    }
    for connection in &mut connections[2..] {
        connection.messages(MESSAGES).await;
    }
    // Three refusals, and three requests that are refused.
    for data in [json!({"content": ""}), json!({"content": 7})] {
        connections[0].ask("send_message", &data).await;
    }
    connections[1].ask("shout", &json!({})).await;
    for _ in 0..3 {
        let answer = http_client().get(format!("http://{}/nowhere", lobby.program.socket())).send().await;
        assert_eq!(answer.expect("an answer").status(), StatusCode::NOT_FOUND);
    }

    lobby.becomes("lobby_delivery_seconds_count", 11.0).await;
    let (_, series) = lobby.scrape().await;
    for (name, value) in [
        ("lobby_messages_total{kind=\"public\"}", 10.0),
        ("lobby_messages_total{kind=\"private\"}", 1.0),
        ("lobby_deliveries_total", 42.0),
        ("lobby_deliveries_replayed_total", 0.0),
        ("lobby_connections{transport=\"websocket\"}", 2.0),
        ("lobby_connections{transport=\"socketio_websocket\"}", 2.0),
        ("lobby_connections{transport=\"socketio_polling\"}", 0.0),
        ("lobby_socketio_sessions", 2.0),
        ("lobby_sessions", 2.0),
        ("lobby_sessions_served", 2.0),
        ("lobby_presence_changes_total{change=\"joined\"}", 2.0),
        ("lobby_refusals_total{door=\"websocket\",code=\"content_empty\"}", 1.0),
        ("lobby_refusals_total{door=\"websocket\",code=\"invalid_payload\"}", 1.0),
        ("lobby_refusals_total{door=\"socketio\",code=\"unknown_event\"}", 1.0),
        ("lobby_refusals_total{door=\"http\",code=\"not_found\"}", 3.0),
        ("lobby_commit_messages_sum", 11.0),
        ("lobby_writer_queue_messages", 0.0),
        ("lobby_writer_queue_capacity_messages", 4096.0),
        ("lobby_workers", 2.0),
        ("lobby_outbox_bytes", 0.0),
        ("lobby_bus_up", 1.0),
        ("lobby_database_up", 1.0),
        ("lobby_presence_lease_held", 1.0),
        ("lobby_ready", 1.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
    let commits = |what: &str| series[&format!("lobby_commit_{what}_count")].to_bits();
    assert_eq!(commits("seconds"), commits("messages"));
    assert!(series["process_open_fds"] > 4.0 && series["process_resident_memory_bytes"] > 1e6);
    assert!(series["process_cpu_seconds_total"] > 0.0 && series["process_start_time_seconds"] > 1.6e9);

    for connection in &mut connections {
        connection.close().await;
    }
    for transport in ["websocket", "socketio_websocket"] {
        lobby.becomes(&format!("lobby_connections{{transport=\"{transport}\"}}"), 0.0).await;
    }
    for door in ["websocket", "socketio"] {
        let name = format!("lobby_connections_closed_total{{door=\"{door}\",reason=\"client\"}}");
        lobby.becomes(&name, 2.0).await;
    }
    lobby.program.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_lost_whatever_way_it_came() {
    let lobby = Watched::start().await;
    lobby.enter(Protocol::Plain, &json!({})).await.break_off();
    lobby.enter(Protocol::SocketIo, &json!({})).await.break_off();
    let mut polling = Polling::connecting_at(lobby.program.socket(), &json!({})).await;
    polling.receive().await;
    polling.break_off().await;
    for (door, lost) in [("websocket", 1.0), ("socketio", 2.0)] {
        let name = |reason| format!("lobby_connections_closed_total{{door=\"{door}\",reason=\"{reason}\"}}");
        lobby.becomes(&name("lost"), lost).await;
        let (_, series) = lobby.scrape().await;
        assert_eq!((series[&name("client")], series[&name("protocol")]), (0.0, 0.0), "{door}");
    }
    lobby.program.stop().await;
}

#[tokio::test]
async fn prometheus_has_nothing_to_say_against_them() {
    let lobby = Watched::start().await;
    let (text, _) = lobby.scrape().await;
    let checked = promtool(&["check", "metrics"], &text).await;
    assert_eq!(checked, (true, String::new()));
    // It would say so.
    let (is_good, said) =
        promtool(&["check", "metrics"], "# TYPE lobby_x_total gauge\nlobby_x_total 1\n").await;
    assert!(!is_good && said.contains("lobby_x_total"), "{said}");
    lobby.program.stop().await;
}

#[tokio::test]
async fn a_stranger_does_not_get_them() {
    let lobby = Watched::start().await;
    let public = format!("http://{}/metrics", lobby.program.socket());
    let answer = http_client().get(public).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert!(!answer.text().await.expect("a body").contains("lobby_"));
    // Nor does whoever scrapes get anything else.
    let elsewhere = format!("http://127.0.0.1:{}/users", lobby.port);
    assert_eq!(http_client().get(elsewhere).send().await.expect("an answer").status(), StatusCode::NOT_FOUND);
    lobby.program.stop().await;
}

#[tokio::test]
async fn the_alert_rules_are_good_and_do_what_they_say() {
    let (is_good, said) = promtool(&["check", "rules", "docs/operations/alerts.yml"], "").await;
    assert!(is_good && said.contains("SUCCESS"), "{said}");
    let (is_good, said) = promtool(&["test", "rules", "docs/operations/alerts.test.yml"], "").await;
    assert!(is_good, "{said}");
}

/// The names of all metrics in a text, without what Prometheus makes of a histogram.
fn named(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("lobby_") || word.starts_with("process_"));
    let family = |name: &str| name.strip_suffix("_bucket").unwrap_or(name).to_owned();
    names.map(family).collect()
}

#[tokio::test]
async fn every_metric_is_in_the_table_and_those_of_dashboard_and_rules_exist() {
    let lobby = Watched::start().await;
    let (text, _) = lobby.scrape().await;
    lobby.program.stop().await;
    let mut table = "| metric | type | meaning |\n| --- | --- | --- |\n".to_owned();
    let mut names = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = line.split_once(' ').expect("a name and what it means");
        let kind = format!("# TYPE {name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(&kind)).expect("each has a type");
        let labels = labels_of(&text, name);
        let _ = writeln!(table, "| `{name}`{labels} | {kind} | {help} |");
        names.push(name.to_owned());
    }
    assert!(names.len() > 35, "{names:?}");
    let path = "docs/operations/monitoring.md";
    assert_up_to_date(path, &with_table(&page(path), "metrics", &table));

    let told = ["docs/operations/alerts.yml", "docs/operations/dashboard.json", path].map(page).concat();
    let unknown: Vec<_> = named(&told).into_iter().filter(|name| !names.contains(name)).collect();
    assert_eq!(unknown, [""; 0]);
    assert_eq!(named("rate(lobby_no_such_bucket[5m])"), ["lobby_no_such"]);
    let dashboard = page("docs/operations/dashboard.json");
    let unseen: Vec<_> = names.iter().filter(|name| !dashboard.contains(name.as_str())).collect();
    assert_eq!(unseen, ["process_start_time_seconds"], "what the dashboard leaves out");
}

/// By which labels its series differ.
fn labels_of(text: &str, name: &str) -> String {
    let first = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once('}'));
    let labels = first.map_or("", |(labels, _)| labels).split(',').filter_map(|label| label.split_once('='));
    let labels: Vec<_> = labels.map(|(label, _)| format!("`{label}`")).collect();
    if labels.is_empty() { String::new() } else { format!(" by {}", labels.join(", ")) }
}
