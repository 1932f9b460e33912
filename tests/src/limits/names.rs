use rstest::rstest;
use serde_json::{Value, json};

use super::{assert_for_now, assert_told, limited, limited_behind_a_proxy};
use crate::harness::{Answer, App, Auth, Connection, Protocol};

const BOTH: [Protocol; 2] = [Protocol::Plain, Protocol::SocketIo];

/// Says something in a name from an address, without having shown anything.
async fn say_as(app: &App, name: &str, address: &str, more: &Value) -> Answer {
    let mut message = json!({"content": "hello", "sender": name});
    for (key, value) in more.as_object().expect("an object") {
        message[key] = value.clone();
    }
    app.post("/messages", &message, &[("x-forwarded-for", address)]).await
}

/// As the original's clients do: nothing is shown but a name.
#[tokio::test]
async fn who_speaks_in_a_name_is_limited_by_the_name() {
    let app = limited(&[("limits.messages_per_session", "1/h burst 2")]).await;
    for name in ["JohnDoe", "Bob"] {
        app.log_in(name).await;
    }
    for protocol in BOTH {
        let (mut socket, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
        assert!(
            socket.ask("send_message", &json!({"content": "x", "sender": "JohnDoe"})).await["id"].is_i64()
        );
    }
    for (protocol, name) in BOTH.into_iter().zip(["johndoe", "JohnDoe"]) {
        let (mut socket, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
        let refused = socket.ask("send_message", &json!({"content": "x", "sender": name})).await;
        assert_told(&refused, "rate_limited");
        let other = socket.ask("send_message", &json!({"content": "x", "sender": "Bob"})).await;
        assert!(other["id"].is_i64(), "{other}");
    }
}

/// The relations by which names are the same make no one key of them; the session that is meant is one.
#[rstest]
#[case::in_another_case("mike")]
#[case::in_another_script("\u{41c}ike")]
#[case::in_both("\u{41c}IKE")]
#[tokio::test]
async fn another_spelling_of_a_name_has_no_tokens_of_its_own(#[case] spelled: &str) {
    let app = limited(&[("limits.messages_per_session", "1/h burst 2")]).await;
    app.log_in("Mike").await;
    for name in ["Mike", spelled] {
        assert_eq!(say_as(&app, name, "192.0.2.1", &json!({})).await.body["sender"], "Mike");
    }
    for name in ["Mike", "MIKE", spelled] {
        assert_for_now(&say_as(&app, name, "192.0.2.1", &json!({})).await, 429, "rate_limited");
    }
}

/// A name that is not claimed is anybody's to speak in, and to log out. But nobody is silenced by a limit that others have met.
#[tokio::test]
async fn nobody_elsewhere_uses_up_the_messages_of_a_session_without_a_claim() {
    let app = limited_behind_a_proxy(&[("limits.messages_per_session", "1/h burst 2")]).await;
    let ann = app.log_in("Ann").await;
    for _ in 0..2 {
        assert_eq!(say_as(&app, "Ann", "192.0.2.66", &json!({})).await.status, 201);
    }
    assert_for_now(&say_as(&app, "Ann", "192.0.2.66", &json!({})).await, 429, "rate_limited");
    assert_eq!(say_as(&app, "Ann", "192.0.2.1", &json!({})).await.status, 201, "Ann herself, by name");
    let headers = [("cookie", &*ann.cookie()), ("x-forwarded-for", "192.0.2.66")];
    for _ in 0..2 {
        let said = app.post("/messages", &json!({"content": "hello"}), &headers).await;
        assert_eq!(said.status, 201, "Ann herself, wherever she is: {said:?}");
    }
}

/// Whoever shows nothing is told so, as often as it happens, and takes nothing of what the name may say.
#[rstest]
#[case::to_one(&json!({"to": "Bob"}), "Ann", "token_required")]
#[case::with_a_client_id(&json!({"client_id": "c-1"}), "Ann", "token_required")]
#[case::claimed(&json!({}), "Bob", "token_required")]
#[case::not_there(&json!({}), "Nobody", "not_connected")]
#[tokio::test]
async fn what_may_not_be_said_in_a_name_uses_up_nothing(
    #[case] more: &Value,
    #[case] name: &str,
    #[case] code: &str,
) {
    let app = limited(&[("limits.messages_per_session", "1/h burst 2")]).await;
    app.log_in("Ann").await;
    app.log_in_claimed("Bob").await;
    for _ in 0..5 {
        assert_eq!(say_as(&app, name, "192.0.2.1", more).await.body["code"], code);
    }
    for _ in 0..2 {
        assert_eq!(say_as(&app, "Ann", "192.0.2.1", &json!({})).await.status, 201);
    }
    assert_for_now(&say_as(&app, "Ann", "192.0.2.1", &json!({})).await, 429, "rate_limited");
}
