use thiserror::Error;

/// What must not be. `client` is the name of a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    // The log by itself.
    #[error("in the log {after} is followed by {next}")]
    Misnumbered { after: u64, next: u64 },
    #[error("what session {session} posted as '{client_id}' is stored as each of {ids:?}")]
    StoredTwice { session: String, client_id: String, ids: Vec<u64> },

    // What a client posted.
    #[error("{client} posted '{content}', was told it is {id}, and that is not stored")]
    Lost { client: String, content: String, id: u64 },
    #[error("{client} posted '{content}', and {id}, which should be it, is another message")]
    StoredOtherwise { client: String, content: String, id: u64 },
    #[error("{client} posted '{content}' and was told it is each of {ids:?}")]
    AnsweredTwice { client: String, content: String, ids: Vec<u64> },
    #[error(
        "{client} posted '{content}' and was told it is {id}, no later than {before}, which it posted before"
    )]
    Overtaken { client: String, content: String, id: u64, before: u64 },
    #[error("{client} never posted '{client_id}', which is stored as {id}")]
    Invented { client: String, client_id: String, id: u64 },

    // What a client saw.
    #[error("{client} came back to go on after {after}, and was set down at {from}")]
    NotResumed { client: String, after: u64, from: u64 },
    #[error("{client} did not see {id}")]
    Missing { client: String, id: u64 },
    #[error("{client} saw {id} again")]
    Doubled { client: String, id: u64 },
    #[error("{client} saw {id} only after {before}")]
    Disordered { client: String, id: u64, before: u64 },
    #[error("{client} saw {id}, though it was to go on after {from}")]
    TooEarly { client: String, id: u64, from: u64 },
    #[error("{client} saw {id}, which is not for it")]
    Invisible { client: String, id: u64 },
    #[error("{client} saw {id} otherwise than it is stored")]
    Altered { client: String, id: u64 },
    #[error("{client} saw {id}, which is not stored")]
    Unstored { client: String, id: u64 },
    #[error("{client} saw nothing after {end}, and should have come to {until}")]
    Behind { client: String, end: u64, until: u64 },
}
