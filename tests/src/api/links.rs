//! What the texts below `/docs` lead to is there.

use std::collections::BTreeSet;

use crate::harness::App;

/// The API page leads to the first of them.
const BEGIN: &str = "/docs/api.md";

/// Where the links of a text lead: not those in blocks of code.
fn links(text: &str) -> Vec<&str> {
    let unfenced = text.split("```").step_by(2);
    unfenced
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect()
}

/// The anchors of a text's headings, as they are made where Markdown is shown.
fn anchors(text: &str) -> BTreeSet<String> {
    let unfenced = text.split("```").step_by(2).flat_map(str::lines);
    let headings =
        unfenced.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

async fn read(app: &App, path: &str) -> String {
    let answer = app.client().get(app.url(path)).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.text().await.expect("a text")
}

#[tokio::test]
async fn whatever_the_texts_below_docs_lead_to_is_there() {
    let app = App::spawn().await;
    let page = read(&app, "/docs/").await;
    assert_eq!(page, read(&app, "/docs").await);
    let (mut to_read, mut known) = (vec![BEGIN.to_owned()], BTreeSet::new());
    while let Some(path) = to_read.pop() {
        if !known.insert(path.clone()) {
            continue;
        }
        let text = read(&app, &path).await;
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file if file.starts_with('/') => file.to_owned(),
                file => format!("/docs/{file}"),
            };
            if !anchor.is_empty() {
                assert!(anchors(&read(&app, &target).await).contains(anchor), "{path} leads to {link}");
            }
            to_read.push(target);
        }
    }
    let texts = ["api.md", "clients.md", "events.md", "names.md"];
    assert!(texts.iter().all(|text| known.contains(&format!("/docs/{text}"))), "{known:?}");
    // The page leads to all that is for people.
    for text in texts {
        assert!(page.contains(&format!("\"/docs/{text}\"")), "{text}");
    }
}

#[test]
fn links_and_what_they_lead_to_are_found() {
    let text = "# A page\n[one](a.md#b)\n```\n[none](c.md)\n# none\n```\n## `GET /x`, and: more\n[two](#d)";
    assert_eq!(links(text), ["a.md#b", "#d"]);
    assert_eq!(anchors(text), ["a-page".to_owned(), "get-x-and-more".to_owned()].into());
}
