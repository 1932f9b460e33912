use std::collections::VecDeque;

use bytes::Bytes;

/// Places that an empty row keeps; a burst's are given back.
const KEPT_PLACES: usize = 32;

/// Frames in order, of which the first lies in place: where one waits at a time, as nearly always, no memory besides is touched,
/// which for thousands of connections in turn is what costs most, nor taken.
#[derive(Default)]
pub(super) struct Row {
    first: Option<Bytes>,
    /// Empty while there is no first.
    rest: VecDeque<Bytes>,
}

impl From<Option<Bytes>> for Row {
    fn from(first: Option<Bytes>) -> Self {
        Self { first, rest: VecDeque::new() }
    }
}

impl Row {
    pub(super) fn push(&mut self, frame: Bytes) {
        if self.first.is_none() {
            self.first = Some(frame);
        } else {
            self.rest.push_back(frame);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let frame = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
            if self.rest.is_empty() {
                self.rest.shrink_to(KEPT_PLACES);
            }
        }
        frame
    }

    pub(super) fn first(&self) -> Option<&Bytes> {
        self.first.as_ref()
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut Bytes> {
        self.first.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bytes> + Clone {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_in_order_and_a_burst_leaves_no_memory_behind() {
        let mut row = Row::default();
        for number in 0..10_000_u16 {
            row.push(Bytes::copy_from_slice(&number.to_be_bytes()));
            assert_eq!(row.len(), usize::from(number) + 1);
        }
        assert!(row.iter().is_sorted());
        for number in 0..10_000_u16 {
            assert_eq!(row.pop().as_deref(), Some(&number.to_be_bytes()[..]));
        }
        assert!(row.is_empty() && row.pop().is_none());
        assert!(row.rest.capacity() <= 2 * KEPT_PLACES);
    }

    #[test]
    fn a_lone_frame_takes_no_memory_besides() {
        let mut row = Row::default();
        for _ in 0..3 {
            row.push(Bytes::from_static(b"x"));
            row.pop();
        }
        assert_eq!(row.rest.capacity(), 0);
    }
}
