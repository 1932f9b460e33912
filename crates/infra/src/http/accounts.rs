//! Log in and out, and who one is.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use lobby_domain::auth::Forbidden;
use lobby_domain::ports::Token;
use lobby_domain::pseudonym::{Mention, Pseudonym};
use lobby_domain::use_cases::{ListOnline, LogInRequest, LogOutRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::credentials;
use crate::api::{examples, refusals};
use crate::doorman::place_of;
use crate::identify::Identify;
use crate::refusal::Refusal;
use crate::wire::{Object, UserView};
use crate::writer::Writer;

/// What these requests need.
pub struct Accounts {
    /// Finds out who asks.
    pub identify: Identify,
    /// Lists who is online.
    pub list: ListOnline,
    /// Where changes go.
    pub writer: Writer,
    /// Whether browsers may send the cookie over TLS only.
    pub secure_cookie: bool,
}

/// What somebody logs in with.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogIn)]
pub(super) struct LogInBody {
    /// The name: 2 to 32 letters, digits and `_`, if the server's settings say nothing else. [Names](/docs/names.md) has all
    /// rules.
    pseudonym: String,
    /// Whether only the token shall speak from now on.
    #[serde(default)]
    claim: bool,
}

/// What somebody logs out with.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogOut)]
pub(super) struct LogOutBody {
    /// Whose session shall end.
    pseudonym: String,
}

/// Who has logged in, and the secret that proves it.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedIn)]
pub(crate) struct LoggedInView<'a> {
    #[serde(flatten)]
    pub(crate) user: UserView<'a>,
    /// The session's secret.
    #[schema(min_length = 64, max_length = 64)]
    pub(crate) token: &'a str,
}

/// Who the caller is.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnSession)]
pub(crate) struct SessionView<'a> {
    #[serde(flatten)]
    pub(crate) user: UserView<'a>,
    /// Whether the session is claimed: then its name alone is good for nothing.
    pub(crate) claimed: bool,
}

/// That somebody has logged out.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
pub(crate) struct LoggedOutView {
    /// A sentence that says so.
    message: String,
}

impl LoggedOutView {
    pub(crate) fn of(pseudonym: &Pseudonym) -> Self {
        Self { message: format!("'{pseudonym}' is logged out") }
    }
}

/// Opens a session.
///
/// With the name's own token or cookie it is the same session and token again.
#[utoipa::path(
    post,
    path = "/login",
    operation_id = "log_in",
    tag = "people",
    security((), ("token" = []), ("cookie" = [])),
    request_body(content = LogInBody, example = json!({"pseudonym": "JohnDoe", "claim": true})),
    responses(
        (
            status = 200,
            description = "The session, and the secret that proves it",
            body = LoggedInView<'_>,
            headers(("Set-Cookie", description = "The token as the cookie `lobby_session`: HttpOnly, SameSite=Lax")),
            example = json!(examples::logged_in())
        ),
        refusals::LogIn,
    )
)]
pub(super) async fn log_in(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
    body: web::Json<Object<LogInBody>>,
) -> Result<HttpResponse, Refusal> {
    let Object(LogInBody { pseudonym, claim }) = body.into_inner();
    let credentials = credentials::of(request.headers());
    let visitor = accounts.identify.visitor(place_of(request.peer_addr()), &credentials);
    accounts.identify.doorman.log_in(visitor)?;
    let logged_in = accounts.writer.log_in(LogInRequest { pseudonym, claim, credentials }).await?;
    let view = LoggedInView { user: (&logged_in.session).into(), token: logged_in.token.expose() };
    Ok(HttpResponse::Ok().cookie(accounts.cookie(&logged_in.token)).json(view))
}

/// Ends a session.
///
/// That of the example at log-in is claimed: it takes its token or its cookie. For one that is not, the name is enough.
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "log_out",
    tag = "people",
    security((), ("token" = []), ("cookie" = [])),
    request_body(content = LogOutBody, example = json!({"pseudonym": "JohnDoe"})),
    responses(
        (status = 200, description = "It is over", body = LoggedOutView, example = json!(examples::logged_out())),
        refusals::LogOut,
    )
)]
pub(super) async fn log_out(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
    body: web::Json<Object<LogOutBody>>,
) -> Result<HttpResponse, Refusal> {
    let credentials = accounts.identify.asking(&request)?;
    let Object(LogOutBody { pseudonym }) = body.into_inner();
    let pseudonym = Mention::parse(&pseudonym).ok_or_else(Refusal::nobody)?;
    let ended = accounts.writer.log_out(LogOutRequest { pseudonym, credentials }).await?;
    Ok(HttpResponse::Ok().json(LoggedOutView::of(&ended.pseudonym)))
}

/// Says who the caller is.
///
/// Asking with `Authorization` claims the session, as every token that is shown on purpose does.
#[utoipa::path(
    get,
    path = "/session",
    operation_id = "who_am_i",
    tag = "people",
    security(("token" = []), ("cookie" = [])),
    responses(
        (
            status = 200,
            description = "The caller's user and session",
            body = SessionView<'_>,
            example = json!(examples::own_session())
        ),
        refusals::WhoAmI,
    )
)]
pub(super) async fn session(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let caller = accounts.identify.caller(&accounts.identify.asking(&request)?).await?;
    let session = caller.session().ok_or(Forbidden::TokenRequired)?;
    Ok(HttpResponse::Ok().json(SessionView { user: session.into(), claimed: session.claimed }))
}

impl Accounts {
    /// No expiry: it goes with the browser's session, and the token's own life is the server's to end.
    fn cookie(&self, token: &Token) -> Cookie<'static> {
        Cookie::build(credentials::COOKIE, token.expose().to_owned())
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure_cookie)
            .finish()
    }
}
