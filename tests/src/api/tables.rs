//! The tables of `docs/api.md` that are made of the code.

use std::collections::BTreeSet;
use std::fmt::Write;

use lobby_infra::refusal::Code;
use serde_json::Value;

use super::pasted::{HEADINGS, program};
use crate::docs::{assert_up_to_date, page, with_table};
use crate::harness::contract::{ASYNCAPI, OPENAPI};

const PAGE: &str = "docs/api.md";

/// The names of all examples, wherever they are.
fn example_names<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            let examples = members.get("examples").and_then(Value::as_object).into_iter().flatten();
            found.extend(examples.map(|(name, _)| name.as_str()));
            members.values().for_each(|member| example_names(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| example_names(member, found)),
        _ => {}
    }
}

/// Every code that comes over REST.
fn codes() -> String {
    let mut over_rest = BTreeSet::new();
    example_names(&OPENAPI.value, &mut over_rest);
    let mut table = "| status | `code` | `detail` |\n| --- | --- | --- |\n".to_owned();
    for code in Code::ALL.iter().filter(|code| over_rest.contains(code.as_str())) {
        let (status, sentence) = (code.status().as_u16(), code.example().replace('|', "\\|"));
        writeln!(table, "| {status} | `{}` | {sentence} |", code.as_str()).expect("a text grows");
    }
    table
}

/// How a plain WebSocket is closed.
fn closes() -> &'static str {
    let told = ASYNCAPI.value["channels"]["websocket"]["description"].as_str().expect("a text");
    let (_, table) = told.split_once("\n\n").expect("a table follows");
    assert!(table.starts_with("| close code |"), "{table}");
    table
}

#[test]
fn the_page_of_the_interface_has_the_tables_that_are_made_of_the_code() {
    let codes = codes();
    assert!(codes.lines().count() > 30, "{codes}");
    let made = with_table(&page(PAGE), "codes", &codes);
    assert_up_to_date(PAGE, &with_table(&made, "close codes", closes()));
}

#[test]
fn the_programs_come_back_from_what_passes_and_from_nothing_else() {
    let mut passing: Vec<&str> = closes()
        .lines()
        .filter(|row| row.ends_with("| yes |"))
        .map(|row| row.split('|').nth(1).expect("a code").trim())
        .collect();
    passing.dedup();
    let passing = passing.join(", ");
    for heading in &HEADINGS[2..] {
        let (_, text) = program(heading);
        assert!(
            text.contains(&format!("[{passing}]")) || text.contains(&format!("(None, {passing})")),
            "{heading}"
        );
    }
}
