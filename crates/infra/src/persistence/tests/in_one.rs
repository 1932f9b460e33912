//! Batches that are appended in one go, and all that speaks against it: then they are appended all the same, step by step.

use lobby_domain::ports::Address;
use lobby_domain::recipient::{Addressee, Unreached};

use super::super::append::{Batch, Outcomes};
use super::*;

/// What comes of drafts in one go; nothing if that is not how they are to be appended.
async fn in_one(store: &Store, drafts: &[Draft]) -> Option<Outcomes> {
    let batch = Batch::new(drafts, Timestamp::from_millis(1));
    let mut committing = None;
    let appended = store.append_in_one(&batch, &mut committing).await.expect("an answer");
    assert_eq!(committing, None, "the outcome is known");
    appended
}

async fn is_refused(store: &Store, drafts: &[Draft]) {
    let before = (store.head().await.expect("a look"), stored(store).await);
    assert_eq!(in_one(store, drafts).await, None);
    assert_eq!((store.head().await.expect("a look"), stored(store).await), before, "nothing is changed");
}

fn to(draft: Draft, session: Result<SessionId, Unreached>) -> Draft {
    let addressee = Addressee::parse("Bob").expect("a good name");
    Draft { to: Some(Address { addressee, session, is_reached: true }), ..draft }
}

fn ids(outcomes: &Outcomes) -> Vec<i64> {
    outcomes.iter().flatten().map(|posted| posted.message.id.0).collect()
}

/// Both have said something, so they are remembered.
async fn speakers(store: &Store) -> [SessionId; 2] {
    let both = [join(store, "Ann").await, join(store, "Bob").await];
    for session in both {
        say(store, session, "hello").await;
    }
    both
}

async fn a_batch_of_any_length_is_what_is_answered(store: &Store) {
    let [ann, bob] = speakers(store).await;
    let mut last_id = 2;
    for length in [1, 2, 3, 100, 256] {
        let sender = |n: usize| if n.is_multiple_of(3) { ann } else { bob };
        let draft = |n| match n % 4 {
            0 => draft(sender(n), &format!("a {n}")),
            1 => repeatable(sender(n), &format!("c-{length}-{n}")),
            2 => to(draft(sender(n), "in private"), Ok(bob)),
            _ => to(repeatable(sender(n), &format!("p-{length}-{n}")), Ok(ann)),
        };
        let drafts: Vec<_> = (0..length).map(draft).collect();
        let outcomes = in_one(store, &drafts).await.expect("nothing speaks against it");
        assert_eq!(
            ids(&outcomes),
            (last_id + 1..=last_id + i64::try_from(length).expect("few")).collect::<Vec<_>>()
        );
        let told: Vec<_> = outcomes.into_iter().map(|posted| posted.expect("it is posted").message).collect();
        let query = PageQuery { span: Span::After(MessageId(last_id)), limit: 1_000, viewer: Viewer::Lobby };
        assert_eq!(store.page(query).await.expect("a page").messages, told);
        last_id = told.last().expect("one at least").id.0;
        assert_eq!(store.head().await.expect("a look").last_id.0, last_id);
        is_refused_as_repeated(store, &drafts).await;
    }
}

async fn is_refused_as_repeated(store: &Store, drafts: &[Draft]) {
    let Some(repeated) = drafts.iter().find(|draft| draft.client_id.is_some()) else { return };
    is_refused(store, &[draft(repeated.sender_session, "new"), repeated.clone()]).await;
    let again = append(store, repeated.clone()).await.expect("it is answered");
    assert!(again.repeated && again.message.content == repeated.content);
}

#[tokio::test]
async fn a_batch_of_any_length_is_in_a_file_what_is_answered() {
    let (store, _folder) = sqlite().await;
    a_batch_of_any_length_is_what_is_answered(&store).await;
}

#[tokio::test]
async fn a_batch_of_any_length_is_on_a_server_what_is_answered() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    a_batch_of_any_length_is_what_is_answered(&store).await;
}

async fn what_is_not_the_usual_case_is_left_to_the_other_way(store: &Store) {
    let [ann, bob] = speakers(store).await;
    let stranger = join(store, "Zoe").await;
    is_refused(store, &[draft(ann, "known"), draft(stranger, "not known yet")]).await;
    is_refused(store, &[repeatable(ann, "c-1"), repeatable(ann, "c-1")]).await;
    is_refused(store, &[to(draft(ann, "nobody"), Err(Unreached::Unknown("Bob".to_owned())))]).await;
    let mixed = [to(draft(ann, "nobody"), Err(Unreached::Unknown("Bob".to_owned()))), draft(bob, "all")];
    let outcomes = in_one(store, &mixed).await.expect("one of them is posted");
    assert!(matches!(outcomes[..], [Err(Rejection::Unreached(_)), Ok(_)]), "{outcomes:?}");
    assert_eq!(ids(&outcomes), [3]);

    // More than was seen here is there only if the log has lost something.
    store.saw(100);
    assert_eq!(in_one(store, &[draft(ann, "after a loss")]).await, None);
    let log = log_of(store).await;
    assert_eq!(say(store, ann, "after a loss").await, 4);
    assert_eq!(log_of(store).await, log, "looking at the head has given it its new id");
}

#[tokio::test]
async fn what_is_not_the_usual_case_is_left_to_the_other_way_on_sqlite() {
    let (store, _folder) = sqlite().await;
    what_is_not_the_usual_case_is_left_to_the_other_way(&store).await;
}

#[tokio::test]
async fn what_is_not_the_usual_case_is_left_to_the_other_way_on_postgres() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    what_is_not_the_usual_case_is_left_to_the_other_way(&store).await;
}

/// Both by way of the ports, which do not know that anything is remembered.
async fn who_is_claimed_or_gone_is_not_taken_for_what_they_were(store: &Store) {
    let [ann, bob] = speakers(store).await;
    let by_name = |session| Draft { authority: Authority::Name, ..draft(session, "by name") };
    assert!(in_one(store, &[by_name(ann), by_name(bob)]).await.is_some());
    claim(store, ann).await.expect("an answer").expect("it is claimed");
    is_refused(store, &[by_name(ann), by_name(bob)]).await;
    let appended = store.append(&[by_name(ann), by_name(bob)], Timestamp::from_millis(1)).await;
    assert!(matches!(appended.expect("an answer")[..], [Err(Rejection::Silenced), Ok(_)]));
    assert!(in_one(store, &[draft(ann, "with a token"), by_name(bob)]).await.is_some(), "seen again");
    store.end(bob, Authority::Name, Timestamp::from_millis(2)).await.expect("it ends");
    is_refused(store, &[by_name(bob)]).await;
    is_refused(store, &[to(draft(ann, "to who is gone"), Ok(bob))]).await;
}

#[tokio::test]
async fn who_is_claimed_or_gone_is_not_taken_for_what_they_were_on_sqlite() {
    let (store, _folder) = sqlite().await;
    who_is_claimed_or_gone_is_not_taken_for_what_they_were(&store).await;
}

#[tokio::test]
async fn who_is_claimed_or_gone_is_not_taken_for_what_they_were_on_postgres() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    who_is_claimed_or_gone_is_not_taken_for_what_they_were(&store).await;
}

#[tokio::test]
async fn who_was_claimed_at_another_node_is_not_taken_for_what_they_were() {
    let server = Postgres::start().await;
    let url = server.fresh_database().await;
    let (store, other) = (open(&at(&url, Durability::Full)).await, open(&at(&url, Durability::Full)).await);
    let [ann, _] = speakers(&store).await;
    claim(&other, ann).await.expect("an answer").expect("it is claimed");
    is_refused(&store, &[Draft { authority: Authority::Name, ..draft(ann, "by name") }]).await;
}

/// What it leaves behind in the driver is no transaction: the next one is told to be committed, and is.
#[tokio::test]
async fn a_batch_that_a_file_refuses_leaves_its_connection_as_it_was() {
    let (store, _folder) = sqlite().await;
    let [ann, _] = speakers(&store).await;
    let refusing = "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.content = 'bad' \
                    BEGIN SELECT RAISE(ABORT, 'refused'); END";
    store.writer().execute_unprepared(refusing).await.expect("a trigger");
    for n in 3..6 {
        is_refused(&store, &[draft(ann, "good"), draft(ann, "bad")]).await;
        assert_eq!(ids(&in_one(&store, &[draft(ann, "good")]).await.expect("it is appended")), [n]);
    }
}

/// As after a step back of the schema while the lobby runs.
#[tokio::test]
async fn a_server_without_the_function_is_served_all_the_same() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    let [ann, _] = speakers(&store).await;
    assert_eq!(ids(&in_one(&store, &[draft(ann, "with it")]).await.expect("it is appended")), [3]);
    store.writer().execute_unprepared("DROP FUNCTION append_in_one").await.expect("it is dropped");
    is_refused(&store, &[draft(ann, "without it")]).await;
    assert_eq!(say(&store, ann, "without it").await, 4);
}
