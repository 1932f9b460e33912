//! The codes of all refusals: the one list of them, from which the API pages are made too.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Makes [`Code`], with what HTTP makes of each and what it may say.
macro_rules! codes {
    ($(#[doc = $meaning:tt] $code:ident = $name:tt, $status:ident, $sentence:literal;)*) => {
        /// What a refusal is known by. Stable, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
        pub enum Code { $(#[doc = $meaning] #[serde(rename = $name)] $code,)* }

        impl Code {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// As it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// The status over HTTP: a code has always the same.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// What it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning.trim_ascii_start(),)* }
            }

            /// A sentence that comes with it.
            #[must_use]
            pub fn example(self) -> &'static str {
                match self { $(Self::$code => $sentence,)* }
            }
        }
    };
}

codes! {
    /// The name is not allowed.
    InvalidPseudonym = "invalid_pseudonym", BAD_REQUEST, "a pseudonym has 2 to 32 characters, this one has 1";
    /// Somebody has the name.
    AlreadyConnected = "already_connected", BAD_REQUEST, "'JohnDoe' is already connected";
    /// Whoever had the name may still come back.
    NameHeld = "name_held", BAD_REQUEST, "'JohnDoe' is held for whoever had it";
    /// Nobody of that name is online.
    NotConnected = "not_connected", BAD_REQUEST, "'Nobody' is not connected";
    /// The body is no JSON.
    InvalidJson = "invalid_json", BAD_REQUEST,
        "the body is not what this path takes: EOF while parsing an object at line 1 column 1";
    /// The body is JSON of another shape.
    InvalidBody = "invalid_body", BAD_REQUEST,
        "the body is not what this path takes: invalid type: null, expected an object at line 1 column 4";
    /// The query is of another shape, or makes no sense.
    InvalidQuery = "invalid_query", BAD_REQUEST, "'limit' is 0, and has to be within 1 to 200";
    /// A `client_id` breaks a rule.
    InvalidClientId = "invalid_client_id", BAD_REQUEST, "a client_id has 1 to 64 characters, this one has 0";
    /// Nothing is said.
    ContentEmpty = "content_empty", BAD_REQUEST, "a message needs at least one character that can be seen";
    /// Something is said with a control character in it.
    ContentControlCharacter = "content_control_character", BAD_REQUEST,
        "a message has no control characters but newline and tab, this one has U+0000";
    /// The data of an event is of another shape.
    InvalidPayload = "invalid_payload", BAD_REQUEST,
        "send_message needs an object with a text 'content': invalid type: null, expected an object at line 1 column 4";
    /// A frame is of another shape.
    InvalidFrame = "invalid_frame", BAD_REQUEST,
        "a frame is a JSON object with 'event', 'data' and perhaps 'ack': expected value at line 1 column 1";
    /// What CONNECT says is of another shape.
    InvalidAuth = "invalid_auth", BAD_REQUEST,
        "in auth 'token' and 'log' are texts, 'after' is a number, 'recovery' and 'batch' are booleans: invalid type: integer `1`, expected a string at line 1 column 10";
    /// There is no such event.
    UnknownEvent = "unknown_event", BAD_REQUEST, "there is no event 'shout'";
    /// More has to be shown than was.
    TokenRequired = "token_required", UNAUTHORIZED, "this needs the session's token or its cookie";
    /// What was shown is good for nothing.
    InvalidToken = "invalid_token", UNAUTHORIZED, "the token is not valid, or its session is over";
    /// What was shown is good for another session.
    NotYourSession = "not_your_session", FORBIDDEN, "this is another's session";
    /// The page that asks may not.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN,
        "pages of this origin may not use the lobby; 'server.allowed_origins' says which may";
    /// It looks passed on by a node, and is not.
    NotRelayed = "not_relayed", FORBIDDEN, "only nodes of this lobby pass requests on to each other: it was not made by a node for this request";
    /// There is nothing.
    NotFound = "not_found", NOT_FOUND, "there is nothing at /nothing";
    /// Whom a message is for was never there.
    UnknownRecipient = "unknown_recipient", NOT_FOUND, "'Nobody' is nobody known";
    /// The path does not take the method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "/login takes POST, not PUT";
    /// The body does not come.
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT, "the body did not come in time";
    /// Whom a message is for is not online.
    RecipientOffline = "recipient_offline", CONFLICT, "'Bob' is not online";
    /// Whom a message is for cannot be told from others.
    RecipientUnreachable = "recipient_unreachable", CONFLICT, "'Bob' has no connection that is certainly theirs";
    /// A position is of another log.
    OtherLog = "other_log", CONFLICT,
        "this position is not of this log, which is 99a10ae7-4b35-4e8a-a1e5-633229ba6926 and ends at 4";
    /// What is asked for is not kept any more.
    LogPruned = "log_pruned", GONE, "what follows this position is not kept any more: the log begins at 3";
    /// More is said than fits.
    ContentTooLong = "content_too_long", PAYLOAD_TOO_LARGE, "a message has at most 4000 characters, this one has 4001";
    /// More was sent than fits.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "JSON payload (17016 bytes) is larger than allowed (limit: 16384 bytes).";
    /// The body is not said to be JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "the body has to be JSON, with 'Content-Type: application/json'";
    /// Another message has the `client_id`.
    ClientIdConflict = "client_id_conflict", UNPROCESSABLE_ENTITY, "the client_id 'x' was used for another message of this session";
    /// The path takes WebSocket handshakes.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED,
        "this is a WebSocket: it takes a handshake by RFC 6455 (WebSocket upgrade is expected)";
    /// One address, or one session, does something too often.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "too many log-ins from this address: the next is taken in 1 s";
    /// One address, or one session, has as many connections as it may have.
    TooManyConnections = "too_many_connections", TOO_MANY_REQUESTS, "as many connections are open from this address as may be";
    /// All together do something too often, or have as many connections as may be.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "too many log-ins: the next is taken in 1 s";
    /// A queue is full.
    Busy = "busy", SERVICE_UNAVAILABLE, "the lobby is too busy just now";
    /// The database does not answer, or takes no changes.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "the service is unavailable for now";
    /// The database went away while it committed.
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, "what came of this is not known";
    /// The node goes away.
    Draining = "draining", SERVICE_UNAVAILABLE, "this node is shutting down";
}

impl Code {
    /// Whether trying again may help, and a refusal says when.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::NameHeld
                | Self::BodyTooSlow
                | Self::RateLimited
                | Self::TooManyConnections
                | Self::Overloaded
                | Self::Busy
                | Self::Unavailable
                | Self::OutcomeUnknown
        )
    }
}
