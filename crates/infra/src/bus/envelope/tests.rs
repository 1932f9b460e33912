use lobby_domain::testing::name;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const FROM: Uuid = Uuid::from_u128(0xf);
const LOG: LogId = LogId(Uuid::from_u128(0xa));

fn envelopes() -> Envelopes {
    Envelopes::of(FROM, &"secret".into())
}

fn another() -> Envelopes {
    Envelopes::of(Uuid::from_u128(0xe), &"secret".into())
}

fn message(id: i64, content: &str) -> Event {
    Event::NewMessage(Message {
        id: MessageId(id),
        sender_session: SessionId(Uuid::from_u128(7)),
        sender_id: UserId(1),
        sender: name("Zoë"),
        to: None,
        content: Content::parse(content).expect("a good content"),
        client_id: None,
        timestamp: Timestamp::from_millis(1),
    })
}

fn sealed(news: News) -> Vec<Vec<u8>> {
    envelopes().seal(&Hint { log: LOG, news })
}

fn valid() -> Value {
    let sealed = sealed(News::Happened(vec![message(3, "hi")]));
    serde_json::from_slice(&sealed[0]).expect("JSON")
}

/// By a node that would send it.
fn opened(envelope: &Value) -> Opened {
    let mut envelope = envelope.clone();
    envelope.as_object_mut().expect("an object").remove("seal");
    let json = envelope.to_string();
    let seal = envelopes().signer.seal(&json.as_bytes()[1..]);
    another().open(&under(&seal, &json[1..]))
}

fn under(seal: &str, sealed: &str) -> Vec<u8> {
    [OPENING, seal, AFTER_SEAL, sealed].concat().into_bytes()
}

/// Nodes of the next release have to understand it: what is below must not change within the version.
#[test]
fn a_hint_looks_like_this() {
    let expected = r#"{"seal":"EPyWn8UvswWLhXe29w8lqbnoOQE3WdJnQRgRiomP0vE","v":1,"from":"00000000-0000-0000-0000-00000000000f","log":"00000000-0000-0000-0000-00000000000a","hint":{"happened":[{"message":{"id":3,"session":"00000000-0000-0000-0000-000000000007","user":1,"name":"Zoë","content":"hi","at":1}}]}}"#;
    assert_eq!(sealed(News::Happened(vec![message(3, "hi")])), [expected.as_bytes()]);
    let typing = News::Typing { from: SessionId(FROM), to: None };
    let expected = r#"{"seal":"8Xz4LANhRotSuULX7XWf1iJEhS3smktac3Kz4hLCOF4","v":1,"from":"00000000-0000-0000-0000-00000000000f","log":"00000000-0000-0000-0000-00000000000a","hint":{"typing":{"from":"00000000-0000-0000-0000-00000000000f"}}}"#;
    assert_eq!(sealed(typing), [expected.as_bytes()]);
    let expected = r#"{"seal":"OqWphmG6fklPaK5rdFW_D7gZWS6lbq1FZ2w0Ym_Faac","v":1,"from":"00000000-0000-0000-0000-00000000000f","log":"00000000-0000-0000-0000-00000000000a","hint":{"superseded":"00000000-0000-0000-0000-000000000001"}}"#;
    assert_eq!(sealed(News::Superseded(1)), [expected.as_bytes()]);
}

#[test]
fn a_nodes_own_come_back_to_it_unopened() {
    let sealed = sealed(News::Superseded(1));
    assert_eq!(envelopes().open(&sealed[0]), Opened::Own);
    let hint = Hint { log: LOG, news: News::Superseded(1) };
    assert_eq!(another().open(&sealed[0]), Opened::Hint(hint));
}

#[test]
fn what_a_newer_release_adds_is_passed_over() {
    let expected = opened(&valid());
    assert!(matches!(expected, Opened::Hint(_)));
    let mut newer = valid();
    newer["more"] = json!({"a": [1]});
    newer["hint"]["happened"][0]["message"]["more"] = json!(null);
    assert_eq!(opened(&newer), expected);
}

#[test]
fn what_no_node_of_this_version_sends_is_unknown() {
    let changes: [(&str, Value); 16] = [
        ("/v", json!(2)),
        ("/v", json!(0)),
        ("/v", json!("1")),
        ("/from", json!("nobody")),
        ("/log", json!(1)),
        ("/hint", json!({"moderated": []})),
        ("/hint", json!({})),
        ("/hint", json!("typing")),
        ("/hint/happened", json!([{"edited": {}}])),
        ("/hint/happened/0/message/id", json!(1.5)),
        ("/hint/happened/0/message/content", json!("")),
        ("/hint/happened/0/message/content", json!("x".repeat(5_000))),
        ("/hint/happened/0/message/content", json!("\u{7}")),
        ("/hint/happened/0/message/name", json!("x".repeat(2_000))),
        ("/hint/happened/0/message/at", json!(i64::MAX)),
        ("/hint/happened/0/message/at", json!(i64::MIN)),
    ];
    for (place, value) in changes {
        let mut envelope = valid();
        *envelope.pointer_mut(place).expect(place) = value.clone();
        assert_eq!(opened(&envelope), Opened::Unknown, "{place}: {value:.40}");
    }
    for bytes in [&b""[..], b"null", b"{", b"\xff", b"{\"v\":1}", "[".repeat(100_000).as_bytes()] {
        assert_eq!(another().open(bytes), Opened::Unknown);
    }
}

#[test]
fn what_no_node_has_sealed_is_unknown() {
    let sealed = r#""v":1,"from":"00000000-0000-0000-0000-00000000000d","log":"00000000-0000-0000-0000-00000000000a","hint":{"superseded":"00000000-0000-0000-0000-000000000001"}}"#;
    let seal = envelopes().signer.seal(sealed.as_bytes());
    assert!(matches!(another().open(&under(&seal, sealed)), Opened::Hint(_)));
    let of_another_text = envelopes().signer.seal(b"another");
    let of_another_lobby = Envelopes::of(FROM, &"another".into()).signer.seal(sealed.as_bytes());
    for forged in [&of_another_text, &of_another_lobby, "", "x", &seal[1..], &"A".repeat(43)] {
        assert_eq!(another().open(&under(forged, sealed)), Opened::Unknown, "{forged}");
    }
    for none in [format!("{{{sealed}"), sealed.to_owned(), format!(" {{{sealed}")] {
        assert_eq!(another().open(none.as_bytes()), Opened::Unknown, "{none}");
    }
}

#[test]
fn what_is_too_large_is_not_looked_at() {
    let mut envelope = valid();
    let fits = MAX_BYTES - envelope.to_string().len() - r#","more":"""#.len();
    envelope["more"] = json!("x".repeat(fits));
    assert_eq!(envelope.to_string().len(), MAX_BYTES);
    assert!(matches!(opened(&envelope), Opened::Hint(_)));
    envelope["more"] = json!("x".repeat(fits + 1));
    assert_eq!(opened(&envelope), Opened::Unknown);
}

#[test]
fn a_name_and_a_content_of_the_longest_fit_whatever_is_in_them() {
    let content = "\\".repeat(4_000);
    let sealed = sealed(News::Happened(vec![message(1, &content); 256]));
    assert!(sealed.len() > 1 && sealed.iter().all(|bytes| bytes.len() <= MAX_BYTES));
}

proptest! {
    #[test]
    fn whatever_happened_comes_in_parts_that_fit(sizes in prop::collection::vec(1..4_000_usize, 0..120)) {
        let events: Vec<_> =
            (1..).zip(&sizes).map(|(id, size)| message(id, &"\"".repeat(*size))).collect();
        let mut heard = Vec::new();
        for bytes in sealed(News::Happened(events.clone())) {
            prop_assert!(bytes.len() <= MAX_BYTES);
            let Opened::Hint(Hint { news: News::Happened(part), .. }) = another().open(&bytes) else {
                panic!("it is a hint");
            };
            heard.extend(part);
        }
        prop_assert_eq!(heard, events);
    }

    /// Whatever is changed in it, nothing breaks, and it is no hint any more.
    #[test]
    fn a_damaged_envelope_is_no_hint(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let whole = sealed(News::Happened(vec![message(3, "hi")])).remove(0);
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        prop_assert_eq!(matches!(another().open(&bytes), Opened::Hint(_)), bytes == whole);
    }
}
