use std::net::SocketAddr;
use std::path::Path;

use lobby_infra::persistence::Store;
use lobby_infra::signature::SecretKeys;
use lobby_server::application::Application;
use lobby_server::backends::store_settings;
use lobby_server::environment::Environment;
use lobby_server::settings::{Settings, Sources};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::contract;
use super::{Auth, Connection, Protocol, becomes_so, http_client, in_time};

/// What tokens are signed with, unless a test says otherwise.
pub const SECRET_KEY: &str = "a secret key for tests";

/// A lobby of its own for each test: on a free port, with a database in a temporary folder.
pub struct App {
    address: SocketAddr,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), String>>,
    client: Client,
}

/// What a log-in answered.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    pub session: String,
    pub token: String,
}

impl App {
    /// With the default settings.
    pub async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// With some settings of its own.
    pub async fn spawn_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Box::pin(Self::spawn_in(folder, settings, &SECRET_KEY.into())).await
    }

    async fn spawn_in(folder: TempDir, settings: &[(&str, &str)], secrets: &SecretKeys) -> Self {
        let settings = settings_for(folder.path(), settings);
        let store = Store::open(&store_settings(&settings).expect("a good URL")).await.expect("a database");
        let application = Box::pin(Application::build(settings, store, secrets)).await;
        let application = application.expect("the lobby starts");
        let address = application.address();
        let (stop, stopped) = oneshot::channel();
        let until = async { stopped.await.expect("the test says when") };
        let running = async move { application.run_until(until).await.map_err(|error| error.to_string()) };
        Self { address, folder, stop, running: tokio::spawn(running), client: http_client() }
    }

    /// Stops it in order, and answers with its folder.
    pub async fn stop(self) -> TempDir {
        self.stop.send(()).expect("it runs");
        let stopped = in_time("the lobby to stop", self.running).await;
        stopped.expect("no panic").expect("it stops in order");
        self.folder
    }

    /// Stops it and starts it again on the same database.
    pub async fn restart(self) -> Self {
        self.restart_with(&[]).await
    }

    /// The same, with these settings from then on.
    pub async fn restart_with(self, settings: &[(&str, &str)]) -> Self {
        Box::pin(Self::spawn_in(self.stop().await, settings, &SECRET_KEY.into())).await
    }

    /// The same, with these secrets instead of [`SECRET_KEY`].
    pub async fn restart_with_secrets(self, secrets: &SecretKeys) -> Self {
        Box::pin(Self::spawn_in(self.stop().await, &[], secrets)).await
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) {
        becomes_so("it to be ready", async || self.get("/health/ready").await.status == StatusCode::OK).await;
    }

    /// Waits until the oldest message that is kept is this one.
    pub async fn pruned_to(&self, first_id: u64) {
        let is_pruned = async || self.get("/messages?limit=1").await.body["first_id"] == first_id;
        becomes_so("the log to be pruned", is_pruned).await;
    }

    /// Waits until everybody has been told of this revision of who is online, which whoever comes in then is told first.
    pub async fn told_of(&self, revision: i64) {
        let telling = async {
            while Connection::enter(self, Protocol::Plain, Auth::Nothing).await.1["revision"] != revision {}
        };
        Box::pin(in_time("the list to be told", telling)).await;
    }

    /// Changes the database behind the lobby's back.
    pub async fn alter_database(&self, statement: &str) {
        let program =
            "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])";
        let file = self.folder.path().join("lobby.db");
        let python = Command::new("python3").args(["-c", program]).arg(file).arg(statement).status();
        assert!(in_time("the database", python).await.expect("Python runs").success());
    }

    /// Rows of the database, read behind the lobby's back.
    pub async fn ask_database(&self, query: &str) -> Value {
        let program = "import json, sqlite3, sys; \
             print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))";
        let file = self.folder.path().join("lobby.db");
        let python = Command::new("python3").args(["-c", program]).arg(file).arg(query).output();
        let output = in_time("the database", python).await.expect("Python runs");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without a body.
    pub async fn request(&self, method: Method, path: &str) -> Answer {
        self.send(self.client.request(method, self.url(path))).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).await
    }

    /// A JSON request by whoever shows `headers`.
    pub async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = self.client.post(self.url(path)).json(body);
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    pub async fn get_as(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.client.get(self.url(path));
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// The answer has to be one that the API page describes.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().expect("a good request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = in_time("an answer", self.client.execute(request)).await.expect("an answer");
        let answer = Answer::of(answer).await;
        contract::check_answer(&method, &path, &answer);
        answer
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Logs somebody in whose name is free. The session is unclaimed.
    pub async fn log_in(&self, pseudonym: &str) -> LoggedIn {
        let answer = self.post("/login", &json!({"pseudonym": pseudonym}), &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        LoggedIn::from(&answer.body)
    }

    pub async fn log_out(&self, pseudonym: &str, headers: &[(&str, &str)]) -> Answer {
        self.post("/logout", &json!({"pseudonym": pseudonym}), headers).await
    }

    /// Logs somebody in who only speaks with a token.
    pub async fn log_in_claimed(&self, pseudonym: &str) -> LoggedIn {
        let answer = self.post("/login", &json!({"pseudonym": pseudonym, "claim": true}), &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        LoggedIn::from(&answer.body)
    }

    /// The names of who is online, as sorted by default.
    pub async fn online(&self) -> Vec<String> {
        let answer = self.get("/users").await;
        let users = answer.body.as_array().expect("an array");
        users.iter().map(|user| user["pseudonym"].as_str().expect("a text").to_owned()).collect()
    }
}

impl LoggedIn {
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub fn cookie(&self) -> String {
        format!("lobby_session={}", self.token)
    }
}

impl From<&Value> for LoggedIn {
    fn from(body: &Value) -> Self {
        let text = |key: &str| body[key].as_str().expect("a text").to_owned();
        Self { session: text("session"), token: text("token") }
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.expect("a body");
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts that this is a refusal in its one shape, with this status and code; answers with its sentence.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], "about:blank");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "{self:?}");
        assert_eq!(self.body["error"], self.body["detail"]);
        self.body["detail"].as_str().expect("a sentence").to_owned()
    }
}

/// Settings for a lobby in `folder`.
fn settings_for(folder: &Path, own: &[(&str, &str)]) -> Settings {
    let url = format!("sqlite://{}?mode=rwc", folder.join("lobby.db").display());
    let usual = [
        ("server.port", "0"),
        // Two, so that what crosses workers is tested, on any machine.
        ("server.workers", "2"),
        ("database.url", url.as_str()),
        // What the disk does is tested where storage is.
        ("database.durability", "normal"),
        // All tests come from one address, and most in a hurry. Those of limits say otherwise.
        ("limits.enabled", "false"),
    ];
    let overrides =
        usual.iter().chain(own).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment: Environment::default(), file: None, overrides };
    Settings::load(&sources).expect("good settings")
}
