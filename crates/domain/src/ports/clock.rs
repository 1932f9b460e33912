use crate::timestamp::Timestamp;

/// What time it is.
pub trait Clock: Send + Sync {
    /// Now, in UTC. It MAY jump: whoever needs an order has to keep it.
    fn now(&self) -> Timestamp;
}
