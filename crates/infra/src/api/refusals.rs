//! What each operation may refuse, as the API pages say it.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder};

use crate::http::problem::{MEDIA_TYPE, Problem};
use crate::refusal::{Code, Refusal};

/// What every path may refuse, whatever it is for.
const ANY: [Code; 2] = [Code::NotRelayed, Code::Unavailable];

/// What every path may refuse that looks something up, or changes it.
const OFTEN: [Code; 2] = [Code::RateLimited, Code::Overloaded];

/// What every path with a body may refuse besides.
const ACT: [Code; 6] = [
    Code::OriginNotAllowed,
    Code::InvalidJson,
    Code::InvalidBody,
    Code::UnsupportedMediaType,
    Code::BodyTooLarge,
    Code::BodyTooSlow,
];

/// Makes types that stand for what an operation refuses: codes that several have in common, its own, and the sentences that are other
/// ones here than usual.
macro_rules! refusals {
    ($(
        $(#[$doc:meta])*
        $operation:ident = [$($common:expr),*], [$($code:ident),*] $(, {$($told:ident = $sentence:literal),*})?;
    )*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $operation;

            impl IntoResponses for $operation {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    let common: &[&[Code]] = &[$(&$common),*];
                    let told: &Told = &[$($((Code::$told, $sentence)),*)?];
                    responses(&[common.concat(), vec![$(Code::$code),*]].concat(), told)
                }
            }
        )*
    };
}

refusals! {
    LogIn = [ANY, OFTEN, ACT], [InvalidPseudonym, AlreadyConnected, NameHeld, InvalidToken, Busy, OutcomeUnknown];
    LogOut = [ANY, OFTEN, ACT], [NotConnected, TokenRequired, InvalidToken, NotYourSession, Busy, OutcomeUnknown], {
        RateLimited = "too many requests from this address: the next is taken in 1 s",
        Overloaded = "too many requests: the next is taken in 1 s"
    };
    ListUsers = [ANY, OFTEN], [InvalidQuery, TokenRequired, InvalidToken, Busy, OutcomeUnknown], {
        InvalidQuery = "'limit' is 0, and has to be within 1 to 1000",
        RateLimited = "too many requests from this address: the next is taken in 1 s",
        Overloaded = "too many requests: the next is taken in 1 s"
    };
    WhoAmI = [ANY, OFTEN], [TokenRequired, InvalidToken, Busy, OutcomeUnknown], {
        RateLimited = "too many requests of this session: the next is taken in 1 s",
        Overloaded = "too many requests: the next is taken in 1 s"
    };
    ListMessages = [ANY, OFTEN], [InvalidQuery, TokenRequired, InvalidToken, OtherLog, LogPruned, Busy, OutcomeUnknown], {
        RateLimited = "too many requests of this session: the next is taken in 1 s",
        Overloaded = "too many requests: the next is taken in 1 s"
    };
    PostMessage = [ANY, OFTEN, ACT], [
        ContentEmpty, ContentControlCharacter, ContentTooLong, NotConnected, InvalidClientId, ClientIdConflict, TokenRequired,
        InvalidToken, NotYourSession, UnknownRecipient, RecipientOffline, RecipientUnreachable, Busy, OutcomeUnknown
    ], {
        BodyTooLarge = "JSON payload (132014 bytes) is larger than allowed (limit: 131072 bytes).",
        RateLimited = "too many messages of this session: the next is taken in 1 s",
        Overloaded = "too many messages: the next is taken in 1 s"
    };
    Live = [], [NotRelayed];
    Ready = [ANY], [Draining];
    Page = [ANY], [];
    ClientFile = [ANY], [NotFound], { NotFound = "there is nothing at /client/nothing" };
    DocsFile = [ANY], [NotFound], { NotFound = "there is nothing at /docs/nothing" };
    Upgrade = [ANY, OFTEN], [OriginNotAllowed, UpgradeRequired, TooManyConnections], {
        RateLimited = "too many new connections from this address: the next is taken in 1 s",
        Overloaded = "too many new connections: the next is taken in 1 s"
    };
    /// Those that belong to no operation: a path that is not there, and a method that a path does not take, unless the page that
    /// asks may not act at all.
    Elsewhere = [], [NotFound, MethodNotAllowed, OriginNotAllowed];
}

/// Codes with the sentences that come with them.
type Told = [(Code, &'static str)];

fn responses(codes: &[Code], told: &Told) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(&codes, told).into())).collect()
}

/// Refusals of one status.
fn response(codes: &[Code], told: &Told) -> Response {
    let status = codes[0].status();
    let meanings: Vec<_> =
        codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.meaning())).collect();
    let title = status.canonical_reason().unwrap_or_default();
    let mut response = ResponseBuilder::new()
        .description(format!("{title}\n\n{}", meanings.join("\n")))
        .content(MEDIA_TYPE, content(codes, told));
    for (name, header) in headers(status, codes) {
        response = response.header(name, header);
    }
    response.build()
}

fn content(codes: &[Code], told: &Told) -> Content {
    codes
        .iter()
        .fold(ContentBuilder::new().schema(Some(schema(codes))), |content, code| {
            let mut refusal = Refusal::example(*code);
            if let Some((_, sentence)) = told.iter().find(|(known, _)| known == code) {
                (*sentence).clone_into(&mut refusal.detail);
            }
            let example =
                ExampleBuilder::new().summary(code.meaning()).value(Some(json!(Problem::from(&refusal))));
            content.examples_from_iter([(code.as_str(), example)])
        })
        .build()
}

/// A problem with one of these codes.
fn schema(codes: &[Code]) -> Schema {
    let one_of = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().map(|code| code.as_str())));
    let narrowed = ObjectBuilder::new().property("code", one_of).required("code");
    AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed).build().into()
}

fn headers(status: StatusCode, codes: &[Code]) -> Vec<(&'static str, Header)> {
    let text = |description: &str| HeaderBuilder::new().description(Some(description)).build();
    let mut headers = Vec::new();
    if codes.iter().any(|code| code.is_passing()) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let retry_after = HeaderBuilder::new()
            .description(Some("Seconds after which trying again may help; the same as `retry_after`"))
            .schema(Some(seconds))
            .build();
        headers.push(("Retry-After", retry_after));
    }
    match status {
        StatusCode::UNAUTHORIZED => headers.push(("WWW-Authenticate", text("`Bearer`"))),
        StatusCode::METHOD_NOT_ALLOWED => headers.push(("Allow", text("The methods that the path takes"))),
        StatusCode::UPGRADE_REQUIRED => {
            headers.push(("Upgrade", text("`websocket`")));
            headers.push(("Sec-WebSocket-Version", text("`13`")));
        }
        _ => {}
    }
    headers
}
