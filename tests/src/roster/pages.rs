use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use futures_util::stream::iter;
use rstest::rstest;
use serde_json::Value;

use crate::harness::{Answer, App};

const STAYING: usize = 1_000;

/// The address of the next page, if there is one.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link");
    if link.is_empty() {
        return None;
    }
    let address = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
    Some(address.unwrap_or_else(|| panic!("what link is this: {link}")).to_owned())
}

async fn page(app: &App, address: &str) -> Answer {
    let answer = app.get(address).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// All pages, from the first address on.
async fn pages(app: &App, first: &str, limit: usize) -> Vec<Value> {
    let (mut users, mut address) = (Vec::new(), Some(first.to_owned()));
    while let Some(at) = address {
        let answer = page(app, &at).await;
        let page = answer.body.as_array().expect("a list");
        assert!(page.len() <= limit);
        users.extend(page.clone());
        address = next(&answer);
        assert!(address.is_none() || page.len() == limit, "a page that is not full is the last");
    }
    users
}

/// Names of all kinds, so that bytes, locales and small letters would order them in different ways.
fn name(n: usize) -> String {
    let begins = ["a", "B", "Ä", "ö", "Ж", "ж", "straße-", "STRASSE-", "_", "日本"];
    format!("{}x{n}", begins[n % begins.len()])
}

async fn crowd(app: &App) {
    iter(0..STAYING).for_each_concurrent(16, async |n| drop(app.log_in(&name(n)).await)).await;
}

#[tokio::test]
async fn a_thousand_users_are_listed_page_by_page_as_all_at_once() {
    let app = App::spawn().await;
    crowd(&app).await;
    for sort_by in ["pseudonym", "connected_at"] {
        let all = page(&app, &format!("/users?sort_by={sort_by}")).await;
        assert_eq!(next(&all), None);
        for limit in [100, 333, 1_000] {
            let first = format!("/users?sort_by={sort_by}&limit={limit}");
            assert_eq!(page(&app, &first).await.header("lobby-roster-revision"), "1000");
            let listed = pages(&app, &first, limit).await;
            assert!(Value::from(listed) == all.body, "{sort_by}, {limit} at a time");
        }
    }
    assert_eq!(pages(&app, "/users?limit=500", 500).await.len(), STAYING, "by name, if nothing is said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_stays_is_missed_or_doubled_while_others_come_and_go() {
    let app = Arc::new(App::spawn().await);
    crowd(&app).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let coming_and_going = (0..4).map(|n| {
        let (app, is_over) = (app.clone(), is_over.clone());
        tokio::spawn(async move {
            for round in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                // Anywhere in the list.
                let name = format!("{}-{n}", name(round));
                app.log_in(&name).await;
                app.log_out(&name, &[]).await;
            }
        })
    });
    let coming_and_going: Vec<_> = coming_and_going.collect();
    for sort_by in ["pseudonym", "connected_at"] {
        let listed = pages(&app, &format!("/users?sort_by={sort_by}&limit=70"), 70).await;
        let mut times = BTreeMap::new();
        for user in &listed {
            *times.entry(user["pseudonym"].as_str().expect("a name")).or_insert(0) += 1;
        }
        for n in 0..STAYING {
            assert_eq!(times.get(name(n).as_str()), Some(&1), "{} by {sort_by}", name(n));
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for one in coming_and_going {
        one.await.expect("nobody has failed");
    }
}

#[tokio::test]
async fn the_next_page_follows_the_place_of_whoever_was_last_and_has_gone() {
    let app = App::spawn().await;
    for name in ["ann", "bob", "cid", "dee"] {
        app.log_in(name).await;
    }
    for sort_by in ["pseudonym", "connected_at"] {
        let first = page(&app, &format!("/users?sort_by={sort_by}&limit=2")).await;
        app.log_out("bob", &[]).await;
        let rest = page(&app, &next(&first).expect("there are more")).await;
        let names: Vec<_> =
            rest.body.as_array().expect("a list").iter().map(|user| &user["pseudonym"]).collect();
        assert_eq!(names, ["cid", "dee"]);
        assert_eq!(next(&rest), None);
        app.log_out("ann", &[]).await;
        for name in ["ann", "bob"] {
            app.log_in(name).await;
        }
        for name in ["cid", "dee"] {
            app.log_out(name, &[]).await;
            app.log_in(name).await;
        }
    }
}

#[rstest]
#[case::no_users("limit=0", "within 1 to 1000")]
#[case::too_many("limit=1001", "within 1 to 1000")]
#[case::no_number("limit=many", "")]
#[case::negative("limit=-1", "")]
#[case::alone("after=AAAA", "")]
#[case::no_place("limit=5&after=AAAA", "link")]
#[case::empty("limit=5&after=", "link")]
#[case::no_base64("limit=5&after=%C3%AB", "link")]
#[tokio::test]
async fn what_is_no_page_is_refused(#[case] query: &str, #[case] says: &str) {
    let app = App::spawn().await;
    let detail = app.get(&format!("/users?{query}")).await.assert_problem(400, "invalid_query");
    assert!(detail.contains(says), "{detail}");
}

#[tokio::test]
async fn a_place_of_one_order_is_none_of_the_other_and_goes_with_a_limit_only() {
    let app = App::spawn().await;
    for name in ["ann", "bob"] {
        app.log_in(name).await;
    }
    let next = next(&page(&app, "/users?limit=1").await).expect("there are more");
    let (_, after) = next.split_once("after=").expect("a place");
    let other = app.get(&format!("/users?sort_by=connected_at&limit=1&after={after}")).await;
    let detail = other.assert_problem(400, "invalid_query");
    assert!(detail.contains("another order"), "{detail}");
    let detail = app.get(&format!("/users?after={after}")).await.assert_problem(400, "invalid_query");
    assert!(detail.contains("limit"), "{detail}");
}
