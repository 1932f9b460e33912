use serde_json::Value;

/// A message as it was delivered or stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: u64,
    pub sender_session: String,
    /// Whom it is for; everybody, if nobody is named.
    pub to_session: Option<String>,
    pub client_id: Option<String>,
    pub content: String,
    pub timestamp: String,
}

/// What one client did and saw.
#[derive(Debug, Clone)]
pub struct Record {
    /// What it is called in faults.
    pub name: String,
    /// The session that its connections proved.
    pub session: Option<String>,
    /// In the order in which they were first sent, each after the answer to the one before.
    pub posts: Vec<Post>,
    /// One for each connection that was let in.
    pub segments: Vec<Segment>,
    /// The id up to which it has to have seen everything in the end.
    pub until: Option<u64>,
}

/// Something that a client wanted to say. Its content is as the lobby would store it.
#[derive(Debug, Clone, Default)]
pub struct Post {
    pub client_id: Option<String>,
    pub content: String,
    /// The session that it is for.
    pub to: Option<String>,
    /// How often it was sent.
    pub sent: usize,
    /// Whether it turned out to be older than the connection over which it was acknowledged.
    pub was_stored: bool,
    /// The id in each acknowledgement.
    pub acknowledged: Vec<u64>,
}

/// What came over one connection.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Behind which id the client asked to go on.
    pub after: Option<u64>,
    /// Behind which id the lobby said that it goes on.
    pub from: u64,
    pub seen: Vec<Message>,
}

impl Message {
    /// Whether whoever has proved `session` may see it.
    pub fn is_visible_to(&self, session: Option<&str>) -> bool {
        let is_theirs = |of: &str| session == Some(of);
        self.to_session.as_deref().is_none_or(is_theirs) || is_theirs(&self.sender_session)
    }
}

impl From<&Value> for Message {
    fn from(message: &Value) -> Self {
        let maybe = |key: &str| message[key].as_str().map(str::to_owned);
        let text = |key: &str| maybe(key).expect("a text");
        Self {
            id: message["id"].as_u64().expect("a number"),
            sender_session: text("sender_session"),
            to_session: maybe("to_session"),
            client_id: maybe("client_id"),
            content: text("content"),
            timestamp: text("timestamp"),
        }
    }
}

impl Post {
    /// One that may be repeated until it is acknowledged.
    pub fn repeatable(client_id: &str, content: &str) -> Self {
        Self { client_id: Some(client_id.to_owned()), ..Self::once(content) }
    }

    /// One whose repetition would be another message.
    pub fn once(content: &str) -> Self {
        Self { content: content.to_owned(), ..Self::default() }
    }

    /// Only for this session.
    pub fn to(self, session: &str) -> Self {
        Self { to: Some(session.to_owned()), ..self }
    }

    /// Whether this is what is stored of it, if `sender` posted it.
    pub fn is_stored_as(&self, message: &Message, sender: &str) -> bool {
        message.sender_session == sender
            && message.content == self.content
            && message.to_session == self.to
            && message.client_id == self.client_id
    }
}

impl Segment {
    /// Where the client stands: everything up to there has been shown to it, or never will be.
    pub fn end(&self) -> u64 {
        self.seen.iter().map(|message| message.id).fold(self.from, u64::max)
    }
}
