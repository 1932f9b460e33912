//! See who is online, all at once or a page at a time.

use actix_web::http::header::{HeaderName, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lobby_domain::ports::{OnlinePage, OnlineQuery};
use lobby_domain::roster::{Place, SortBy};
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::use_cases::MAX_USERS;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::accounts::Accounts;
use crate::api::{examples, refusals};
use crate::refusal::{Code, Refusal};
use crate::wire::UserView;

/// As of which change of who is online a list is.
pub(super) const REVISION: HeaderName = HeaderName::from_static("lobby-roster-revision");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// By name, small and capital letters alike; or who has been online longest first.
    #[serde(default)]
    #[param(inline)]
    sort_by: Sort,
    /// How many at most; everybody if it is not given.
    #[param(nullable = false, minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// Behind which place, as a `Link` header says it. Only together with `limit`.
    #[param(nullable = false)]
    after: Option<String>,
}

/// In which order.
#[derive(Deserialize, ToSchema, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(default = "pseudonym")]
enum Sort {
    #[default]
    Pseudonym,
    ConnectedAt,
}

/// Lists who is online.
///
/// Everybody, or with `limit` a page of at most so many: then `Link` has the address of the next one, if there is one. Parameters that
/// are not described are ignored.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "list_users",
    tag = "people",
    security((), ("token" = []), ("cookie" = [])),
    params(ListQuery),
    responses(
        (
            status = 200,
            description = "Who is online",
            body = Vec<UserView<'_>>,
            headers(
                ("Lobby-Roster-Revision" = i64, description = "The number of the last change that the list contains"),
                ("Link", description = "The next page, if there is one (RFC 8288)"),
            ),
            example = json!(examples::users())
        ),
        refusals::ListUsers,
    )
)]
pub(super) async fn list_users(
    accounts: web::Data<Accounts>,
    request: HttpRequest,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Refusal> {
    accounts.identify.listener(&accounts.identify.asking(&request)?).await?;
    let (page, next) = match query.page()? {
        None => {
            let online = accounts.list.execute(query.sort_by.into()).await;
            (online.map_err(|error| Refusal::from(&error))?, None)
        }
        Some(asked) => {
            let (sort_by, limit) = (asked.sort_by, asked.most);
            let page = accounts.list.page(asked).await.map_err(|error| Refusal::from(&error))?;
            let next =
                next_page(&page, sort_by).map(|after| link(request.path(), query.sort_by, limit, &after));
            (page.online, next)
        }
    };
    let users: Vec<_> = page.sessions.iter().map(UserView::from).collect();
    let mut response = HttpResponse::Ok();
    response.insert_header((REVISION, page.revision.0));
    if let Some(next) = next {
        response.insert_header((LINK, next));
    }
    Ok(response.json(users))
}

/// Behind whom the next page begins, if there is one.
fn next_page(page: &OnlinePage, sort_by: SortBy) -> Option<String> {
    let last = page.online.sessions.last().filter(|_| page.has_more)?;
    Some(cursor(&Place::of(last, sort_by)))
}

/// A link by RFC 8288 §3.
fn link(path: &str, sort: Sort, limit: usize, after: &str) -> String {
    let sort_by = match sort {
        Sort::Pseudonym => "pseudonym",
        Sort::ConnectedAt => "connected_at",
    };
    format!("<{path}?sort_by={sort_by}&limit={limit}&after={after}>; rel=\"next\"")
}

impl ListQuery {
    /// Which page is asked for, if one is.
    fn page(&self) -> Result<Option<OnlineQuery>, Refusal> {
        let sort_by = self.sort_by.into();
        let after = self.after.as_deref().map(|after| place(after, sort_by)).transpose()?;
        match (self.limit, after) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(invalid("'after' goes with 'limit' only")),
            (Some(most), after) if (1..=MAX_USERS).contains(&most) => {
                Ok(Some(OnlineQuery { sort_by, after, most }))
            }
            (Some(limit), _) => {
                Err(invalid(format!("'limit' is {limit}, and has to be within 1 to {MAX_USERS}")))
            }
        }
    }
}

impl From<Sort> for SortBy {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Pseudonym => Self::Pseudonym,
            Sort::ConnectedAt => Self::ConnectedAt,
        }
    }
}

/// A place, opaque to clients: base64url of its session, its list, and what it is sorted by.
fn cursor(place: &Place) -> String {
    let text = match place {
        Place::Name(name, id) => format!("{id}n{name}"),
        Place::Age(opened_at, id) => format!("{id}a{}", opened_at.as_millis()),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn place(cursor: &str, sort_by: SortBy) -> Result<Place, Refusal> {
    let place = decode(cursor).ok_or_else(|| invalid("'after' is not from a link to a next page"))?;
    if place.sort_by() == sort_by {
        Ok(place)
    } else {
        Err(invalid("'after' is from a list in another order"))
    }
}

fn decode(cursor: &str) -> Option<Place> {
    const ID: usize = 36;

    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (id, rest) = text.split_at_checked(ID)?;
    let id = SessionId(id.parse().ok()?);
    let name = rest.strip_prefix('n').map(|name| Place::Name(name.to_owned(), id));
    let age = || Some(Place::Age(Timestamp::from_millis(rest.strip_prefix('a')?.parse().ok()?), id));
    name.or_else(age)
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidQuery, detail)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: SessionId = SessionId(Uuid::from_u128(7));

    #[test]
    fn a_place_survives_being_a_cursor() {
        let places = [Place::Name("zoë:n".to_owned(), ID), Place::Age(Timestamp::from_millis(-1), ID)];
        for place in places {
            let cursor = cursor(&place);
            assert!(
                cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                "{cursor}"
            );
            assert_eq!(decode(&cursor), Some(place));
        }
    }

    #[test]
    fn what_is_no_cursor_is_no_place() {
        let id = ID.to_string();
        let texts =
            ["", "x", &id, &format!("{id}a"), &format!("{id}axyz"), &format!("{id}b7"), &"ë".repeat(40)];
        for text in texts {
            assert_eq!(decode(&URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
        assert_eq!((decode("?"), decode("_w")), (None, None));
    }
}
