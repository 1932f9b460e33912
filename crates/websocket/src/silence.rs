use tokio::time::Instant;

use crate::Heartbeat;

/// Watches for a peer that has fallen silent. Pure: every input carries its time.
#[derive(Debug)]
pub(crate) struct Silence {
    heartbeat: Heartbeat,
    heard: Instant,
    /// When the ping of this silence was sent.
    pinged: Option<Instant>,
}

/// What is to be done about the silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Send a ping, then ask again.
    Ping,
    /// Give the peer up.
    Dead,
    /// Nothing before then.
    Wait(Instant),
}

impl Silence {
    pub(crate) fn new(heartbeat: Heartbeat, now: Instant) -> Self {
        Self { heartbeat, heard: now, pinged: None }
    }

    /// Something arrived, be it part of a frame.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// The timeout counts from the ping: a server that was suspended asks first and does not cut everybody.
    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        let due = match self.pinged {
            None => self.heard + self.heartbeat.interval,
            Some(pinged) => pinged + self.heartbeat.timeout,
        };
        if now < due {
            return Beat::Wait(due);
        }
        match self.pinged.replace(now) {
            None => Beat::Ping,
            Some(_) => Beat::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn silence() -> (Silence, Instant) {
        let start = Instant::now();
        (Silence::new(Heartbeat::default(), start), start)
    }

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let (mut silence, start) = silence();
        assert_eq!(silence.beat(start), Beat::Wait(start + 25 * SECOND));
        assert_eq!(silence.beat(start + 24 * SECOND), Beat::Wait(start + 25 * SECOND));
        assert_eq!(silence.beat(start + 25 * SECOND), Beat::Ping);
        assert_eq!(silence.beat(start + 25 * SECOND), Beat::Wait(start + 45 * SECOND));
        assert_eq!(silence.beat(start + 45 * SECOND), Beat::Dead);
    }

    #[test]
    fn any_sign_of_life_starts_anew() {
        let (mut silence, start) = silence();
        assert_eq!(silence.beat(start + 25 * SECOND), Beat::Ping);
        silence.heard(start + 44 * SECOND);
        assert_eq!(silence.beat(start + 45 * SECOND), Beat::Wait(start + 69 * SECOND));
        assert_eq!(silence.beat(start + 69 * SECOND), Beat::Ping);
    }

    #[test]
    fn a_suspended_server_asks_before_it_gives_up() {
        let (mut silence, start) = silence();
        assert_eq!(silence.beat(start + 3600 * SECOND), Beat::Ping);
        assert_eq!(silence.beat(start + 3600 * SECOND), Beat::Wait(start + 3620 * SECOND));
    }

    proptest! {
        #[test]
        fn nobody_is_given_up_within_the_timeout(steps in prop::collection::vec((0_u32..60, any::<bool>()), 1..100)) {
            let (mut silence, mut now) = silence();
            let mut heard = now;
            for (seconds, speaks) in steps {
                now += seconds * SECOND;
                if speaks {
                    silence.heard(now);
                    heard = now;
                }
                match silence.beat(now) {
                    Beat::Dead => prop_assert!(now - heard >= 45 * SECOND),
                    Beat::Ping => prop_assert!(now - heard >= 25 * SECOND),
                    Beat::Wait(until) => prop_assert!(until > now && until <= now + 25 * SECOND),
                }
            }
        }
    }
}
