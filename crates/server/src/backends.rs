//! What a node stands on: the database, and the bus to the others.

use std::sync::Arc;

use lobby_domain::ports::Bus;
use lobby_domain::presence::Limits;
use lobby_infra::bus::in_process::InProcess;
use lobby_infra::bus::redis::Redis;
use lobby_infra::persistence::{Durability, OpenStoreError, StoreSettings, Timeouts};
use lobby_infra::signature::SecretKeys;
use tokio::task::JoinSet;

use crate::settings::{self, Settings};

/// Where the data is, by the settings.
pub fn store_settings(settings: &Settings) -> Result<StoreSettings, OpenStoreError> {
    let durability = match settings.database.durability {
        settings::Durability::Full => Durability::Full,
        settings::Durability::Normal => Durability::Normal,
    };
    let database = &settings.database;
    let timeouts = Timeouts {
        lock: database.lock_timeout,
        statement: database.statement_timeout,
        idle: database.idle_in_transaction_timeout,
    };
    let address = settings.cluster.address.as_ref().map(ToString::to_string);
    Ok(StoreSettings::new(&database.url, durability, timeouts)?
        .with_limits(limits(settings))
        .with_address(address))
}

/// The bus by the settings, and what keeps it up.
pub(crate) fn bus(
    settings: &Settings,
    secrets: &SecretKeys,
    background: &mut JoinSet<()>,
) -> Result<Arc<dyn Bus>, String> {
    let Some(address) = &settings.bus.url else { return Ok(Arc::new(InProcess::default())) };
    let redis =
        Redis::new(address, &settings.bus.channel, secrets).map_err(|error| format!("bus.url: {error}"))?;
    let redis = Arc::new(redis);
    background.spawn(redis.clone().run());
    Ok(redis)
}

/// When a session is over, by the settings.
pub(crate) fn limits(settings: &Settings) -> Limits {
    let presence = &settings.presence;
    Limits {
        grace: presence.grace,
        unconnected: presence.unconnected,
        unclaimed: presence.unclaimed,
        hold: settings.auth.hold,
        lease: presence.lease,
    }
}
