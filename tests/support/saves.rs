//! Runs that are saved halfway, and resumed.

use pullback::descent::{Saved, Tolerances};
use pullback::{Descent, Report};

use super::runs::only;

/// Steps of the whole run.
pub(crate) const STEPS: usize = 12;

/// A report without its seconds, as text in which every float has all its digits.
pub(crate) fn text(report: &Report) -> String {
    let mut report = report.clone();
    for iterate in &mut report.history {
        assert!(iterate.seconds >= 0.0);
        iterate.seconds = 0.0;
    }
    serde_json::to_string(&report).unwrap()
}

/// Steps until the iteration limit, which alone ends the run.
pub(crate) fn limit() -> Tolerances {
    only(STEPS)
}

/// Checks that runs which are saved after some steps, and resumed from bytes, end as the whole run does.
pub(crate) fn check(name: &str, descent: impl Fn() -> Descent<'static>, start: &[f64]) {
    let whole = descent().run(start, |_| ()).unwrap();
    for steps in [0, 1, 4, 7] {
        let mut run = descent().begin(start).unwrap();
        for _ in 0..steps {
            run.step().unwrap();
        }
        let bytes = run.saved().unwrap().to_bytes().unwrap();
        drop(run);
        let saved = Saved::from_bytes(&bytes).unwrap();
        let resumed = descent().resume(&saved).unwrap().finish(|_| ()).unwrap();
        assert_eq!(text(&resumed), text(&whole), "{name} after {steps} steps");
        let seconds = |r: &Report| r.history.iter().map(|i| i.seconds).collect::<Vec<_>>();
        assert!(seconds(&resumed).is_sorted(), "{name}");
    }
}

/// Makes a value live as long as the test program, so that a closure can build descents of it.
pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
