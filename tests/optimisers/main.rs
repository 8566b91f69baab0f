//! Directions that learn from the steps of a run, the step rules that go with them, and truncated and damped steps.

#![allow(clippy::unwrap_used)]

mod conjugate;
mod damped;
mod ends;
mod line_search;
mod momentum;
mod quasi_newton;
mod sums;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
