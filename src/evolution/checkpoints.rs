//! Steps visited in reverse with few stored states, by binomial checkpointing (Griewank and Walther 2000).
//!
//! With c slots, of which one holds the first state, steps that are each replayed at most r times reach as far as
//! β(c, r) = (c + r)! / (c! r!). A state stored at a distance splits them: behind it c − 1 slots are left and r replays, before
//! it c slots and r − 1 replays, as the way to the stored state was one. This is β(c, r) = β(c − 1, r) + β(c, r − 1). For l steps
//! with β(c, r − 1) < l ≤ β(c, r) the fewest steps to replay are r l − β(c + 1, r − 1).

use std::ops::Range;

/// Integration that can be replayed from stored states.
pub(super) trait Replay {
    /// Failure of a step.
    type Failure;

    /// Advances the current state, that before the first of these steps, by all of them.
    fn advance(&mut self, steps: Range<usize>) -> Result<(), Self::Failure>;

    /// Stores the current state in a slot, in place of what it held.
    fn store(&mut self, slot: usize);

    /// Makes the state of a slot the current one.
    fn restore(&mut self, slot: usize);

    /// Visits a step, with the state before it as the current one.
    fn visit(&mut self, step: usize) -> Result<(), Self::Failure>;
}

/// Visits so many steps from the last to the first, starting with the state before the first of them as the current one. At
/// least one slot is used, and at most so many.
pub(super) fn reverse<R: Replay>(
    replay: &mut R,
    steps: usize,
    slots: usize,
) -> Result<(), R::Failure> {
    replay.store(0);
    visit(replay, 0..steps, 0..slots.max(1))
}

/// Visits steps in reverse. The state before the first of them is the current one, and that of the first of the slots.
fn visit<R: Replay>(
    replay: &mut R,
    mut steps: Range<usize>,
    slots: Range<usize>,
) -> Result<(), R::Failure> {
    while steps.len() > 1 {
        let middle = steps.start + split(steps.len(), slots.len());
        replay.advance(steps.start..middle)?;
        if slots.len() > 1 {
            let rest = slots.start + 1..slots.end;
            replay.store(rest.start);
            visit(replay, middle..steps.end, rest)?;
        } else {
            replay.visit(middle)?;
        }
        replay.restore(slots.start);
        steps.end = middle;
    }
    if steps.is_empty() {
        return Ok(());
    }
    replay.visit(steps.start)
}

/// Returns the number of steps, of at least two, before the next state to store.
fn split(steps: usize, slots: usize) -> usize {
    if slots == 1 {
        return steps - 1;
    }
    // β(c, r) by its factors, up to the first that reaches all steps, with β(c, r − 1).
    let (mut replays, mut before, mut reach) = (0, 0, 1);
    while reach < steps {
        replays += 1;
        before = reach;
        reach = reach * (slots + replays) / replays;
    }
    // β(c − 1, r − 1) = β(c, r − 1) c / (c + r − 1) steps at least are left behind the stored state, and β(c, r − 1) at most
    // are before it. Within these bounds the split is optimal.
    let behind = before * slots / (slots + replays - 1);
    before.min(steps - behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// State after steps of a chaotic map, whose bits tell whether it was replayed from the right one.
    fn next(x: f64) -> f64 {
        3.9 * x * (1.0 - x)
    }

    /// Replay that keeps a record of itself.
    #[derive(Default)]
    struct Record {
        step: usize,
        x: f64,
        slots: Vec<Option<(usize, f64)>>,
        advanced: usize,
        visited: Vec<(usize, f64)>,
        fails_at: Option<usize>,
    }

    impl Replay for Record {
        type Failure = usize;

        fn advance(&mut self, steps: Range<usize>) -> Result<(), usize> {
            assert_eq!(self.step, steps.start);
            for step in steps {
                if self.fails_at == Some(step) {
                    return Err(step);
                }
                self.x = next(self.x);
                self.step += 1;
                self.advanced += 1;
            }
            Ok(())
        }

        fn store(&mut self, slot: usize) {
            self.slots[slot] = Some((self.step, self.x));
        }

        fn restore(&mut self, slot: usize) {
            (self.step, self.x) = self.slots[slot].unwrap();
        }

        fn visit(&mut self, step: usize) -> Result<(), usize> {
            assert_eq!(self.step, step);
            self.visited.push((step, self.x));
            Ok(())
        }
    }

    fn record(steps: usize, slots: usize) -> Record {
        // A slot beyond those that are allowed would be out of bounds.
        let mut record = Record {
            x: 0.3,
            slots: vec![None; slots],
            ..Record::default()
        };
        assert_eq!(reverse(&mut record, steps, slots), Ok(()));
        record
    }

    /// Fewest replayed steps, r l − β(c + 1, r − 1).
    fn fewest(steps: usize, slots: usize) -> usize {
        let reach = |slots: usize, replays: usize| {
            (1..=replays).fold(1, |product, k| product * (slots + k) / k)
        };
        let replays = (0..).find(|&r| reach(slots, r) >= steps).unwrap();
        match replays {
            0 => 0,
            r => r * steps - reach(slots + 1, r - 1),
        }
    }

    #[test]
    fn every_step_is_visited_once_in_reverse_from_its_own_state() {
        for (steps, slots) in [
            (0, 1),
            (1, 1),
            (2, 1),
            (9, 1),
            (2, 5),
            (57, 3),
            (300, 7),
            (64, 64),
            (10, 99),
        ] {
            let found = record(steps, slots).visited;
            let mut states = vec![0.3];
            states.extend((1..steps).scan(0.3, |x, _| {
                *x = next(*x);
                Some(*x)
            }));
            let wanted: Vec<(usize, f64)> = (0..steps).rev().map(|i| (i, states[i])).collect();
            assert_eq!(found, wanted, "{steps} steps, {slots} slots");
        }
    }

    #[test]
    fn no_split_replays_fewer_steps() {
        // The best of all splits, by dynamic programming over the numbers of steps and slots.
        const STEPS: usize = 60;
        const SLOTS: usize = 9;
        let mut best = vec![[0; SLOTS + 1]; STEPS + 1];
        for steps in 2..=STEPS {
            best[steps][1] = steps * (steps - 1) / 2;
            for slots in 2..=SLOTS {
                let splits = (1..steps).map(|k| k + best[steps - k][slots - 1] + best[k][slots]);
                best[steps][slots] = splits.min().unwrap();
            }
        }
        for (steps, best) in best.iter().enumerate().skip(1) {
            for (slots, best) in best.iter().enumerate().skip(1) {
                let found = record(steps, slots).advanced;
                assert_eq!(found, *best, "{steps} steps, {slots} slots");
                assert_eq!(found, fewest(steps, slots), "{steps} steps, {slots} slots");
            }
        }
    }

    #[test]
    fn many_steps_are_replayed_a_few_times() {
        for (steps, slots) in [
            (1000, 3),
            (1000, 10),
            (1000, 30),
            (4321, 17),
            (10_000, 30),
            (100_000, 50),
        ] {
            assert_eq!(record(steps, slots).advanced, fewest(steps, slots));
        }
        // Three and a half replays a step, with 30 states in memory instead of 10,000.
        assert_eq!(record(10_000, 30).advanced, 34_016);
    }

    #[test]
    fn a_failure_ends_the_visits() {
        let mut failing = Record {
            slots: vec![None; 3],
            fails_at: Some(7),
            ..Record::default()
        };
        assert_eq!(reverse(&mut failing, 20, 3), Err(7));
        assert!(failing.visited.is_empty());
    }
}
