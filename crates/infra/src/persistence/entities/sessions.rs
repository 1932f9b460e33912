//! Sessions, living (`ended_at` is null) and ended.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: i64,
    pub pseudonym: String,
    pub folded: String,
    pub lookalike: String,
    pub crossed: String,
    pub claimed: bool,
    pub opened_at: i64,
    pub ended_at: Option<i64>,
    pub sort_name: String,
    pub attended: bool,
    pub expires_at: Option<i64>,
    pub gone_at: Option<i64>,
    pub held_until: Option<i64>,
    pub ended_revision: i64,
    pub revoked: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "super::users::Entity", from = "Column::UserId", to = "super::users::Column::Id")]
    User,
}

impl Related<super::users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
