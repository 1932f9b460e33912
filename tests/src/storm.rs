//! A crowd that is cut off at once, and comes back. How fast thousands are is what `make bench-presence` measures.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received};

const CLIENTS: usize = 200;

/// Closes a connection that is to be tried again.
const TRY_AGAIN: u16 = 1013;

async fn enter(app: &App, who: &LoggedIn, protocol: Protocol) -> Connection {
    let data = json!({"token": who.token, "batch": true});
    loop {
        let mut connection = Connection::connecting_with(app, protocol, &[], &data).await;
        match connection.receive().await {
            Received::Event(name, session) if name == "session" => {
                assert_eq!(session["user"]["session"], who.session.as_str());
                return connection;
            }
            refused if is_to_try_again(&refused) => sleep(Duration::from_millis(50)).await,
            other => panic!("it is let in or told to try again, not {other:?}"),
        }
    }
}

/// Each protocol says so in its own way.
fn is_to_try_again(refused: &Received) -> bool {
    match refused {
        Received::Closed(code, _) => *code == TRY_AGAIN,
        Received::ConnectError(error) => {
            error["data"]["code"].as_str().is_some_and(|code| ["busy", "unavailable"].contains(&code))
        }
        _ => false,
    }
}

/// Half of them over each protocol, all at once.
async fn enter_all(app: &App, people: &[LoggedIn]) -> Vec<Connection> {
    let enter = people.iter().enumerate().map(|(number, who)| {
        let protocol = if number % 2 == 0 { Protocol::Plain } else { Protocol::SocketIo };
        Box::pin(enter(app, who, protocol))
    });
    join_all(enter).await
}

#[tokio::test]
async fn a_crowd_that_is_cut_off_and_comes_back_has_never_been_away() {
    let app = App::spawn().await;
    let mut people = Vec::new();
    for number in 0..CLIENTS {
        people.push(app.log_in_claimed(&format!("person-{number}")).await);
    }
    let together = enter_all(&app, &people).await;
    let (mut observer, session) = Box::pin(Connection::enter(&app, Protocol::Plain, Auth::Nothing)).await;
    assert_eq!(session["users_total"], CLIENTS);

    // Nobody says goodbye.
    drop(together);
    let _back = enter_all(&app, &people).await;
    // Whoever is served by a node has no end: nobody leaves later either.
    let ends = "SELECT COUNT(*) FROM sessions WHERE expires_at IS NOT NULL OR ended_at IS NOT NULL";
    assert_eq!(app.ask_database(ends).await, json!([[0]]));
    app.log_in("the-last").await;
    let seen = until_joined(&mut observer, "the-last").await;
    assert_eq!(seen, Vec::<(String, Value)>::new());
}

/// What somebody is told before this name joins.
async fn until_joined(observer: &mut Connection, pseudonym: &str) -> Vec<(String, Value)> {
    let mut seen = Vec::new();
    loop {
        match observer.receive().await {
            Received::Event(name, data)
                if name == "user_joined" && data["user"]["pseudonym"] == pseudonym =>
            {
                return seen;
            }
            Received::Event(name, data) => seen.push((name, data)),
            other => panic!("an event, not {other:?}"),
        }
    }
}

/// Seldom met in the crowd.
#[test]
fn whoever_is_to_try_again_is_told_so_over_either_protocol() {
    let refused = |code| Received::ConnectError(json!({"message": "refused", "data": {"code": code}}));
    for to_try_again in
        [Received::Closed(TRY_AGAIN, "busy".to_owned()), refused("busy"), refused("unavailable")]
    {
        assert!(is_to_try_again(&to_try_again), "{to_try_again:?}");
    }
    for for_good in [Received::Closed(4001, "invalid_auth".to_owned()), refused("invalid_auth")] {
        assert!(!is_to_try_again(&for_good), "{for_good:?}");
    }
}
