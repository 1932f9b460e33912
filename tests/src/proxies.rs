//! What `deploy/` has for whoever puts something in front of a lobby, run for real.

use std::net::SocketAddr;
use std::path::Path;

use lobby_testbed::{Caddy, Certificates, Nginx};
use rstest::rstest;
use serde_json::json;

use crate::docs::page;
use crate::harness::{App, Kind, Participant};
use crate::tls::Secured;

/// Something that runs.
enum Front {
    Nginx(Nginx, Option<Certificates>),
    Caddy(Caddy),
}

#[derive(Debug, Clone, Copy)]
enum Sample {
    Nginx,
    NginxWithTls,
    Caddy,
}

impl Sample {
    async fn start(self, folder: &Path, lobby: SocketAddr) -> Front {
        match self {
            Self::Nginx => Front::Nginx(Nginx::start_with(&page("deploy/nginx.conf"), &[lobby]).await, None),
            Self::NginxWithTls => {
                let certificates = Certificates::make(folder);
                let [certificate, key] =
                    [&certificates.server, &certificates.key].map(|file| file.display().to_string());
                let site = page("deploy/nginx-tls.conf");
                let site = site.replacen("/etc/ssl/lobby.pem", &certificate, 1);
                let site = site.replacen("/etc/ssl/private/lobby.key", &key, 1);
                Front::Nginx(Nginx::start_with(&site, &[lobby]).await, Some(certificates))
            }
            Self::Caddy => Front::Caddy(Caddy::start_with(&page("deploy/Caddyfile"), lobby).await),
        }
    }
}

impl Front {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Nginx(nginx, _) => nginx.address(),
            Self::Caddy(caddy) => caddy.address(),
        }
    }

    fn authority(&self) -> Option<&Path> {
        match self {
            Self::Nginx(_, certificates) => {
                certificates.as_ref().map(|certificates| &*certificates.authority)
            }
            Self::Caddy(caddy) => Some(caddy.authority()),
        }
    }
}

#[rstest]
#[tokio::test]
async fn real_clients_meet_behind_what_is_given_to_stand_in_front(
    #[values(Sample::Nginx, Sample::NginxWithTls, Sample::Caddy)] sample: Sample,
    #[values("polling", "websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn_with(&[("auth.secure_cookie", "false")]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let front = sample.start(folder.path(), app.address()).await;
    let authority = front.authority().map(|file| file.display().to_string());
    let url = format!("{}://{}", if authority.is_some() { "https" } else { "http" }, front.address());
    let mut variables = vec![("LOBBY_TRANSPORTS", transports), ("LOBBY_COOKIES", "all")];
    variables.extend(authority.as_deref().map(|file| ("NODE_EXTRA_CA_CERTS", file)));

    let mut people = Vec::new();
    for name in ["JohnDoe", "Zoë"] {
        let mut person = Participant::run(&url, Kind::Node, "participant", &variables);
        assert_eq!(person.log_in(name).await["status"], 200);
        person.connect("main").await;
        people.push(person);
    }
    let ack = people[0].say("main", "JohnDoe", "hello").await;
    assert_eq!(ack["id"], 1);
    for person in &mut people {
        assert_eq!(person.event("main", "new_message").await["content"], "hello");
        assert_eq!(person.online().await, ["JohnDoe", "Zoë"]);
    }
    if let Some(authority) = front.authority() {
        let (mut plain, session) = Secured::enter(front.address(), authority).await;
        assert_eq!(session["users_total"], 2);
        assert_eq!(plain.ask("send_message", &json!({"content": "hi", "sender": "Zoë"})).await["id"], 2);
    }
    for person in people {
        person.quit().await;
    }
}
