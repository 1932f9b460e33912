//! A client saw exactly what it may see of the log, in order, from where each of its connections began.

use std::collections::BTreeSet;

use super::{Fault, Log, Record, Segment};

pub(super) fn faults(log: &Log, record: &Record) -> Vec<Fault> {
    let mut faults = Vec::new();
    for segment in &record.segments {
        faults.extend(not_resumed(record, segment));
        faults.extend(out_of_place(record, segment));
        faults.extend(not_as_stored(log, record, segment));
        faults.extend(missing(log, record, segment));
    }
    faults.extend(behind(log, record));
    faults
}

fn not_resumed(record: &Record, segment: &Segment) -> Option<Fault> {
    let (client, from) = (record.name.clone(), segment.from);
    segment.after.filter(|after| *after != from).map(|after| Fault::NotResumed { client, after, from })
}

/// The ids alone: each once, ascending, none from before the beginning.
fn out_of_place(record: &Record, segment: &Segment) -> Vec<Fault> {
    let (mut seen, mut last) = (BTreeSet::new(), segment.from);
    let mut faults = Vec::new();
    for id in segment.seen.iter().map(|message| message.id) {
        let client = record.name.clone();
        if !seen.insert(id) {
            faults.push(Fault::Doubled { client, id });
        } else if id <= segment.from {
            faults.push(Fault::TooEarly { client, id, from: segment.from });
        } else if id < last {
            faults.push(Fault::Disordered { client, id, before: last });
        }
        last = last.max(id);
    }
    faults
}

/// Each message alone: it is in the log, the same, and for this client.
fn not_as_stored(log: &Log, record: &Record, segment: &Segment) -> Vec<Fault> {
    let mut faults = Vec::new();
    for message in &segment.seen {
        let (client, id) = (record.name.clone(), message.id);
        match log.get(id) {
            None => faults.push(Fault::Unstored { client, id }),
            Some(stored) if !stored.is_visible_to(record.session.as_deref()) => {
                faults.push(Fault::Invisible { client, id });
            }
            Some(stored) if stored != message => faults.push(Fault::Altered { client, id }),
            Some(_) => {}
        }
    }
    faults
}

/// What may still have been under way when the connection ended is not missing.
fn missing(log: &Log, record: &Record, segment: &Segment) -> Vec<Fault> {
    let seen: BTreeSet<_> = segment.seen.iter().map(|message| message.id).collect();
    let due = log.visible(record.session.as_deref(), segment.from, segment.end());
    let unseen = due.filter(|id| !seen.contains(id));
    unseen.map(|id| Fault::Missing { client: record.name.clone(), id }).collect()
}

fn behind(log: &Log, record: &Record) -> Option<Fault> {
    let until = record.until?;
    let end = record.segments.last().map_or(0, Segment::end);
    let due = log.visible(record.session.as_deref(), end, until).next();
    due.map(|_| Fault::Behind { client: record.name.clone(), end, until })
}
