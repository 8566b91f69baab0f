//! What is still to be gained from a point: the units of the coordinates, and the step that is left.

use super::linearised::Linearised;
use super::memory::Memory;
use super::problem::Problem;
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

impl Ruler {
    /// Makes the ruler at a point from the norms of the columns that a direction found there.
    pub(super) fn new(
        problem: &Problem<'_>,
        memory: &Memory,
        here: &Linearised<'_>,
        norms: &[f64],
    ) -> Self {
        let free = here.chart.free.iter();
        Self {
            effects: match norms {
                [] => Vec::new(),
                _ => memory.widest(here),
            },
            units: free.map(|&i| problem.unit(i, memory)).collect(),
        }
    }
}

impl Outlook {
    /// Tells what is left at a point, where a direction can tell without solves; `scale` is the factor by which the step
    /// rule would multiply it.
    pub(super) fn at(
        here: &Linearised<'_>,
        path: &mut dyn Path,
        (ruler, scale): (&Ruler, f64),
    ) -> Option<Self> {
        let Proposal { eta, predicted, .. } = path.undamped()?;
        Some(Self {
            decrease: scale * predicted,
            step: scale * ruler.largest_change(&eta),
            damped: if path.norms().is_empty() {
                f64::INFINITY
            } else {
                path.at(1.0).map_or(f64::INFINITY, |p| scale * p.predicted)
            },
            scaled: false,
            rounding: here.rounding,
            suspect: suspect(here, path.norms(), ruler),
        })
    }

    /// Says whether the geometry is that of the loss.
    pub(super) fn in_metric(self, matched: bool) -> Self {
        Self {
            scaled: matched,
            ..self
        }
    }
}

/// Returns the first parameter that once had an effect and may have none now: to first order, a change by its own size is
/// not seen beside what is left of the objective.
fn suspect(here: &Linearised<'_>, norms: &[f64], ruler: &Ruler) -> Option<usize> {
    let seen = (2.0 * here.point.loss.abs()).sqrt();
    let gone = |j: &usize| {
        let (now, unit) = (norms[*j], ruler.units[*j]);
        now <= GONE * ruler.effects[*j] && now * unit <= GONE * seen && unit > 0.0
    };
    let found = (0..norms.len()).find(gone);
    let all = !norms.is_empty() && norms.iter().all(|n| *n == 0.0) && here.point.loss != 0.0;
    found.or(all.then_some(0)).map(|j| here.chart.free[j])
}

impl Problem<'_> {
    /// Says so where a run comes to rest and a suspected parameter has indeed lost its effect.
    pub(super) fn lost(
        &self,
        here: &Linearised<'_>,
        suspect: Option<usize>,
        memory: &mut Memory,
    ) -> Option<Stop> {
        let parameter = suspect.filter(|&parameter| self.is_lost(here, parameter, memory))?;
        Some(Stop::Lost { parameter })
    }

    /// Whether the objective does not change with a parameter, to either side: the floor of the valley is flat, as
    /// where an exponential has died out. At a fold it does change.
    fn is_lost(&self, here: &Linearised<'_>, parameter: usize, memory: &mut Memory) -> bool {
        let place = here.chart.free.iter().position(|&i| i == parameter);
        let unit = self.unit(parameter, memory).max(f64::MIN_POSITIVE);
        let mut changes = |share: f64| {
            let mut eta = vec![0.0; here.chart.free.len()];
            place.into_iter().for_each(|j| eta[j] = share * unit);
            let there = self.attempt(self.moved(here, &eta, 1.0), here.point, memory);
            let size = here.point.loss.abs();
            there.is_none_or(|there| (there.point.loss - here.point.loss).abs() > GONE * size)
        };
        !changes(PROBE) && !changes(-PROBE)
    }

    /// Whether a proposal would leave the box.
    pub(super) fn blocks(&self, here: &Linearised<'_>, proposal: &Proposal) -> bool {
        self.setting.bounds.is_some_and(|bounds| {
            let mut moves = here.chart.free.iter().zip(&proposal.eta);
            moves.any(|(&i, &eta)| bounds.blocks(i, here.point.theta[i], eta))
        })
    }

    /// A natural size of a coordinate.
    fn unit(&self, i: usize, memory: &Memory) -> f64 {
        match self.setting.transforms.map(|t| t[i]) {
            None | Some(Transform::Identity) => memory.size(i),
            // Steps in these coordinates are relative already.
            Some(_) => 1.0,
        }
    }
}

/// The share of its size by which a parameter is moved to see whether the objective changes.
const PROBE: f64 = 0.1;

/// The fraction of an earlier effect, and of what is left of the objective, that counts as no effect.
const GONE: f64 = 1e-6;
