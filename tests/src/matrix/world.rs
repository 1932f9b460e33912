//! Sessions in every state, and who acts on them.

use serde_json::{Value, json};

use super::{Caller, Mode, Past, Shown};
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Recovery, becomes_so};

/// What the friend says last, to everybody.
pub(super) const LAST: &str = "that is all";

pub(super) struct World {
    pub(super) app: App,
    pub(super) caller: Caller,
    /// Whoever is not John, and acts.
    another: LoggedIn,
    pub(super) friend: LoggedIn,
    /// Of the friend's long-polling session.
    pub(super) sid: String,
    #[expect(dead_code, reason = "it is held, so that the friend is there")]
    here: Connection,
    pub(super) subjects: Vec<Subject>,
}

/// A John, for one act.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) john: LoggedIn,
    /// What he was given to come back with.
    pub(super) recovery: Recovery,
    /// What only he has heard.
    pub(super) secret: String,
    tampered: LoggedIn,
}

impl World {
    pub(super) async fn of(caller: Caller, claimed: bool, mode: Mode, subjects: usize) -> Self {
        let app = App::spawn_with(&settings(caller.past(), mode)).await;
        let (another, friend) = (app.log_in_claimed("Another").await, app.log_in_claimed("Friend").await);
        let (here, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&friend)).await;
        let sid = long_polling(&app, &friend).await;
        let mut all = Vec::new();
        for nth in 0..subjects {
            all.push(Subject::new(&app, nth, claimed, &friend).await);
        }
        let world = Self { app, caller, another, friend, sid, here, subjects: all };
        world.pass(claimed).await;
        let last = json!({"content": LAST});
        let answer = world.app.post("/messages", &last, &[("authorization", &world.friend.bearer())]).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        world
    }

    /// Time goes by.
    async fn pass(&self, claimed: bool) {
        match self.caller.past() {
            Past::Never | Past::Alive => {}
            Past::LoggedOut => self.log_out().await,
            Past::Succeeded => {
                self.log_out().await;
                self.succeed(claimed).await;
            }
            Past::RanOut | Past::RanOutLongAgo => self.run_out().await,
            Past::RanOutAndTaken => {
                self.run_out().await;
                self.succeed(claimed).await;
            }
        }
    }

    async fn log_out(&self) {
        for Subject { name, john, .. } in &self.subjects {
            let answer = self.app.log_out(name, &[("cookie", &john.cookie())]).await;
            assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        }
    }

    async fn succeed(&self, claimed: bool) {
        for Subject { name, .. } in &self.subjects {
            let login = json!({"pseudonym": name, "claim": claimed});
            let answer = self.app.post("/login", &login, &[]).await;
            assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        }
    }

    /// As if their time had run out.
    async fn run_out(&self) {
        // What is noted when a connection has gone would give them time again.
        self.wait_for("SELECT count(*) FROM attendance", &json!([[1]])).await;
        let johns = "folded LIKE 'john%' AND ended_at IS NULL";
        self.app.alter_database(&format!("UPDATE sessions SET expires_at = 0 WHERE {johns}")).await;
        self.wait_for(&format!("SELECT count(*) FROM sessions WHERE {johns}"), &json!([[0]])).await;
        if self.caller.past() != Past::RanOut {
            self.app.alter_database("UPDATE sessions SET held_until = 0 WHERE held_until IS NOT NULL").await;
        }
    }

    async fn wait_for(&self, query: &str, rows: &Value) {
        becomes_so(query, async || self.app.ask_database(query).await == *rows).await;
    }

    /// The sessions that had ended and were there again.
    pub(super) async fn came_back(&self) -> Vec<String> {
        let joined =
            "SELECT lower(hex(session)) FROM roster_changes WHERE joined GROUP BY 1 HAVING count(*) > 1";
        let rows = self.app.ask_database(joined).await;
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| hyphenated(row[0].as_str().expect("a text"))).collect()
    }

    /// In whose name it is done.
    pub(super) fn name(&self, subject: &Subject) -> String {
        if self.caller.past() == Past::Never { format!("No{}", subject.name) } else { subject.name.clone() }
    }

    /// What is shown to a socket.
    pub(super) fn auth<'a>(&'a self, subject: &'a Subject) -> Auth<'a> {
        match self.caller.shown() {
            Shown::Nothing => Auth::Nothing,
            Shown::Token => Auth::Token(&subject.john),
            Shown::Cookie => Auth::Cookie(&subject.john),
            Shown::AnothersToken => Auth::Token(&self.another),
            Shown::AnothersCookie => Auth::Cookie(&self.another),
            Shown::TamperedToken => Auth::Token(&subject.tampered),
            Shown::TamperedCookie => Auth::Cookie(&subject.tampered),
        }
    }

    /// What is shown to REST.
    pub(super) fn headers(&self, subject: &Subject) -> Vec<(&'static str, String)> {
        match self.auth(subject) {
            Auth::Token(user) | Auth::Header(user) => vec![("authorization", user.bearer())],
            Auth::Cookie(user) => vec![("cookie", user.cookie())],
            Auth::Nothing => vec![],
            Auth::Forged(token) => vec![("authorization", format!("Bearer {token}"))],
        }
    }

    /// Who that is.
    pub(super) fn who(&self, session: &Value, subject: &Subject) -> &'static str {
        match session.as_str() {
            Some(id) if id == subject.john.session => "John",
            Some(id) if id == self.another.session => "another",
            Some(_) => "somebody",
            None => "nobody",
        }
    }
}

impl Subject {
    /// He was there, by his cookie, and heard something that was for him alone.
    async fn new(app: &App, nth: usize, claimed: bool, friend: &LoggedIn) -> Self {
        let name = format!("John{nth}");
        let login = json!({"pseudonym": name, "claim": claimed});
        let john = LoggedIn::from(&app.post("/login", &login, &[]).await.body);
        let cookie = john.cookie();
        let data = json!({"recovery": true});
        let connecting =
            Connection::connecting_with(app, Protocol::SocketIo, &[("cookie", &cookie)], &data).await;
        let (mut connection, _) = connecting.entered().await;
        let secret = format!("for {name} alone");
        let whisper = json!({"content": secret, "to": john.session});
        let answer = app.post("/messages", &whisper, &[("authorization", &friend.bearer())]).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        // What comes after that is missed.
        let recovery = connection.recovery().clone();
        connection.event("new_message").await;
        let tampered = LoggedIn { token: tampered(&john.token), ..john.clone() };
        Self { name, john, recovery, secret, tampered }
    }
}

/// A UUID as the lobby writes it.
fn hyphenated(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// One character is another.
fn tampered(token: &str) -> String {
    let at = token.len() / 2;
    let other = if token[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

fn settings(past: Past, mode: Mode) -> Vec<(&'static str, &'static str)> {
    let mode = match mode {
        Mode::Open => "open",
        Mode::Token => "token",
    };
    // Whoever does not run out on purpose stays.
    let mut settings = vec![("auth.mode", mode), ("presence.grace", "10m"), ("auth.hold", "10m")];
    if matches!(past, Past::RanOut | Past::RanOutLongAgo | Past::RanOutAndTaken) {
        // A node ends sessions after it has held a lease for that long.
        settings.push(("presence.lease", "1s"));
    }
    settings
}

/// A Socket.IO session by polling, of somebody who shows a token in the header.
async fn long_polling(app: &App, user: &LoggedIn) -> String {
    let headers = [("authorization", user.bearer())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let opened = app.get_as("/socket.io/?EIO=4&transport=polling", &headers).await;
    let opened = opened.body.as_str().expect("a packet").trim_start_matches('0').to_owned();
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    opened["sid"].as_str().expect("a text").to_owned()
}
