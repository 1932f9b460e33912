//! The newest changes of who is online.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roster_changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub joined: bool,
    pub session: Uuid,
    pub user_id: i64,
    pub pseudonym: String,
    /// The user's, of who joined.
    pub created_at: Option<i64>,
    /// Of who joined.
    pub connected_at: Option<i64>,
    /// Of who left.
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
