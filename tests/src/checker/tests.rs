//! It finds nothing where nothing is wrong, and each fault where one thing is.

use super::{Fault, Log, Message, Post, Record, Segment, check};

/// What is stored, and what Ann, Bob and a listener who is nobody in particular did and saw of it.
struct Scene {
    stored: Vec<Message>,
    records: Vec<Record>,
}

/// What is broken, how, and the fault that it is.
type Case = (&'static str, fn(&mut Scene), Fault);

const ANN: usize = 0;
const BOB: usize = 1;
const NOBODY: usize = 2;

fn message(id: u64, sender: &str, client_id: &str, to: Option<&str>) -> Message {
    Message {
        id,
        sender_session: sender.to_owned(),
        to_session: to.map(str::to_owned),
        client_id: Some(client_id.to_owned()),
        content: format!("{sender} says {client_id}"),
        timestamp: format!("2026-11-23T05:27:15.{id:03}Z"),
    }
}

fn post(message: &Message) -> Post {
    Post {
        client_id: message.client_id.clone(),
        content: message.content.clone(),
        to: message.to_session.clone(),
        acknowledged: vec![message.id],
        ..Post::default()
    }
}

/// Ann speaks to everybody (1, 3, 6) and to Bob (4), Bob to everybody (2) and to Cid (5), whose record there is not.
fn good() -> Scene {
    let stored = vec![
        message(1, "ann", "a", None),
        message(2, "bob", "a", None),
        message(3, "ann", "b", None),
        message(4, "ann", "c", Some("bob")),
        message(5, "bob", "b", Some("cid")),
        message(6, "ann", "d", None),
    ];
    let record = |session: Option<&str>, cuts: &[(u64, &[u64])]| {
        let posts = stored.iter().filter(|message| session == Some(message.sender_session.as_str()));
        let seen = |ids: &[u64]| stored.iter().filter(|message| ids.contains(&message.id)).cloned().collect();
        let segments = cuts.iter().enumerate().map(|(index, (from, ids))| {
            let after = (index > 0).then_some(*from);
            Segment { after, from: *from, seen: seen(ids) }
        });
        Record {
            name: session.unwrap_or("nobody").to_owned(),
            session: session.map(str::to_owned),
            posts: posts.map(post).collect(),
            segments: segments.collect(),
            until: Some(6),
        }
    };
    // Ann's first connection was cut before 3 came to it, the listener's before anything did.
    let records = vec![
        record(Some("ann"), &[(0, &[1, 2]), (2, &[3, 4, 6])]),
        record(Some("bob"), &[(1, &[2, 3, 4, 5, 6])]),
        record(None, &[(0, &[]), (0, &[1, 2, 3, 6])]),
    ];
    Scene { stored, records }
}

impl Scene {
    fn faults(self) -> Vec<Fault> {
        check(&Log::new(0, self.stored), &self.records)
    }

    fn post(&mut self, client: usize, index: usize) -> &mut Post {
        &mut self.records[client].posts[index]
    }

    /// What came over the last connection of a client.
    fn seen(&mut self, client: usize) -> &mut Vec<Message> {
        &mut self.records[client].segments.last_mut().expect("there is one").seen
    }
}

fn ann() -> String {
    "ann".to_owned()
}

fn bob() -> String {
    "bob".to_owned()
}

fn nobody() -> String {
    "nobody".to_owned()
}

#[test]
fn nothing_is_wrong_where_nothing_is_wrong() {
    assert_eq!(good().faults(), []);
}

#[test]
fn a_post_without_an_answer_may_be_stored_or_not() {
    let mut scene = good();
    scene.post(ANN, 3).acknowledged.clear();
    let mut unsent = scene.post(ANN, 3).clone();
    unsent.client_id = Some("e".to_owned());
    scene.records[ANN].posts.push(unsent);
    assert_eq!(scene.faults(), []);
}

#[test]
fn a_post_may_be_answered_again_with_the_same() {
    let mut scene = good();
    scene.post(ANN, 1).acknowledged.push(3);
    assert_eq!(scene.faults(), []);
}

#[test]
fn who_may_still_be_on_the_way_to_the_end_has_missed_nothing() {
    let mut scene = good();
    scene.seen(BOB).truncate(2);
    scene.records[BOB].until = None;
    assert_eq!(scene.faults(), []);
}

#[test]
fn readers_who_each_see_a_part_see_the_log_together() {
    let Scene { stored, records } = good();
    let readings = ["ann", "bob"].map(|session| {
        let visible = stored.iter().filter(|message| message.is_visible_to(Some(session)));
        visible.cloned().collect::<Vec<_>>()
    });
    assert_eq!(check(&Log::combined(0, readings), &records), []);
}

#[test]
fn readers_who_see_one_message_differently_are_noticed() {
    let Scene { stored, .. } = good();
    let mut other = stored.clone();
    other[2].content.push('!');
    let faults = check(&Log::combined(0, [stored, other]), &[]);
    assert!(faults.contains(&Fault::Misnumbered { after: 3, next: 3 }), "{faults:?}");
}

#[test]
fn a_fault_of_the_log_is_found() {
    assert_found(&[
        (
            "a gap",
            |it| {
                it.stored.remove(4);
                it.seen(BOB).remove(3);
                it.records[BOB].posts.pop();
            },
            Fault::Misnumbered { after: 4, next: 6 },
        ),
        (
            "a late beginning",
            |it| {
                it.stored.remove(0);
                it.seen(NOBODY).remove(0);
                it.records[ANN].posts.remove(0);
                it.records[ANN].segments[0].seen.remove(0);
            },
            Fault::Misnumbered { after: 0, next: 2 },
        ),
        ("another order", |it| it.stored.swap(4, 5), Fault::Misnumbered { after: 4, next: 6 }),
        (
            "stored twice",
            |it| it.stored.push(message(7, "ann", "d", None)),
            Fault::StoredTwice { session: ann(), client_id: "d".to_owned(), ids: vec![6, 7] },
        ),
    ]);
}

#[test]
fn a_fault_in_what_was_posted_is_found() {
    assert_found(&[
        (
            "not stored",
            |it| it.post(ANN, 3).acknowledged = vec![7],
            Fault::Lost { client: ann(), content: "ann says d".to_owned(), id: 7 },
        ),
        (
            "stored with another content",
            |it| it.post(ANN, 0).content = "hi".to_owned(),
            Fault::StoredOtherwise { client: ann(), content: "hi".to_owned(), id: 1 },
        ),
        (
            "stored for somebody else",
            |it| it.post(BOB, 1).to = Some(ann()),
            Fault::StoredOtherwise { client: bob(), content: "bob says b".to_owned(), id: 5 },
        ),
        (
            "stored for everybody",
            |it| it.post(BOB, 0).to = Some(ann()),
            Fault::StoredOtherwise { client: bob(), content: "bob says a".to_owned(), id: 2 },
        ),
        (
            "stored from somebody else",
            |it| it.post(BOB, 0).acknowledged = vec![1],
            Fault::StoredOtherwise { client: bob(), content: "bob says a".to_owned(), id: 1 },
        ),
        (
            "stored otherwise without an answer",
            |it| *it.post(BOB, 0) = Post::repeatable("a", "hi"),
            Fault::StoredOtherwise { client: bob(), content: "hi".to_owned(), id: 2 },
        ),
        (
            "answered twice",
            |it| it.post(ANN, 1).acknowledged.push(6),
            Fault::AnsweredTwice { client: ann(), content: "ann says b".to_owned(), ids: vec![3, 6] },
        ),
        (
            "overtaken",
            |it| it.records[ANN].posts.swap(0, 1),
            Fault::Overtaken { client: ann(), content: "ann says a".to_owned(), id: 1, before: 3 },
        ),
        (
            "never posted",
            |it| {
                it.records[BOB].posts.remove(0);
            },
            Fault::Invented { client: bob(), client_id: "a".to_owned(), id: 2 },
        ),
    ]);
}

#[test]
fn a_fault_in_what_was_seen_is_found() {
    assert_found(&[
        (
            "set down further on",
            |it| it.records[ANN].segments[1].after = Some(1),
            Fault::NotResumed { client: ann(), after: 1, from: 2 },
        ),
        (
            "set down further back",
            |it| it.records[NOBODY].segments[1].after = Some(1),
            Fault::NotResumed { client: nobody(), after: 1, from: 0 },
        ),
        (
            "missing at the beginning",
            |it| {
                it.seen(BOB).remove(0);
            },
            Fault::Missing { client: bob(), id: 2 },
        ),
        (
            "missing in the middle",
            |it| {
                it.seen(BOB).remove(2);
            },
            Fault::Missing { client: bob(), id: 4 },
        ),
        (
            "missing before the cut",
            |it| {
                it.records[ANN].segments[0].seen.remove(0);
            },
            Fault::Missing { client: ann(), id: 1 },
        ),
        (
            "doubled",
            |it| {
                let again = it.seen(BOB)[4].clone();
                it.seen(BOB).push(again);
            },
            Fault::Doubled { client: bob(), id: 6 },
        ),
        ("disordered", |it| it.seen(BOB).swap(1, 2), Fault::Disordered { client: bob(), id: 3, before: 4 }),
        (
            "seen before the cut already",
            |it| it.seen(ANN).insert(0, message(2, "bob", "a", None)),
            Fault::TooEarly { client: ann(), id: 2, from: 2 },
        ),
        (
            "of others",
            |it| it.seen(ANN).insert(2, message(5, "bob", "b", Some("cid"))),
            Fault::Invisible { client: ann(), id: 5 },
        ),
        (
            "private to nobody",
            |it| it.seen(NOBODY).insert(3, message(4, "ann", "c", Some("bob"))),
            Fault::Invisible { client: nobody(), id: 4 },
        ),
        ("altered content", |it| it.seen(BOB)[1].content.push('!'), Fault::Altered { client: bob(), id: 3 }),
        (
            "altered recipient",
            |it| it.seen(BOB)[2].to_session = None,
            Fault::Altered { client: bob(), id: 4 },
        ),
        (
            "altered timestamp",
            |it| it.seen(BOB)[2].timestamp.push('0'),
            Fault::Altered { client: bob(), id: 4 },
        ),
        (
            "without its client id",
            |it| it.seen(BOB)[2].client_id = None,
            Fault::Altered { client: bob(), id: 4 },
        ),
        (
            "not stored",
            |it| it.seen(BOB).push(message(7, "ann", "e", None)),
            Fault::Unstored { client: bob(), id: 7 },
        ),
        (
            "not at the end",
            |it| {
                it.seen(BOB).pop();
            },
            Fault::Behind { client: bob(), end: 5, until: 6 },
        ),
        (
            "never connected",
            |it| it.records[NOBODY].segments.clear(),
            Fault::Behind { client: nobody(), end: 0, until: 6 },
        ),
    ]);
}

/// One broken thing may be several faults; the one that names it is first.
#[track_caller]
fn assert_found(table: &[Case]) {
    for (what, spoil, fault) in table {
        let mut scene = good();
        spoil(&mut scene);
        let faults = scene.faults();
        assert_eq!(faults.first(), Some(fault), "{what}: {faults:?}");
    }
}
