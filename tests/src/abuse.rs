//! What an attacker sends.

use std::process;

use rstest::rstest;
use serde_json::json;

use crate::harness::{App, Auth, Connection, Protocol, RawSocket, resident_kib};

/// A client's text frame that says it has `length` bytes, with nothing of them yet; the mask is zeros.
fn header_of(length: u64) -> Vec<u8> {
    let mut frame = vec![0x81, 0xff];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame
}

#[tokio::test]
async fn a_frame_that_says_it_has_a_gibibyte_closes_with_1009_and_costs_no_memory() {
    let app = App::spawn().await;
    let (mut bystander, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    // The lobby runs in this process.
    let before = resident_kib(process::id());
    let mut attacker = RawSocket::open(&app).await;
    attacker.try_write(&header_of(1 << 30)).await.expect("the header is sent");
    // As much of it as the lobby takes, at most 64 MiB.
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..1024 {
        if attacker.try_write(&chunk).await.is_err() {
            break;
        }
    }
    let grown = resident_kib(process::id()).saturating_sub(before);
    assert!(grown < 16 * 1024, "grew by {grown} KiB");
    app.log_in("JohnDoe").await;
    bystander.event("user_joined").await;
}

#[rstest]
#[case::a_gibibyte(&header_of(1 << 30), 1009)]
#[case::all_there_is(&header_of(u64::MAX >> 1), 1009)]
#[case::one_byte_too_many(&header_of(131_073), 1009)]
#[case::not_masked(&[0x81, 0x02, b'h', b'i'], 1002)]
#[case::reserved_bits(&[0xc1, 0x80, 0, 0, 0, 0], 1002)]
#[case::reserved_opcode(&[0x83, 0x80, 0, 0, 0, 0], 1002)]
#[case::fragmented_ping(&[0x09, 0x80, 0, 0, 0, 0], 1002)]
#[case::nothing_to_continue(&[0x80, 0x80, 0, 0, 0, 0], 1002)]
#[case::bad_utf8(&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007)]
#[tokio::test]
async fn a_frame_that_breaks_the_protocol_closes_with_its_code(#[case] frame: &[u8], #[case] code: u16) {
    let app = App::spawn().await;
    let mut attacker = RawSocket::open(&app).await;
    attacker.try_write(frame).await.expect("it is sent");
    assert_eq!(attacker.close_code().await, Some(code));
}

#[tokio::test]
async fn an_oversized_socketio_packet_ends_only_its_own_connection() {
    let app = App::spawn_with(&[("socketio.max_payload", "100000")]).await;
    app.log_in("JohnDoe").await;
    let (mut attacker, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    let (mut bystander, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    attacker.emit("send_message", &json!({"content": "x".repeat(100_000), "sender": "JohnDoe"})).await;
    assert_eq!(attacker.closed().await.0, 1009);
    let said = bystander.ask("send_message", &json!({"content": "still here", "sender": "JohnDoe"})).await;
    assert_eq!(said["id"], 1);
}

/// Making the key of a name is work: it is done for names only, and never where others wait for it.
#[rstest]
#[case::of_letters(&"x".repeat(90_000))]
#[case::of_letters_that_blow_up(&"\u{fdfa}".repeat(30_000))]
#[tokio::test]
async fn a_sender_longer_than_any_name_is_nobody(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] sender: &str,
) {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let (mut attacker, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let answer = attacker.ask("send_message", &json!({"content": "x", "sender": sender})).await;
    assert_eq!(answer["code"], "not_connected");
    assert!(answer["error"].as_str().is_some_and(|error| error.len() < 200), "it is not echoed");
    let said = attacker.ask("send_message", &json!({"content": "still here", "sender": "JohnDoe"})).await;
    assert_eq!(said["id"], 1);
    app.log_out(&sender.chars().take(4_000).collect::<String>(), &[])
        .await
        .assert_problem(400, "not_connected");
}

/// A receiver that never reads must cost nobody else anything, and no more memory than its outbox.
#[tokio::test]
async fn a_receiver_that_stops_reading_is_cut_and_the_others_miss_nothing() {
    // More than what the kernel's buffers on both sides hold.
    const ROUNDS: usize = 50;
    const AT_ONCE: usize = 60;

    let app = App::spawn_with(&[("websocket.write_timeout", "1s")]).await;
    let john = app.log_in("JohnDoe").await;
    let mut stuck = RawSocket::open(&app).await;
    let connect = br#"{"event":"connect"}"#;
    let length = u8::try_from(connect.len()).expect("short");
    let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], connect.as_slice()].concat();
    stuck.try_write(&frame).await.expect("it is sent");
    let (mut speaker, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let (mut listener, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    let content = "x".repeat(4_000);
    let mut heard = Vec::new();
    for _ in 0..ROUNDS {
        for _ in 0..AT_ONCE {
            speaker.emit("send_message", &json!({"content": content})).await;
        }
        heard.extend(listener.messages(AT_ONCE).await);
        speaker.messages(AT_ONCE).await;
    }
    assert!(heard.iter().map(|(id, _)| *id).eq((1..).take(ROUNDS * AT_ONCE)));
    // What it gets in the end is what was under way, and no more.
    let received = stuck.read_to_end().await;
    assert!(received.len() < ROUNDS * AT_ONCE * content.len(), "{} bytes: it was never cut", received.len());
}
