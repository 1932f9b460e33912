//! What the content of a message begins with, of fixed width so that it is found and read without parsing JSON:
//! `~load~`, then in hexadecimal digits the run (8), the sender (6), its sequence number (8) and a time in nanoseconds (16).

use memchr::memmem;

const MARK: &[u8] = b"~load~";
const RUN: usize = 8;
const SENDER: usize = 6;
const SEQUENCE: usize = 8;
const TIME: usize = 16;

/// The bytes of a stamp, and so the shortest content.
pub(crate) const LEN: usize = MARK.len() + RUN + SENDER + SEQUENCE + TIME;

/// The most senders of a run.
pub(crate) const MAX_SENDERS: usize = 1 << (4 * SENDER);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which run of the program it belongs to.
    pub(crate) run: u32,
    pub(crate) sender: u32,
    /// Counts a sender's messages from 0.
    pub(crate) sequence: u32,
    /// When it was sent, or should have been, in nanoseconds since the run began.
    pub(crate) time: u64,
}

impl Stamp {
    /// Puts it over the first [`LEN`] bytes.
    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let fields = [
            (RUN, self.run.into()),
            (SENDER, self.sender.into()),
            (SEQUENCE, self.sequence.into()),
            (TIME, self.time),
        ];
        bytes[..MARK.len()].copy_from_slice(MARK);
        let mut start = MARK.len();
        for (width, value) in fields {
            put_hex(&mut bytes[start..start + width], value);
            start += width;
        }
    }

    /// Reads what begins with a mark.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.get(MARK.len()..LEN)?;
        let (run, fields) = fields.split_at(RUN);
        let (sender, fields) = fields.split_at(SENDER);
        let (sequence, time) = fields.split_at(SEQUENCE);
        let short = |digits| u32::try_from(hex(digits)?).ok();
        Some(Self { run: short(run)?, sender: short(sender)?, sequence: short(sequence)?, time: hex(time)? })
    }
}

/// Where in `text` a stamp begins; it is nearly always where it was last time, which is `guess`.
#[inline]
pub(crate) fn find(text: &[u8], guess: usize) -> Option<usize> {
    match text.get(guess..guess + MARK.len()) {
        Some(there) if there == MARK => Some(guess),
        _ => memmem::find(text, MARK),
    }
}

fn put_hex(bytes: &mut [u8], mut value: u64) {
    for byte in bytes.iter_mut().rev() {
        let [.., low] = value.to_be_bytes();
        *byte = b"0123456789abcdef"[usize::from(low & 0xf)];
        value >>= 4;
    }
}

/// No digit has the bit 0x10 set in this table; all else does.
static DIGITS: [u8; 256] = digits();

#[expect(clippy::cast_possible_truncation, reason = "a byte's index is a byte")]
const fn digits() -> [u8; 256] {
    let mut table = [0x10; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => 0x10,
        };
        byte += 1;
    }
    table
}

#[inline]
fn hex(digits: &[u8]) -> Option<u64> {
    let (mut value, mut all) = (0, 0);
    for byte in digits {
        let digit = DIGITS[usize::from(*byte)];
        value = value << 4 | u64::from(digit & 0xf);
        all |= digit;
    }
    (all & 0x10 == 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_is_read_as_it_was_written_wherever_it_stands(
            run: u32, sender in 0_u32..1 << 24, sequence: u32, time: u64,
            before in "[^~]{0,40}", after in ".{0,40}", guess in 0_usize..100,
        ) {
            let stamp = Stamp { run, sender, sequence, time };
            let mut content = [0; LEN];
            stamp.write(&mut content);
            let text = [before.as_bytes(), &content, after.as_bytes()].concat();
            let start = find(&text, guess).unwrap();
            prop_assert_eq!(start, before.len());
            prop_assert_eq!(Stamp::read(&text[start..]), Some(stamp));
            prop_assert_eq!(Stamp::read(&content[..LEN - 1]), None);
        }

        #[test]
        fn what_is_no_digit_is_no_stamp(place in MARK.len()..LEN, byte in "[^0-9a-f]") {
            let mut content = [b'0'; LEN];
            content[place] = byte.as_bytes()[0];
            prop_assert_eq!(Stamp::read(&content), None);
        }
    }
}
