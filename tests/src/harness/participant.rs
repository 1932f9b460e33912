use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{App, in_time};

/// Which real client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// socket.io-client on Node.
    Node,
    /// python-socketio and requests.
    Python,
}

/// One person with a real client, as `tests/clients/README.md` describes.
pub struct Participant {
    child: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// Events that came in while something else was waited for.
    events: VecDeque<Value>,
    /// How sockets ended, and why they were not let in: whoever waits in vain wants to know.
    endings: Vec<Value>,
}

impl Participant {
    /// Starts a client that uses these Engine.IO transports, in the order to try, and whose cookies are kept as `cookies`
    /// says: `none`, `http` or `all`.
    pub fn start(app: &App, kind: Kind, transports: &str, cookies: &str) -> Self {
        Self::start_at(&app.url(""), kind, transports, cookies)
    }

    /// The same, where the lobby is reached at another URL.
    pub fn start_at(url: &str, kind: Kind, transports: &str, cookies: &str) -> Self {
        let variables = [("LOBBY_TRANSPORTS", transports), ("LOBBY_COOKIES", cookies)];
        Self::run(url, kind, "participant", &variables)
    }

    /// Another program of `tests/clients/`, which is told and tells in the same way.
    pub fn run(url: &str, kind: Kind, program: &str, variables: &[(&str, &str)]) -> Self {
        let clients = repository().join("target/clients");
        let sources = repository().join("tests/clients");
        let mut command = match kind {
            Kind::Node => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", clients.join("node/node_modules"))
                    .arg(sources.join(format!("node/{program}.js")));
                node
            }
            Kind::Python => {
                let mut python = Command::new(clients.join("python/bin/python"));
                python.arg(sources.join(format!("python/{program}.py")));
                python
            }
        };
        let spawned = command
            .arg(url)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = spawned.expect("the clients are installed: `make clients` does that");
        let commands = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, commands, lines, events: VecDeque::new(), endings: Vec::new() }
    }

    /// Has something done and waits for the answer.
    pub async fn tell(&mut self, command: &Value) -> Value {
        let answer = self.try_to_tell(command).await;
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }

    async fn try_to_tell(&mut self, command: &Value) -> Value {
        let line = format!("{command}\n");
        self.commands.write_all(line.as_bytes()).await.expect("it listens");
        loop {
            let line = self.line().await;
            if line.get("answer").is_some() {
                return line;
            }
            self.events.push_back(line);
        }
    }

    pub async fn log_in(&mut self, pseudonym: &str) -> Value {
        self.tell(&json!({"do": "login", "pseudonym": pseudonym})).await
    }

    pub async fn log_out(&mut self, pseudonym: &str) -> Value {
        self.tell(&json!({"do": "logout", "pseudonym": pseudonym})).await
    }

    pub async fn connect(&mut self, tab: &str) {
        self.tell(&json!({"do": "connect", "tab": tab})).await;
        self.event(tab, "session").await;
    }

    /// Begins to connect, whatever comes of it at first.
    pub async fn begin_to_connect(&mut self, tab: &str) {
        self.try_to_tell(&json!({"do": "connect", "tab": tab})).await;
    }

    /// The same as [`Participant::connect`], with something that is sent along; in Node only.
    pub async fn connect_with(&mut self, tab: &str, auth: &Value) {
        self.tell(&json!({"do": "connect", "tab": tab, "auth": auth})).await;
        self.event(tab, "session").await;
    }

    /// Says something as the original's clients do, and answers with the ack.
    pub async fn say(&mut self, tab: &str, sender: &str, content: &str) -> Value {
        let say = json!({"do": "send_with_ack", "tab": tab, "sender": sender, "content": content});
        self.tell(&say).await["ack"].clone()
    }

    /// The same, where the socket may be on its way back: until it gets an ack.
    pub async fn say_again(&mut self, tab: &str, sender: &str, content: &str) -> Value {
        let say = json!({"do": "send_with_ack", "tab": tab, "sender": sender, "content": content});
        let saying = async {
            loop {
                let answer = self.try_to_tell(&say).await;
                if answer.get("error").is_none() {
                    return answer["ack"].clone();
                }
            }
        };
        in_time("an ack", saying).await
    }

    /// Tells that it is typing, for everybody or for one.
    pub async fn typing(&mut self, tab: &str, to: Option<&str>) {
        let typing = match to {
            Some(to) => json!({"do": "typing", "tab": tab, "to": to}),
            None => json!({"do": "typing", "tab": tab}),
        };
        self.tell(&typing).await;
    }

    /// How a tab's socket travels at the moment.
    pub async fn transport(&mut self, tab: &str) -> String {
        let answer = self.tell(&json!({"do": "transport", "tab": tab})).await;
        answer["transport"].as_str().expect("a text").to_owned()
    }

    /// The names of who is online.
    pub async fn online(&mut self) -> Vec<String> {
        let answer = self.tell(&json!({"do": "users", "sort_by": "pseudonym"})).await;
        let users = answer["body"].as_array().expect("an array").clone();
        users.iter().map(|user| user["pseudonym"].as_str().expect("a text").to_owned()).collect()
    }

    /// The data of a tab's next event of this name; what comes in between is kept.
    pub async fn event(&mut self, tab: &str, name: &str) -> Value {
        let is_meant = |event: &Value| event["tab"] == tab && event["event"] == name;
        if let Some(at) = self.events.iter().position(is_meant) {
            return self.events.remove(at).expect("it was just found")["data"].clone();
        }
        loop {
            let line = self.line().await;
            if is_meant(&line) {
                return line["data"].clone();
            }
            self.events.push_back(line);
        }
    }

    /// The next event of any tab.
    pub async fn any_event(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.line().await,
        }
    }

    /// Ends the client, which has to have been content.
    pub async fn quit(mut self) {
        self.commands.write_all(b"{\"do\": \"quit\"}\n").await.expect("it listens");
        let status = in_time("the client to end", self.child.wait()).await.expect("it ends");
        assert!(status.success(), "{status}");
    }

    async fn line(&mut self) -> Value {
        let what = format!("a line of the client; its sockets have ended by {}", json!(self.endings));
        let line = in_time(&what, self.lines.next_line()).await.expect("it is read");
        let line = line.expect("the client still runs; its standard error says why not");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if line["event"] == "disconnect" || line["event"] == "connect_error" {
            self.endings.push(line.clone());
        }
        line
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}
