//! Log in and out, and who one is.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use lobby_domain::auth::Forbidden;
use lobby_domain::ports::Token;
use lobby_domain::pseudonym::Mention;
use lobby_domain::use_cases::{ListOnline, LogInRequest, LogOutRequest};
use serde::{Deserialize, Serialize};

use super::credentials;
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

#[derive(Deserialize)]
pub(super) struct LogInBody {
    pseudonym: String,
    #[serde(default)]
    claim: bool,
}

#[derive(Deserialize)]
pub(super) struct LogOutBody {
    pseudonym: String,
}

#[derive(Serialize)]
struct LoggedInView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    token: &'a str,
}

#[derive(Serialize)]
struct SessionView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    claimed: bool,
}

#[derive(Serialize)]
struct LoggedOutView {
    message: String,
}

pub(super) async fn log_in(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
    body: web::Json<Object<LogInBody>>,
) -> Result<HttpResponse, Refusal> {
    let Object(LogInBody { pseudonym, claim }) = body.into_inner();
    let credentials = credentials::of(request.headers());
    let logged_in = accounts.writer.log_in(LogInRequest { pseudonym, claim, credentials }).await?;
    let view = LoggedInView { user: (&logged_in.session).into(), token: logged_in.token.expose() };
    Ok(HttpResponse::Ok().cookie(accounts.cookie(&logged_in.token)).json(view))
}

pub(super) async fn log_out(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
    body: web::Json<Object<LogOutBody>>,
) -> Result<HttpResponse, Refusal> {
    let Object(LogOutBody { pseudonym }) = body.into_inner();
    let pseudonym = Mention::parse(&pseudonym).ok_or_else(Refusal::nobody)?;
    let credentials = credentials::of(request.headers());
    let ended = accounts.writer.log_out(LogOutRequest { pseudonym, credentials }).await?;
    let message = format!("'{}' is logged out", ended.pseudonym);
    Ok(HttpResponse::Ok().json(LoggedOutView { message }))
}

pub(super) async fn session(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let caller = accounts.identify.caller(&credentials::of(request.headers())).await?;
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
