use proptest::prelude::*;

use super::*;

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn hints(numbers: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
    numbers.into_iter().map(|number| (number, number * 10)).collect()
}

fn numbers(released: &Released<i64>) -> Vec<i64> {
    assert!(released.entries.iter().all(|(number, entry)| *entry == number * 10));
    released.entries.iter().map(|(number, _)| *number).collect()
}

fn answer(first_kept: i64, numbers: impl IntoIterator<Item = i64>) -> Answer<i64> {
    Answer { first_kept, entries: hints(numbers) }
}

#[test]
fn what_comes_in_order_goes_out_at_once() {
    let mut timeline = Timeline::new(7);
    assert_eq!(numbers(&timeline.hear(hints(8..=10), at(0))), [8, 9, 10]);
    assert_eq!((timeline.last(), timeline.wake_at()), (10, None));
}

#[test]
fn what_comes_early_waits_and_what_was_let_out_is_forgotten() {
    let mut timeline = Timeline::new(0);
    assert_eq!(numbers(&timeline.hear(hints([3, 2, 3]), at(0))), [0; 0]);
    assert_eq!(timeline.ask(at(49)), None);
    assert_eq!(numbers(&timeline.hear(hints([1, 1, 2]), at(49))), [1, 2, 3]);
    assert_eq!(numbers(&timeline.hear(hints([3, 1]), at(50))), [0; 0]);
    assert_eq!((timeline.ask(at(1_000)), timeline.wake_at()), (None, None));
}

#[test]
fn what_stays_away_is_asked_for_after_a_moment_and_once() {
    let mut timeline = Timeline::new(0);
    let _ = timeline.hear(hints([1, 3]), at(0));
    assert_eq!(timeline.wake_at(), Some(PATIENCE));
    assert_eq!(timeline.ask(PATIENCE), Some(1));
    assert_eq!(timeline.ask(PATIENCE), None);
    let _ = timeline.hear(hints([4]), PATIENCE);
    assert_eq!(timeline.ask(at(1_000)), None, "one question at a time");
    assert_eq!(numbers(&timeline.answer(answer(1, [2]), PATIENCE)), [2, 3, 4]);
    assert_eq!(timeline.wake_at(), None);
}

#[test]
fn a_log_that_is_ahead_of_all_hints_is_asked() {
    let mut timeline = Timeline::<i64>::new(0);
    timeline.look(2, at(0));
    assert_eq!(timeline.ask(PATIENCE), Some(0));
    assert_eq!(numbers(&timeline.answer(answer(1, [1]), at(60))), [1]);
    assert_eq!(timeline.ask(at(60)), Some(1), "there is more, at once");
    assert_eq!(numbers(&timeline.answer(answer(1, []), at(61))), [0; 0]);
    assert_eq!(timeline.ask(at(61)), None, "but not in a busy loop");
    assert_eq!(timeline.ask(at(61) + PATIENCE), Some(1));
}

#[test]
fn a_log_that_cannot_be_read_is_asked_again_later() {
    let mut timeline = Timeline::<i64>::new(0);
    timeline.look(1, at(0));
    assert_eq!(timeline.ask(at(100)), Some(0));
    timeline.fail(at(100));
    assert_eq!(timeline.ask(at(1_099)), None);
    assert_eq!(timeline.ask(at(1_100)), Some(0));
}

#[test]
fn what_the_log_has_lost_is_told_as_a_gap() {
    let mut timeline = Timeline::new(2);
    let _ = timeline.hear(hints([5, 8]), at(0));
    assert_eq!(timeline.ask(at(50)), Some(2));
    let released = timeline.answer(answer(7, [7]), at(50));
    assert!(released.gap);
    assert_eq!(numbers(&released), [7, 8]);
    let mut empty = Timeline::<i64>::new(2);
    empty.look(9, at(0));
    assert_eq!(empty.ask(at(50)), Some(2));
    let released = empty.answer(answer(10, []), at(50));
    assert_eq!((released.gap, released.entries.len(), empty.last(), empty.wake_at()), (true, 0, 9, None));
}

#[test]
fn no_more_than_the_window_waits() {
    let mut timeline = Timeline::new(0);
    let _ = timeline.hear(hints(2..=5_000), at(0));
    assert_eq!(timeline.waiting.len(), usize::from(WINDOW) - 1);
    assert_eq!(numbers(&timeline.hear(hints([1]), at(1))).len(), usize::from(WINDOW));
    assert_eq!(timeline.ask(at(100)), Some(WINDOW.into()));
}

/// What can befall the hints of a log that grows.
#[derive(Debug, Clone)]
enum Step {
    /// The log gets so many entries; of their hints some are lost.
    Commit { entries: u8, heard: Vec<bool> },
    /// An old hint comes once more.
    Again(prop::sample::Index),
    /// Hints that were held up come in another order.
    Late(Vec<prop::sample::Index>),
    /// Somebody looks how far the log is.
    Look,
    /// Time passes, and the log is asked if that is wanted; or it is away.
    Wait { millis: u16, away: bool },
    /// The log forgets its oldest entries.
    Prune(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..20, prop::collection::vec(any::<bool>(), 20))
            .prop_map(|(entries, heard)| Step::Commit { entries, heard }),
        2 => any::<prop::sample::Index>().prop_map(Step::Again),
        2 => prop::collection::vec(any::<prop::sample::Index>(), 1..10).prop_map(Step::Late),
        1 => Just(Step::Look),
        3 => (0_u16..2_000, any::<bool>()).prop_map(|(millis, away)| Step::Wait { millis, away }),
        1 => (0_u8..5).prop_map(Step::Prune),
    ]
}

/// A log, a timeline that hears of it badly, and all that it let out.
struct Model {
    timeline: Timeline<i64>,
    log_ends: i64,
    first_kept: i64,
    now: Duration,
    /// The last number that went out.
    last: i64,
    gaps: usize,
}

impl Model {
    fn new() -> Self {
        Self { timeline: Timeline::new(0), log_ends: 0, first_kept: 1, now: at(0), last: 0, gaps: 0 }
    }

    fn take(&mut self, released: &Released<i64>) {
        let numbers = numbers(released);
        if released.gap {
            let skipped_to = self.timeline.last() - i64::try_from(numbers.len()).unwrap();
            assert!(skipped_to > self.last && skipped_to < self.first_kept, "only what the log has lost");
            self.last = skipped_to;
            self.gaps += 1;
        }
        for number in numbers {
            assert_eq!(number, self.last + 1, "in order, without a gap");
            assert!(number <= self.log_ends, "only what is in the log");
            self.last = number;
        }
        assert!(self.timeline.waiting.len() < usize::from(WINDOW));
    }

    fn any_number(&self, index: prop::sample::Index) -> Option<i64> {
        let any = |ends| 1 + i64::try_from(index.index(ends)).unwrap();
        usize::try_from(self.log_ends).ok().filter(|ends| *ends > 0).map(any)
    }

    /// Reads as the log would: pages of seven.
    fn serve(&mut self, away: bool) -> bool {
        let Some(after) = self.timeline.ask(self.now) else { return false };
        if away {
            self.timeline.fail(self.now);
            return false;
        }
        let from = (after + 1).max(self.first_kept);
        let page = answer(self.first_kept, from..=self.log_ends.min(from + 6));
        let released = self.timeline.answer(page, self.now);
        self.take(&released);
        true
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Commit { entries, heard } => {
                let new = self.log_ends + 1..=self.log_ends + i64::from(entries);
                self.log_ends = *new.end();
                let heard: Vec<_> = new.zip(heard).filter(|(_, heard)| *heard).map(|(n, _)| n).collect();
                let released = self.timeline.hear(hints(heard), self.now);
                self.take(&released);
            }
            Step::Again(index) => self.run(Step::Late(vec![index])),
            Step::Late(indexes) => {
                let late: Vec<_> = indexes.iter().filter_map(|index| self.any_number(*index)).collect();
                let released = self.timeline.hear(hints(late), self.now);
                self.take(&released);
            }
            Step::Look => self.timeline.look(self.log_ends, self.now),
            Step::Wait { millis, away } => {
                self.now += at(millis.into());
                self.serve(away);
            }
            Step::Prune(count) => {
                self.first_kept = (self.first_kept + i64::from(count)).min(self.log_ends + 1);
            }
        }
    }
}

proptest! {
    #[test]
    fn all_that_is_in_the_log_goes_out_once_and_in_order(steps in prop::collection::vec(step(), 0..60)) {
        let prunes = steps.iter().any(|step| matches!(step, Step::Prune(1..)));
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }
        // In the end the log is there and somebody looks: then everything comes out.
        model.timeline.look(model.log_ends, model.now);
        model.now += RETRY;
        let mut rounds = 0;
        while model.serve(false) {
            rounds += 1;
            model.now += PATIENCE;
            prop_assert!(rounds < 10_000, "it never ends");
        }
        prop_assert_eq!(model.timeline.last(), model.log_ends);
        prop_assert_eq!(model.last, model.log_ends);
        prop_assert_eq!(model.timeline.wake_at(), None);
        prop_assert!(prunes || model.gaps == 0);
    }
}
