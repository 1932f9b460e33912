//! WebSocket frames (RFC 6455, section 5), both directions, read where they lie.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// No frame of a lobby comes near; one that claims to be longer is not waited for.
pub(crate) const MAX_PAYLOAD: usize = 16 << 20;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// In place of a length: it follows in so many bits.
const LENGTH_16: u8 = 0x7e;
const LENGTH_64: u8 = 0x7f;

/// A frame's header, and where in the bytes that began with it the payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// Where the payload begins.
    pub(crate) start: usize,
    /// Where it ends, and the next frame begins.
    pub(crate) end: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame is longer than {MAX_PAYLOAD} bytes")]
pub(crate) struct TooLong;

impl Head {
    /// The header that `bytes` begins with, if it is there whole. Its payload need not be.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, TooLong> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (length, behind) = match second & !MASKED {
            LENGTH_16 => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            LENGTH_64 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD).ok_or(TooLong)?;
        let (mask, start) = if second & MASKED == 0 {
            (None, behind)
        } else {
            match bytes[behind..].first_chunk() {
                Some(mask) => (Some(*mask), behind + 4),
                None => return Ok(None),
            }
        };
        let (fin, opcode) = (first & FIN != 0, first & 0x0f);
        Ok(Some(Self { fin, opcode, mask, start, end: start + length }))
    }
}

/// Appends a client's frame, which is masked.
pub(crate) fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    put_head(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], mask);
}

/// Appends a server's frame.
pub(crate) fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Masks, or takes the mask off.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

fn put_head(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(FIN | opcode);
    if let Some(length) = u8::try_from(length).ok().filter(|length| *length < LENGTH_16) {
        out.push(masked | length);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(masked | LENGTH_16);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(masked | LENGTH_64);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_out_of_bounds_is_refused_by_the_header() {
        let mut bytes = vec![FIN | TEXT, 127];
        bytes.extend_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(Head::parse(&bytes), Err(TooLong));
    }

    /// Lengths around which the header changes its size, and others.
    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![Just(0), Just(125), Just(126), Just(65_535), Just(65_536), 0_usize..300];
        (length, any::<u8>()).prop_map(|(length, byte)| vec![byte; length])
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_written(payload in payload(), opcode in 0_u8..16, mask in any::<[u8; 4]>()) {
            let (mut plain, mut masked) = (Vec::new(), Vec::new());
            put(&mut plain, opcode, &payload);
            put_masked(&mut masked, opcode, &payload, mask);
            for (mut frame, key) in [(plain, None), (masked, Some(mask))] {
                let head = Head::parse(&frame).unwrap().unwrap();
                prop_assert_eq!((head.fin, head.opcode, head.mask, head.end), (true, opcode, key, frame.len()));
                if let Some(key) = key {
                    apply_mask(&mut frame[head.start..], key);
                }
                prop_assert_eq!(&frame[head.start..head.end], &payload[..]);
            }
        }

        #[test]
        fn a_header_that_is_cut_is_waited_for(payload in payload(), mask in any::<[u8; 4]>()) {
            let mut frame = Vec::new();
            put_masked(&mut frame, TEXT, &payload, mask);
            let whole = Head::parse(&frame).unwrap().unwrap();
            for cut in 0..whole.start {
                prop_assert_eq!(Head::parse(&frame[..cut]), Ok(None));
            }
            prop_assert_eq!(Head::parse(&frame[..whole.start]), Ok(Some(whole)));
        }
    }
}
