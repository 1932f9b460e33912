//! Who is online, a page at a time, in an order that an index has.

use lobby_domain::ports::OnlineQuery;
use lobby_domain::roster::{Place, SortBy};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, SelectTwo};

use super::entities::{sessions, users};

/// One more than is asked for, which tells whether there are more.
pub(super) fn page_of(
    living: SelectTwo<sessions::Entity, users::Entity>,
    query: OnlineQuery,
) -> SelectTwo<sessions::Entity, users::Entity> {
    let column = match query.sort_by {
        // Small letters by the bytes, as the application has written them: databases know of few scripts what their small
        // letters are, and order them by rules of their own.
        SortBy::Pseudonym => sessions::Column::SortName,
        SortBy::ConnectedAt => sessions::Column::OpenedAt,
    };
    let behind = match query.after {
        None => living,
        Some(place) => {
            let (value, id): (Expr, _) = match place {
                Place::Name(name, id) => (name.into(), id),
                Place::Age(opened_at, id) => (opened_at.as_millis().into(), id),
            };
            let here = Expr::tuple([column.into_expr(), sessions::Column::Id.into_expr()]);
            living.filter(here.gt(Expr::tuple([value, id.0.into()])))
        }
    };
    behind.order_by_asc(column).order_by_asc(sessions::Column::Id).limit(query.most as u64 + 1)
}
