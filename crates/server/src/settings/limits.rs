//! `limits`: how much anybody may do.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use lobby_domain::limits::Quota;
use serde::{Deserialize, Deserializer, de};

use super::{NONE, duration, list};

/// `limits`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Limits {
    pub enabled: bool,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub forwarded_header: Proxies,
    #[serde(deserialize_with = "quota")]
    pub log_ins_per_address: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub log_ins_per_session: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub log_ins: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub connects_per_address: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub connects_per_session: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub connects: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub messages_per_address: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub messages_per_session: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub messages: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub events_per_address: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub events_per_session: Option<Quota>,
    #[serde(deserialize_with = "quota")]
    pub events: Option<Quota>,
    #[serde(deserialize_with = "count")]
    pub connections_per_address: Option<usize>,
    #[serde(deserialize_with = "count")]
    pub connections_per_session: Option<usize>,
    #[serde(deserialize_with = "count")]
    pub connections: Option<usize>,
    #[serde(deserialize_with = "count")]
    pub tcp_connections_per_address: Option<usize>,
    #[serde(deserialize_with = "count")]
    pub tcp_connections: Option<usize>,
    #[serde(deserialize_with = "duration")]
    pub head_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub keep_alive: Duration,
}

/// `limits.forwarded_header`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub enum Proxies {
    XForwardedFor,
    Forwarded,
}

/// Addresses, and networks as in `10.0.0.0/8`.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: &String| {
        let network = text.parse().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
        network.ok_or_else(|| {
            de::Error::custom(format!("'{text}' is neither an address nor a network such as '10.0.0.0/8'"))
        })
    };
    list(deserializer)?.iter().map(network).collect()
}

/// A rate such as `2/s burst 100`, or `none`.
fn quota<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quota>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == NONE {
        return Ok(None);
    }
    parse_quota(&text).map(Some).ok_or_else(|| {
        de::Error::custom(format!(
            "'{text}' is no rate such as '2/s burst 100', of which none may be 0 and a burst takes a day at most, nor '{NONE}'"
        ))
    })
}

fn parse_quota(text: &str) -> Option<Quota> {
    let mut words = text.split_ascii_whitespace();
    let (Some(rate), Some("burst"), Some(burst), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return None;
    };
    let (count, unit) = rate.split_once('/')?;
    let time = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return None,
    };
    Quota::new(count.parse().ok()?, time, burst.parse().ok()?)
}

/// A whole number from 1, or `none`.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let number = super::number_or_none(deserializer)?;
    number.map(|number| usize::try_from(number).map_err(de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_many_in_a_unit_of_time_and_a_burst() {
        let (second, minute, hour) =
            (Duration::from_secs(1), Duration::from_mins(1), Duration::from_hours(1));
        for (text, expected) in [
            ("2/s burst 100", Quota::new(2, second, 100)),
            ("30/m burst 1", Quota::new(30, minute, 1)),
            ("  1/h  burst  5 ", Quota::new(1, hour, 5)),
        ] {
            assert!(expected.is_some());
            assert_eq!(parse_quota(text), expected, "{text}");
        }
        for bad in [
            "",
            "2",
            "2/s",
            "burst 5",
            "2/s burst",
            "2/s burst 0",
            "0/s burst 1",
            "-1/s burst 1",
            "2/d burst 1",
            "2/s bursts 1",
            "2/s burst 1 2",
            "1.5/s burst 1",
            "2 /s burst 1",
            "1/h burst 25",
        ] {
            assert_eq!(parse_quota(bad), None, "{bad}");
        }
    }
}
