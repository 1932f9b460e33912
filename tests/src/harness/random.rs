use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// Chance that can be had again: `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that nobody chose: the standard library has random keys for its maps, and no other randomness.
    pub fn any_seed() -> u64 {
        RandomState::new().hash_one(())
    }

    /// Another source, which goes its own way from here on.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// One of `range`, which is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Of something in a list of this length, which is not empty.
    pub fn index(&mut self, length: usize) -> usize {
        let index = self.next() % u64::try_from(length).expect("no list is that long");
        usize::try_from(index).expect("it is below a length")
    }

    pub fn milliseconds(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
