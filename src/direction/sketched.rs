//! The natural direction from a few random adjoints.

use faer::{Mat, MatRef};

use super::low_rank::{LowRank, LowRankPath};
use super::{Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::sketch::{Hutchinson, Length, ProbeKind, Probes, Sketch};
use crate::vector::dot;

/// η by m random probes instead of p tangents or as many adjoints as there are data: one batch of m adjoint solves.
///
/// The geometry is random and its error about √(p/m), whatever the number of states; new probes are drawn at every
/// step. Priors enter as they are. Damping is in proportion to the precision of the priors, or to the diagonal of the
/// geometry where there are none. [`Armijo`](crate::step::Armijo) suits sketches best: a rejected trial says something
/// of these probes, where a trust ratio would damp those of later steps too. Which estimate, see [`Estimator`]; when it is worth it, see the guide to directions.
#[derive(Clone, Copy, Debug)]
pub struct Sketched {
    /// What is made of the probes.
    pub estimator: Estimator,
    /// How probes are drawn.
    pub kind: ProbeKind,
    /// m.
    pub probes: usize,
    /// The seed of the first step; later steps count up from it.
    pub seed: u64,
}

/// What a sketch S = (LᵀW)ᵀZ is made into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Estimator {
    /// −(Ĝ + …)⁻¹ ∇f with the exact gradient and Ĝ = SᵀS/m, the mean length that chance adds to the inverse divided
    /// out: a descent direction always.
    #[default]
    Geometry,
    /// argmin ‖S η + Wᵀdual(u)‖, the same probes on both sides: exact on data that the model can explain once m ≥ p, so
    /// that it converges as fast as the exact step. Where the residual of this fit shows data that cannot be explained,
    /// or it would ascend, or its first trial is rejected, the step is that of `Geometry`, from the same solves.
    Solve,
    /// The published estimate, −(H HᵀLZ/m)⁺ dual(u); without correction its steps are shorter by a factor of m/(m + k − 1).
    Published(Length),
}

impl Default for Sketched {
    fn default() -> Self {
        Self {
            estimator: Estimator::Geometry,
            kind: ProbeKind::Signs,
            probes: 64,
            seed: 0,
        }
    }
}

impl Direction for Sketched {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the number of probes of a sketched direction",
            self.probes as f64,
            self.probes > 0,
            "take at least as many as parameters for `Estimator::Solve`, and a few times as many otherwise",
        )
    }

    fn needs_precision(&self, _: usize) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        match self.estimator {
            Estimator::Geometry => "sketched geometry",
            Estimator::Solve => "sketch and solve",
            Estimator::Published(Length::Corrected) => "published sketch, corrected",
            Estimator::Published(Length::Literal) => "published sketch",
        }
    }
}

impl Finder for &Sketched {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let seed = self.seed.wrapping_add(at.iteration as u64);
        let probes = Probes::new(self.kind, root.lifted_dim(), self.probes, seed)?;
        let sketch = Sketch::new(at.z, root, &probes)?;
        let mut path = match self.estimator {
            Estimator::Geometry => geometry(&sketch, at)?,
            Estimator::Solve => solve(&sketch, at)?,
            Estimator::Published(length) => published(&sketch, at, length)?,
        };
        path.true_gradient = at.grad;
        Ok(Box::new(path))
    }
}

struct SketchedPath<'a> {
    path: LowRankPath,
    /// What takes over when a first trial was rejected: a sketched gradient may be too far off for any damping.
    fallback: Option<LowRankPath>,
    tried: bool,
    /// Lengths are multiplied by this, because the geometry is too large by it.
    factor: f64,
    true_gradient: &'a [f64],
    remark: Option<&'static str>,
}

impl SketchedPath<'_> {
    fn new(path: LowRankPath) -> Self {
        Self {
            path,
            fallback: None,
            tried: false,
            factor: 1.0,
            true_gradient: &[],
            remark: None,
        }
    }
}

impl Path for SketchedPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        if std::mem::replace(&mut self.tried, true)
            && let Some(exact) = self.fallback.take()
        {
            self.path = exact;
        }
        let mut proposal = self.path.at(damping)?;
        if dot(self.true_gradient, &proposal.eta) >= 0.0
            && let Some(exact) = self.fallback.take()
        {
            self.path = exact;
            proposal = self.path.at(damping)?;
        }
        proposal.eta.iter_mut().for_each(|e| *e *= self.factor);
        proposal.predicted *= self.factor;
        // A sketched gradient promises what the exact one does not keep.
        let slope = -dot(self.true_gradient, &proposal.eta);
        proposal.predicted = proposal.predicted.min(slope);
        Ok(proposal)
    }

    fn remark(&self) -> Option<String> {
        self.remark.map(str::to_string)
    }
}

/// √ωⱼ sⱼ as rows.
fn weighted_rows(sketch: &Sketch<'_>) -> Mat<f64> {
    let (s, weights) = (sketch.rows(), sketch.probes().weights());
    Mat::from_fn(s.nrows(), s.ncols(), |j, i| weights[j].sqrt() * s[(j, i)])
}

fn geometry<'a>(sketch: &Sketch<'_>, at: &Local<'_>) -> Result<SketchedPath<'a>> {
    let mut geometry = LowRank::new(weighted_rows(sketch).as_ref(), at.prior)?;
    // With a prior only what the data determine counts as parameters (Dereziński, Bartan, Pilanci, Mahoney 2020).
    let own = if at.prior.is_some() { 1.0 } else { 0.0 };
    let rank = geometry.effective_rank(own).round() as usize;
    let factor = sketch.inverse_factor(sketch.probes().random(), rank);
    geometry.stretch(factor.unwrap_or(1.0).recip());
    let mut path = SketchedPath::new(geometry.path(at.grad, at.prior)?);
    if factor.is_none() {
        path.remark = Some(
            "there are too few probes for the lengths of sketched steps to be right in the mean; take more than the \
             data determine parameters",
        );
    }
    Ok(path)
}

/// Data of which more than this share of the squares is beyond the model count as not explained.
const UNEXPLAINED: f64 = 0.1;

fn solve<'a>(sketch: &Sketch<'_>, at: &Local<'_>) -> Result<SketchedPath<'a>> {
    let rows = weighted_rows(sketch);
    let weights = sketch.probes().weights();
    let seen = sketch.looked_at(&at.metric()?.dual(at.covector)?)?;
    let b: Vec<f64> = seen
        .iter()
        .zip(weights)
        .map(|(b, w)| w.sqrt() * b)
        .collect();
    let column = MatRef::from_column_major_slice(&b, b.len(), 1);
    let mut gradient = (rows.transpose() * column).col_as_slice(0).to_vec();
    if let Some(prior) = at.prior {
        let own = prior.gradient();
        gradient.iter_mut().zip(own).for_each(|(g, r)| *g += r);
    }
    let mut path = LowRank::new(rows.as_ref(), at.prior)?.path(&gradient, at.prior)?;
    let eta = path.at(0.0)?.eta;
    let move_ = MatRef::from_column_major_slice(&eta, eta.len(), 1);
    let left = &rows * move_ + column;
    let unexplained = dot(left.col_as_slice(0), left.col_as_slice(0)) / dot(&b, &b);
    if dot(at.grad, &eta) < 0.0 && (unexplained.is_nan() || unexplained <= UNEXPLAINED) {
        let mut path = SketchedPath::new(path);
        path.fallback = Some(geometry(sketch, at)?.path);
        return Ok(path);
    }
    let mut path = geometry(sketch, at)?;
    path.remark = Some(
        "the data are not all explained by the model (or its present linearisation): sketch and solve gave way to the \
         sketched geometry with the exact gradient",
    );
    Ok(path)
}

fn published<'a>(sketch: &Sketch<'_>, at: &Local<'_>, length: Length) -> Result<SketchedPath<'a>> {
    let dual = at.metric()?.dual(at.covector)?;
    let published = Hutchinson::new(sketch);
    let matrix = published.value();
    let column = MatRef::from_column_major_slice(&dual, dual.len(), 1);
    let mut gradient = (matrix.transpose() * column).col_as_slice(0).to_vec();
    if let Some(prior) = at.prior {
        let own = prior.gradient();
        gradient.iter_mut().zip(own).for_each(|(g, r)| *g += r);
    }
    let geometry = LowRank::new(matrix.as_ref(), at.prior)?;
    let rank = geometry.rank();
    let mut path = SketchedPath::new(geometry.path(&gradient, at.prior)?);
    path.factor = published.factor(length, sketch.probes().random(), rank)?;
    Ok(path)
}
