use proptest::prelude::*;

use super::super::encode;
use super::*;

fn decode(text: &str) -> Result<Packet<'_>, DecodeError> {
    Packet::decode(text, 10)
}

#[test]
fn the_examples_of_the_protocol_are_understood() {
    let table = [
        ("0", "/ Connect { auth: None }"),
        ("0/", "/ Connect { auth: None }"),
        ("0/admin", "/admin Connect { auth: None }"),
        ("0/admin,", "/admin Connect { auth: None }"),
        (r#"0{"token":"123"}"#, r#"/ Connect { auth: Some(RawValue({"token":"123"})) }"#),
        (r#"0/admin,{"t":1}"#, r#"/admin Connect { auth: Some(RawValue({"t":1})) }"#),
        ("1", "/ Disconnect"),
        ("1/admin,", "/admin Disconnect"),
        ("1/admin", "/admin Disconnect"),
        (r#"2["foo"]"#, r#"/ Event { id: None, name: "foo", payload: "[\"foo\"]", attachments: 0 }"#),
        (r#"2/a,7["x",1]"#, r#"/a Event { id: Some(7), name: "x", payload: "[\"x\",1]", attachments: 0 }"#),
        ("3/admin,13[]", r#"/admin Ack { id: 13, payload: "[]", attachments: 0 }"#),
        ("30[1]", r#"/ Ack { id: 0, payload: "[1]", attachments: 0 }"#),
        (r#"52-/a,["x"]"#, r#"/a Event { id: None, name: "x", payload: "[\"x\"]", attachments: 2 }"#),
        ("61-15[]", r#"/ Ack { id: 15, payload: "[]", attachments: 1 }"#),
        (
            "29007199254740991[\"x\"]",
            r#"/ Event { id: Some(9007199254740991), name: "x", payload: "[\"x\"]", attachments: 0 }"#,
        ),
    ];
    for (text, expected) in table {
        let packet = decode(text).unwrap();
        assert_eq!(format!("{} {:?}", packet.namespace, packet.body), expected, "{text}");
    }
}

#[test]
fn everything_else_is_refused_with_a_reason() {
    use DecodeError as E;
    let long = format!("0/{},", "a".repeat(MAX_NAMESPACE_BYTES));
    let table = [
        ("", E::UnknownType),
        ("abc", E::UnknownType),
        ("7", E::UnknownType),
        ("é", E::UnknownType),
        (r#"4{"message":"x"}"#, E::NotForServers),
        ("5", E::Attachments),
        (r#"5["x"]"#, E::Attachments),
        (r#"5-["x"]"#, E::Attachments),
        (r#"5+1-["x"]"#, E::Attachments),
        (r#"511-["x"]"#, E::Attachments),
        (r#"599999999999999999999-["x"]"#, E::Attachments),
        (&long, E::Namespace),
        (r#"29007199254740992["x"]"#, E::AckId),
        (r#"299999999999999999999["x"]"#, E::AckId),
        ("05{}", E::AckId),
        ("15", E::AckId),
        ("3[]", E::AckId),
        ("0[]", E::Payload),
        ("0null", E::Payload),
        ("0\"x\"", E::Payload),
        ("0{", E::Payload),
        ("0{}{}", E::Payload),
        ("1{}", E::Payload),
        ("2", E::Payload),
        ("2/admin,", E::Payload),
        (r#"2/admin["x"]"#, E::Payload),
        ("2{}", E::Payload),
        ("2[]", E::Payload),
        ("2[null]", E::Payload),
        ("2[[\"x\"]]", E::Payload),
        ("2[true]", E::Payload),
        ("2[1.5]", E::Payload),
        ("2[9007199254740992]", E::Payload),
        (r#"2["x""#, E::Payload),
        (r#"2["x",]"#, E::Payload),
        (r#"2["x"] y"#, E::Payload),
        (r#"2abc["x"]"#, E::Payload),
        ("31{}", E::Payload),
        ("31", E::Payload),
        (r#"2["connect"]"#, E::ReservedName),
        (r#"2["connect_error"]"#, E::ReservedName),
        (r#"2["disconnect"]"#, E::ReservedName),
        (r#"2["disconnecting"]"#, E::ReservedName),
        (r#"2["newListener"]"#, E::ReservedName),
        (r#"2["removeListener",1]"#, E::ReservedName),
        (r#"2["\u0063onnect"]"#, E::ReservedName),
    ];
    for (text, error) in table {
        assert_eq!(decode(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn event_names_are_decoded_as_the_strings_they_stand_for() {
    let table = [
        (r#"2["\u00e9"]"#, "é"),
        (r#"2["é"]"#, "é"),
        (r#"2["__proto__"]"#, "__proto__"),
        ("2[7]", "7"),
        ("2[-7]", "-7"),
    ];
    for (text, expected) in table {
        match decode(text).unwrap().body {
            Body::Event { name, .. } => assert_eq!(name, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_payload_nested_without_end_is_no_danger() {
    let deep = format!(r#"2["x",{}{}]"#, "[".repeat(200_000), "]".repeat(200_000));
    assert!(decode(&deep).is_ok());
    assert_eq!(decode(&deep[..200_000]).unwrap_err(), DecodeError::Payload);
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-zé0-9?=-]{1,12}"]
}

fn without_engine(packet: &encode::Packet) -> String {
    packet.as_str()[1..].to_owned()
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(
        namespace in namespace(),
        id in proptest::option::of(0..=MAX_SAFE_INTEGER),
        name in any::<String>().prop_filter("not reserved", |name| !is_reserved(name)),
        args in proptest::collection::vec(any::<String>(), 0..4),
    ) {
        let args: Vec<String> = args.iter().map(|arg| serde_json::to_string(arg).unwrap()).collect();
        let list: Vec<&str> = args.iter().map(String::as_str).collect();
        let text = without_engine(&encode::event(&namespace, id, &name, &list, &[]));
        let packet = decode(&text).unwrap();
        prop_assert_eq!(packet.namespace, &namespace);
        match packet.body {
            Body::Event { id: got_id, name: got_name, payload, attachments } => {
                prop_assert_eq!((got_id, got_name, attachments), (id, name, 0));
                let values: Vec<&RawValue> = serde_json::from_str(payload).unwrap();
                prop_assert_eq!(values[1..].iter().map(|v| v.get()).collect::<Vec<_>>(), list);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn what_is_acknowledged_is_decoded_again(namespace in namespace(), id in 0..=MAX_SAFE_INTEGER) {
        let text = without_engine(&encode::ack(&namespace, id, &["1"], &[]));
        let packet = decode(&text).unwrap();
        prop_assert_eq!(packet.namespace, &namespace);
        let same = matches!(packet.body, Body::Ack { id: got, payload: "[1]", attachments: 0 } if got == id);
        prop_assert!(same);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = decode(&text);
    }

    #[test]
    fn nothing_that_almost_is_a_packet_panics(text in r#"[0-7][0-9-]{0,3}(/[aé]{0,2},?)?[0-9]{0,20}[\[\]{}",a\\u0-9é]{0,12}"#) {
        if let Ok(packet) = decode(&text) {
            prop_assert!(text.contains(packet.namespace) || packet.namespace == "/");
        }
    }
}
