//! Where to go next, printed when the lobby is up.

use std::net::SocketAddr;

/// What somebody who has just started the lobby pastes into a second terminal.
#[must_use]
pub fn text(scheme: &str, address: SocketAddr) -> String {
    let url = url(scheme, address);
    format!(
        r#"
The lobby is open at {url}
Its interface is shown at {url}/docs

Log in:

  curl -s {url}/login -H 'Content-Type: application/json' -d '{{"pseudonym": "JohnDoe"}}'

Listen and talk:

  npm install --no-save socket.io-client && node --input-type=module -e '
  import {{ io }} from "socket.io-client";
  const socket = io("{url}");
  socket.on("new_message", ({{ sender, content }}) => console.log(sender + ": " + content));
  socket.emit("send_message", {{ sender: "JohnDoe", content: "Hello!" }}, console.log);
  '

"#
    )
}

/// An address that a client on this machine can use.
#[must_use]
pub fn url(scheme: &str, address: SocketAddr) -> String {
    let ip = address.ip();
    match address {
        _ if !ip.is_unspecified() => format!("{scheme}://{address}"),
        SocketAddr::V4(_) => format!("{scheme}://127.0.0.1:{}", address.port()),
        SocketAddr::V6(_) => format!("{scheme}://[::1]:{}", address.port()),
    }
}
