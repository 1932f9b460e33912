use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{App, in_time};

/// A client at `/ws` that does nothing by itself, not even answer a ping.
pub struct RawSocket {
    stream: TcpStream,
}

impl RawSocket {
    /// Shakes hands.
    pub async fn open(app: &App) -> Self {
        Self::open_at(app.address(), "/ws").await
    }

    /// The same, anywhere and at any path.
    pub async fn open_at(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the lobby listens");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: lobby\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: one\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(in_time("the handshake", stream.read_u8()).await.expect("a byte"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self { stream }
    }

    /// Sends bytes; the other side may have gone already.
    pub async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends a text as one frame. The mask is zeros.
    pub async fn send_text(&mut self, text: &str) {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("it is short");
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.try_write(&frame).await.expect("it is sent");
    }

    /// Everything until this text has come.
    pub async fn read_until(&mut self, text: &str) -> Vec<u8> {
        let (mut received, mut looked_at) = (Vec::new(), 0);
        while !received[looked_at..].windows(text.len()).any(|window| window == text.as_bytes()) {
            looked_at = received.len().saturating_sub(text.len());
            let more = in_time("more", self.stream.read_buf(&mut received)).await.expect("it is read");
            assert!(more > 0, "the other side has closed");
        }
        received
    }

    /// Everything until the other side closes.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        // A reset is an end too: the other side had no use for what was still under way.
        let _reset = in_time("the end", self.stream.read_to_end(&mut received)).await;
        received
    }

    /// The code of the close frame that ends what is received.
    pub async fn close_code(&mut self) -> Option<u16> {
        let received = self.read_to_end().await;
        let start = received.windows(2).position(|bytes| bytes[0] == 0x88 && bytes[1] >= 2)?;
        let code = received.get(start + 2..start + 4)?;
        Some(u16::from_be_bytes([code[0], code[1]]))
    }
}
