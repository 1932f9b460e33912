//! What was posted is stored: as it was posted, once, in order, under the id that was told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Log, Post, Record};

pub(super) fn faults(log: &Log, record: &Record) -> Vec<Fault> {
    // Nobody in particular has posted nothing.
    let Some(session) = &record.session else { return Vec::new() };
    let stored: BTreeMap<_, _> = log.posted_by(session).collect();
    let mut faults = Vec::new();
    for post in &record.posts {
        let client_id = post.client_id.as_deref().unwrap_or_default();
        let ids = stored.get(client_id).copied().unwrap_or_default();
        faults.extend(answered_twice(record, post));
        faults.extend(stored_otherwise(log, record, session, post, ids));
    }
    faults.extend(overtaken(record));
    faults.extend(invented(record, &stored));
    faults
}

fn answered_twice(record: &Record, post: &Post) -> Option<Fault> {
    let ids: BTreeSet<_> = post.acknowledged.iter().copied().collect();
    (ids.len() > 1).then(|| Fault::AnsweredTwice {
        client: record.name.clone(),
        content: post.content.clone(),
        ids: ids.into_iter().collect(),
    })
}

/// Looks at every id under which the post should be: those that were told, and those under its client id.
fn stored_otherwise(log: &Log, record: &Record, session: &str, post: &Post, ids: &[u64]) -> Vec<Fault> {
    let (client, content) = (record.name.clone(), post.content.clone());
    let ids: BTreeSet<_> = post.acknowledged.iter().chain(ids).copied().collect();
    let fault = |id| match log.get(id) {
        None => Some(Fault::Lost { client: client.clone(), content: content.clone(), id }),
        Some(message) if post.is_stored_as(message, session) => None,
        Some(_) => Some(Fault::StoredOtherwise { client: client.clone(), content: content.clone(), id }),
    };
    ids.into_iter().filter_map(fault).collect()
}

fn overtaken(record: &Record) -> Vec<Fault> {
    let told: Vec<_> =
        record.posts.iter().filter_map(|post| Some((post, *post.acknowledged.first()?))).collect();
    let behind = told.windows(2).filter(|pair| pair[1].1 <= pair[0].1);
    let fault = |pair: &[(&Post, u64)]| Fault::Overtaken {
        client: record.name.clone(),
        content: pair[1].0.content.clone(),
        id: pair[1].1,
        before: pair[0].1,
    };
    behind.map(fault).collect()
}

fn invented(record: &Record, stored: &BTreeMap<&str, &[u64]>) -> Vec<Fault> {
    let posted: BTreeSet<_> = record.posts.iter().filter_map(|post| post.client_id.as_deref()).collect();
    let unknown = stored.iter().filter(|(client_id, _)| !posted.contains(*client_id));
    let fault = |(client_id, ids): (&&str, &&[u64])| Fault::Invented {
        client: record.name.clone(),
        client_id: (*client_id).to_owned(),
        id: ids[0],
    };
    unknown.map(fault).collect()
}
