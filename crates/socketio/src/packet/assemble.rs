//! Puts binary packets together: the packet announces its attachments, which follow as binary messages. Pure.
//!
//! Source: Socket.IO protocol v5, "Sending and receiving data" for the order, the reference for what closes the
//! connection.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::Config;

/// The packet, whatever it is to the caller, whose attachments are missing; nothing else may come before them.
#[derive(Debug)]
pub(crate) struct Assembly<P> {
    max_bytes: usize,
    timeout: Duration,
    unfinished: Option<Unfinished<P>>,
}

#[derive(Debug)]
struct Unfinished<P> {
    packet: P,
    missing: usize,
    attachments: Vec<Bytes>,
    bytes: usize,
    until: Instant,
}

/// It was announced by nothing, or takes too many bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl<P> Assembly<P> {
    pub(crate) fn new(config: &Config) -> Self {
        Self { max_bytes: config.max_attachment_bytes, timeout: config.attachment_timeout, unfinished: None }
    }

    /// When what is missing must have come.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.unfinished.as_ref().map(|unfinished| unfinished.until)
    }

    /// Whether only attachments may come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unfinished.is_some()
    }

    /// A packet has announced `count` attachments, at least one.
    pub(crate) fn begin(&mut self, packet: P, count: usize, now: Instant) {
        let until = now + self.timeout;
        self.unfinished =
            Some(Unfinished { packet, missing: count, attachments: Vec::new(), bytes: 0, until });
    }

    /// Takes an attachment; gives back the packet with all of them after the last.
    pub(crate) fn add(&mut self, data: Bytes) -> Result<Option<(P, Vec<Bytes>)>, Refused> {
        let mut unfinished = self.unfinished.take().ok_or(Refused)?;
        unfinished.bytes += data.len();
        if unfinished.bytes > self.max_bytes {
            return Err(Refused);
        }
        unfinished.missing -= 1;
        unfinished.attachments.push(data);
        if unfinished.missing > 0 {
            self.unfinished = Some(unfinished);
            return Ok(None);
        }
        Ok(Some((unfinished.packet, unfinished.attachments)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembly() -> Assembly<&'static str> {
        Assembly::new(&Config { max_attachment_bytes: 10, ..Config::default() })
    }

    #[test]
    fn a_packet_is_whole_with_its_last_attachment() {
        let mut assembly = assembly();
        assembly.begin("packet", 2, Instant::now());
        assert!(assembly.is_waiting());
        assert_eq!(assembly.add(Bytes::from_static(b"one")), Ok(None));
        let whole = assembly.add(Bytes::from_static(b"two")).unwrap().unwrap();
        assert_eq!(whole, ("packet", vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]));
        assert!(!assembly.is_waiting());
    }

    #[test]
    fn what_nothing_has_announced_is_refused() {
        assert_eq!(assembly().add(Bytes::new()), Err(Refused));
    }

    #[test]
    fn only_so_many_bytes_are_kept_and_none_after_a_refusal() {
        let mut assembly = assembly();
        assembly.begin("packet", 3, Instant::now());
        assert_eq!(assembly.add(Bytes::from_static(b"0123456789")), Ok(None));
        assert_eq!(assembly.add(Bytes::from_static(b"x")), Err(Refused));
        assert!(!assembly.is_waiting());
    }

    #[test]
    fn there_is_a_time_to_finish_as_long_as_something_is_missing() {
        let (mut assembly, now) = (assembly(), Instant::now());
        assert_eq!(assembly.deadline(), None);
        assembly.begin("packet", 1, now);
        assert_eq!(assembly.deadline(), Some(now + Duration::from_secs(10)));
        assembly.add(Bytes::new()).unwrap();
        assert_eq!(assembly.deadline(), None);
    }
}
