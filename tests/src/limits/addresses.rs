use rstest::rstest;
use serde_json::json;

use super::{assert_for_now, limited, log_in_from};
use crate::harness::{Answer, App, Database, Launch, Program, becomes_so, http_client, in_time};

/// One log-in from each address.
const ONE_EACH: (&str, &str) = ("limits.log_ins_per_address", "1/h burst 1");

async fn log_in_saying(app: &App, header: &str, value: &str, name: &str) -> Answer {
    app.post("/login", &json!({"pseudonym": name}), &[(header, value)]).await
}

#[rstest]
#[case::x_forwarded_for("x-forwarded-for", "")]
#[case::forwarded("forwarded", "for=")]
#[tokio::test]
async fn whoever_is_no_trusted_proxy_cannot_say_to_be_another(
    #[case] header: &str,
    #[case] prefix: &str,
    #[values("none", "10.0.0.0/8,192.0.2.0/24,::1")] proxies: &str,
) {
    let setting = ("limits.trusted_proxies", proxies);
    let settings = [ONE_EACH, setting];
    let app = limited(if proxies == "none" { &settings[..1] } else { &settings }).await;
    assert_eq!(log_in_saying(&app, header, &format!("{prefix}192.0.2.1"), "User0").await.status, 200);
    for n in 2..20 {
        let spoofed = log_in_saying(&app, header, &format!("{prefix}192.0.2.{n}"), &format!("User{n}")).await;
        assert_for_now(&spoofed, 429, "rate_limited");
    }
}

#[tokio::test]
async fn what_a_client_puts_in_front_of_what_its_proxy_says_does_not_count() {
    let app = limited(&[ONE_EACH, ("limits.trusted_proxies", "127.0.0.1")]).await;
    assert_eq!(log_in_from(&app, "192.0.2.1", "JohnDoe").await.status, 200);
    for spoofed in ["203.0.113.5, 192.0.2.1", "unknown, 192.0.2.1", "127.0.0.1, 192.0.2.1", "::1,,192.0.2.1"]
    {
        assert_for_now(&log_in_from(&app, spoofed, "Bob").await, 429, "rate_limited");
    }
    assert_eq!(log_in_from(&app, "192.0.2.1, 192.0.2.2", "Bob").await.status, 200);
}

/// Whatever it is that cannot be read, it opens no bucket of its own.
#[tokio::test]
async fn what_is_no_address_counts_as_the_proxy() {
    let app = limited(&[ONE_EACH, ("limits.trusted_proxies", "127.0.0.1")]).await;
    assert_eq!(log_in_from(&app, "unknown", "JohnDoe").await.status, 200);
    for (n, garbage) in
        ["", "garbage", "192.0.2.1, x", "192.0.2.1,", "_hidden", "192.0.2.999"].iter().enumerate()
    {
        assert_for_now(&log_in_from(&app, garbage, &format!("User{n}")).await, 429, "rate_limited");
    }
}

#[tokio::test]
async fn a_whole_network_of_ipv6_is_one_address() {
    let app = limited(&[ONE_EACH, ("limits.trusted_proxies", "127.0.0.1")]).await;
    assert_eq!(log_in_from(&app, "2001:db8:0:1::1", "JohnDoe").await.status, 200);
    assert_for_now(&log_in_from(&app, "[2001:db8:0:1:ffff::2]:4711", "Bob").await, 429, "rate_limited");
    assert_eq!(log_in_from(&app, "2001:db8:0:2::1", "Bob").await.status, 200);
}

/// Only the header that the proxies write themselves.
#[tokio::test]
async fn the_standard_header_is_believed_where_the_settings_say_so_and_no_other() {
    let settings =
        [ONE_EACH, ("limits.trusted_proxies", "127.0.0.1"), ("limits.forwarded_header", "forwarded")];
    let app = limited(&settings).await;
    for (n, value) in ["for=192.0.2.1", "for=\"[2001:db8::1]:4711\";proto=https"].iter().enumerate() {
        assert_eq!(log_in_saying(&app, "forwarded", value, &format!("User{n}")).await.status, 200);
        let again = log_in_saying(&app, "forwarded", &format!("for=203.0.113.1, {value}"), "Another").await;
        assert_for_now(&again, 429, "rate_limited");
    }
    assert_eq!(
        log_in_saying(&app, "x-forwarded-for", "192.0.2.7", "Seven").await.status,
        200,
        "as the proxy itself"
    );
    let other = log_in_saying(&app, "x-forwarded-for", "192.0.2.8", "Eight").await;
    assert_for_now(&other, 429, "rate_limited");
}

/// Else nobody would find out why all are refused.
#[tokio::test]
async fn the_operator_is_told_of_a_proxy_that_is_not_trusted_and_not_at_each_request() {
    let lobby = Program::start(Database::Sqlite).await;
    let ask = async || {
        let request = http_client().get(format!("http://{}/users", lobby.socket()));
        in_time("an answer", request.header("x-forwarded-for", "192.0.2.1").send()).await.expect("an answer")
    };
    for _ in 0..5 {
        assert_eq!(ask().await.status(), 200);
    }
    let told = || lobby.log().matches("limits.trusted_proxies").count();
    becomes_so("it to be told", async || told() > 0).await;
    assert_eq!(told(), 1, "{}", lobby.log());
    lobby.stop().await;
}

/// The real program, with its limits as variables.
#[tokio::test]
async fn the_program_takes_its_limits_from_the_environment() {
    let settings = [
        ("LOBBY_LIMITS__ENABLED", "true"),
        ("LOBBY_LIMITS__TRUSTED_PROXIES", "127.0.0.1,::1"),
        ("LOBBY_LIMITS__LOG_INS_PER_ADDRESS", "1/h burst 1"),
        ("LOBBY_LIMITS__CONNECTIONS_PER_ADDRESS", "1"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).into();
    let lobby = Program::launch(Launch { settings, ..Launch::default() }).await;
    let log_in = async |address: &str, name: &str| {
        let request =
            http_client().post(format!("http://{}/login", lobby.socket())).header("x-forwarded-for", address);
        in_time("an answer", request.json(&json!({"pseudonym": name})).send()).await.expect("an answer")
    };
    assert_eq!(log_in("192.0.2.1", "JohnDoe").await.status(), 200);
    let refused = log_in("192.0.2.1", "Bob").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "3600");
    assert_eq!(log_in("192.0.2.2", "Bob").await.status(), 200);
    let header = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(super::polling_handshake(lobby.socket(), &header).await.0, 200);
    let (status, retry_after, body) = super::polling_handshake(lobby.socket(), &header).await;
    assert_eq!((status.as_u16(), retry_after.as_str()), (429, "5"), "{body}");
    lobby.stop().await;
}
