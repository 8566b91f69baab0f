//! Merging of converged runs into distinct optima.

use super::summary::{Fit, Optimum};
use crate::check;
use crate::coordinates::Transform;
use crate::descent::{Descent, Report};
use crate::error::Result;
use crate::posterior::Variance;

/// Difference of two objectives that counts as rounding, relative to the median objective at the starts.
const ROUNDING: f64 = 1e-12;

/// Multiple of the predicted decrease by which a converged run may lie above its optimum.
const TWICE: f64 = 2.0;

/// Tolerances by which two converged runs count as one optimum. The [module](super) states the criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merging {
    /// Largest difference of the objectives, relative to the larger.
    pub loss: f64,
    /// Largest difference of a parameter, relative to its size in the search.
    pub parameters: f64,
    /// Largest difference of a parameter in standard errors, where these are known.
    pub errors: f64,
}

impl Default for Merging {
    fn default() -> Self {
        Self {
            loss: 1e-6,
            parameters: 1e-4,
            errors: 0.1,
        }
    }
}

impl Merging {
    pub(super) fn check(&self) -> Result<()> {
        for (what, value) in [
            ("the tolerance of merged objectives", self.loss),
            ("the tolerance of merged parameters", self.parameters),
            (
                "the tolerance of merged parameters in standard errors",
                self.errors,
            ),
        ] {
            let sound = value >= 0.0 && value.is_finite();
            check::option(what, value, sound, "give a small number such as 1e-4")?;
        }
        Ok(())
    }
}

/// Setting of the search as far as merging needs it.
pub(super) struct Merger<'m> {
    pub(super) descent: &'m Descent<'m>,
    pub(super) merging: Merging,
    pub(super) variance: Option<Variance>,
    pub(super) representative: Option<super::Representative<'m>>,
}

/// Scales of the search, from its starting points.
struct Scales {
    /// Median objective at the starts.
    loss: f64,
    /// Size of every parameter at the starts.
    parameters: Vec<Size>,
}

/// Size of a parameter, of which differences are small or large.
enum Size {
    /// Mean distance of the starts from their mean. An offset that all starts share does not count.
    Spread(f64),
    /// Median of |θⱼ| at the starts, for a parameter whose differences are relative or whose starts do not differ.
    Magnitude(f64),
}

/// Relative difference of a parameter that counts as the inaccuracy of converged runs, relative to the tolerance.
const INACCURACY: f64 = 1e-4;

impl Size {
    fn of(starts: &[f64], transform: Transform) -> Self {
        let mean =
            |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / starts.len() as f64;
        let centre = mean(&mut starts.iter().copied());
        let spread = mean(&mut starts.iter().map(|x| (x - centre).abs()));
        // The mean of equal numbers need not be equal to them.
        let negligible = starts.len() as f64 * f64::EPSILON * centre.abs();
        match transform {
            Transform::Identity | Transform::Logit { .. } if spread > negligible => {
                Self::Spread(spread)
            }
            _ => Self::Magnitude(median(starts.iter().map(|x| x.abs()).collect())),
        }
    }

    /// Returns the size at a pair of points, the larger of which has this magnitude.
    fn at(&self, magnitude: f64) -> f64 {
        match self {
            Self::Spread(spread) => spread.max(INACCURACY * magnitude),
            Self::Magnitude(start) => start.max(magnitude),
        }
    }
}

impl Merger<'_> {
    /// Returns the distinct optima in the order of their objectives, and notes in every converged run which it found.
    pub(super) fn merge(&self, fits: &mut [Fit], starts: &[(Vec<f64>, f64)]) -> Vec<Optimum> {
        let scales = Scales::of(starts, self.descent);
        let mut order: Vec<usize> = (0..fits.len())
            .filter(|&i| fits[i].report.converged() && !fits[i].reached())
            .collect();
        order.sort_by(|&i, &j| fits[i].report.loss.total_cmp(&fits[j].report.loss));
        let mut optima: Vec<Optimum> = Vec::new();
        for i in order {
            let (theta, loss) = (self.theta(&fits[i].report), fits[i].report.loss);
            let found = optima
                .iter()
                .position(|o| self.agree(o, &theta, &fits[i].report, &scales));
            let place = found.unwrap_or_else(|| {
                let errors = self.errors(&fits[i].report, &theta);
                optima.push(Optimum {
                    excess: loss - optima.first().map_or(loss, |best| best.loss),
                    theta,
                    loss,
                    fit: i,
                    starts: Vec::new(),
                    standard_errors: errors,
                });
                optima.len() - 1
            });
            optima[place].starts.push(fits[i].start);
            fits[i].optimum = Some(place);
        }
        optima.iter_mut().for_each(|o| o.starts.sort_unstable());
        optima
    }

    /// Returns the representative of the parameters of a report.
    fn theta(&self, report: &Report) -> Vec<f64> {
        let same = || report.theta.clone();
        self.representative
            .map_or_else(same, |map| map(&report.theta))
    }

    /// Returns the standard errors at the representative, if they are asked for and can be computed.
    fn errors(&self, report: &Report, theta: &[f64]) -> Option<Vec<f64>> {
        let variance = self.variance?;
        // The state is that of all members of the symmetry class.
        let mut moved = report.clone();
        moved.theta = theta.to_vec();
        let estimates = moved.estimates(self.descent, variance).ok()?;
        Some(estimates.uncertainty().standard_errors.clone())
    }

    /// Returns whether a run with these parameters and this objective found the optimum.
    fn agree(&self, optimum: &Optimum, theta: &[f64], report: &Report, scales: &Scales) -> bool {
        let Merging {
            loss: tolerance,
            parameters,
            errors,
        } = self.merging;
        let loss = report.loss;
        let larger = loss.abs().max(optimum.loss.abs());
        // A run that stops by its step may leave more than rounding to a perfect fit, and knows how much.
        let inaccuracy = ROUNDING * scales.loss + TWICE * report.predicted_decrease();
        if (loss - optimum.loss).abs() > tolerance * larger + inaccuracy {
            return false;
        }
        theta
            .iter()
            .zip(&optimum.theta)
            .enumerate()
            .all(|(j, (a, b))| {
                let size = scales.parameters[j].at(a.abs().max(b.abs()));
                let error = optimum.standard_errors.as_ref().map_or(0.0, |e| e[j]);
                // 0·∞ is NaN, which `max` ignores.
                (a - b).abs() <= (parameters * size).max(errors * error)
            })
    }
}

impl Scales {
    /// Returns the scales of starting points with their objectives.
    fn of(starts: &[(Vec<f64>, f64)], descent: &Descent<'_>) -> Self {
        let p = starts.first().map_or(0, |(from, _)| from.len());
        let transforms = descent.domain().1;
        let size = |j: usize| {
            let values: Vec<f64> = starts.iter().map(|(from, _)| from[j]).collect();
            Size::of(&values, transforms.map_or(Transform::Identity, |t| t[j]))
        };
        Self {
            loss: median(starts.iter().map(|(_, loss)| loss.abs()).collect()),
            parameters: (0..p).map(size).collect(),
        }
    }
}

/// Returns the middle value, the smaller of the two in the middle, or 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}
