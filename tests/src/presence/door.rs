use std::collections::BTreeSet;
use std::net::SocketAddr;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::tab::Tab;
use crate::harness::{App, LoggedIn, Network, Program, http_client, in_time};

/// A lobby as its clients see it, whatever is behind it.
#[derive(Clone)]
pub struct Door {
    pub address: SocketAddr,
    client: Client,
}

/// Who is online, and as of which change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub revision: i64,
    pub sessions: BTreeSet<String>,
}

/// How a tab talks to the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plain,
    SocketIo,
    Polling,
}

pub const WAYS: [Way; 3] = [Way::Plain, Way::SocketIo, Way::Polling];

impl Door {
    fn at(address: SocketAddr) -> Self {
        Self { address, client: http_client() }
    }

    pub async fn log_in(&self, pseudonym: &str) -> LoggedIn {
        LoggedIn::from(&self.try_log_in(pseudonym, true).await.expect("it is let in"))
    }

    pub async fn log_in_unclaimed(&self, pseudonym: &str) -> LoggedIn {
        LoggedIn::from(&self.try_log_in(pseudonym, false).await.expect("it is let in"))
    }

    /// The body, of an answer or of a refusal.
    pub async fn try_log_in(&self, pseudonym: &str, claim: bool) -> Result<Value, Value> {
        let body = json!({"pseudonym": pseudonym, "claim": claim});
        let answer = self.client.post(self.url("/login")).json(&body).send();
        let answer = in_time("an answer", answer).await.expect("an answer");
        let is_success = answer.status().is_success();
        let body: Value = in_time("a body", answer.json()).await.expect("JSON");
        if is_success { Ok(body) } else { Err(body) }
    }

    pub async fn log_out(&self, pseudonym: &str, who: &LoggedIn) {
        let request = self.client.post(self.url("/logout")).bearer_auth(&who.token);
        let answer = in_time("an answer", request.json(&json!({"pseudonym": pseudonym})).send()).await;
        let answer = answer.expect("an answer");
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }

    pub async fn roster(&self) -> Roster {
        let answer = in_time("a list", self.client.get(self.url("/users")).send()).await.expect("an answer");
        let revision = revision_of(&answer);
        let users: Value = in_time("a body", answer.json()).await.expect("JSON");
        let users = users.as_array().expect("a list");
        let sessions =
            users.iter().map(|user| user["session"].as_str().expect("a text").to_owned()).collect();
        Roster { revision, sessions }
    }

    /// When somebody was let in, as the wall clock of the lobby has it.
    pub async fn connected_at(&self, who: &LoggedIn) -> String {
        let request = self.client.get(self.url("/session")).bearer_auth(&who.token);
        let answer = in_time("an answer", request.send()).await.expect("an answer");
        let session: Value = in_time("a body", answer.json()).await.expect("JSON");
        session["connected_at"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
    }

    /// A tab of somebody's, which has been let in.
    pub async fn open(&self, way: Way, who: &LoggedIn) -> Tab {
        Tab::open(self, way, &json!({"token": who.token})).await
    }

    /// A tab of nobody's that is told of all who come and go, one by one.
    pub async fn observe(&self) -> Tab {
        Tab::open(self, Way::Plain, &json!({})).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl From<&App> for Door {
    fn from(app: &App) -> Self {
        Self::at(app.address())
    }
}

impl From<&Program> for Door {
    fn from(program: &Program) -> Self {
        Self::at(*program.address().borrow())
    }
}

impl From<&Network> for Door {
    fn from(network: &Network) -> Self {
        Self::at(*network.address().borrow())
    }
}

fn revision_of(answer: &Response) -> i64 {
    let revision = answer.headers()["lobby-roster-revision"].to_str().expect("a text");
    revision.parse().expect("a number")
}

/// The public ids of somebody's sessions.
pub fn sessions<'a>(people: impl IntoIterator<Item = &'a LoggedIn>) -> BTreeSet<String> {
    people.into_iter().map(|who| who.session.clone()).collect()
}
