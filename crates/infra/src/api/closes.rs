//! How a plain WebSocket is closed: the one list of it, from which the pages are made.

use std::fmt::Write;

/// A close code with its reasons, and what a client makes of it.
struct Close {
    code: u16,
    reasons: &'static [&'static str],
    when: &'static str,
    /// Whether it passes.
    comes_back: bool,
}

const fn close(code: u16, reasons: &'static [&'static str], when: &'static str, comes_back: bool) -> Close {
    Close { code, reasons, when, comes_back }
}

const CLOSES: [Close; 15] = [
    close(1001, &["going_away"], "the server shuts down, or its log is another one", true),
    close(
        1002,
        &[],
        "the protocol was broken, for instance by an unmasked frame; the reason is a sentence",
        false,
    ),
    close(1003, &["text_only"], "a binary frame", false),
    close(
        1006,
        &[],
        "no close frame came: the connection broke, or the client was silent for too long",
        true,
    ),
    close(1007, &["invalid UTF-8"], "a text that is none", false),
    close(
        1009,
        &["message too big", "too many fragments"],
        "more bytes than allowed, refused by what the frame's header declares, or more than 1,024 fragments",
        false,
    ),
    close(1013, &["too slow"], "more than 1 MiB (`websocket.outbox`) was waiting for the client", true),
    close(
        1013,
        &["busy", "unavailable", "outcome_unknown"],
        "the server could not find out who connects; an `error` event before it says when to come back",
        true,
    ),
    close(
        1013,
        &["rate_limited", "too_many_connections", "overloaded"],
        "a limit was met by who connects; an `error` event before it says when to come back",
        true,
    ),
    close(
        4400,
        &["connect_first"],
        "the first frame is no `connect`, or a member of its data is of the wrong type",
        false,
    ),
    close(4401, &["invalid_token"], "the explicit token is not good", false),
    close(4401, &["token_required"], "nothing was shown, in the mode `token`", false),
    close(4401, &["session_over"], "the session is over", false),
    close(4408, &["connect_timeout"], "no `connect` in time", true),
    close(
        4410,
        &["log_pruned"],
        "what it missed is not kept any more: it is told so when it comes back",
        true,
    ),
];

/// As a table in Markdown.
pub(super) fn table() -> String {
    let mut table = "| close code | reason | when | come back |\n| --- | --- | --- | --- |\n".to_owned();
    for Close { code, reasons, when, comes_back } in CLOSES {
        let reasons: Vec<_> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
        let back = if comes_back { "yes" } else { "no" };
        writeln!(table, "| {code} | {} | {when} | {back} |", reasons.join(", ")).expect("a text grows");
    }
    table
}
