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

/// Returns a warning about the parameter that has grown or shrunk by the largest factor beyond all its earlier sizes, in an
/// unbroken sequence of last steps, and the iteration at which the sequence began.
pub(super) fn runaway(history: &[Iterate]) -> Option<(usize, String)> {
    let points: Vec<&[f64]> = history.iter().map(|i| i.theta.as_slice()).collect();
    farthest(&points)
}

fn farthest(points: &[&[f64]]) -> Option<(usize, String)> {
    let last = points.last()?;
    let drift = |j: usize| {
        let size = |i: usize| points[i][j].abs();
        let is_monotone = |i: &usize, grows: bool| {
            let (before, after) = (&points[*i][j], &points[*i + 1][j]);
            let outward = after.abs() > before.abs();
            before.signum() == after.signum() && before != after && outward == grows
        };
        let end = points.len() - 1;
        let grows = end > 0 && size(end) > size(end - 1);
        let start = (0..end)
            .rev()
            .take_while(|i| is_monotone(i, grows))
            .last()?;
        // A parameter that has crossed 0, or come near it, returns to its size by any factor.
        let earlier = (0..=start).map(size);
        let before = match grows {
            true => earlier.fold(0.0, f64::max),
            false => earlier.fold(f64::INFINITY, f64::min),
        };
        let factor = size(end) / before;
        // Growth that stays within earlier sizes has a factor below 1.
        if (factor > 1.0) != grows {
            return None;
        }
        // A parameter that starts or ends at 0 has no factor.
        let far = factor.max(factor.recip());
        (end - start >= FEWEST && far >= FAR && far.is_finite()).then_some((j, start, factor))
    };
    let distance = |factor: f64| factor.ln().abs();
    let (j, start, factor) = (0..last.len())
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
        "θ{j} {change} towards {limit}, farther in every step (now {:.3e}), so that there may be no minimum inside; set bounds, add a \
         prior, fix the parameter, or use a model without it",
        last[j]
    );
    Some((start, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(values: &[f64]) -> Option<String> {
        let points: Vec<[f64; 1]> = values.iter().map(|x| [*x]).collect();
        let points: Vec<&[f64]> = points.iter().map(|p| p.as_slice()).collect();
        farthest(&points).map(|(_, text)| text)
    }

    #[test]
    fn only_sizes_beyond_all_earlier_ones_run_away() {
        let growing = remark(&[-1.0, -4.0, -16.0, -64.0, -256.0, -1024.0]).unwrap();
        assert!(
            growing.contains("grown by a factor of 1.0e3 towards ±∞"),
            "{growing}"
        );
        let shrinking = remark(&[3.0, 1.0, 0.3, 0.1, 1e-2, 1e-3, 1e-4]).unwrap();
        assert!(
            shrinking.contains("shrunk by a factor of 3.0e4 towards 0"),
            "{shrinking}"
        );
        // Growth from the smallest of earlier sizes, after a parameter came near 0 or crossed it.
        assert_eq!(
            remark(&[10.0, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1.875e-3]),
            None
        );
        assert_eq!(
            remark(&[5.0, 1.0, -0.02, -0.3, -1.0, -2.0, -3.0, -3.726]),
            None
        );
        // Shrinking from a large size that was reached on the way.
        assert_eq!(remark(&[0.1, 1e3, 1e2, 30.0, 10.0, 3.0, 1.0]), None);
        // Growth beyond earlier sizes counts from the largest of them.
        let beyond = remark(&[2.0, 1e-3, 0.1, 3.0, 40.0, 300.0, 2000.0]).unwrap();
        assert!(beyond.contains("grown by a factor of 1.0e3"), "{beyond}");
    }
}
