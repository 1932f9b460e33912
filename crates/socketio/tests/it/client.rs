//! A client that says exactly what it is told to.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::PATIENCE;
use crate::server::Server;

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The data of the `open` packet.
    pub(crate) open: Value,
}

impl Client {
    /// Opens an Engine.IO session.
    pub(crate) async fn open(server: &Server) -> Self {
        let mut client = Self::connect(server.port, "").await;
        let open = client.next().await;
        client.open = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        client
    }

    /// A WebSocket on a path with more of a query.
    pub(crate) async fn connect(port: u16, query: &str) -> Self {
        let url = format!("ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket{query}");
        let (socket, _) = connect_async(url).await.unwrap();
        Self { socket, open: Value::Null }
    }

    /// Joins the main namespace too.
    pub(crate) async fn join(server: &Server) -> Self {
        let mut client = Self::open(server).await;
        client.send("40").await;
        assert!(client.next().await.starts_with("40{\"sid\":"));
        assert_eq!(client.next().await, r#"42["auth",null]"#);
        assert_eq!(server.notes.next().await, "connected /");
        client
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends all of it in one write.
    pub(crate) async fn pipeline(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.socket.feed(Message::text(text)).await.unwrap();
        }
        self.socket.flush().await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, data: &[u8]) {
        self.socket.send(Message::binary(data.to_vec())).await.unwrap();
    }

    /// Sends bytes past the framing.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn next_binary(&mut self) -> Vec<u8> {
        match self.message().await {
            Message::Binary(data) => data.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// The next text, or code and reason of the close frame.
    pub(crate) async fn next_or_closed(&mut self) -> Result<String, (u16, String)> {
        match self.message().await {
            Message::Text(text) => Ok(text.as_str().to_owned()),
            Message::Close(Some(frame)) => Err((frame.code.into(), frame.reason.as_str().to_owned())),
            other => panic!("{other:?}"),
        }
    }

    /// The next is the close frame, which is answered; gives back code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Message::Close(Some(frame)) => {
                // Reading the frame has queued its answer; once that is out, TCP may be gone at any moment.
                let _gone = self.socket.flush().await;
                (frame.code.into(), frame.reason.as_str().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Closes without waiting for the server to do so.
    pub(crate) async fn leave(mut self) {
        self.socket.close(None).await.unwrap();
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        self.ended().await;
    }

    /// After the close frames, the server ends the stream.
    pub(crate) async fn ended(&mut self) {
        let end = async { while self.socket.next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end).await.expect("the end in time");
    }

    async fn message(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time").unwrap().unwrap()
    }
}
