//! The files of the web client: how they are served, what is vendored, and their own tests.

use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::Method;

use crate::harness::App;

const CLIENT: &str = "crates/infra/web/client";
const DOCS: &str = "crates/infra/web/docs";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the repository")
}

#[tokio::test]
async fn the_page_and_its_files_are_served_with_a_strict_policy() {
    let app = App::spawn().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/client/main.js", "text/javascript; charset=utf-8"),
        ("/client/style.css", "text/css; charset=utf-8"),
        ("/client/icon.svg", "image/svg+xml"),
        ("/client/vendor/socket.io.esm.min.js", "text/javascript; charset=utf-8"),
        ("/client/vendor/LICENSE-socket.io.txt", "text/plain; charset=utf-8"),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, content_type), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        let policy = answer.header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(
                policy.split("; ").any(|part| part == directive),
                "{path}: {directive} is not in {policy}"
            );
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let head = app.request(Method::HEAD, path).await;
        assert_eq!((head.status.as_u16(), head.header("etag")), (200, answer.header("etag")), "{path}");
    }
    app.request(Method::POST, "/").await.assert_problem(405, "method_not_allowed");
}

/// Swagger UI makes markup out of texts, so that page has no trusted types; nothing but its own files runs there either.
#[tokio::test]
async fn the_api_page_and_its_files_are_served_with_a_strict_policy() {
    let app = App::spawn().await;
    for (path, content_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/docs/vendor/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("/docs/vendor/swagger-ui.css", "text/css; charset=utf-8"),
        ("/docs/vendor/LICENSE-swagger-ui.txt", "text/plain; charset=utf-8"),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, content_type), "{path}");
        let policy = answer.header("content-security-policy");
        for directive in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.split("; ").any(|part| part == directive), "{directive} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let known = app.get_as(path, &[("if-none-match", answer.header("etag"))]).await;
        assert_eq!(known.status, 304, "{path}");
    }
    for path in ["/docs/nothing.js", "/docs/../package.json", "/docs/..%2fpackage.json"] {
        app.get(path).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_texts_about_the_interface_are_there_to_be_read() {
    let app = App::spawn().await;
    for name in ["api.md", "clients.md", "events.md", "names.md", "security.md", "configuration.md"] {
        let answer = app.get(&format!("/docs/{name}")).await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{name}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none';"), "{answer:?}");
        let written = fs::read_to_string(repository().join("docs").join(name)).expect("it is there");
        assert!(answer.body == written, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let app = App::spawn().await;
    let first = app.get("/client/main.js").await;
    assert_eq!(first.header("cache-control"), "no-cache");
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 20, "{tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = app.get_as("/client/main.js", &[("if-none-match", &known)]).await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, Some("")), "{known}");
        assert_eq!((again.header("etag"), again.header("cache-control")), (tag.as_str(), "no-cache"));
    }
    for other in ["\"other\"", "W/\"\"", "nonsense", ""] {
        let again = app.get_as("/client/main.js", &[("if-none-match", other)]).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &first.body), "{other}");
    }
    assert_ne!(app.get("/client/lobby.js").await.header("etag"), tag);
}

#[tokio::test]
async fn nothing_but_the_files_of_the_page_is_served() {
    let app = App::spawn().await;
    for path in [
        "/client/",
        "/client/nothing.js",
        "/client/view",
        "/client/../package.json",
        "/client/%2e%2e/package.json",
        "/client/..%2fpackage.json",
        "/client//etc/passwd",
        "/client/%00",
    ] {
        app.get(path).await.assert_problem(404, "not_found");
    }
}

/// What the page asks for is there, and belongs to it.
#[tokio::test]
async fn the_pages_have_no_code_or_style_of_their_own_and_ask_nobody_else_for_any() {
    let app = App::spawn().await;
    for path in ["/", "/docs"] {
        let page = app.get(path).await.body.as_str().expect("a text").to_owned();
        for forbidden in ["<style", " style=", "http://", "https://", "javascript:", " onclick", " onload"] {
            assert!(!page.contains(forbidden), "{path}: {forbidden}");
        }
        let scripts = page.matches("<script").count();
        assert_eq!((scripts, page.matches("></script>").count()), (2, 2), "a script with something in it");
        let is_path = |word: &&str| word.starts_with('/') && !word.contains(['<', '>', ' ']);
        let files: Vec<_> = page.split('"').filter(is_path).collect();
        assert!(files.len() > 4, "{files:?}");
        for path in files {
            assert_eq!(app.get(path).await.status, 200, "{path}");
        }
    }
}

/// A file but for the line that leads browsers to a source map, which is not vendored.
fn without_map(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("`make target/web/.ready` installs it");
    let leads_there = |line: &&str| {
        ["//#", "/*#"].iter().any(|mark| line.starts_with(&format!("{mark} sourceMappingURL=")))
    };
    text.split_inclusive('\n').filter(|line| !leads_there(line)).collect()
}

#[test]
fn what_is_vendored_is_what_npm_installs() {
    let installed = repository().join("target/web/node_modules");
    let vendored = repository().join(CLIENT).join("vendor");
    let bundle = "socket.io.esm.min.js";
    let original = without_map(&installed.join("socket.io-client/dist").join(bundle));
    let copied = fs::read_to_string(vendored.join(bundle)).expect("it is vendored");
    assert!(original == copied, "`make vendor` copies it");
    let licences = fs::read_to_string(vendored.join("LICENSE-socket.io.txt")).expect("it is vendored");
    for part in [
        "socket.io-client",
        "socket.io-parser",
        "engine.io-client",
        "engine.io-parser",
        "@socket.io/component-emitter",
    ] {
        let licence = fs::read_to_string(installed.join(part).join("LICENSE")).expect("it has one");
        assert!(licences.contains(&format!("{part}\n\n{licence}")), "`make vendor` copies that of {part}");
    }
}

#[test]
fn what_is_vendored_of_swagger_ui_is_what_npm_installs() {
    let installed = repository().join("target/web/node_modules/swagger-ui-dist");
    let vendored = repository().join(DOCS).join("vendor");
    let original = |file: &str| fs::read(installed.join(file)).expect("`make target/web/.ready` installs it");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        let copied = fs::read_to_string(vendored.join(file)).expect("it is vendored");
        assert!(without_map(&installed.join(file)) == copied, "`make vendor` copies {file}");
    }
    let licences = ["NOTICE", "LICENSE", "swagger-ui-bundle.js.LICENSE.txt"].map(original).concat();
    assert!(licences == fs::read(vendored.join("LICENSE-swagger-ui.txt")).expect("it is vendored"));
}

#[test]
fn the_modules_of_the_page_pass_their_own_tests() {
    let mut node = Command::new("node");
    let tests = repository().join("crates/infra/web/tests");
    let tests = fs::read_dir(tests).expect("there are tests").map(|file| file.expect("it is read").path());
    let output =
        node.args(["--test", "--test-reporter=tap"]).args(tests).output().expect("Node is installed");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let passed = told.lines().find_map(|line| line.strip_prefix("# pass ")).expect("it says how many");
    assert!(passed.parse::<u32>().expect("a number") > 20, "{told}");
}
