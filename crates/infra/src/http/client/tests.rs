use actix_web::http::header::HeaderValue;

use super::ForwardedHeader::{Forwarded, XForwardedFor};
use super::*;

const PROXY: &str = "10.0.0.1";

fn proxies(header: ForwardedHeader) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().expect("a network"));
    TrustedProxies::new(&networks, header)
}

fn client(header: ForwardedHeader, peer: &str, said: &[(&'static str, &'static str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    proxies(header).client(peer.parse().expect("an address"), &headers).to_string()
}

#[test]
fn the_last_hop_that_is_no_proxy_of_ours_is_the_client() {
    for (said, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        // What a client sends stands before what proxies add.
        ("198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("garbage, , 192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.7, 10.0.0.8", "192.0.2.1"),
        ("192.0.2.1,2001:db8:ffff::1", "192.0.2.1"),
        // All of it is ours: the first of them has asked for itself.
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        // It is not known.
        ("", PROXY),
        ("unknown", PROXY),
        ("192.0.2.1, unknown", PROXY),
        ("192.0.2.1, ", PROXY),
        ("192.0.2.1, garbage, 10.0.0.7", PROXY),
        ("192.0.2.256", PROXY),
        ("192.0.2.1/24", PROXY),
    ] {
        assert_eq!(client(XForwardedFor, PROXY, &[("x-forwarded-for", said)]), expected, "{said}");
    }
    assert_eq!(client(XForwardedFor, PROXY, &[]), PROXY);
}

/// As `compose.cluster.yaml` is behind a proxy on its host, to which the host is the gateway.
#[test]
fn people_behind_two_proxies_are_told_apart_where_both_are_ours() {
    let (nginx, said) = ("172.31.213.2", "198.51.100.9, 192.0.2.1, 172.31.213.1");
    for (trusted, expected) in [(&[nginx][..], "172.31.213.1"), (&[nginx, "172.31.213.1"], "192.0.2.1")] {
        let networks: Vec<_> =
            trusted.iter().map(|proxy| format!("{proxy}/32").parse().expect("one")).collect();
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static(said));
        let proxies = TrustedProxies::new(&networks, XForwardedFor);
        let client = proxies.client(nginx.parse().expect("an address"), &headers);
        assert_eq!(client.to_string(), expected, "{trusted:?}");
    }
}

#[test]
fn what_is_no_text_takes_nothing_from_what_our_proxy_has_added() {
    for (header, name, said) in [
        (XForwardedFor, X_FORWARDED_FOR, b"\x80\xff, 192.0.2.1".as_slice()),
        (Forwarded, FORWARDED, b"for=\x80\xff, for=192.0.2.1".as_slice()),
    ] {
        let mut headers = HeaderMap::new();
        headers.append(name, HeaderValue::from_bytes(said).expect("a value"));
        let peer = PROXY.parse().expect("an address");
        assert_eq!(proxies(header).client(peer, &headers).to_string(), "192.0.2.1");
    }
}

#[test]
fn several_headers_are_one_list() {
    let said = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.1, 10.0.0.7")];
    assert_eq!(client(XForwardedFor, PROXY, &said), "192.0.2.1");
}

#[test]
fn the_standard_header_is_read_by_its_rules() {
    for (said, expected) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"192.0.2.1:4711\";proto=https;by=10.0.0.1", "192.0.2.1"),
        ("proto=http; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("for=198.51.100.9, for=192.0.2.1, for=10.0.0.7", "192.0.2.1"),
        // What is quoted is one value, whatever is in it.
        ("for=192.0.2.1;host=\"x,for=6.6.6.6;y=\"", "192.0.2.1"),
        ("host=\"a\\\",for=6.6.6.6;y=\\\"\";for=192.0.2.1", "192.0.2.1"),
        // A client's quote that is open does not reach what our proxy has added.
        ("for=\", for=192.0.2.1;proto=https", "192.0.2.1"),
        ("for=unknown", PROXY),
        ("for=_hidden", PROXY),
        ("proto=https", PROXY),
        ("192.0.2.1", PROXY),
    ] {
        assert_eq!(client(Forwarded, PROXY, &[("forwarded", said)]), expected, "{said}");
    }
}

#[test]
fn whoever_is_no_proxy_of_ours_is_not_believed() {
    for peer in ["192.0.2.99", "11.0.0.1", "2001:db8::1", "::1"] {
        for (name, said) in [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.1")] {
            assert_eq!(client(XForwardedFor, peer, &[(name, said)]), peer);
            assert_eq!(client(Forwarded, peer, &[(name, said)]), peer);
        }
    }
}

/// A proxy that knows only the one passes the other on as the client has sent it.
#[test]
fn the_other_header_is_never_looked_at() {
    let both = [("forwarded", "for=203.0.113.1"), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(client(XForwardedFor, PROXY, &both), "192.0.2.1");
    assert_eq!(client(Forwarded, PROXY, &both), "203.0.113.1");
    assert_eq!(client(XForwardedFor, PROXY, &both[..1]), PROXY);
}

#[test]
fn a_proxy_is_known_however_its_address_is_written() {
    let mapped = ["::ffff:10.0.0.0/104".parse().expect("a network")];
    let mut headers = HeaderMap::new();
    headers.append(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"));
    let proxies = TrustedProxies::new(&mapped, XForwardedFor);
    assert_eq!(proxies.client(PROXY.parse().expect("an address"), &headers).to_string(), "192.0.2.1");
    assert_eq!(client(XForwardedFor, "::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
}

#[test]
fn no_more_hops_are_looked_at_than_anybody_has() {
    let mut headers = HeaderMap::new();
    let long = format!("192.0.2.1{}", ", 10.0.0.7".repeat(MOST_HOPS));
    headers.append(X_FORWARDED_FOR, HeaderValue::from_str(&long).expect("a value"));
    let peer = PROXY.parse().expect("an address");
    assert_eq!(proxies(XForwardedFor).client(peer, &headers).to_string(), "10.0.0.7");
}
