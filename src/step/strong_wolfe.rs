//! Line search for the strong Wolfe conditions.

use super::interval::{End, Interval};
use super::{ATTEMPTS, Judge, ROUNDED, StepRule, Trial, Verdict};
use crate::check;
use crate::error::Result;

/// Line search for a scale t with the strong Wolfe conditions
///
/// ```text
/// f(θ + tη) ≤ f(θ) + c₁ t ∇f(θ)·η   and   |∇f(θ + tη)·η| ≤ c₂ |∇f(θ)·η|.
/// ```
///
/// The first condition excludes long steps, the second short ones, so that the slope changes along the step.
/// [`Lbfgs`](crate::direction::Lbfgs) and [`NonlinearCg`](crate::direction::NonlinearCg) learn the curvature from this change.
/// Trials first grow until they bracket such a scale. Cubic interpolation then narrows the bracket (Moré and Thuente 1994;
/// Nocedal and Wright 2006, algorithms 3.5 and 3.6).
///
/// A trial that meets the first condition takes a linearisation and an adjoint solve for its slope. The next step begins with
/// them, so that a step whose first trial is accepted costs no more than a step of [`Armijo`](super::Armijo). Where rounding
/// hides the decrease, slopes replace values (Hager and Zhang 2005).
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::{Descent, direction::Lbfgs, loss::L2Misfit, step::StrongWolfe};
/// /// Rosenbrock's valley as a sum of squares.
/// struct Valley;
/// impl Formula for Valley {
///     fn dims(&self) -> (usize, usize) { (2, 2) }
///     fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
///         out[0] = (t[1] - t[0] * t[0]) * 10.0;
///         out[1] = t[0] - 1.0;
///     }
/// }
/// let (curve, loss) = (Curve::new(Valley), L2Misfit::euclidean(vec![0.0, 0.0])?);
/// let (lbfgs, wolfe) = (Lbfgs::default(), StrongWolfe::default());
/// let report = Descent::new(&curve, &loss).direction(&lbfgs).step(&wolfe).run(&[-1.2, 1.0], |_| ())?;
/// assert!(report.converged() && (report.theta[0] - 1.0).abs() < 1e-6, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StrongWolfe {
    /// Required fraction c₁ of the decrease by the slope, between 0 and ½.
    pub decrease: f64,
    /// Largest fraction c₂ of the slope that may remain, between c₁ and 1.
    pub curvature: f64,
    /// Number of trials after which the best trial with the first condition is accepted. Bounds and kinks may leave no scale
    /// with both conditions. At most 40.
    pub trials: usize,
}

impl Default for StrongWolfe {
    /// Returns the rule for quasi-Newton directions, with c₁ = 10⁻⁴ and c₂ = 0.9.
    fn default() -> Self {
        Self {
            decrease: 1e-4,
            curvature: 0.9,
            trials: 20,
        }
    }
}

impl StrongWolfe {
    /// Returns the rule for nonlinear conjugate gradients, with c₂ = 0.1. They need steps close to the minimum along the
    /// direction.
    pub fn close() -> Self {
        Self {
            curvature: 0.1,
            ..Self::default()
        }
    }
}

impl StepRule for StrongWolfe {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(LineSearch {
            rule: *self,
            interval: Interval::default(),
        })
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the decrease of strong Wolfe steps",
            self.decrease,
            self.decrease > 0.0 && self.decrease < 0.5,
            "give a number between 0 and ½, such as 1e-4",
        )?;
        check::option(
            "the curvature of strong Wolfe steps",
            self.curvature,
            self.curvature > self.decrease && self.curvature < 1.0,
            "give a number between the decrease and 1, such as 0.9, or 0.1 for conjugate gradients",
        )?;
        check::option(
            "the trials of strong Wolfe steps",
            self.trials as f64,
            (1..=ATTEMPTS).contains(&self.trials),
            "allow at least one and at most 40, such as 20",
        )
    }

    fn name(&self) -> &'static str {
        "strong Wolfe"
    }
}

/// Line search in one run. Nothing carries over from one step to the next.
struct LineSearch {
    rule: StrongWolfe,
    interval: Interval,
}

impl Judge for LineSearch {
    fn first(&self) -> (f64, f64) {
        (1.0, 0.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        if trial.attempt == 0 {
            self.interval = Interval::new(trial);
        }
        if trial.indistinguishable() {
            return Verdict::Accept;
        }
        if trial.slope >= 0.0 || trial.slope.is_nan() {
            return without_slope(trial);
        }
        if !self.is_low(trial) {
            self.interval.end_at(End::of(trial));
            return self.go_on(trial, Verdict::Scale);
        }
        let Some(slope) = trial.end_slope else {
            return Verdict::Slope;
        };
        if slope.abs() <= self.flat(trial) * trial.slope.abs() {
            return Verdict::Accept;
        }
        self.interval.move_to(End::of(trial));
        self.go_on(trial, Verdict::Keep)
    }
}

impl LineSearch {
    /// Returns whether a trial has the first condition, and is below the best earlier trial.
    fn is_low(&self, trial: &Trial) -> bool {
        let (decrease, low) = (trial.loss - trial.trial_loss, self.interval.low.loss);
        let enough = decrease >= -self.rule.decrease * trial.scale * trial.slope;
        // A trial as high as θ up to rounding must not replace a much lower one.
        let as_low = trial.trial_loss <= low + ROUNDED * trial.rounding;
        (is_hidden(trial) && as_low) || (enough && trial.trial_loss < low)
    }

    /// Returns the largest fraction of the slope with which a trial is accepted.
    fn flat(&self, trial: &Trial) -> f64 {
        let StrongWolfe {
            decrease,
            curvature,
            ..
        } = self.rule;
        // Where rounding hides the change of the objective, the slope stands for both conditions: along a parabola the first
        // one is s ≤ (1 − 2c₁)|s₀| (Hager and Zhang 2005).
        match is_hidden(trial) {
            true => curvature.min(1.0 - 2.0 * decrease),
            false => curvature,
        }
    }

    /// Returns the verdict `next` with the scale of the next trial, or ends the search after many trials.
    fn go_on(&mut self, trial: &Trial, next: fn(f64) -> Verdict) -> Verdict {
        let (tried, low) = (trial.attempt + 1, self.interval.low.scale);
        let (here, scale) = (low == trial.scale, self.interval.next());
        // Between neighbouring numbers there is no further scale.
        let collapsed = scale == low || scale == trial.scale;
        if (tried >= self.rule.trials || collapsed) && low > 0.0 {
            return match here {
                true => Verdict::Accept,
                false => Verdict::AcceptKept,
            };
        }
        match tried > ATTEMPTS || collapsed {
            true => Verdict::GiveUp,
            false => next(scale),
        }
    }
}

/// Returns whether the change of the objective may be rounding.
fn is_hidden(trial: &Trial) -> bool {
    (trial.loss - trial.trial_loss).abs() <= ROUNDED * trial.rounding
}

/// Returns the verdict about a trial without a slope to begin with, as at a saddle.
fn without_slope(trial: &Trial) -> Verdict {
    // Where the slope vanishes, the objective falls to second order only.
    let curved = trial.slope == 0.0 && trial.predicted > 0.0;
    if curved && trial.trial_loss < trial.loss {
        Verdict::Accept
    } else if curved && trial.attempt < ATTEMPTS {
        Verdict::Scale(0.5 * trial.scale)
    } else {
        Verdict::GiveUp
    }
}
