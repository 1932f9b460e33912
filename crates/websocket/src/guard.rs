use crate::{Limits, close::CloseCode};

/// Longest header of a frame: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;
const MASK: usize = 4;
/// Longest payload of a control frame.
const MAX_CONTROL: u8 = 125;
/// The bits of the first byte that only extensions give a meaning.
const RESERVED: u8 = 0x70;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Why the peer's bytes are refused, in the words of the close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
}

const fn protocol(reason: &'static str) -> Refusal {
    Refusal { code: CloseCode::PROTOCOL, reason }
}

const MESSAGE_TOO_BIG: Refusal = Refusal { code: CloseCode::TOO_BIG, reason: "message too big" };
const TOO_MANY_FRAGMENTS: Refusal = Refusal { code: CloseCode::TOO_BIG, reason: "too many fragments" };

/// Reads the headers of a client's frames (RFC 6455, section 5) as the bytes come, and refuses at the first byte
/// that breaks the protocol or a limit. Pure; how the bytes are split makes no difference.
///
/// Of the payloads it reads only the code in a close frame. Text is checked for UTF-8 by who decodes it.
#[derive(Debug)]
pub(crate) struct FrameGuard {
    max_message: usize,
    max_fragments: usize,
    /// The message whose last frame has not begun.
    unfinished: Option<Message>,
    header: Header,
    /// Payload bytes of this frame: all, and those that have not come.
    length: usize,
    left: usize,
    /// The first two payload bytes, unmasked, of a close frame.
    close_code: [u8; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Message {
    bytes: usize,
    fragments: usize,
}

impl FrameGuard {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_message: limits.max_message,
            max_fragments: limits.max_fragments,
            unfinished: None,
            header: Header::default(),
            length: 0,
            left: 0,
            close_code: [0; 2],
        }
    }

    /// How many of `bytes` belong to the frame that is being read: fewer than all if another one follows.
    ///
    /// After a refusal the guard has lost its place and must not be asked again.
    pub(crate) fn admit(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut taken = 0;
        while !self.header.is_complete() && taken < bytes.len() {
            self.admit_header_byte(bytes[taken])?;
            taken += 1;
        }
        taken += self.admit_payload(&bytes[taken..])?;
        if self.header.is_complete() && self.left == 0 {
            self.header = Header::default();
        }
        Ok(taken)
    }

    fn admit_header_byte(&mut self, byte: u8) -> Result<(), Refusal> {
        self.header.push(byte);
        match self.header.have {
            1 => return self.check_kind(),
            2 => self.header.check_second()?,
            _ => {}
        }
        if self.header.have == self.header.mask_at() { self.check_length() } else { Ok(()) }
    }

    fn check_kind(&self) -> Result<(), Refusal> {
        if self.header.bytes[0] & RESERVED != 0 {
            return Err(protocol("reserved bits are set"));
        }
        match (self.header.opcode(), self.unfinished.is_some()) {
            (CONTINUATION, false) => Err(protocol("nothing to continue")),
            (TEXT | BINARY, true) => Err(protocol("a message within a message")),
            (CLOSE | PING | PONG, _) if !self.header.is_final() => {
                Err(protocol("a control frame in fragments"))
            }
            (CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG, _) => Ok(()),
            _ => Err(protocol("reserved opcode")),
        }
    }

    fn check_length(&mut self) -> Result<(), Refusal> {
        let declared = self.header.length();
        if !self.header.is_minimal() {
            return Err(protocol("a length in more bytes than it needs"));
        }
        if i64::try_from(declared).is_err() {
            return Err(protocol("a length of 64 bits"));
        }
        let length = usize::try_from(declared).map_err(|_| MESSAGE_TOO_BIG)?;
        if !self.header.is_control() {
            self.count(length)?;
        }
        (self.length, self.left) = (length, length);
        Ok(())
    }

    fn count(&mut self, length: usize) -> Result<(), Refusal> {
        let Message { bytes, fragments } = self.unfinished.take().unwrap_or_default();
        if length > self.max_message - bytes {
            return Err(MESSAGE_TOO_BIG);
        }
        if fragments >= self.max_fragments {
            return Err(TOO_MANY_FRAGMENTS);
        }
        if !self.header.is_final() {
            self.unfinished = Some(Message { bytes: bytes + length, fragments: fragments + 1 });
        }
        Ok(())
    }

    fn admit_payload(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let here = self.left.min(bytes.len());
        if here > 0 && self.header.opcode() == CLOSE {
            self.check_close_code(&bytes[..here])?;
        }
        self.left -= here;
        Ok(here)
    }

    fn check_close_code(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let mask = self.header.mask();
        for (at, byte) in (self.length - self.left..2).zip(payload) {
            self.close_code[at] = byte ^ mask[at];
            if at == 1 && CloseCode::new(u16::from_be_bytes(self.close_code)).is_none() {
                return Err(protocol("invalid close code"));
            }
        }
        Ok(())
    }
}

/// The header of the frame that is being read, as far as it has come.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; MAX_HEADER],
    have: usize,
}

impl Header {
    fn push(&mut self, byte: u8) {
        self.bytes[self.have] = byte;
        self.have += 1;
    }

    fn is_complete(&self) -> bool {
        self.have >= 2 && self.have == self.mask_at() + MASK
    }

    fn is_final(&self) -> bool {
        self.bytes[0] & 0x80 != 0
    }

    fn opcode(&self) -> u8 {
        self.bytes[0] & 0x0F
    }

    fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    fn short_length(&self) -> u8 {
        self.bytes[1] & 0x7F
    }

    /// Where the mask begins, which ends every header of a client.
    fn mask_at(&self) -> usize {
        match self.short_length() {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn mask(&self) -> [u8; MASK] {
        let at = self.mask_at();
        std::array::from_fn(|i| self.bytes[at + i])
    }

    fn check_second(&self) -> Result<(), Refusal> {
        if self.bytes[1] & 0x80 == 0 {
            return Err(protocol("a client must mask its frames"));
        }
        if self.is_control() && self.short_length() > MAX_CONTROL {
            return Err(protocol("a control frame over 125 bytes"));
        }
        if self.opcode() == CLOSE && self.short_length() == 1 {
            return Err(protocol("half a close code"));
        }
        Ok(())
    }

    /// Whether the length stands in as few bytes as can be, which section 5.2 demands.
    fn is_minimal(&self) -> bool {
        match self.short_length() {
            126 => self.length() >= 126,
            127 => self.length() > u64::from(u16::MAX),
            _ => true,
        }
    }

    fn length(&self) -> u64 {
        let extended = &self.bytes[2..self.mask_at()];
        match self.short_length() {
            short @ 0..126 => u64::from(short),
            _ => extended.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        }
    }
}

#[cfg(test)]
mod tests;
