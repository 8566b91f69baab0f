//! Signs of a wrong derivative in the history of a run that claims to have converged.

use super::history::Iterate;

/// Relative steps that are short enough for the second order to do.
const SHORT: f64 = 1e-2;

/// Near a minimum no step gains more than twice what it promises: with slope s = ∇f·η < 0, H ≥ 0 the Hessian and η the
/// step of a model with G in its place, |s| ≥ ηᵀGη, the decrease is |s| − ½ ηᵀHη ≤ |s|, and the promise
/// |s| − ½ ηᵀGη ≥ ½ |s|. Steps with a wrong slope know no such limit. The rest is left for higher orders.
const MOST: f64 = 4.0;

/// What is odd about the last short step whose decrease can be told from rounding: it gained more than is possible.
pub(super) fn doubt(history: &[Iterate]) -> Option<String> {
    let steps = history.iter().filter_map(|iterate| iterate.step);
    let mut told = steps.filter(|step| step.relative_step <= SHORT && step.gain.is_finite());
    let gain = told.next_back()?.gain;
    (gain > MOST).then(|| {
        format!(
            "the last short step reduced the objective {gain:.1} times as much as the derivatives promised, where no \
             more than twice is possible near a minimum; check them with `verify::gradient`"
        )
    })
}
