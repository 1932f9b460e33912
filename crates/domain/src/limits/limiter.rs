use std::time::Duration;

use super::quota::Bucket;
use super::{Buckets, Holder, Place, Quota, Scope};

/// How often one thing may be done; `None` is as often as one likes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// From one place.
    pub per_place: Option<Quota>,
    /// By one session.
    pub per_holder: Option<Quota>,
    /// By all together.
    pub in_all: Option<Quota>,
}

/// Who does something. What is not known does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Visitor {
    /// From where.
    pub place: Option<Place>,
    /// As whom.
    pub holder: Option<Holder>,
}

/// Something was done too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose limit it was; the narrowest, if there are several.
    pub scope: Scope,
    /// How long to wait: until then, if nobody else comes first, none of the limits is in the way.
    pub wait: Duration,
}

/// Limits one thing that is done. Time counts from any fixed moment.
#[derive(Debug)]
pub struct Limiter {
    places: Option<Buckets<Place>>,
    holders: Option<Buckets<Holder>>,
    all: Option<(Quota, Bucket)>,
}

impl Limiter {
    /// With full buckets.
    #[must_use]
    pub fn new(quotas: &Quotas) -> Self {
        Self {
            places: quotas.per_place.map(Buckets::new),
            holders: quotas.per_holder.map(Buckets::new),
            all: quotas.in_all.map(|quota| (quota, Bucket::default())),
        }
    }

    /// Somebody does it: of each bucket that is theirs a token is taken; or of none, if one of them is empty.
    pub fn take(&mut self, visitor: Visitor, now: Duration) -> Result<(), Exceeded> {
        let holder = self.holders.as_ref().zip(visitor.holder).map(|(buckets, key)| buckets.look(key, now));
        let place = self.places.as_ref().zip(visitor.place).map(|(buckets, key)| buckets.look(key, now));
        let all = self.all.map(|(quota, bucket)| bucket.spend(quota, now));
        refuse([(Scope::Holder, holder), (Scope::Place, place), (Scope::All, all)])?;
        if let (Some((quota, _)), Some(Ok(bucket))) = (self.all, all) {
            self.all = Some((quota, bucket));
        }
        keep(self.places.as_mut(), visitor.place, place, now);
        keep(self.holders.as_mut(), visitor.holder, holder, now);
        Ok(())
    }

    /// It turns out only now as whom somebody does it who has been asked already where they come from: of the holder's bucket a token is
    /// taken, too; or what was taken of the others is given back.
    pub fn take_for(&mut self, visitor: Visitor, now: Duration) -> Result<(), Exceeded> {
        let looked = self.holders.as_ref().zip(visitor.holder).map(|(buckets, key)| buckets.look(key, now));
        if let Err(exceeded) = refuse([(Scope::Holder, looked)]) {
            self.give_back(visitor.place);
            return Err(exceeded);
        }
        keep(self.holders.as_mut(), visitor.holder, looked, now);
        Ok(())
    }

    /// A token that was taken of the buckets of a place and of all is given back: it was not done after all. No bucket is more than full.
    pub fn give_back(&mut self, place: Option<Place>) {
        if let Some((buckets, place)) = self.places.as_mut().zip(place) {
            buckets.give_back(place);
        }
        if let Some((quota, bucket)) = &mut self.all {
            *bucket = bucket.regain(*quota);
        }
    }

    /// How many places and holders are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.places.as_ref().map_or(0, Buckets::remembered)
            + self.holders.as_ref().map_or(0, Buckets::remembered)
    }
}

type Looked = Option<Result<Bucket, Duration>>;

fn refuse<const N: usize>(looked: [(Scope, Looked); N]) -> Result<(), Exceeded> {
    let mut refused = looked.into_iter().filter_map(|(scope, looked)| Some((scope, looked?.err()?)));
    let Some((scope, wait)) = refused.next() else { return Ok(()) };
    Err(Exceeded { scope, wait: refused.map(|(_, wait)| wait).fold(wait, Duration::max) })
}

fn keep<K: Eq + std::hash::Hash + Copy>(
    buckets: Option<&mut Buckets<K>>,
    key: Option<K>,
    looked: Looked,
    now: Duration,
) {
    if let (Some(buckets), Some(key), Some(Ok(bucket))) = (buckets, key, looked) {
        buckets.keep(key, bucket, now);
    }
}
