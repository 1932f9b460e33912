use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Address;

/// The network between clients and the lobby, which can be cut. The lobby may move behind it.
pub struct Network {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

/// Where it leads.
#[derive(Debug, Clone, Copy)]
enum Way {
    To(SocketAddr),
    /// All connections are ended.
    Nowhere,
    /// All connections stay, and nothing gets through.
    IntoTheVoid,
}

impl Network {
    pub async fn to(lobby: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (sender, way) = watch::channel(Way::To(lobby));
        tokio::spawn(accept(listener, way));
        Self { address, way: sender }
    }

    /// Ends all connections, and lets none through until it leads somewhere again.
    pub fn cut(&self) {
        self.way.send_replace(Way::Nowhere);
    }

    /// Loses all that is sent, and tells nobody: like a cable that is pulled.
    pub fn swallow(&self) {
        self.way.send_replace(Way::IntoTheVoid);
    }

    /// Ends all connections, and leads new ones there.
    pub fn lead_to(&self, lobby: SocketAddr) {
        self.way.send_replace(Way::To(lobby));
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> Address {
        watch::channel(self.address).1
    }
}

async fn accept(listener: TcpListener, way: watch::Receiver<Way>) {
    loop {
        let (client, _) = listener.accept().await.expect("it listens");
        tokio::spawn(lead(client, way.clone()));
    }
}

/// Until one side goes away, or the network changes.
async fn lead(mut client: TcpStream, mut way: watch::Receiver<Way>) {
    let now = *way.borrow_and_update();
    let Way::To(address) = now else { return };
    let Ok(mut lobby) = TcpStream::connect(address).await else { return };
    let changed = tokio::select! {
        // Whoever goes away abruptly is nobody's fault.
        _ended = copy_bidirectional(&mut client, &mut lobby) => return,
        changed = way.changed() => changed,
    };
    let is_swallowed = || matches!(*way.borrow(), Way::IntoTheVoid);
    if changed.is_ok() && is_swallowed() {
        // Until it changes once more.
        let _changed = way.clone().changed().await;
    }
}
