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
        let mut stream = TcpStream::connect(app.address()).await.expect("the lobby listens");
        let request = "GET /ws HTTP/1.1\r\nHost: lobby\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
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
