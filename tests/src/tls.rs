//! The lobby's own TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lobby_testbed::Certificates;
use rstest::rstest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Database, Kind, Launch, Participant, Program, becomes_so, binary, free_port, in_time};

/// A plain connection over TLS, by somebody who trusts one authority.
pub(crate) struct Secured(WebSocketStream<TlsStream<TcpStream>>);

impl Secured {
    /// Is let in as nobody in particular; answers with the `session` event too.
    pub(crate) async fn enter(address: SocketAddr, authority: &Path) -> (Self, Value) {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Self::enter_by(stream, authority).await
    }

    async fn enter_by(stream: TcpStream, authority: &Path) -> (Self, Value) {
        let address = stream.peer_addr().expect("it is connected");
        let stream = secured(stream, authority).await;
        let opened = client_async(format!("wss://{address}/ws"), stream);
        let (stream, _) = Box::pin(in_time("a handshake", opened)).await.expect("a WebSocket");
        let mut secured = Self(stream);
        secured.send(&json!({"event": "connect"})).await;
        let session = secured.next().await;
        assert_eq!(session["event"], "session");
        (secured, session["data"].clone())
    }

    /// The same over Socket.IO.
    async fn enter_socketio(address: SocketAddr, authority: &Path) -> Self {
        let stream = connected(address, authority).await;
        let opened = client_async(format!("wss://{address}/socket.io/?EIO=4&transport=websocket"), stream);
        let (stream, _) = Box::pin(in_time("a handshake", opened)).await.expect("a WebSocket");
        let mut secured = Self(stream);
        secured.0.send(Message::text("40")).await.expect("the socket takes it");
        for begins in ["0{", "40{", "42[\"session\""] {
            let text = in_time("a frame", secured.0.next()).await.expect("it goes on").expect("it is whole");
            assert!(text.to_text().expect("a text").starts_with(begins), "{text:?}");
        }
        secured
    }

    /// With which code it is closed; what comes before is passed over.
    async fn closed(&mut self) -> u16 {
        loop {
            let frame = in_time("a frame", self.0.next()).await.expect("it says so").expect("it is whole");
            if let Message::Close(Some(close)) = frame {
                return close.code.into();
            }
        }
    }

    /// The answer to an event; what comes in between is passed over.
    pub(crate) async fn ask(&mut self, event: &str, data: &Value) -> Value {
        self.send(&json!({"event": event, "data": data, "ack": 1})).await;
        loop {
            let next = self.next().await;
            if next["ack"] == 1 {
                return next["data"].clone();
            }
        }
    }

    async fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("the socket takes it");
    }

    async fn next(&mut self) -> Value {
        loop {
            match in_time("a frame", self.0.next()).await.expect("it goes on").expect("it is whole") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) => {}
                other => panic!("an event, not {other:?}"),
            }
        }
    }
}

async fn connected(address: SocketAddr, authority: &Path) -> TlsStream<TcpStream> {
    secured(TcpStream::connect(address).await.expect("it listens"), authority).await
}

async fn secured(stream: TcpStream, authority: &Path) -> TlsStream<TcpStream> {
    let address = stream.peer_addr().expect("it is connected");
    let stream = connector(authority, &[b"http/1.1"]).connect(address.ip().into(), stream);
    in_time("the handshake of TLS", stream).await.expect("a certificate to be trusted")
}

/// A long-polling session, all of it over one connection: nobody gets another during a goodbye.
struct Polled {
    stream: BufReader<TlsStream<TcpStream>>,
    path: String,
}

impl Polled {
    async fn enter(address: SocketAddr, authority: &Path) -> Self {
        let stream = BufReader::new(connected(address, authority).await);
        let mut polled = Self { stream, path: "/socket.io/?EIO=4&transport=polling".to_owned() };
        let opened: Value = serde_json::from_str(&polled.poll().await[1..]).expect("JSON");
        polled.path.push_str("&sid=");
        polled.path.push_str(opened["sid"].as_str().expect("a text"));
        assert_eq!(polled.ask("POST", "40").await, "ok");
        let mut entered = String::new();
        while !entered.contains("42[\"session\"") {
            entered += &polled.poll().await;
        }
        polled
    }

    async fn poll(&mut self) -> String {
        self.ask("GET", "").await
    }

    /// The body of the answer.
    async fn ask(&mut self, method: &str, body: &str) -> String {
        let (path, length) = (&self.path, body.len());
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: lobby\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes()).await.expect("it is sent");
        self.stream.flush().await.expect("it is sent");
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            in_time("a line", self.stream.read_line(&mut head)).await.expect("it goes on");
            if let Some(value) = head[before..].to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim_end().parse().expect("a number");
            }
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut body = vec![0; length];
        in_time("a body", self.stream.read_exact(&mut body)).await.expect("all of it");
        String::from_utf8(body).expect("a text")
    }
}

fn connector(authority: &Path, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.expect("its own versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// A lobby that speaks TLS.
struct Served {
    program: Program,
    certificates: Certificates,
    folder: TempDir,
}

impl Served {
    async fn start(settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::make(folder.path());
        let files = [
            ("LOBBY_TLS__CERTIFICATE", certificates.server.display().to_string()),
            ("LOBBY_TLS__KEY", certificates.key.display().to_string()),
        ];
        let settings =
            settings.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(files).collect();
        let program = Program::begin(Launch { settings, ..Launch::default() });
        let served = Self { program, certificates, folder };
        becomes_so("it to be ready", async || served.is_ready().await).await;
        served
    }

    /// What `lobby ready` says.
    async fn is_ready(&self) -> bool {
        let port = self.program.socket().port().to_string();
        let files = [&self.certificates.server, &self.certificates.key];
        let [certificate, key] = files.map(|file| file.display().to_string());
        let (certificate, key) = (format!("tls.certificate={certificate}"), format!("tls.key={key}"));
        let words = ["ready", "--port", &port, "--set", &certificate, "--set", &key];
        let asked = Command::new(binary("lobby")).args(words).current_dir(self.folder.path()).output();
        in_time("an answer", asked).await.expect("it runs").status.success()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.program.socket())
    }

    /// What curl has to say, which trusts this authority.
    async fn curl(&self, authority: &Path, words: &[&str], path: &str) -> Result<String, String> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--cacert"]).arg(authority).args(words).arg(self.url(path));
        let output = in_time("an answer", command.output()).await.expect("curl runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    async fn live(&self, authority: &Path) -> Result<String, String> {
        self.curl(authority, &[], "/health/live").await
    }
}

#[tokio::test]
async fn curl_comes_in_over_http_1_and_the_cookie_goes_over_tls_only() {
    let served = Served::start(&[]).await;
    let authority = &served.certificates.authority;
    for version in ["--tlsv1.3", "--tls-max"] {
        let words: &[_] = if version == "--tls-max" { &[version, "1.2"] } else { &[version] };
        let answer = served.curl(authority, words, "/health/live").await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let body = r#"{"pseudonym": "JohnDoe"}"#;
    let login = ["-H", "Content-Type: application/json", "-d", body];
    let answer = served.curl(authority, &login, "/login").await.expect("an answer").to_ascii_lowercase();
    assert!(answer.contains("set-cookie: lobby_session=") && answer.contains("; secure"), "{answer}");
    // As browsers do, which are answered without HTTP/2.
    let stream = TcpStream::connect(served.program.socket()).await.expect("it listens");
    let connecting =
        connector(authority, &[b"h2", b"http/1.1"]).connect(served.program.socket().ip().into(), stream);
    let stream = in_time("the handshake of TLS", connecting).await.expect("a certificate to be trusted");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    // Nobody is told anything without it.
    let plain = reqwest::get(format!("http://{}/health/live", served.program.socket())).await;
    assert!(plain.is_err(), "{plain:?}");
    served.program.stop().await;
}

#[rstest]
#[tokio::test]
async fn unmodified_clients_come_in_over_tls(
    #[values("polling", "websocket", "polling,websocket")] transports: &str,
) {
    let served = Served::start(&[]).await;
    let authority = served.certificates.authority.display().to_string();
    let variables =
        [("LOBBY_TRANSPORTS", transports), ("LOBBY_COOKIES", "all"), ("NODE_EXTRA_CA_CERTS", &authority)];
    let mut person = Participant::run(&served.url(""), Kind::Node, "participant", &variables);
    assert_eq!(person.log_in("JohnDoe").await["status"], 200);
    person.connect("main").await;
    assert_eq!(person.say("main", "JohnDoe", "hello").await["id"], 1);
    assert_eq!(person.event("main", "new_message").await["content"], "hello");
    person.quit().await;
    served.program.stop().await;
}

/// Settings were changed, and the lobby was not started anew: whoever asks by the new ones hears where that was.
#[tokio::test]
async fn who_asks_by_other_settings_than_it_runs_with_hears_where_it_was_asked() {
    let (served, plain) = (Served::start(&[]).await, Program::start(Database::Sqlite).await);
    let edited = served.folder.path().join("edited.toml");
    let asked = async |settings: String| {
        std::fs::write(&edited, settings).expect("it is written");
        let mut command = Command::new(binary("lobby"));
        let asked = command.args(["ready", "--config", "edited.toml"]).current_dir(served.folder.path());
        let output = in_time("an answer", asked.output()).await.expect("it runs");
        (output.status.success(), String::from_utf8(output.stderr).expect("a text"))
    };
    let Certificates { server, key, .. } = &served.certificates;
    let tls = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", server.display(), key.display());
    for (program, with_tls) in [(&served.program, true), (&plain, false)] {
        let place = format!("[server]\nhost = \"0.0.0.0\"\nport = {}\n", program.socket().port());
        let [right, wrong] = if with_tls { [&*tls, ""] } else { ["", &*tls] };
        assert_eq!(asked(format!("{place}{right}")).await, (true, String::new()));
        let (is_ready, said) = asked(format!("{place}{wrong}")).await;
        let scheme = if with_tls { "http" } else { "https" };
        let sentence =
            format!("lobby: no lobby answers at {scheme}://{}, where the settings say", program.socket());
        assert!(!is_ready && said.starts_with(&sentence), "{said}");
        assert!(!said.trim_end().contains(char::is_control), "{said:?}");
    }
    served.program.stop().await;
    plain.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_after_a_sighup_and_connections_go_on() {
    let served = Served::start(&[]).await;
    let old = served.folder.path().join("old-authority.pem");
    std::fs::copy(&served.certificates.authority, &old).expect("it is copied");
    let (mut before, _) = Secured::enter(served.program.socket(), &old).await;

    // The files are changed, and nobody has said so.
    let new = Certificates::make(served.folder.path()).authority;
    served.live(&old).await.expect("the old one is still shown");
    assert!(served.live(&new).await.is_err());
    served.program.signal("HUP").await;
    becomes_so("the new one to be shown", async || served.live(&new).await.is_ok()).await;
    assert!(served.live(&old).await.is_err());
    let refused = before.ask("send_message", &json!({"content": "hello"})).await;
    assert_eq!(refused["code"], "token_required", "the old connection is answered: {refused}");

    // One that is no good is not shown.
    std::fs::write(&served.certificates.key, "nothing").expect("it is written");
    served.program.signal("HUP").await;
    let stays = "tls.key: there is no private key in";
    becomes_so("it to say so", async || served.program.log().contains(stays)).await;
    served.live(&new).await.expect("the last good one is shown");
    assert!(!served.program.log().contains("PRIVATE KEY-----"));
    served.program.stop().await;
}

#[tokio::test]
async fn all_are_told_of_the_end_over_tls_too() {
    let mut served = Served::start(&[]).await;
    let (address, authority) = (served.program.socket(), served.certificates.authority.clone());
    let (mut plain, _) = Secured::enter(address, &authority).await;
    let mut socketio = Secured::enter_socketio(address, &authority).await;
    let mut polled = Polled::enter(address, &authority).await;
    let polling = async {
        let mut packets = polled.poll().await;
        while packets != "1" && !packets.ends_with("\u{1e}1") {
            packets = polled.poll().await;
        }
    };
    served.program.signal("TERM").await;
    let (plain, socketio, ()) = tokio::join!(plain.closed(), socketio.closed(), polling);
    assert_eq!((plain, socketio), (1001, 1001));
    let status = served.program.ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn what_a_slow_reader_did_not_take_comes_whole_and_in_order() {
    const MESSAGES: usize = 1_600;
    let metrics = format!("127.0.0.1:{}", free_port());
    let settings = [("LOBBY_WEBSOCKET__OUTBOX", "67108864"), ("LOBBY_METRICS__LISTEN", &metrics)];
    let served = Served::start(&settings).await;
    let authority = &served.certificates.authority;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("it may be small");
    let stream = socket.connect(served.program.socket()).await.expect("it listens");
    let (mut slow, _) = Secured::enter_by(stream, authority).await;

    let body = r#"{"pseudonym": "JohnDoe"}"#;
    let login = ["-H", "Content-Type: application/json", "-d", body];
    served.curl(authority, &login, "/login").await.expect("an answer");
    let (mut speaker, _) = Secured::enter(served.program.socket(), authority).await;
    for number in 0..MESSAGES {
        let content = format!("{number} {}", "x".repeat(3_900));
        let said = speaker.ask("send_message", &json!({"content": content, "sender": "JohnDoe"})).await;
        assert_eq!(said["id"], number + 1);
    }
    // More than a socket holds: it has waited for the reader.
    let scraped = in_time("an answer", reqwest::get(format!("http://{metrics}/metrics"))).await;
    let scraped = scraped.expect("an answer").text().await.expect("a body");
    let waiting = scraped.lines().find_map(|line| line.strip_prefix("lobby_outbox_largest_bytes "));
    assert!(waiting.expect("a gauge").parse::<u64>().expect("a number") > 100_000, "{waiting:?}");
    let mut next = 0;
    while next < MESSAGES {
        let event = slow.next().await;
        if event["event"] == "new_message" {
            assert!(event["data"]["content"].as_str().expect("a text").starts_with(&format!("{next} ")));
            next += 1;
        }
    }
    served.program.stop().await;
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_is_cut_and_others_are_not() {
    let served = Served::start(&[("LOBBY_TLS__HANDSHAKE_TIMEOUT", "500ms")]).await;
    let mut silent = TcpStream::connect(served.program.socket()).await.expect("it listens");
    let (mut there, _) = Secured::enter(served.program.socket(), &served.certificates.authority).await;
    let mut byte = [0];
    let read = in_time("the end", silent.read(&mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    sleep(Duration::from_millis(600)).await;
    let answered = timeout(Duration::from_secs(5), there.ask("typing", &json!({}))).await;
    assert_eq!(answered.expect("in time")["code"], "token_required");
    served.program.stop().await;
}

#[rstest]
#[case::missing("tls.certificate: the file '", |files: &Certificates| std::fs::remove_file(&files.server))]
#[case::no_certificate("tls.certificate: there is no certificate in '", |files: &Certificates| std::fs::write(&files.server, "hush"))]
#[case::nonsense("tls.certificate: the certificate in '", |files: &Certificates| {
    std::fs::write(&files.server, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
})]
#[case::missing_key("tls.key: the file '", |files: &Certificates| std::fs::remove_file(&files.key))]
#[case::no_key("tls.key: there is no private key in '", |files: &Certificates| std::fs::write(&files.key, "hush"))]
#[case::bad_key("tls.key: the key in '", |files: &Certificates| {
    std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
})]
#[case::a_key_in_one_line("tls.key: the file '", |files: &Certificates| {
    std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----hush-----END PRIVATE KEY-----")
})]
#[case::a_key_with_lines_that_are_none("tls.key: the file '", |files: &Certificates| {
    std::fs::write(&files.key, r"-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n")
})]
#[case::a_key_that_is_no_base64("tls.key: the file '", |files: &Certificates| {
    std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\n%hush%\n-----END PRIVATE KEY-----\n")
})]
#[case::another_key("is not that of the certificate in '", |files: &Certificates| {
    let folder = tempfile::tempdir()?;
    std::fs::copy(Certificates::make(folder.path()).key, &files.key).map(drop)
})]
#[case::expired("is good from 1975-01-01T00:00:00Z until 2001-01-01T00:00:00Z, and now is 20", |files: &Certificates| {
    drop(Certificates::make_until(files.key.parent().expect("a folder"), 2001));
    Ok(())
})]
#[tokio::test]
async fn files_that_are_no_good_stop_the_start_with_a_sentence(
    #[case] sentence: &str,
    #[case] spoil: fn(&Certificates) -> std::io::Result<()>,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = Certificates::make(folder.path());
    spoil(&files).expect("it is spoiled");
    let mut command = Command::new(binary("lobby"));
    command.args(["--port", "0"]).env_clear().current_dir(folder.path()).kill_on_drop(true);
    command.env("LOBBY_TLS__CERTIFICATE", &files.server).env("LOBBY_TLS__KEY", &files.key);
    let output = in_time("the end", command.output()).await.expect("it runs");
    let said = String::from_utf8(output.stderr).expect("a text");
    let last = said.lines().last().expect("a sentence");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(last.starts_with("lobby: tls.") && last.contains(sentence), "{said}");
    // Nor as a list of bytes.
    assert!(["hush", "AAAA", "104, 117, 115, 104"].iter().all(|secret| !said.contains(secret)), "{said}");
}
