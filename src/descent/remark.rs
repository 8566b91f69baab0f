//! Remarks of a run, and the detection of wrong derivatives from its history.

use std::fmt;

use super::history::Iterate;

/// Remark of a direction, such as a choice of method or a stagnating iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
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
             at most twice is possible near a minimum; check the derivatives with `verify::gradient`"
        )
    })
}
