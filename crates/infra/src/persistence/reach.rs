use lobby_domain::ports::Unavailable;
use lobby_domain::presence::NodeId;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::entities::nodes;
use super::outcome::answered;
use super::standing::presence_now;
use super::{Store, unavailable};

impl Store {
    /// Where the nodes that are up can be reached, those that can: as of their leases, which outlive a crash for a while.
    pub async fn addresses(&self) -> Result<Vec<(NodeId, String)>, Unavailable> {
        answered(self.try_addresses()).await.map_err(unavailable)
    }

    async fn try_addresses(&self) -> Result<Vec<(NodeId, String)>, DbErr> {
        let now = presence_now(&self.read).await?;
        let nodes = nodes::Entity::find()
            .filter(nodes::Column::LeaseUntil.gt(now.0))
            .filter(nodes::Column::Address.is_not_null())
            .all(&self.read)
            .await?;
        Ok(nodes.into_iter().filter_map(|node| Some((NodeId(node.id), node.address?))).collect())
    }
}
