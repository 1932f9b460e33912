//! Statements for many rows at a time.
//!
//! A statement is parsed and planned once and then kept by its text, so there are only a few texts: rows go in portions of
//! these sizes.

/// A batch of the writer has at most the largest. Each is four times the next: no batch needs more than three of a size.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// `rows` in portions that are as long as one of [`SIZES`].
pub(super) fn portions<T>(mut rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let rest = rows.split_off(size);
        Some(std::mem::replace(&mut rows, rest))
    })
}

/// `keys` in portions that are filled up to one of [`SIZES`] by repeating the last: to look for one twice finds it once.
pub(super) fn padded<T: Clone>(keys: &[T]) -> impl Iterator<Item = Vec<T>> {
    keys.chunks(SIZES[0]).map(|keys| {
        let size = SIZES.into_iter().rev().find(|size| *size >= keys.len()).unwrap_or(SIZES[0]);
        let mut padded = keys.to_vec();
        padded.extend(keys.last().into_iter().cycle().take(size - keys.len()).cloned());
        padded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_have_few_sizes_and_lose_nothing() {
        for many in 0..=600 {
            let rows: Vec<_> = (0..many).collect();
            let portions: Vec<_> = portions(rows.clone()).collect();
            assert!(portions.iter().all(|portion| SIZES.contains(&portion.len())));
            assert_eq!(portions.concat(), rows);
            let padded: Vec<_> = padded(&rows).collect();
            assert!(padded.iter().all(|portion| SIZES.contains(&portion.len())));
            let mut found = padded.concat();
            found.dedup();
            assert_eq!(found, rows);
        }
    }
}
