//! Socket.IO over WebSocket.

use std::time::Duration;

use actix_socketio::Config;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

#[actix_web::test]
async fn the_open_packet_says_how_the_session_is_to_be_kept() {
    let server = Server::start(Config::default());
    let client = Client::open(&server).await;
    assert_eq!(client.open["pingInterval"], 25_000);
    assert_eq!(client.open["maxPayload"], 1_000_000);
    assert_eq!(client.open["upgrades"], serde_json::json!([]));
    assert_eq!(client.open["sid"].as_str().unwrap().len(), 24);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_joins_with_what_it_sends_along() {
    let server = Server::start(Config::default());
    let mut client = Client::open(&server).await;
    client.send(r#"40{"token":"123"}"#).await;
    let connected = client.next().await;
    assert!(connected.starts_with(r#"40{"sid":""#));
    assert!(!connected.contains(client.open["sid"].as_str().unwrap()), "the session's id is a secret");
    assert_eq!(client.next().await, r#"42["auth",{"token":"123"}]"#);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_is_told_the_pid_by_which_it_will_be_known_again() {
    let server = Server::start(Config::default());
    let mut client = Client::open(&server).await;
    for (namespace, auth, end) in [
        ("", r#"{"pid":"abc","offset":"7"}"#, r#"","pid":"abc"}"#),
        ("/custom,", r#"{"offset":"7"}"#, r#""}"#),
    ] {
        client.send(&format!("40{namespace}{auth}")).await;
        let connected = client.next().await;
        let sid = connected.strip_prefix(&format!(r#"40{namespace}{{"sid":""#)).unwrap();
        assert!(!sid.strip_suffix(end).unwrap().contains('"'), "{connected}");
        let told: Value = serde_json::from_str(auth).unwrap();
        let event = client.next().await;
        let event: Value = serde_json::from_str(&event[2 + namespace.len()..]).unwrap();
        assert_eq!(event, json!(["auth", told]));
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_refused_client_is_told_why_and_may_try_again() {
    let server = Server::start(Config::default());
    let mut client = Client::open(&server).await;
    client.send(r#"40{"refuse":true}"#).await;
    assert_eq!(client.next().await, r#"44{"message":"no","data":{"code":"refused"}}"#);
    client.send("40/random,").await;
    assert_eq!(client.next().await, r#"44/random,{"message":"Invalid namespace"}"#);
    client.send("40").await;
    assert!(client.next().await.starts_with("40{"));
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_is_to_come_back_by_itself_is_not_told_but_closed() {
    let server = Server::start(Config::default());
    let mut client = Client::open(&server).await;
    client.send(r#"40{"close":true}"#).await;
    assert_eq!(client.closed().await, (1000, "forced close".to_owned()));
    server.stop().await;
}

#[actix_web::test]
async fn events_and_acknowledgements_come_back_in_the_order_they_were_sent() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    let event = |n| match n % 2 {
        0 => format!(r#"42["message",{n},"é"]"#),
        _ => format!(r#"42{n}["message-with-ack",{n},{{"a":[]}}]"#),
    };
    client.pipeline((0..500).map(event)).await;
    for n in 0..500 {
        let expected = match n % 2 {
            0 => format!(r#"42["message-back",{n},"é"]"#),
            _ => format!(r#"43{n}[{n},{{"a":[]}}]"#),
        };
        assert_eq!(client.next().await, expected);
    }
    client.send(r#"429007199254740991["sum",2,3]"#).await;
    assert_eq!(client.next().await, "439007199254740991[5]");
    server.stop().await;
}

#[actix_web::test]
async fn events_begin_in_order_and_at_most_so_many_run_at_a_time() {
    let server = Server::start(Config { max_concurrent_events: 4, ..Config::default() });
    let mut client = Client::join(&server).await;
    client.pipeline((0..20).map(|n| format!(r#"42{n}["slow",{n}]"#))).await;
    let (mut begun, mut done) = (0, 0);
    while done < 20 {
        match server.notes.next().await.as_str() {
            "done" => done += 1,
            slow => {
                assert_eq!(slow, format!("slow {begun}"));
                begun += 1;
            }
        }
        assert!(begun - done <= 4);
        if begun == (done + 4).min(20) {
            server.gate.add_permits(1);
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn no_event_is_handled_before_the_socket_is_open() {
    let server = Server::start(Config { ping_interval: Duration::from_millis(100), ..Config::default() });
    let mut client = Client::open(&server).await;
    client.send(r#"40{"held":true}"#).await;
    assert!(client.next().await.starts_with("40{"));
    client.pipeline((0..3).map(|n| format!(r#"42["{n}"]"#))).await;
    // By the time of the first ping the server has long had the events.
    while client.next().await != "2" {}
    server.gate.add_permits(1);
    for expected in ["connected /", "opened", "event 0", "event 1", "event 2"] {
        assert_eq!(server.notes.next().await, expected);
    }
    server.stop().await;
}

#[actix_web::test]
async fn two_namespaces_live_and_end_apart_from_each_other() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"40/custom,{"a":1}"#).await;
    assert!(client.next().await.starts_with(r#"40/custom,{"sid":""#));
    assert_eq!(client.next().await, r#"42/custom,["auth",{"a":1}]"#);
    assert_eq!(server.notes.next().await, "connected /custom");
    client.send(r#"42/custom,7["message-with-ack",1]"#).await;
    assert_eq!(client.next().await, "43/custom,7[1]");
    client.send("41/custom").await;
    assert_eq!(server.notes.next().await, "disconnected /custom: client namespace disconnect");
    client.send(r#"42["message",1]"#).await;
    assert_eq!(client.next().await, r#"42["message-back",1]"#);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_leaves_its_last_namespace_may_come_back() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.pipeline(["41".to_owned(), "40".to_owned()]).await;
    assert!(client.next().await.starts_with("40{"));
    assert_eq!(server.notes.next().await, "disconnected /: client namespace disconnect");
    assert_eq!(server.notes.next().await, "connected /");
    server.stop().await;
}

#[actix_web::test]
async fn a_socket_that_is_sent_out_gets_what_was_queued_and_then_the_end() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"42["kick"]"#).await;
    assert_eq!(client.next().await, r#"42["last","words"]"#);
    assert_eq!(client.next().await, "41");
    assert_eq!(client.closed().await, (1000, "server namespace disconnect".to_owned()));
    assert_eq!(server.notes.next().await, "the socket has ended");
    assert_eq!(server.notes.next().await, "disconnected /: server namespace disconnect");
    server.stop().await;
}

#[actix_web::test]
async fn a_socket_sent_out_of_one_of_two_namespaces_keeps_the_other() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send("40/custom").await;
    client.next().await;
    client.next().await;
    // What follows the kick was under way when the client was sent out, and is dropped.
    let under_way = [r#"42/custom,["kick"]"#, r#"42/custom,["stale"]"#, "41/custom", r#"42["message",1]"#];
    client.pipeline(under_way.map(str::to_owned)).await;
    assert_eq!(client.next().await, r#"42/custom,["last","words"]"#);
    assert_eq!(client.next().await, "41/custom,");
    assert_eq!(client.next().await, r#"42["message-back",1]"#);
    server.stop().await;
}

#[actix_web::test]
async fn the_application_may_close_the_whole_connection() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"42["close"]"#).await;
    assert_eq!(client.closed().await, (1000, "forced close".to_owned()));
    assert_eq!(server.notes.next().await, "disconnected /: forced close");
    client.ended().await;
    server.stop().await;
}

#[actix_web::test]
async fn what_is_under_way_is_dropped_before_the_application_hears_of_the_end() {
    let server = Server::start(Config::default());
    for (last, reason) in
        [("41", "client namespace disconnect"), ("1", "transport close"), ("4x", "parse error")]
    {
        let mut client = Client::join(&server).await;
        client.send(r#"421["slow",1]"#).await;
        client.send(last).await;
        for expected in ["slow 1", "dropped", &format!("disconnected /: {reason}")] {
            assert_eq!(server.notes.next().await, expected);
        }
    }
    assert!(server.notes.is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_closes_or_is_gone_is_noticed() {
    let server = Server::start(Config::default());
    Client::join(&server).await.close().await;
    assert_eq!(server.notes.next().await, "disconnected /: transport close");
    drop(Client::join(&server).await);
    assert_eq!(server.notes.next().await, "disconnected /: transport close");
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_is_gone_is_noticed_even_while_nothing_is_read() {
    // Long enough to join before the first ping, on a busy machine too.
    let short = Duration::from_millis(300);
    let config =
        Config { ping_interval: short, ping_timeout: short, max_concurrent_events: 1, ..Config::default() };
    let server = Server::start(config);
    let mut client = Client::join(&server).await;
    client.pipeline([1, 2].map(|n| format!(r#"42{n}["slow",{n}]"#))).await;
    assert_eq!(server.notes.next().await, "slow 1");
    drop(client);
    assert_eq!(server.notes.next().await, "dropped");
    assert_eq!(server.notes.next().await, "disconnected /: transport close");
    server.stop().await;
}

#[actix_web::test]
async fn the_application_hears_of_every_end_also_when_the_worker_stops() {
    let server = Server::start(Config::default());
    let _client = Client::join(&server).await;
    let notes = server.notes.clone();
    server.stop().await;
    assert!(notes.next().await.starts_with("disconnected /: "));
}

#[actix_web::test]
async fn what_breaks_the_protocol_closes_the_connection() {
    let server = Server::start(Config { max_namespaces: 2, ..Config::default() });
    let table: [(&[&str], u16, &str); 12] = [
        (&["4abc"], 1002, "parse error"),
        (&["42{}"], 1002, "parse error"),
        (&[r#"42abc["message",1]"#], 1002, "parse error"),
        (&[r#"42["disconnect"]"#], 1002, "parse error"),
        (&[r#"4299999999999999999999["message"]"#], 1002, "parse error"),
        (&["9"], 1002, "parse error"),
        (&[""], 1002, "parse error"),
        (&["2"], 1002, "transport error"),
        (&["40"], 1008, "forced server close"),
        (&[r#"42/custom,["message"]"#], 1008, "forced server close"),
        (&["41/custom"], 1008, "forced server close"),
        (&["40/never,", "40/never,"], 1008, "forced server close"),
    ];
    for (packets, code, reason) in table {
        let mut client = Client::join(&server).await;
        client.pipeline(packets.iter().map(|&packet| packet.to_owned())).await;
        assert_eq!(client.closed().await, (code, reason.to_owned()), "{packets:?}");
        let ended = format!("disconnected /: {reason}");
        while server.notes.next().await != ended {}
    }
    server.stop().await;
}

#[actix_web::test]
async fn an_event_before_the_connect_closes_the_connection() {
    let server = Server::start(Config::default());
    let mut client = Client::open(&server).await;
    client.send(r#"42["message"]"#).await;
    assert_eq!(client.closed().await, (1008, "forced server close".to_owned()));
    server.stop().await;
}

#[actix_web::test]
async fn too_many_namespaces_close_the_connection_and_drop_the_decisions() {
    let server = Server::start(Config { max_namespaces: 2, ..Config::default() });
    let mut client = Client::join(&server).await;
    client.pipeline(["40/never,".to_owned(), "40/custom,".to_owned()]).await;
    assert_eq!(client.closed().await, (1008, "forced server close".to_owned()));
    let mut notes = [server.notes.next().await, server.notes.next().await];
    notes.sort();
    assert_eq!(notes, ["disconnected /: forced server close", "dropped"]);
    server.stop().await;
}

#[actix_web::test]
async fn a_message_beyond_the_limit_closes_with_1009() {
    let server = Server::start(Config { max_payload: 1_000, ..Config::default() });
    let mut client = Client::join(&server).await;
    client.send(&format!(r#"42["message","{}"]"#, "x".repeat(1_000))).await;
    assert_eq!(client.closed().await.0, 1009);
    assert_eq!(server.notes.next().await, "disconnected /: transport error");
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_cannot_keep_up_is_cut() {
    let server = Server::start(Config { outbox_bytes: 10_000, ..Config::default() });
    let mut client = Client::join(&server).await;
    client.send(r#"42["flood"]"#).await;
    assert_eq!(client.closed().await.0, 1013);
    assert!(server.notes.next().await.starts_with("the client does not keep up, the socket has ended"));
    assert_eq!(server.notes.next().await, "disconnected /: transport error");
    server.stop().await;
}

#[actix_web::test]
async fn the_server_pings_and_a_client_that_answers_stays() {
    let interval = Duration::from_millis(30);
    let server = Server::start(Config { ping_interval: interval, ..Config::default() });
    let mut client = Client::join(&server).await;
    for _ in 0..3 {
        assert_eq!(client.next().await, "2");
        client.send("3").await;
    }
    assert!(server.notes.is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_answers_no_ping_is_cut() {
    let short = Duration::from_millis(30);
    let server = Server::start(Config { ping_interval: short, ping_timeout: short, ..Config::default() });
    let mut client = Client::join(&server).await;
    assert_eq!(client.next().await, "2");
    assert_eq!(client.closed().await, (1008, "ping timeout".to_owned()));
    assert_eq!(server.notes.next().await, "disconnected /: ping timeout");
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_joins_nothing_in_time_is_cut() {
    let server = Server::start(Config { connect_timeout: Duration::from_millis(30), ..Config::default() });
    let mut client = Client::open(&server).await;
    assert_eq!(client.closed().await, (1008, "forced server close".to_owned()));
    let mut client = Client::open(&server).await;
    client.send("40/never,").await;
    assert_eq!(client.closed().await, (1008, "forced server close".to_owned()));
    assert_eq!(server.notes.next().await, "dropped");
    server.stop().await;
}

#[actix_web::test]
async fn one_packet_reaches_all_sockets() {
    let server = Server::start(Config::default());
    let (mut one, mut other) = (Client::join(&server).await, Client::join(&server).await);
    one.send(r#"42["all",{"n":1}]"#).await;
    assert_eq!(server.notes.next().await, "sent to 2");
    assert_eq!(one.next().await, r#"42["news",{"n":1}]"#);
    assert_eq!(other.next().await, r#"42["news",{"n":1}]"#);
    server.stop().await;
}

#[actix_web::test]
async fn the_server_may_ask_for_an_acknowledgement_and_gives_up_in_time() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.next().await, r#"420["question",1]"#);
    client.send(r#"430["yes",2]"#).await;
    assert_eq!(client.next().await, r#"42["answered",["yes",2]]"#);
    client.send(r#"42["ask in vain"]"#).await;
    assert_eq!(client.next().await, r#"421["question",1]"#);
    assert_eq!(client.next().await, r#"42["unanswered","the client did not acknowledge in time"]"#);
    server.stop().await;
}
