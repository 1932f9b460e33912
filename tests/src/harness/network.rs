use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Address;

/// The network between clients and the lobby, which can be cut. The lobby may move behind it.
pub struct Network {
    address: SocketAddr,
    /// Where it leads; nowhere while it is cut.
    lobby: watch::Sender<Option<SocketAddr>>,
}

impl Network {
    pub async fn to(lobby: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (sender, lobby) = watch::channel(Some(lobby));
        tokio::spawn(accept(listener, lobby));
        Self { address, lobby: sender }
    }

    /// Ends all connections, and lets none through until it leads somewhere again.
    pub fn cut(&self) {
        self.lobby.send_replace(None);
    }

    /// Ends all connections, and leads new ones there.
    pub fn lead_to(&self, lobby: SocketAddr) {
        self.lobby.send_replace(Some(lobby));
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> Address {
        watch::channel(self.address).1
    }
}

async fn accept(listener: TcpListener, lobby: watch::Receiver<Option<SocketAddr>>) {
    loop {
        let (client, _) = listener.accept().await.expect("it listens");
        tokio::spawn(lead(client, lobby.clone()));
    }
}

/// Until one side goes away, or the network changes.
async fn lead(mut client: TcpStream, mut lobby: watch::Receiver<Option<SocketAddr>>) {
    let Some(address) = *lobby.borrow_and_update() else { return };
    let leading = async {
        if let Ok(mut lobby) = TcpStream::connect(address).await {
            // Whoever goes away abruptly is nobody's fault.
            let _ended = copy_bidirectional(&mut client, &mut lobby).await;
        }
    };
    tokio::select! {
        () = leading => {}
        _ = lobby.changed() => {}
    }
}
