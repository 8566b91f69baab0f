//! What is still to be gained from a point: the units of the coordinates, and the step that is left.

use super::here::Here;
use super::point::Problem;
use super::stop::Stop;
use crate::coordinates::Transform;
use crate::direction::{Path, Proposal};

/// Lengths of steps in units that do not depend on those of the parameters.
pub(super) struct Ruler {
    /// What changes of the state a unit of every coordinate brings: the norms of the columns of L Z, at their widest.
    effects: Vec<f64>,
    /// A natural size of every coordinate.
    units: Vec<f64>,
}

impl Ruler {
    /// ‖D η‖/‖D ξ‖ with the effects D and the units ξ of the coordinates (Moré 1978); None where the effects are not
    /// known or nothing has a size.
    pub(super) fn length(&self, eta: &[f64]) -> Option<f64> {
        let size = self.effect(&self.units);
        (size > 0.0 && size.is_finite()).then(|| self.effect(eta) / size)
    }

    /// ‖D x‖.
    fn effect(&self, x: &[f64]) -> f64 {
        let terms = x.iter().zip(&self.effects).map(|(x, d)| (x * d).powi(2));
        terms.sum::<f64>().sqrt()
    }

    /// The largest change of a coordinate by η in its own unit. A coordinate that is as good as zero is measured by its
    /// effect beside those of all.
    fn largest_change(&self, eta: &[f64]) -> f64 {
        let all = self.effect(&self.units);
        let change = |j: usize| {
            let small = self.effects.get(j).map_or(0.0, |d| SHARE * all / d);
            let unit = self.units[j].max(if small.is_finite() { small } else { 0.0 });
            if eta[j] == 0.0 {
                0.0
            } else {
                eta[j].abs() / unit
            }
        };
        (0..eta.len()).map(change).fold(0.0, f64::max)
    }
}

/// The share of the effect of all coordinates below which one counts as zero.
const SHARE: f64 = 1e-6;

/// The step that is left: that of the undamped model at the present point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// The decrease of the objective that it promises.
    pub(super) decrease: f64,
    /// The largest change of a coordinate, in its unit.
    pub(super) step: f64,
    /// The decrease that a heavily damped step promises, in the widest geometry of the run. Beside a fold, where a
    /// parameter turns round and its column of Z vanishes, the undamped one promises what it cannot keep.
    pub(super) damped: f64,
    /// Whether the geometry is that of the loss, so that these have the right size before a step has shown it.
    pub(super) scaled: bool,
    /// The rounding error of the objective.
    pub(super) rounding: f64,
    /// A parameter that may have lost its effect on the state.
    pub(super) suspect: Option<usize>,
}

impl Problem<'_> {
    /// The ruler at a point, by the norms of the columns that a direction found there.
    pub(super) fn ruler(&self, here: &Here<'_>, norms: &[f64]) -> Ruler {
        Ruler {
            effects: match norms {
                [] => Vec::new(),
                _ => self.widest(here),
            },
            units: here.chart.free.iter().map(|&i| self.unit(i)).collect(),
        }
    }

    /// What is left at a point, where a direction can tell without solves; `scale` is what the step rule would multiply
    /// it with.
    pub(super) fn outlook(
        &self,
        here: &Here<'_>,
        path: &mut dyn Path,
        (ruler, scale): (&Ruler, f64),
    ) -> Option<Outlook> {
        let Proposal { eta, predicted, .. } = path.undamped()?;
        Some(Outlook {
            decrease: scale * predicted,
            step: scale * ruler.largest_change(&eta),
            damped: if path.norms().is_empty() {
                f64::INFINITY
            } else {
                path.at(1.0).map_or(f64::INFINITY, |p| scale * p.predicted)
            },
            scaled: self.is_matched(),
            rounding: here.rounding,
            suspect: self.suspect(here, path.norms(), ruler),
        })
    }

    /// The first parameter that once had an effect and may have none now: to first order, a change by its own size is not
    /// seen beside what is left of the objective.
    fn suspect(&self, here: &Here<'_>, norms: &[f64], ruler: &Ruler) -> Option<usize> {
        let seen = (2.0 * here.point.loss.abs()).sqrt();
        let gone = |j: &usize| {
            let (now, unit) = (norms[*j], ruler.units[*j]);
            now <= GONE * ruler.effects[*j] && now * unit <= GONE * seen && unit > 0.0
        };
        let found = (0..norms.len()).find(gone);
        let all = !norms.is_empty() && norms.iter().all(|n| *n == 0.0) && here.point.loss != 0.0;
        found.or(all.then_some(0)).map(|j| here.chart.free[j])
    }

    /// Says so where a run comes to rest and a suspected parameter has indeed lost its effect.
    pub(super) fn lost(&self, here: &Here<'_>, suspect: Option<usize>) -> Option<Stop> {
        let parameter = suspect.filter(|&parameter| self.is_lost(here, parameter))?;
        Some(Stop::Lost { parameter })
    }

    /// Whether the objective does not change with a parameter, to either side: the floor of the valley is flat, as
    /// where an exponential has died out. At a fold it does change.
    fn is_lost(&self, here: &Here<'_>, parameter: usize) -> bool {
        let place = here.chart.free.iter().position(|&i| i == parameter);
        let unit = self.unit(parameter).max(f64::MIN_POSITIVE);
        let changes = |share: f64| {
            let mut eta = vec![0.0; here.chart.free.len()];
            place.into_iter().for_each(|j| eta[j] = share * unit);
            let there = self.attempt(self.moved(here, &eta, 1.0), here.point);
            let size = here.point.loss.abs();
            there.is_none_or(|there| (there.loss - here.point.loss).abs() > GONE * size)
        };
        !changes(PROBE) && !changes(-PROBE)
    }

    /// A natural size of a coordinate.
    fn unit(&self, i: usize) -> f64 {
        match self.setting.transforms.map(|t| t[i]) {
            None | Some(Transform::Identity) => self.sizes()[i],
            // Steps in these coordinates are relative already.
            Some(_) => 1.0,
        }
    }
}

/// The share of its size by which a parameter is moved to see whether the objective changes.
const PROBE: f64 = 0.1;

/// The fraction of an earlier effect, and of what is left of the objective, that counts as no effect.
const GONE: f64 = 1e-6;
