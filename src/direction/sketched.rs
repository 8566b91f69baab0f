//! Natural direction from a few random adjoint solves.

use faer::{Mat, MatRef};

use super::low_rank::{LowRank, LowRankPath};
use super::{Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::prior::PriorTerms;
use crate::sketch::{Hutchinson, Length, ProbeKind, Probes, Sketch};
use crate::vector::dot;

/// Estimate of η from one batch of m random adjoint solves, instead of p tangents or one adjoint per datum.
///
/// The estimated geometry has a relative error of about √(p/m), whatever the number of states. Every step draws new
/// probes. Priors enter exactly. Damping is proportional to the precision of the priors, or to the diagonal of the
/// geometry without priors.
///
/// [`Armijo`](crate::step::Armijo) is the most suitable step rule. A rejected trial is evidence about the
/// current probes only, whereas [`TrustRatio`](crate::step::TrustRatio) would carry the damping over to later
/// steps. [`Estimator`] lists the estimates; the guide to directions says when sketching is worthwhile.
#[derive(Clone, Copy, Debug)]
pub struct Sketched {
    /// Estimate computed from the probes.
    pub estimator: Estimator,
    /// Distribution of the probes.
    pub kind: ProbeKind,
    /// Number m of probes per step.
    pub probes: usize,
    /// Seed of the probes of the first step. Every later step increments the seed.
    pub seed: u64,
}

/// Estimate from the sketch S = (LᵀW)ᵀZ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Estimator {
    /// Estimate −(Ĝ + Λ)⁻¹ ∇f with the exact gradient, where Λ is the precision of the priors and Ĝ = SᵀS/m
    /// is multiplied by the mean inflation of its inverse. This estimate is always a descent direction.
    #[default]
    Geometry,
    /// Estimate argmin ‖S η + Wᵀdual(u)‖, with the same probes W on both sides.
    ///
    /// The estimate is exact on data that the model can explain once m ≥ p, and the descent then converges as fast as
    /// with the exact step. The direction falls back to `Geometry`, from the same solves, in three cases: the residual
    /// of the fit reveals data that the model cannot explain, the step is no descent direction, or its first trial is
    /// rejected.
    Solve,
    /// Published estimate −(H HᵀLZ/m)⁺ dual(u) with probes H of length k. Without correction its steps are
    /// about m/(m + k − 1) times as long as they should be.
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
    /// Path that replaces `path` after a rejected first trial, because no damping repairs a bad sketched gradient.
    fallback: Option<LowRankPath>,
    /// Whether `at` has been called.
    tried: bool,
    /// Factor of all steps, which compensates for a geometry that is too large by this factor.
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
        // The objective decreases by at most −∇f·η along a convex model; a sketched gradient may predict more.
        let slope = -dot(self.true_gradient, &proposal.eta);
        proposal.predicted = proposal.predicted.min(slope);
        Ok(proposal)
    }

    fn remark(&self) -> Option<String> {
        self.remark.map(str::to_string)
    }
}

/// Returns the rows √ωⱼ sⱼ, whose Gram matrix is Ĝ = Σ ωⱼ sⱼsⱼᵀ.
fn weighted_rows(sketch: &Sketch<'_>) -> Mat<f64> {
    let (s, weights) = (sketch.rows(), sketch.probes().weights());
    Mat::from_fn(s.nrows(), s.ncols(), |j, i| weights[j].sqrt() * s[(j, i)])
}

fn geometry<'a>(sketch: &Sketch<'_>, at: &Local<'_>) -> Result<SketchedPath<'a>> {
    let mut geometry = LowRank::new(weighted_rows(sketch).as_ref(), at.prior)?;
    // The inverse of a random Gram matrix is too large on average, by a factor that depends on the ratio of
    // the rank to m. With a prior the effective dimension replaces the rank (Dereziński, Bartan, Pilanci,
    // Mahoney 2020).
    let prior_weight = if at.prior.is_some() { 1.0 } else { 0.0 };
    // Along an eigenvector the data have the share κ/(κ + 1) of the precision. The sum of the shares counts
    // the directions whose inverse is random. Without a prior every share is 1, and the sum is the rank.
    let rank = geometry.effective_rank(prior_weight).round() as usize;
    let factor = sketch.inverse_factor(sketch.probes().random(), rank);
    geometry.scale(factor.unwrap_or(1.0).recip());
    let mut path = SketchedPath::new(geometry.path(at.grad, at.prior)?);
    if factor.is_none() {
        path.remark = Some(
            "too few probes for unbiased lengths of sketched steps; take more probes than the number of parameters \
             that the data determine",
        );
    }
    Ok(path)
}

/// Fraction of the squared data outside the range of the model above which the data count as unexplained.
//
// With Gaussian probes, an unexplained fraction s causes an error of the fit of √(s p/(m − p − 1)), relative
// to the data. At s = 0.1 this error is below a third for m > 2p. The residual of the sketch shows about the
// fraction 1 − p/m of s, and nothing for m ≤ p.
const UNEXPLAINED: f64 = 0.1;

fn solve<'a>(sketch: &Sketch<'_>, at: &Local<'_>) -> Result<SketchedPath<'a>> {
    let rows = weighted_rows(sketch);
    let weights = sketch.probes().weights();
    let projected = sketch.probe_products(&at.metric()?.dual(at.covector)?)?;
    let b: Vec<f64> = projected
        .iter()
        .zip(weights)
        .map(|(b, w)| w.sqrt() * b)
        .collect();
    let gradient = data_gradient(rows.as_ref(), &b, at.prior);
    let mut path = LowRank::new(rows.as_ref(), at.prior)?.path(&gradient, at.prior)?;
    let eta = path.at(0.0)?.eta;
    // The fit leaves the fraction ‖Sη + b‖²/‖b‖² of the sketched data unexplained. The quotient is NaN if
    // b = 0, where the data already fit.
    let [step, column] = [&eta, &b].map(|x| MatRef::from_column_major_slice(x, x.len(), 1));
    let residual = rows.as_ref() * step + column;
    let unexplained = dot(residual.col_as_slice(0), residual.col_as_slice(0)) / dot(&b, &b);
    if dot(at.grad, &eta) < 0.0 && (unexplained.is_nan() || unexplained <= UNEXPLAINED) {
        let mut path = SketchedPath::new(path);
        path.fallback = Some(geometry(sketch, at)?.path);
        return Ok(path);
    }
    let mut path = geometry(sketch, at)?;
    path.remark = Some(
        "the linearised model does not explain all of the data: the sketched geometry with the exact gradient replaces \
         sketch and solve",
    );
    Ok(path)
}

/// Returns Aᵀb + ∇R, the gradient of ½‖A η + b‖² + R at η = 0.
fn data_gradient(a: MatRef<'_, f64>, b: &[f64], prior: Option<&PriorTerms<'_>>) -> Vec<f64> {
    let column = MatRef::from_column_major_slice(b, b.len(), 1);
    let mut gradient = (a.transpose() * column).col_as_slice(0).to_vec();
    if let Some(prior) = prior {
        let terms = prior.gradient();
        gradient.iter_mut().zip(terms).for_each(|(g, r)| *g += r);
    }
    gradient
}
fn published<'a>(sketch: &Sketch<'_>, at: &Local<'_>, length: Length) -> Result<SketchedPath<'a>> {
    let dual = at.metric()?.dual(at.covector)?;
    let published = Hutchinson::new(sketch);
    let matrix = published.value();
    let gradient = data_gradient(matrix.as_ref(), &dual, at.prior);
    let geometry = LowRank::new(matrix.as_ref(), at.prior)?;
    let rank = geometry.rank();
    let mut path = SketchedPath::new(geometry.path(&gradient, at.prior)?);
    path.factor = published.factor(length, sketch.probes().random(), rank)?;
    Ok(path)
}
