use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::packet::encode;

/// Were one of them gone, the list would be out of date.
#[test]
fn the_deliberate_differences_are_there() {
    use Difference as D;
    let long = format!("0/{},", "a".repeat(256));
    let table = [
        (r#"2["\u00e9"]"#, D::UnborrowedName),
        ("2[7]", D::UnborrowedName),
        (r#"21 ["a"]"#, D::SpaceAfterId),
        ("31 []", D::SpaceAfterId),
        (r#"29007199254740992["a"]"#, D::IdOutOfRange),
        (r#"299999999999999999999["a"]"#, D::IdOutOfRange),
        ("39007199254740992[]", D::IdOutOfRange),
        ("01{}", D::MisplacedId),
        ("11", D::MisplacedId),
        (long.as_str(), D::LongNamespace),
        ("0[]", D::UncheckedPayload),
        (r#"0"token""#, D::UncheckedPayload),
        ("1{}", D::UncheckedPayload),
        ("2", D::UncheckedPayload),
        ("2[]", D::UncheckedPayload),
        ("2{}", D::UncheckedPayload),
        ("2[null]", D::UncheckedPayload),
        (r#"2["a","#, D::UncheckedPayload),
        (r#"51-["a"]x"#, D::UncheckedPayload),
        ("31{}", D::UncheckedPayload),
        (r#"2["disconnect"]"#, D::ReservedName),
    ];
    for (text, expected) in table {
        let (ours, theirs) = (ours(text), theirs(text));
        assert_ne!(ours.as_ref().ok(), theirs.as_ref(), "{text}");
        assert_eq!(difference(text, &ours, theirs.as_ref()), Some(expected), "{text}: {ours:?}, {theirs:?}");
    }
}

#[test]
fn a_difference_that_is_not_on_the_list_is_found() {
    let theirs = theirs(r#"2/a,1["x"]"#).unwrap();
    let otherwise = [
        Err(DecodeError::Payload),
        Err(DecodeError::AckId),
        Err(DecodeError::ReservedName),
        Err(DecodeError::UnknownType),
        Ok(Reading { id: None, ..theirs.clone() }),
        Ok(Reading { name: Some("y".to_owned()), ..theirs.clone() }),
        Ok(Reading { namespace: "/".to_owned(), ..theirs.clone() }),
        Ok(Reading { data: r#"["x",1]"#.to_owned(), ..theirs.clone() }),
    ];
    for ours in otherwise {
        assert_eq!(difference(r#"2/a,1["x"]"#, &ours, Some(&theirs)), None, "{ours:?}");
    }
}

fn text(packet: OraclePacket) -> (String, Vec<Bytes>) {
    match CommonParser.encode(packet) {
        Value::Str(text, attachments) => (text.to_string(), attachments.unwrap_or_default().into()),
        Value::Bytes(_) => panic!("its packets are text"),
    }
}

fn our_text(packet: &encode::Packet) -> (String, Vec<Bytes>) {
    let attachments = packet.attachments().iter().map(|frame| Bytes::copy_from_slice(frame.payload()));
    // Behind the Engine.IO type.
    (packet.as_str()[1..].to_owned(), attachments.collect())
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        ".{0,9}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Into::into))
}

proptest! {
    #[test]
    fn packets_are_written_as_the_oracle_writes_them(
        namespace in prop_oneof!["/", "/[a-zé]{1,5}"],
        name in "[^c-n].{0,9}",
        id in prop::option::of(0..=MAX_SAFE_INTEGER),
        arg in values(),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
    ) {
        let data = data.map(Bytes::from);
        let (arg_text, attachments) = (arg.to_string(), Vec::from_iter(data.clone()));
        let mut args = vec![arg_text.as_str()];
        args.extend(data.as_ref().map(|_| r#"{"_placeholder":true,"num":0}"#));
        let value = |name: Option<&str>| match &data {
            Some(data) => CommonParser.encode_value(&(&arg, data), name).unwrap(),
            None => CommonParser.encode_value(&(&arg,), name).unwrap(),
        };

        let mut event = OraclePacket::event(namespace.clone(), value(Some(&name)));
        if let Some(id) = id {
            event.inner.set_ack_id(id.cast_signed());
        }
        let ours = encode::event(&namespace, id, &name, &args, &attachments);
        prop_assert_eq!(our_text(&ours), text(event));

        let id = id.unwrap_or(7);
        let ack = OraclePacket::ack(namespace.clone(), value(None), id.cast_signed());
        let ours = encode::ack(&namespace, id, &args, &attachments);
        prop_assert_eq!(our_text(&ours), text(ack));
    }
}
