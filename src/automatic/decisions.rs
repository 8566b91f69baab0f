//! What an evaluation decided by values: comparisons, values read without derivatives, and infinite slopes.
//!
//! A derivative says nothing of the branches that were not taken. The decisions of an evaluation show whether it took the same
//! branches as earlier ones, whose derivatives have been checked.

use std::cell::Cell;
use std::cmp::Ordering;

/// Decisions of the evaluations on this thread since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decisions {
    /// Hash of the outcomes of all comparisons, and of the places of values read among them. 0 without any.
    pub(super) branch: u64,
    /// Whether a value was read without its derivatives.
    pub(super) read: bool,
    /// Whether numbers compared as equal.
    pub(super) tied: bool,
    /// Whether an infinite slope met a derivative of 0, so that their product is unknown.
    pub(super) singular: bool,
}

thread_local! {
    static DECISIONS: Cell<Decisions> = const {
        Cell::new(Decisions { branch: 0, read: false, tied: false, singular: false })
    };
}

/// Odd multiplier of a hash (Steele and Vigna 2022).
const MULTIPLIER: u64 = 0xd134_2543_de82_ef95;

impl Decisions {
    /// Returns the decisions so far, and forgets them.
    pub(super) fn take() -> Self {
        DECISIONS.take()
    }

    /// Sets the decisions to earlier ones followed by those of the blocks of an evaluation.
    pub(super) fn resume(before: Self, blocks: &[Self]) {
        let mut all = before;
        for block in blocks {
            if block.branch != 0 {
                all.add(block.branch);
            }
            all.read |= block.read;
            all.tied |= block.tied;
            all.singular |= block.singular;
        }
        DECISIONS.set(all);
    }

    fn add(&mut self, outcome: u64) {
        self.branch = (self.branch ^ outcome)
            .wrapping_add(1)
            .wrapping_mul(MULTIPLIER)
            .rotate_left(29);
    }
}

fn update(change: impl FnOnce(&mut Decisions)) {
    DECISIONS.with(|cell| {
        let mut decisions = cell.get();
        change(&mut decisions);
        cell.set(decisions);
    });
}

/// Notes the outcome of a comparison.
#[inline]
pub(super) fn compared(outcome: Option<Ordering>) -> Option<Ordering> {
    update(|decisions| {
        decisions.add(outcome.map_or(3, |o| o as u64 & 3));
        decisions.tied |= outcome == Some(Ordering::Equal);
    });
    outcome
}

/// Notes the outcome of a test for equality.
#[inline]
pub(super) fn matched(equal: bool) -> bool {
    let outcome = if equal {
        Ordering::Equal
    } else {
        Ordering::Less
    };
    compared(Some(outcome));
    equal
}

/// Notes that a value was read without its derivatives.
#[inline]
pub(super) fn read() {
    update(|decisions| {
        decisions.add(7);
        decisions.read = true;
    });
}

/// Notes that an infinite slope met a derivative of 0.
#[cold]
pub(super) fn met_singularity() {
    update(|decisions| decisions.singular = true);
}
