//! Binary attachments over WebSocket, both ways.

use actix_socketio::Config;

use crate::client::Client;
use crate::server::Server;

#[actix_web::test]
async fn events_and_acknowledgements_come_back_with_their_attachments() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    let args = r#"{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}"#;
    for (sent, expected) in [
        (format!(r#"452-["message",{args}]"#), format!(r#"452-["message-back",{args}]"#)),
        (format!(r#"452-9["message-with-ack",{args}]"#), format!("462-9[{args}]")),
    ] {
        client.send(&sent).await;
        client.send_binary(&[1, 2, 3]).await;
        client.send_binary(&[]).await;
        assert_eq!(client.next().await, expected);
        assert_eq!(client.next_binary().await, [1, 2, 3]);
        assert!(client.next_binary().await.is_empty());
    }
    server.stop().await;
}

#[actix_web::test]
async fn the_server_may_ask_with_binary_data_and_be_answered_with_it() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"42["ask for binary"]"#).await;
    assert_eq!(client.next().await, r#"451-0["question",{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next_binary().await, [1, 2]);
    client.send(r#"461-0["x",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[3, 4]).await;
    assert_eq!(client.next().await, r#"42["answered",[3,4]]"#);
    server.stop().await;
}

#[actix_web::test]
async fn heartbeats_may_come_between_attachments() {
    let server = Server::start(Config::default());
    let mut client = Client::join(&server).await;
    client.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    client.send("3").await;
    client.send_binary(&[7]).await;
    assert_eq!(client.next().await, r#"451-["message-back",{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next_binary().await, [7]);
    server.stop().await;
}
