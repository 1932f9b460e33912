//! RFC 6455, section 5, read plainly: all bytes at once, no thought of speed.

use crate::{CloseCode, Limits, guard::Refusal, reader::Event};

/// All events of a peer that sent these bytes and then left.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Vec<Event> {
    let mut model = Model { bytes, limits, unfinished: None };
    let mut events = Vec::new();
    loop {
        match model.frame() {
            Ok(event) => events.extend(event),
            Err(last) => {
                events.push(last);
                return events;
            }
        }
    }
}

pub(super) fn refused(code: CloseCode) -> Event {
    Event::Refused(Refusal { code, reason: "" })
}

fn refuse_if(wrong: bool, code: CloseCode) -> Result<(), Event> {
    if wrong { Err(refused(code)) } else { Ok(()) }
}

struct Model<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    unfinished: Option<Message>,
}

#[derive(Clone, Default)]
struct Message {
    is_text: bool,
    data: Vec<u8>,
    frames: usize,
}

impl<'a> Model<'a> {
    /// `None` for a frame that completes nothing, the last event of all for an error.
    fn frame(&mut self) -> Result<Option<Event>, Event> {
        let first = self.take(1)?[0];
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0F);
        let misplaced = match opcode {
            0 => self.unfinished.is_none(),
            1 | 2 => self.unfinished.is_some(),
            8..=10 => !is_final,
            _ => true,
        };
        refuse_if(first & 0x70 != 0 || misplaced, CloseCode::PROTOCOL)?;
        let length = self.length(opcode)?;
        let mut message = self.unfinished.clone().unwrap_or_default();
        if opcode < 8 {
            let too_long = message.data.len() as u64 + length > self.limits.max_message as u64;
            refuse_if(too_long || message.frames == self.limits.max_fragments, CloseCode::TOO_BIG)?;
        }
        let data = self.payload(opcode, length)?;
        if opcode >= 8 {
            return control(opcode, data).map(Some);
        }
        message.is_text |= opcode == 1;
        message.data.extend(data);
        message.frames += 1;
        self.unfinished = (!is_final).then(|| message.clone());
        if is_final { complete(message).map(Some) } else { Ok(None) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Event> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Event::End)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn length(&mut self, opcode: u8) -> Result<u64, Event> {
        let second = self.take(1)?[0];
        let short = second & 0x7F;
        let bad_control = opcode >= 8 && short > 125 || opcode == 8 && short == 1;
        refuse_if(second < 0x80 || bad_control, CloseCode::PROTOCOL)?;
        let (extended, least) = match short {
            126 => (self.take(2)?, 126),
            127 => (self.take(8)?, 65_536),
            _ => return Ok(u64::from(short)),
        };
        let length = extended.iter().fold(0, |length, byte| length * 256 + u64::from(*byte));
        refuse_if(length < least || length >= 1 << 63, CloseCode::PROTOCOL)?;
        Ok(length)
    }

    fn payload(&mut self, opcode: u8, length: u64) -> Result<Vec<u8>, Event> {
        let mask = self.take(4)?;
        let length = usize::try_from(length).map_err(|_| refused(CloseCode::TOO_BIG))?;
        let data: Vec<u8> =
            self.bytes.iter().take(length).zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        if let (8, [high, low, ..]) = (opcode, &data[..]) {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            refuse_if(code.is_none(), CloseCode::PROTOCOL)?;
        }
        self.take(length)?;
        Ok(data)
    }
}

fn control(opcode: u8, data: Vec<u8>) -> Result<Event, Event> {
    match (opcode, &data[..]) {
        (8, [high, low, reason @ ..]) => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            Ok(Event::Close(code, utf8(reason.to_vec())?))
        }
        (8, _) => Ok(Event::Close(None, String::new())),
        (9, _) => Ok(Event::Ping(data.into())),
        _ => Ok(Event::Pong),
    }
}

fn complete(message: Message) -> Result<Event, Event> {
    if message.is_text {
        Ok(Event::Text(utf8(message.data)?.into()))
    } else {
        Ok(Event::Binary(message.data.into()))
    }
}

fn utf8(data: Vec<u8>) -> Result<String, Event> {
    String::from_utf8(data).map_err(|_| refused(CloseCode::INVALID_DATA))
}
