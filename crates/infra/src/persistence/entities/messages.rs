//! The log.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub sender_session: Uuid,
    pub sender_id: i64,
    pub sender: String,
    pub to_session: Option<Uuid>,
    pub to_name: Option<String>,
    pub content: String,
    pub client_id: Option<String>,
    pub timestamp: i64,
    pub post_key: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
