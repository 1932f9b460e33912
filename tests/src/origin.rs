//! Which pages may use the lobby in their visitors' names, and what browsers are told of the cookie.

use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::harness::{Answer, App, Connection, LoggedIn, Protocol};

/// The page that a request comes from.
#[derive(Debug, Clone, Copy)]
enum Page {
    /// None: a program.
    None,
    Own,
    /// Of `server.allowed_origins`.
    Allowed,
    /// A sandboxed frame, or a file.
    Null,
    Foreign,
    /// The same host at another port.
    OtherPort,
    /// A host whose name begins with the lobby's.
    LookAlike,
    Empty,
}

/// What acts, or listens.
#[derive(Debug, Clone, Copy)]
enum Request {
    LogIn,
    LogOut,
    Post,
    /// What takes no such request must not tell others more than what does.
    Put,
    WebSocket(Protocol),
    OpenPolling,
    Poll,
    PostToPolling,
    Upgrade,
}

const ALLOWED: &str = "https://chat.example";

impl Page {
    fn headers(self, app: &App) -> Vec<(&'static str, String)> {
        let origin = match self {
            Self::None => return vec![],
            Self::Own => app.url(""),
            Self::Allowed => ALLOWED.to_owned(),
            Self::Null => "null".to_owned(),
            Self::Foreign => "https://evil.example".to_owned(),
            Self::OtherPort => "http://127.0.0.1:1".to_owned(),
            Self::LookAlike => format!("{}.evil.example", app.url("")),
            Self::Empty => String::new(),
        };
        vec![("origin", origin)]
    }

    fn may_act(self) -> bool {
        match self {
            Self::None | Self::Own | Self::Allowed => true,
            Self::Null | Self::Foreign | Self::OtherPort | Self::LookAlike | Self::Empty => false,
        }
    }
}

async fn send(app: &App, method: Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let request = app.client().request(method, app.url(path));
    let request = match body {
        Value::Null => request,
        Value::String(text) => request.body(text.clone()),
        json => request.json(json),
    };
    app.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

fn status_of(shaken: Result<(), Error>) -> u16 {
    match shaken {
        Ok(()) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other:?}"),
    }
}

/// A long-polling session, as a program opens it.
async fn polling(app: &App) -> String {
    let opened = app.get("/socket.io/?EIO=4&transport=polling").await;
    let opened = opened.body.as_str().expect("a packet").trim_start_matches('0').to_owned();
    let opened: Value = serde_json::from_str(&opened).expect("JSON");
    opened["sid"].as_str().expect("a text").to_owned()
}

/// The visitor's browser sends their cookie along.
async fn request(app: &App, page: Page, request: Request, visitor: &LoggedIn) -> u16 {
    let headers = [page.headers(app), vec![("cookie", visitor.cookie())]].concat();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let name = json!({"pseudonym": "JohnDoe"});
    let session = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling(app).await);
    let answer = match request {
        Request::LogIn => send(app, Method::POST, "/login", &json!({"pseudonym": "Zoë"}), &headers).await,
        Request::LogOut => send(app, Method::POST, "/logout", &name, &headers).await,
        Request::Post => send(app, Method::POST, "/messages", &json!({"content": "hello"}), &headers).await,
        Request::Put => send(app, Method::PUT, "/login", &name, &headers).await,
        Request::OpenPolling => {
            send(app, Method::GET, "/socket.io/?EIO=4&transport=polling", &Value::Null, &headers).await
        }
        Request::Poll => {
            // So that there is something to be read.
            send(app, Method::POST, &session, &json!("40"), &[]).await;
            send(app, Method::GET, &session, &Value::Null, &headers).await
        }
        Request::PostToPolling => send(app, Method::POST, &session, &json!("40"), &headers).await,
        Request::WebSocket(protocol) => {
            return status_of(Connection::open(app, protocol, &headers).await.map(drop));
        }
        Request::Upgrade => {
            let sid = session.rsplit_once('=').expect("it ends with the sid").1;
            return status_of(Connection::upgrade(app, sid, &headers).await);
        }
    };
    if answer.status == StatusCode::FORBIDDEN {
        assert_eq!(answer.header("set-cookie"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    answer.status.as_u16()
}

#[rstest]
#[case::log_in(Request::LogIn, 200)]
#[case::log_out(Request::LogOut, 200)]
#[case::post(Request::Post, 201)]
#[case::put(Request::Put, 405)]
#[case::plain(Request::WebSocket(Protocol::Plain), 101)]
#[case::socket_io(Request::WebSocket(Protocol::SocketIo), 101)]
#[case::open_polling(Request::OpenPolling, 200)]
#[case::poll(Request::Poll, 200)]
#[case::post_to_polling(Request::PostToPolling, 200)]
#[case::upgrade(Request::Upgrade, 101)]
#[tokio::test]
async fn pages_of_other_origins_do_nothing_in_their_visitors_names(
    #[case] what: Request,
    #[case] allowed: u16,
    #[values(
        Page::None,
        Page::Own,
        Page::Allowed,
        Page::Null,
        Page::Foreign,
        Page::OtherPort,
        Page::LookAlike,
        Page::Empty
    )]
    page: Page,
) {
    let app = App::spawn_with(&[("server.allowed_origins", ALLOWED)]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let status = request(&app, page, what, &john).await;
    assert_eq!(status, if page.may_act() { allowed } else { 403 });
    if !page.may_act() {
        assert_eq!(app.online().await, ["JohnDoe"]);
        assert_eq!(app.get("/messages").await.body["last_id"], 0);
    }
}

/// They may be asked for, and are not shown to the page that asks.
#[tokio::test]
async fn what_reads_is_answered_to_every_page_but_shown_to_none_of_another_origin() {
    let app = App::spawn().await;
    app.ready().await;
    let john = app.log_in_claimed("JohnDoe").await;
    for path in ["/users", "/messages", "/session", "/health/live", "/health/ready"] {
        for origin in ["https://evil.example", "null"] {
            let answer = app.get_as(path, &[("origin", origin), ("cookie", &john.cookie())]).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path} to {origin}");
        }
    }
}

#[rstest]
#[case::plain("false", "HttpOnly; SameSite=Lax; Path=/")]
#[case::behind_tls("true", "HttpOnly; SameSite=Lax; Secure; Path=/")]
#[tokio::test]
async fn the_cookie_is_for_this_host_and_its_own_pages_and_no_script(
    #[case] secure: &str,
    #[case] attributes: &str,
) {
    let app = App::spawn_with(&[("auth.secure_cookie", secure)]).await;
    let login = json!({"pseudonym": "JohnDoe"});
    let first = app.post("/login", &login, &[]).await;
    let john = LoggedIn::from(&first.body);
    let expected = format!("{}; {attributes}", john.cookie());
    assert_eq!(first.header("set-cookie"), expected);
    let again = app.post("/login", &login, &[("cookie", &john.cookie())]).await;
    assert_eq!(again.header("set-cookie"), expected, "again");
    for refused in [
        app.post("/login", &login, &[]).await,
        app.post("/login", &login, &[("authorization", "Bearer forged")]).await,
        app.log_out("JohnDoe", &[("cookie", &john.cookie())]).await,
    ] {
        assert_eq!(refused.header("set-cookie"), "", "{refused:?}");
    }
}
