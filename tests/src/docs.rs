//! The documentation says what is so: paths are there, all settings are listed, names have the verdicts that
//! are told.

use std::path::Path;
use std::{env, fs};

use lobby_domain::pseudonym::{InvalidPseudonym, NamePolicy, PseudonymKey};
use lobby_server::settings::{DEFAULTS, Settings, Sources};
use lobby_server::welcome;

/// What a path begins with.
const FOLDERS: [&str; 9] =
    [".ci", ".config", ".github", "config", "crates", "deploy", "docs", "migration", "tests"];
/// What a file at the top is known by.
const TOP_LEVEL: [&str; 5] = [".md", ".toml", ".lock", "Makefile", "LICENSE"];

/// What a table of this name stands between.
fn marks(name: &str) -> [String; 2] {
    [format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n")]
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the repository")
}

pub(crate) fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("the page is there")
}

/// Words in backticks, but for those in fenced blocks.
fn backticked(page: &str) -> Vec<&str> {
    let unfenced = page.split("```").step_by(2);
    unfenced.flat_map(str::lines).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

fn is_path(word: &str) -> bool {
    match word.split_once('/') {
        Some((folder, _)) => FOLDERS.contains(&folder),
        None => !word.starts_with('.') && TOP_LEVEL.iter().any(|known| word.contains(known)),
    }
}

fn missing_paths(page: &str) -> Vec<&str> {
    let mut paths = backticked(page);
    paths.retain(|word| is_path(word) && !repository().join(word).exists());
    paths
}

#[test]
fn every_path_that_the_architecture_names_exists() {
    assert_eq!(missing_paths(&page("docs/architecture.md")), [""; 0]);
}

#[test]
fn every_path_that_the_first_page_names_exists() {
    assert_eq!(missing_paths(&page("README.md")), [""; 0]);
}

#[test]
fn a_path_that_does_not_exist_is_reported() {
    let page = "`crates/domain` `crates/nowhere/src/lib.rs` `Cargo.toml`, `Nowhere.toml`\n```\n`docs/fenced`\n```\n`docs/adr/` `docs/none/` `/users` `a/b` `LICENSE-MIT` `LICENSE-NONE`";
    assert_eq!(
        missing_paths(page),
        ["crates/nowhere/src/lib.rs", "Nowhere.toml", "docs/none/", "LICENSE-NONE"]
    );
}

#[test]
fn the_architecture_names_every_crate() {
    let manifest = page("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("a workspace has members");
    let (members, _) = members.split_once(']').expect("the list ends");
    let architecture = page("docs/architecture.md");
    let named = |member: &str| backticked(&architecture).iter().any(|word| word.starts_with(member));
    let members: Vec<_> = members.split('"').skip(1).step_by(2).collect();
    assert!(!members.is_empty());
    assert_eq!(members.iter().filter(|member| !named(member)).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn the_first_page_has_the_snippets_that_the_lobby_prints() {
    let printed = welcome::text("http", "127.0.0.1:5000".parse().expect("an address"));
    let readme = page("README.md");
    let snippets = printed.split("\n\n").filter(|paragraph| paragraph.starts_with("  "));
    let snippets: Vec<_> = snippets.map(|snippet| snippet.trim_end().replace("\n  ", "\n")).collect();
    assert_eq!(snippets.len(), 2);
    for snippet in snippets {
        assert!(readme.contains(&format!("```sh\n{}\n```", snippet.trim())), "{snippet}");
    }
}

/// The table of all settings: every comment of the file is the explanation of the key below it.
fn settings_table(toml: &str) -> String {
    let mut table = vec!["| setting | default | explanation |\n| --- | --- | --- |\n".to_owned()];
    let (mut section, mut comment) = ("", Vec::new());
    for line in toml.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        let explanation = comment.join(" ").replace('|', "\\|");
        comment.clear();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, default)) = line.split_once(" = ") {
            table.push(format!("| `{section}.{key}` | `{default}` | {explanation} |\n"));
        } else {
            assert!(line.is_empty(), "'{line}' has no place in the table");
        }
    }
    table.concat()
}

/// A page with this table between its marks.
pub(crate) fn with_table(page: &str, name: &str, table: &str) -> String {
    let [begins, ends] = marks(name);
    let (before, rest) = page.split_once(&begins).expect("the page says where the table begins");
    let (_, after) = rest.split_once(&ends).expect("the page says where the table ends");
    [before, &begins, "\n", table, "\n", &ends, after].concat()
}

#[test]
fn the_table_of_settings_is_that_of_the_defaults() {
    let path = "docs/configuration.md";
    assert_up_to_date(path, &with_table(&page(path), "settings", &settings_table(DEFAULTS)));
}

/// The defaults of all limits per address, per session and in all.
fn limits_table(toml: &str) -> String {
    const WHAT: [(&str, &str); 5] = [
        ("log_ins", "log-ins; of one session: those that show its token"),
        ("connects", "new connections"),
        ("messages", "messages, over sockets and over REST"),
        (
            "events",
            "whatever else is asked for: `typing`, events that there are not, frames that are none, CONNECT, `GET /users`, \
             `GET /messages`, `GET /session`, `POST /logout`, bodies and queries that make no sense",
        ),
        ("connections", "connections that there may be"),
    ];
    let (_, limits) = toml.split_once("\n[limits]\n").expect("there are limits");
    let of = |key: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.unwrap_or_else(|| panic!("limits.{key} is missing")).trim_matches('"').to_owned()
    };
    let rows = WHAT.map(|(key, what)| {
        let cells =
            ["_per_address", "_per_session", ""].map(|scope| format!("`{}`", of(&format!("{key}{scope}"))));
        format!("| {what} | {} |\n", cells.join(" | "))
    });
    let head = "| what | from one address | of one session | in all |\n| --- | --- | --- | --- |\n";
    [head, &rows.concat()].concat()
}

#[test]
fn the_page_of_the_interface_has_the_defaults_of_all_limits() {
    let path = "docs/api.md";
    assert_up_to_date(path, &with_table(&page(path), "limits", &limits_table(DEFAULTS)));
}

/// Asserts that a page is what is made of the code; or makes it so, where that is asked for.
#[track_caller]
pub(crate) fn assert_up_to_date(path: &str, made: &str) {
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(repository().join(path), made).expect("the page can be written");
    } else {
        assert!(page(path) == made, "{path} is not what the code says: UPDATE_DOCS=1 makes it anew");
    }
}

#[test]
fn the_table_of_settings_has_every_key_and_a_reason_for_it() {
    let table = settings_table(DEFAULTS);
    let keys = DEFAULTS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let missing: Vec<_> =
        keys.clone().filter(|(key, _)| !table.contains(&format!(".{}`", key.trim()))).collect();
    assert_eq!(missing, []);
    assert_eq!(table.lines().count(), keys.count() + 2);
    assert!(!table.contains("|  |"), "a setting has no explanation");
}

#[test]
fn a_setting_becomes_a_row() {
    let table = settings_table("# Preface.\n\n[a]\n# Why,\n# and more.\nb = \"x\"\n# This | that.\nc = 1\n");
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert_eq!(rows, ["| `a.b` | `\"x\"` | Why, and more. |", "| `a.c` | `1` | This \\| that. |"]);
    let [begins, ends] = marks("settings");
    let page = format!("before\n{begins}old\n{ends}after\n");
    let made = with_table(&page, "settings", "new\n");
    assert_eq!(made, format!("before\n{begins}\nnew\n\n{ends}after\n"));
}

/// Files that set a lobby up: what they set has to be there.
const SETTING_UP: [&str; 13] = [
    "Dockerfile",
    "compose.yaml",
    "compose.cluster.yaml",
    "deploy/kubernetes/lobby.yaml",
    "deploy/lobby.service",
    "deploy/lobby@.service",
    "docs/operations/README.md",
    "docs/operations/backup.md",
    "docs/operations/capacity.md",
    "docs/operations/cluster.md",
    "docs/operations/kubernetes.md",
    "docs/operations/single.md",
    "docs/operations/upgrade.md",
];

/// The settings that a text names as variables.
fn variables(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let words = words.filter_map(|word| word.strip_prefix("LOBBY_")?.split_once("__"));
    words.map(|(section, key)| format!("{section}.{key}").to_lowercase()).collect()
}

#[test]
fn what_sets_a_lobby_up_sets_nothing_that_there_is_not() {
    let table = settings_table(DEFAULTS);
    let named: Vec<_> = SETTING_UP.iter().flat_map(|path| variables(&page(path))).collect();
    assert!(named.len() > 10, "{named:?}");
    assert_eq!(named.iter().filter(|key| !table.contains(&format!("`{key}`"))).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(variables("LOBBY_NO__SUCH_THING=1 SECRET_KEY=x LOBBY_ENV=a"), ["no.such_thing"]);
}

#[test]
fn every_path_that_the_pages_for_operators_name_exists() {
    let operators = SETTING_UP.iter().filter(|path| path.starts_with("docs/"));
    for path in operators.chain(&["docs/scaling.md", "docs/operations/monitoring.md"]) {
        assert_eq!(missing_paths(&page(path)), [""; 0], "{path}");
    }
}

/// The name that stands for each in a container is made of its port.
#[test]
fn wherever_something_stands_in_front_it_is_said_whom_to_believe() {
    for path in [
        "compose.cluster.yaml",
        "deploy/kubernetes/lobby.yaml",
        "docs/operations/cluster.md",
        "docs/operations/single.md",
    ] {
        assert!(page(path).contains("LOBBY_LIMITS__TRUSTED_PROXIES"), "{path}");
    }
}

#[test]
fn the_nodes_of_nginx_are_those_of_the_unit_and_of_the_containers() {
    let (nginx, compose) = (page("deploy/nginx.conf"), page("compose.cluster.yaml"));
    for number in 1..=3 {
        assert!(nginx.contains(&format!("server 127.0.0.1:500{number} ")), "{number}");
        assert!(
            compose.contains(&format!("LOBBY_CLUSTER__ADDRESS: http://node-{number}:5000\n")),
            "{number}"
        );
    }
    assert!(compose.contains("ipv4_address: 172.31.213.2\n"));
    assert!(compose.contains("LOBBY_LIMITS__TRUSTED_PROXIES: 172.31.213.2\n"), "where nginx asks from");
    assert!(compose.contains("ip_range: 172.31.213.128/25\n"), "nobody else gets nginx' address");
    assert!(compose.contains("gateway: 172.31.213.1\n"), "where the host asks from");
    let believed = "LOBBY_LIMITS__TRUSTED_PROXIES: 172.31.213.2,172.31.213.1\n";
    assert!(page("docs/operations/cluster.md").contains(believed), "with a proxy on the host");
    assert!(compose.contains(r"sed 's/127\.0\.0\.1:500\([0-9]\)/node-\1:5000 resolve/;"));
    assert!(nginx.contains("\nupstream lobby {\n"), "where names are asked for is put behind it");
}

fn default_names() -> NamePolicy {
    let names = Settings::load(&Sources::default()).expect("the defaults are good").names;
    NamePolicy::new(names.min_length, names.max_length, &names.reserved)
}

/// The rows that begin with a name, of the tables that have so many columns.
pub(crate) fn rows(page: &str, columns: usize) -> Vec<Vec<&str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|row| row.len() == columns)
        .collect()
}

/// The name that a cell means: `[U+200B]` is a character, `[33 × x]` a text as often as that.
pub(crate) fn spelled_out(cell: &str) -> String {
    let parts = cell.trim_matches('`').split(['[', ']']).enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part.to_owned() } else { symbol(part) }).collect()
}

fn symbol(notation: &str) -> String {
    if let Some(digits) = notation.strip_prefix("U+") {
        let number = u32::from_str_radix(digits, 16).expect("hexadecimal digits");
        return char::from_u32(number).expect("the number of a character").to_string();
    }
    let (times, text) = notation.split_once(" × ").expect("a number, a sign and a text");
    text.repeat(times.parse().expect("a number"))
}

fn verdict(policy: &NamePolicy, name: &str) -> String {
    match policy.parse(name) {
        Ok(_) => "allowed".to_owned(),
        Err(InvalidPseudonym::Length { .. }) => "refused: length".to_owned(),
        Err(InvalidPseudonym::Character(c)) => format!("refused: character U+{:04X}", u32::from(c)),
        Err(InvalidPseudonym::Edge) => "refused: edge".to_owned(),
        Err(InvalidPseudonym::Marks) => "refused: marks".to_owned(),
        Err(InvalidPseudonym::Reserved) => "refused: reserved".to_owned(),
    }
}

fn sameness(one: &str, other: &str) -> String {
    let (one, other) = (PseudonymKey::of(one), PseudonymKey::of(other));
    let keys = [
        ("folded", one.folded() == other.folded()),
        ("crossed", one.crossed() == other.crossed()),
        ("lookalike", one.lookalike() == other.lookalike()),
    ];
    let equal: Vec<_> = keys.iter().filter(|(_, equal)| *equal).map(|(key, _)| *key).collect();
    if equal.is_empty() { "different".to_owned() } else { format!("the same: {}", equal.join(", ")) }
}

/// What the page tells wrongly, with what is so.
fn wrong_verdicts(page: &str, policy: &NamePolicy) -> Vec<String> {
    let alone = rows(page, 3).into_iter().map(|row| {
        let is = verdict(policy, &spelled_out(row[0]));
        (row[0].to_owned(), row[1], is)
    });
    let pairs = rows(page, 4).into_iter().map(|row| {
        let is = sameness(&spelled_out(row[0]), &spelled_out(row[1]));
        (format!("{} {}", row[0], row[1]), row[2], is)
    });
    let wrong = alone.chain(pairs).filter(|(_, told, is)| told != is);
    wrong.map(|(name, told, is)| format!("`{name}: {told}, but it is {is}")).collect()
}

#[test]
fn every_name_has_the_verdict_that_is_told() {
    let page = page("docs/names.md");
    assert!(rows(&page, 3).len() > 30 && rows(&page, 4).len() > 15, "the tables are not found");
    assert_eq!(wrong_verdicts(&page, &default_names()), [""; 0]);
}

#[test]
fn a_wrong_verdict_is_reported() {
    let page = "| name | verdict | |\n| --- | --- | --- |\n| `admin` | allowed | |\n| `Zoë` | allowed | |\n| `ian` | `lan` | the same: folded | |\n";
    let wrong = [
        "`admin`: allowed, but it is refused: reserved",
        "`ian` `lan`: the same: folded, but it is different",
    ];
    assert_eq!(wrong_verdicts(page, &default_names()), wrong);
}

#[test]
fn names_are_read_as_they_are_meant() {
    for (cell, name) in [
        ("`Zoë`", "Zoë"),
        ("Jo[U+200B]hn`", "Jo\u{200b}hn"),
        ("[U+0408][U+043E]`", "Јо"),
        ("[3 × x]`", "xxx"),
        ("[0 × x]`", ""),
    ] {
        assert_eq!(spelled_out(cell), name);
    }
}
