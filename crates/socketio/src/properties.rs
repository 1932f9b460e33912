//! What holds whatever a client sends. Each property is one function, called with made-up texts by the tests of this
//! crate, and with those that a fuzzer finds by its targets.

mod oracle;

use bytestring::ByteString;
use lobby_websocket::Frame;

use crate::Args;
use crate::engine::packet::Packet as EnginePacket;
use crate::engine::payload::{self, Data, Payload};
use crate::packet::decode::{Body, Packet};
use crate::packet::is_reserved;

const SEPARATOR: char = '\x1e';
/// Few, so that short bodies come to it.
const MAX_PACKETS: usize = 4;
const MAX_ATTACHMENTS: usize = 10;
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reads the body of a polling request.
///
/// # Panics
///
/// When there are more packets than were allowed, when one is not what stands in the body, or when those that were
/// understood do not come apart again after they were joined.
pub fn payload(body: &str) {
    let texts: Vec<&str> = body.split(SEPARATOR).collect();
    let Some(packets) = Payload::new(body.into(), MAX_PACKETS) else {
        assert!(texts.len() > MAX_PACKETS, "refused, but not too many");
        return;
    };
    let packets: Vec<Data> = packets.collect();
    assert_eq!(packets.len(), texts.len());
    assert!(packets.len() <= MAX_PACKETS);
    packets.iter().zip(texts).for_each(|(packet, text)| check_data(packet, text));

    let whole: Vec<&Data> = packets.iter().filter(|packet| **packet != Data::Broken).collect();
    if !whole.is_empty() {
        assert_eq!(joined(&whole).collect::<Vec<_>>().iter().collect::<Vec<_>>(), whole);
    }
}

fn check_data(packet: &Data, text: &str) {
    match packet {
        Data::Text(packet) => {
            assert_eq!(packet, text);
            let known = text.starts_with(|first: char| ('0'..='6').contains(&first));
            assert_eq!(EnginePacket::decode(packet).is_ok(), known);
        }
        Data::Binary(data) => assert!(text.starts_with('b') && data.len() <= text.len() / 4 * 3 + 2),
        Data::Broken => assert!(text.starts_with('b')),
    }
}

fn joined(packets: &[&Data]) -> Payload {
    let frames: Vec<Frame> = packets.iter().filter_map(|packet| frame(packet)).collect();
    let length = frames.iter().map(payload::encoded_len).sum::<usize>() + frames.len() - 1;
    let body = payload::encode(frames, length);
    assert_eq!(body.len(), length, "the length that was reckoned with");
    Payload::new(body.try_into().expect("text and base64"), MAX_PACKETS).expect("not more than before")
}

fn frame(packet: &Data) -> Option<Frame> {
    match packet {
        Data::Text(text) => Some(Frame::text(text)),
        Data::Binary(data) => Some(Frame::binary(data)),
        Data::Broken => None,
    }
}

/// Reads a Socket.IO packet.
///
/// # Panics
///
/// When a bound is passed, when what was understood is understood otherwise after it was written again, or when an
/// independent decoder understands something else, the deliberate differences apart.
pub fn packet(text: &str) {
    let message = ByteString::from(text);
    if let Ok(packet) = Packet::decode(&message, MAX_ATTACHMENTS) {
        check_bounds(&packet);
        check_args(&message, &packet.body);
        let again = written(&packet);
        let again = Packet::decode(&again, MAX_ATTACHMENTS).expect("it is written as it was understood");
        assert_eq!(format!("{again:?}"), format!("{packet:?}"));
    }
    oracle::agrees(text);
}

fn check_bounds(packet: &Packet<'_>) {
    assert!(packet.namespace.starts_with('/') && packet.namespace.len() <= 256, "{packet:?}");
    let (id, attachments) = match &packet.body {
        Body::Connect { .. } | Body::Disconnect => (None, 0),
        Body::Event { id, attachments, .. } => (*id, *attachments),
        Body::Ack { id, attachments, .. } => (Some(*id), *attachments),
    };
    assert!(id.is_none_or(|id| id <= MAX_SAFE_INTEGER) && attachments <= MAX_ATTACHMENTS, "{packet:?}");
}

/// What the decoder lets through, the application can take apart.
fn check_args(message: &ByteString, body: &Body<'_>) {
    match body {
        Body::Event { payload, name, .. } => {
            assert!(!is_reserved(name), "{name} is reserved");
            let without_name = Args::of_event(message, payload).raw().len();
            assert_eq!(Args::of_ack(message, payload).raw().len(), without_name + 1);
        }
        Body::Ack { payload, .. } => assert!(Args::of_ack(message, payload).raw().len() <= payload.len()),
        Body::Connect { .. } | Body::Disconnect => {}
    }
}

fn written(packet: &Packet<'_>) -> String {
    let namespace = packet.namespace;
    match &packet.body {
        Body::Connect { auth } => format!("0{namespace},{}", auth.map_or("", |auth| auth.get())),
        Body::Disconnect => format!("1{namespace},"),
        Body::Event { id, payload, attachments, .. } => {
            let id = id.map_or(String::new(), |id| id.to_string());
            format!("{}{namespace},{id}{payload}", kind("2", "5", *attachments))
        }
        Body::Ack { id, payload, attachments } => {
            format!("{}{namespace},{id}{payload}", kind("3", "6", *attachments))
        }
    }
}

fn kind(plain: &str, binary: &str, attachments: usize) -> String {
    if attachments == 0 { plain.to_owned() } else { format!("{binary}{attachments}-") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Packets that are right but for a character or two, if at all.
    fn packets() -> impl Strategy<Value = String> {
        let head = "[0-6](1?[0-9]-)?(/[a-zé]{0,3},)?([0-9]{0,2}|90071992547409[0-9]{2,6})[ x]?";
        let name = r#""(connect|a|é|\\u00e9|[a-z\\]{0,3})"|-?[0-9]{1,2}|1e3|null"#;
        let arg = r#"1|"x"|\{"a":\[\]\}|[\]{,:"]"#;
        let list = (name, prop::collection::vec(arg, 0..3))
            .prop_map(|(name, args)| format!("[{}]", [vec![name], args].concat().join(",")));
        let payload = prop_oneof![6 => list, 1 => r#"\{("a":1)?\}"#, 1 => r#"[\[\]{}"a,1 ]{0,6}"#];
        (head, payload).prop_map(|(head, payload)| head + &payload)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn packets_are_understood_as_others_understand_them(text in packets()) {
            super::packet(&text);
        }

        #[test]
        fn no_text_is_a_danger_as_a_packet(text in any::<String>()) {
            super::packet(&text);
        }

        #[test]
        fn payloads_come_apart_as_they_were_joined(body in "(b[AB+/=]{0,6}|[0-7é][a-zé]{0,3}|\x1e){0,12}") {
            super::payload(&body);
        }
    }
}
