//! One side of a profile: steps away from the fit until the objective crosses its threshold.

use faer::Mat;

use super::axis::{AIM, Axis, Others};
use super::held::{Held, Minimum};
use super::problem::Problem;
use super::result::End;

/// Largest change of the root in one step. A longer step is repeated shorter.
const LARGEST: f64 = 2.0 * AIM;

/// Number of times in a row that a step is repeated because it failed, or because it was too long.
const HALVINGS: usize = 10;
const REPEATS: usize = 10;

/// Largest number of points of one side.
const POINTS: usize = 200;

/// Relative accuracy of a crossing, as a fraction of its distance from the fit.
const ACCURACY: f64 = 1e-7;

/// Largest number of runs to find a crossing.
const SEARCH: usize = 100;

/// Growth of the root per doubled distance below which a profile counts as level.
const RISE: f64 = 0.25 * AIM;

/// Ratio of two successive steps up to which the next start is extrapolated.
const EXTRAPOLATED: f64 = 4.0;

/// Profile on one side of the fit.
pub(super) struct Side<'p> {
    pub(super) held: Held<'p>,
    /// Minima from the fit outwards.
    pub(super) minima: Vec<Minimum>,
    /// End of the interval.
    pub(super) value: f64,
    pub(super) end: End,
}

/// Side that is being followed.
struct Walk<'p> {
    held: Held<'p>,
    axis: Axis,
    others: Others<'p>,
    minima: Vec<Minimum>,
    /// Change of all parameters by a unit step of this one, to first order.
    tangent: Option<Vec<f64>>,
}

/// Size of the steps, and how often they were repeated.
#[derive(Default)]
struct Pace {
    step: f64,
    /// Number of failures since there were two successes in a row.
    failures: usize,
    successes: usize,
    /// Number of steps in a row that were too long.
    repeats: usize,
}

impl<'p> Side<'p> {
    /// Follows the profile of a parameter in the direction `sign`.
    pub(super) fn follow(problem: &'p Problem<'p>, parameter: usize, sign: f64) -> Self {
        let (bounds, transforms) = problem.descent.domain();
        let held = Held::new(problem, parameter);
        let covariance = problem.uncertainty.map(|u| &u.covariance);
        let mut walk = Walk {
            axis: Axis::new(problem.fitted(parameter), sign, problem.reach),
            others: Others { transforms, bounds },
            minima: vec![held.fit()],
            held,
            tangent: covariance.and_then(|covariance| tangent(covariance, parameter)),
        };
        let (value, end) = walk.follow();
        Self {
            held: walk.held,
            minima: walk.minima,
            value,
            end,
        }
    }
}

impl Walk<'_> {
    fn last(&self) -> &Minimum {
        &self.minima[self.minima.len() - 1]
    }

    fn follow(&mut self) -> (f64, End) {
        let mut pace = Pace {
            step: self.axis.first,
            ..Pace::default()
        };
        // A point above the threshold that was reached by too long a step.
        let mut above: Option<Minimum> = None;
        while self.minima.len() < POINTS {
            let (here, value) = (self.last().distance, self.last().point.value);
            let Some(distance) = self.axis.next(here, pace.step, self.rises()) else {
                return match here >= self.axis.length {
                    true => (value, End::Bound),
                    false => (self.axis.limit, End::Open { reached: value }),
                };
            };
            if let Some(outside) = above.take_if(|above| distance >= above.distance) {
                return self.cross(outside);
            }
            if self.axis.value(distance) == value {
                let reason = "the steps of the parameter are lost in its rounding".to_string();
                return (value, End::Failed { reason });
            }
            match self.minimise(distance) {
                Err(reason) => {
                    pace.fail(distance - here);
                    if pace.failures > HALVINGS {
                        return (value, End::Failed { reason });
                    }
                }
                Ok(next) => {
                    let change = next.root - self.last().root;
                    let repeat = pace.adapt(distance - here, change);
                    match (repeat, next.root >= 1.0) {
                        (true, true) => above = Some(next),
                        (true, false) => {}
                        (false, true) => return self.cross(next),
                        (false, false) => self.minima.push(next),
                    }
                }
            }
        }
        let reason = format!("the threshold is not reached within {POINTS} points");
        (self.last().point.value, End::Failed { reason })
    }

    /// Returns whether the objective still rises: at its last slope the root would grow by a good part of a step if the
    /// distance were doubled.
    fn rises(&self) -> bool {
        let [.., before, last] = self.minima.as_slice() else {
            return true;
        };
        let slope = (last.root - before.root) / (last.distance - before.distance);
        slope * last.distance > RISE
    }

    /// Minimises at a distance beyond the last point.
    fn minimise(&mut self, distance: f64) -> std::result::Result<Minimum, String> {
        let value = self.axis.value(distance);
        let last = self.last().clone();
        let mut starts = vec![last.point.theta.clone()];
        let predicted = match (self.minima.as_slice(), &self.tangent) {
            ([.., before, last], _) => {
                let step = last.distance - before.distance;
                let ratio = (distance - before.distance) / step;
                let line = || {
                    self.others
                        .line(&before.point.theta, &last.point.theta, ratio)
                };
                (ratio <= 1.0 + EXTRAPOLATED).then(line)
            }
            ([fit], Some(tangent)) => {
                let step = value - fit.point.value;
                let change: Vec<f64> = tangent.iter().map(|t| t * step).collect();
                Some(self.others.after(&fit.point.theta, &change))
            }
            _ => None,
        };
        if let Some(start) = predicted.filter(|start| start.iter().all(|t| t.is_finite())) {
            starts.insert(0, start);
        }
        self.held.minimise((distance, value), &starts, &last)
    }

    /// Finds the crossing of the threshold between the last point and one above the threshold, and adds both to the points.
    fn cross(&mut self, outside: Minimum) -> (f64, End) {
        let crossing = match self.crossing(outside.clone()) {
            Ok(crossing) => crossing,
            Err(reason) => return (self.last().point.value, End::Failed { reason }),
        };
        let (value, distance) = (crossing.point.value, crossing.distance);
        self.minima.push(crossing);
        // A point high above the threshold is beyond a jump or a pole, and no part of the curve.
        if distance < outside.distance && outside.root <= 1.0 + LARGEST {
            self.minima.push(outside);
        }
        (value, End::Crossed)
    }

    /// Solves root = 1 by false position with the weights of Illinois (Dowell and Jarratt, BIT 11, 1971).
    ///
    /// The root of the increase is a straight line for a linear model, and nearly straight for others, so that few runs
    /// suffice. At a jump of the profile the bracket is bisected.
    fn crossing(&mut self, outside: Minimum) -> std::result::Result<Minimum, String> {
        let (mut a, mut b) = (self.last().clone(), outside);
        let (mut excess, mut bisect) = ([a.root - 1.0, b.root - 1.0], false);
        let (mut kept, mut width) = (0_usize, f64::INFINITY);
        let fit = self.minima[0].point.value;
        for run in 0..SEARCH {
            let tolerance = ACCURACY * (b.point.value - fit).abs();
            if (b.point.value - a.point.value).abs() <= tolerance {
                break;
            }
            if run % 3 == 2 {
                // False position that hardly shortens the bracket is slower than bisection.
                bisect |= b.distance - a.distance > 0.5 * width;
                width = b.distance - a.distance;
            }
            let share = match std::mem::take(&mut bisect) {
                true => 0.5,
                false => excess[0] / (excess[0] - excess[1]),
            };
            let middle = self.between([&a, &b], share)?;
            let (at, value) = (middle.root - 1.0, middle.point.value);
            // Where the profile is convex or concave, its slope at the crossing is between those of the two chords, and
            // the error is at most |root − 1| over the smaller one.
            let chord = |end: &Minimum| (end.root - middle.root) / (end.point.value - value);
            let slope = chord(&a).abs().min(chord(&b).abs());
            if at.abs() <= slope * tolerance {
                return Ok(middle);
            }
            let side = usize::from(at >= 0.0);
            // An end that is kept twice in a row gets half its weight.
            kept = if kept == side + 1 {
                excess[1 - side] *= 0.5;
                kept
            } else {
                side + 1
            };
            excess[side] = at;
            *[&mut a, &mut b][side] = middle;
        }
        Ok(b)
    }

    /// Minimises between two minima. If that fails at the given share of the way, it is tried in the middle.
    fn between(
        &mut self,
        [a, b]: [&Minimum; 2],
        share: f64,
    ) -> std::result::Result<Minimum, String> {
        let mut reason = String::new();
        for share in [share, 0.5] {
            let distance = a.distance + share * (b.distance - a.distance);
            let line = self.others.line(&a.point.theta, &b.point.theta, share);
            let starts = [line, a.point.theta.clone(), b.point.theta.clone()];
            let place = (distance, self.axis.value(distance));
            match self.held.minimise(place, &starts, a) {
                Ok(minimum) => return Ok(minimum),
                Err(failure) => reason = failure,
            }
        }
        Err(reason)
    }
}

impl Pace {
    /// Halves a step that failed.
    fn fail(&mut self, step: f64) {
        self.step = 0.5 * step;
        self.failures += 1;
        self.successes = 0;
    }

    /// Chooses the next step after a step that changed the root, and returns whether the step was too long.
    fn adapt(&mut self, step: f64, change: f64) -> bool {
        let repeat = change > LARGEST && self.repeats < REPEATS;
        self.repeats = if repeat { self.repeats + 1 } else { 0 };
        self.successes += 1;
        let mut factor = AIM / change.abs();
        if self.successes >= 2 {
            self.failures = 0;
        } else if self.failures > 0 {
            // A step that grew at once would fail again and again at the end of the domain of the model.
            factor = factor.min(1.0);
        }
        self.step = step
            * match repeat {
                true => factor.clamp(0.1, 0.5),
                false => factor.clamp(0.3, 2.0),
            };
        repeat
    }
}

/// Returns dθ/dθⱼ along the profile to first order, which is the column Σⱼ of the covariance divided by its entry Σⱼⱼ.
fn tangent(covariance: &Mat<f64>, j: usize) -> Option<Vec<f64>> {
    // With the curvature H in blocks, the minimum over the others moves by −H_oo⁻¹ H_oj, which is Σ_oj/Σ_jj by inversion
    // of the blocks of H = Σ⁻¹.
    let column = covariance.col_as_slice(j);
    (column[j] > 0.0).then(|| column.iter().map(|c| c / column[j]).collect())
}
