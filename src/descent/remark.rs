//! Remarks of a run, and the detection of wrong derivatives from its history.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::history::Iterate;

/// Remark of a direction, such as a choice of method or a stagnating iteration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Iteration in which the remark was first made.
    pub iteration: usize,
    /// Text of the remark.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from step {}: {}", self.iteration + 1, self.text)
    }
}

/// Largest relative step that counts as short, for which a second-order model of the objective holds.
const SHORT: f64 = 1e-2;

/// Largest plausible gain of a short step, the ratio of the actual to the predicted decrease.
//
// Near a minimum the Hessian H is positive semidefinite. A step η of the model with matrix G has the slope s = ∇f·η < 0, and
// |s| ≥ ηᵀGη for any damping. To second order
//     actual decrease    = |s| − ½ ηᵀHη ≤ |s|,
//     predicted decrease = |s| − ½ ηᵀGη ≥ ½ |s|,
// so that the gain is at most 2. A wrong slope invalidates the first line. The bound is doubled to allow for higher orders.
const MOST_GAIN: f64 = 4.0;

/// Returns a warning if the last short step had an implausibly large gain. Steps whose decrease is hidden by
/// rounding are skipped.
pub(super) fn suspicion(history: &[Iterate]) -> Option<String> {
    let steps = history.iter().filter_map(|iterate| iterate.step);
    let mut resolved = steps.filter(|step| step.relative_step <= SHORT && step.gain.is_finite());
    let gain = resolved.next_back()?.gain;
    (gain > MOST_GAIN).then(|| {
        format!(
            "the last short step reduced the objective by {gain:.1} times the decrease that the derivatives predicted, although \
             at most twice is possible near a minimum; check the derivatives with `verify::gradient`, and if they are right, \
             whether the state has jumped to another solution of its equations (a `guess` chooses the solution)"
        )
    })
}

/// Factor by which a parameter must have changed to count as running away.
const FAR: f64 = 100.0;

/// Fewest steps of a parameter that count as running away.
const FEWEST: usize = 5;

/// Returns a warning about the parameter that has grown or shrunk by the largest factor in an unbroken sequence of last steps,
/// and the iteration at which the sequence began.
pub(super) fn runaway(history: &[Iterate]) -> Option<(usize, String)> {
    let last = history.last()?;
    let drift = |j: usize| {
        let size = |i: usize| history[i].theta[j].abs();
        let is_monotone = |i: &usize, grows: bool| {
            let (before, after) = (&history[*i].theta[j], &history[*i + 1].theta[j]);
            let outward = after.abs() > before.abs();
            before.signum() == after.signum() && before != after && outward == grows
        };
        let end = history.len() - 1;
        let grows = end > 0 && size(end) > size(end - 1);
        let start = (0..end)
            .rev()
            .take_while(|i| is_monotone(i, grows))
            .last()?;
        let factor = size(end) / size(start);
        // A parameter that starts or ends at 0 has no factor.
        let far = factor.max(factor.recip());
        (end - start >= FEWEST && far >= FAR && far.is_finite()).then_some((j, start, factor))
    };
    let distance = |factor: f64| factor.ln().abs();
    let (j, start, factor) = (0..last.theta.len())
        .filter_map(drift)
        .max_by(|a, b| distance(a.2).total_cmp(&distance(b.2)))?;
    let (change, limit) = match factor > 1.0 {
        true => (format!("has grown by a factor of {factor:.1e}"), "±∞"),
        false => (
            format!("has shrunk by a factor of {:.1e}", factor.recip()),
            "0",
        ),
    };
    let text = format!(
        "θ{j} {change} in every step towards {limit} (now {:.3e}), so that there may be no minimum inside; set bounds, add a \
         prior, fix the parameter, or use a model without it",
        last.theta[j]
    );
    Some((start, text))
}
