use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::Recorder;

/// How many of their notes are told of somebody who is not back.
const LAST: usize = 12;

/// How somebody is at the moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) name: String,
    /// Whether they are connected and let in.
    pub(super) here: bool,
    pub(super) transport: String,
    /// The newest message that they saw.
    pub(super) position: u64,
    /// Whether they have said all that they want to say, and it is acknowledged.
    pub(super) silent: bool,
    /// Whether those are online, as they were told, who are.
    pub(super) agrees: bool,
    /// How often they were told that somebody came or went, also by a list that begins anew.
    pub(super) changes: u64,
    /// How often they were connected.
    pub(super) connections: usize,
    /// What must not be.
    pub(super) faults: Vec<String>,
    /// When they were connected and disconnected, and why.
    pub(super) notes: Vec<String>,
}

impl View {
    /// What the program of a crowd says of one of them.
    pub(super) fn of(talker: &Value) -> Self {
        let texts = |key: &str| {
            let texts = talker[key].as_array().expect("an array").iter();
            texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
        };
        let is = |key: &str| talker[key].as_bool().expect("true or false");
        let notes: Vec<String> = texts("notes");
        Self {
            name: talker["name"].as_str().expect("a text").to_owned(),
            here: is("here"),
            transport: talker["transport"].as_str().unwrap_or("none").to_owned(),
            position: talker["position"].as_u64().expect("a number"),
            silent: is("silent"),
            agrees: is("agrees"),
            changes: talker["changes"].as_u64().expect("a number"),
            connections: notes.iter().filter(|note| note.ends_with(" connect")).count(),
            faults: texts("faults"),
            notes,
        }
    }

    pub(super) fn of_recorder(recorder: &Recorder, silent: bool, online: &BTreeSet<String>) -> Self {
        let progress = recorder.progress();
        Self {
            name: recorder.name().to_owned(),
            here: progress.is_here,
            transport: "websocket".to_owned(),
            position: progress.position,
            silent: silent && recorder.is_settled(),
            agrees: *progress.online == *online,
            changes: progress.changes.try_into().expect("not that many"),
            connections: progress.connections,
            faults: Vec::new(),
            notes: vec![String::from("plain"); progress.connections],
        }
    }

    /// What is wrong with them, if they should be here, with everything up to `end`, and everybody has fallen silent or nobody has to.
    pub(super) fn complaint(&self, end: Option<u64>, is_over: bool) -> Option<String> {
        let Self { name, here, position, silent, agrees, notes, .. } = self;
        let is_behind = end.is_some_and(|end| *position < end);
        if *here && *agrees && (*silent || !is_over) && !is_behind {
            return None;
        }
        Some(format!(
            "{name}: here: {here}, all acknowledged: {silent}, list: {agrees}, at {position} of {end:?}; \
             at last {:?}",
            &notes[notes.len().saturating_sub(LAST)..]
        ))
    }
}
