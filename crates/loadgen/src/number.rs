//! Numbers of one kind as another.

use std::time::Duration;

/// A count, or nanoseconds, to reckon with.
#[expect(clippy::cast_precision_loss, reason = "nothing here is exact beyond 53 bits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The same for a length.
pub(crate) fn float_len(count: usize) -> f64 {
    float(count as u64)
}

/// The whole nanoseconds of this many seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, as it should")]
pub(crate) fn nanos_of(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, as it should")]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn seconds(nanos: u64) -> f64 {
    float(nanos) / 1e9
}

/// The one in the middle; of none, nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    Some(f64::midpoint(values[middle], values[values.len() / 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!(median([3.0, 1.0]), Some(2.0));
        assert_eq!(median([5.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
