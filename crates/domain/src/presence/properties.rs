//! What holds whatever happens: nodes that crash, freeze or are cut off, a database that is away, wall clocks that jump,
//! and people who come and go meanwhile; in simulated time.

mod drive;
mod model;
mod world;

use proptest::prelude::*;

use world::World;

/// What happens next. Numbers choose a person, a node or a connection of those there are.
#[derive(Debug, Clone)]
enum Step {
    LogIn {
        person: usize,
        claimed: bool,
    },
    Request {
        person: usize,
        claim: bool,
    },
    Speak {
        person: usize,
    },
    LogOut {
        person: usize,
    },
    Connect {
        person: usize,
        node: usize,
    },
    Disconnect(prop::sample::Index),
    Start(usize),
    Crash(usize),
    Leave(usize),
    Freeze(usize),
    Cut(usize),
    /// Thaws it and mends its line.
    Mend(usize),
    /// The next transaction is made, and its answer lost.
    LoseAnswer(usize),
    Outage(bool),
    JumpWallClock(i64),
    Pass {
        ticks: usize,
    },
    /// Something goes wrong, for so long, and is put right.
    Trouble {
        what: Trouble,
        node: usize,
        ticks: usize,
    },
    /// Somebody connects, goes, and makes a request a moment later.
    Visit {
        person: usize,
        node: usize,
        ticks: usize,
        claim: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    Frozen,
    Cut,
    CutOffAll,
    FrozenAll,
    Crashed,
    AnswersLost,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    use Trouble::{AnswersLost, Crashed, Cut, CutOffAll, Frozen, FrozenAll};
    prop::sample::select(vec![Frozen, Cut, CutOffAll, FrozenAll, Crashed, AnswersLost])
}

fn step() -> impl Strategy<Value = Step> {
    let person = || 0..world::PEOPLE;
    let node = || 0..world::NODES;
    prop_oneof![
        3 => (person(), any::<bool>()).prop_map(|(person, claimed)| Step::LogIn { person, claimed }),
        3 => (person(), prop::bool::weighted(0.3)).prop_map(|(person, claim)| Step::Request { person, claim }),
        2 => person().prop_map(|person| Step::Speak { person }),
        1 => person().prop_map(|person| Step::LogOut { person }),
        6 => (person(), node()).prop_map(|(person, node)| Step::Connect { person, node }),
        4 => any::<prop::sample::Index>().prop_map(Step::Disconnect),
        3 => node().prop_map(Step::Start),
        1 => node().prop_map(Step::Crash),
        1 => node().prop_map(Step::Leave),
        1 => node().prop_map(Step::Freeze),
        1 => node().prop_map(Step::Cut),
        4 => node().prop_map(Step::Mend),
        1 => node().prop_map(Step::LoseAnswer),
        2 => prop::bool::weighted(0.3).prop_map(Step::Outage),
        1 => prop::sample::select(vec![-3_600_000, 3_600_000]).prop_map(Step::JumpWallClock),
        8 => (trouble(), node(), 1..90_usize).prop_map(|(what, node, ticks)| Step::Trouble { what, node, ticks }),
        4 => (person(), node(), 1..40_usize, prop::bool::weighted(0.2))
            .prop_map(|(person, node, ticks, claim)| Step::Visit { person, node, ticks, claim }),
        5 => (1..15_usize).prop_map(|ticks| Step::Pass { ticks }),
        4 => (15..80_usize).prop_map(|ticks| Step::Pass { ticks }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nobody_who_is_there_is_declared_gone_and_nobody_who_is_gone_stays(
        nodes in 1..=world::NODES,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(nodes);
        world.begin();
        for step in steps {
            world.run(&step);
        }
        world.come_to_rest();
    }
}
