//! Verification of a metric: L, Lᵀ, M, Π and dual(·) against each other.

use faer::{Mat, MatRef};

use super::SOLVED;
use super::matching::tangent;
use super::probe::{DIRECTIONS, column, direction, distance, floored, pairing, ratio, size, worst};
use super::report::{Check, Verification};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Cpu, Operator, Side};
use crate::metric::{LocalForm, Metric, Root, prepare};

const TRANSPOSE: &str = "⟨L z, y⟩ = ⟨z, Lᵀy⟩";
const APPLY: &str = "M z = Lᵀ(L z)";
const SYMMETRIC: &str = "⟨z, M z'⟩ = ⟨M z, z'⟩";
const POSITIVE: &str = "⟨z, M z⟩ ≥ 0";
const IDEMPOTENT: &str = "Πᵀ Πᵀ c = Πᵀ c";
const PROJECTED: &str = "Πᵀ Lᵀ y = Lᵀ y";
const DUAL: &str = "Lᵀ dual(c) = Πᵀ c";
const LOCAL: &str = "local_form represents M";
const LIFTED: &str = "⟨L z', dual(M z)⟩ = ⟨z', M z⟩";

/// Verifies a metric at ρ: transposes, projection, symmetry, positivity and the lifted gradient dual(·).
///
/// Tangents z are random multiples of the ρᵢ. Covectors c are random multiples of the row sizes of M z. Errors of
/// covectors are weighted by the sizes of tangents. A metric that does not observe the whole state may reject a random
/// c with [`Error::NotInRange`]. Such a metric is tested with c = M z alone.
///
/// ```
/// use pullback::{Grid, metric::Wasserstein2, verify};
/// let grid = Grid::new(&[(0.0, 1.0, 4)])?;
/// assert!(verify::metric(&Wasserstein2::new(&grid), &[0.5, 1.0, 1.5, 1.0], 1)?.passed());
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails if the metric is not defined at ρ, or if one of its products fails.
pub fn metric(metric: &dyn Metric, rho: &[f64], seed: u64) -> Result<Verification> {
    check::finite("the state ρ", rho)?;
    let cpu = Cpu::default();
    let root = prepare(metric, rho, &cpu)?;
    let p = Probes::new(root.as_ref(), rho, seed)?;
    let mut report = Verification::new(format!("metric {} on {} states", metric.name(), rho.len()));
    for (name, needs, error) in laws() {
        report.push_after(needs, name, || Check::of(name, error(&p), SOLVED));
    }
    if let Some(form) = root.local_form() {
        report.push_after(&[APPLY], LOCAL, || Check::of(LOCAL, p.local(form), SOLVED));
    }
    Ok(report)
}

/// Identity that every metric satisfies: its name, the names of the identities that it requires, and the function that
/// computes its relative error.
type Law<'a> = (
    &'static str,
    &'static [&'static str],
    fn(&Probes<'a>) -> Result<f64>,
);

/// Returns all identities, in the order of their checks.
fn laws<'a>() -> [Law<'a>; 8] {
    [
        (TRANSPOSE, &[], Probes::transpose),
        (APPLY, &[TRANSPOSE], Probes::apply),
        (SYMMETRIC, &[TRANSPOSE, APPLY], Probes::symmetric),
        (POSITIVE, &[TRANSPOSE, APPLY], Probes::positive),
        (IDEMPOTENT, &[], Probes::idempotent),
        (PROJECTED, &[TRANSPOSE, IDEMPOTENT], Probes::projected),
        (DUAL, &[TRANSPOSE, IDEMPOTENT, PROJECTED], Probes::dual),
        (LIFTED, &[TRANSPOSE, APPLY, DUAL], Probes::lifted),
    ]
}

/// Metric with random tangents z, lifted vectors y and covectors c, one per column, and their images.
struct Probes<'a> {
    root: &'a dyn Root,
    /// Sizes of the entries of tangents, by which covectors are weighted.
    weights: Vec<f64>,
    z: Mat<f64>,
    /// Lifted tangents L Z.
    lifted: Mat<f64>,
    /// Products M Z with the metric.
    product: Mat<f64>,
    y: Mat<f64>,
    /// Lowered vectors Lᵀ Y.
    lowered: Mat<f64>,
    c: Mat<f64>,
}

impl<'a> Probes<'a> {
    /// Draws the random vectors and computes their images.
    fn new(root: &'a dyn Root, rho: &[f64], seed: u64) -> Result<Self> {
        // Each random vector has the entry sizes of the vectors that it is paired or compared with, so that no entry
        // dominates because of its units.
        let weights = floored(rho, SMALLEST);
        let z = batch(&weights, seed, 0);
        let (lifted, product) = (root.lift(z.as_ref())?, root.apply(z.as_ref())?);
        let y = batch(&row_sizes(lifted.as_ref()), seed, 1);
        let lowered = root.lower(y.as_ref())?;
        let c = batch(&row_sizes(product.as_ref()), seed, 2);
        Ok(Self {
            root,
            weights,
            z,
            lifted,
            product,
            y,
            lowered,
            c,
        })
    }

    /// Returns the error of ⟨L z, y⟩ = ⟨z, Lᵀy⟩.
    fn transpose(&self) -> Result<f64> {
        Ok(largest(|j| {
            let (z, y) = (self.z.col_as_slice(j), self.y.col_as_slice(j));
            pairing(
                (self.lifted.col_as_slice(j), y),
                (z, self.lowered.col_as_slice(j)),
            )
        }))
    }

    /// Returns the error of M z = Lᵀ(L z).
    fn apply(&self) -> Result<f64> {
        let composed = self.root.lower(self.lifted.as_ref())?;
        Ok(largest(|j| {
            self.distance(composed.col_as_slice(j), self.product.col_as_slice(j))
        }))
    }

    /// Returns the error of ⟨z, M z'⟩ = ⟨M z, z'⟩.
    fn symmetric(&self) -> Result<f64> {
        Ok(largest(|j| {
            // Two different tangents are needed: ⟨z, M z⟩ does not depend on the skew part of M.
            let k = (j + 1) % DIRECTIONS;
            let (z, other) = (self.z.col_as_slice(j), self.z.col_as_slice(k));
            let (m, other_m) = (self.product.col_as_slice(j), self.product.col_as_slice(k));
            pairing((z, other_m), (m, other))
        }))
    }

    /// Returns the error of ⟨z, M z⟩ ≥ 0: the negative part of the sum relative to the sum of absolute values.
    fn positive(&self) -> Result<f64> {
        Ok(largest(|j| {
            let (z, m) = (self.z.col_as_slice(j), self.product.col_as_slice(j));
            let terms = || z.iter().zip(m).map(|(z, m)| z * m);
            // In exact arithmetic the sum is ‖L z‖². Rounding makes it negative by up to about ε times the
            // sum of the |zᵢ(M z)ᵢ|, the scale below.
            let negative = worst(-terms().sum::<f64>(), 0.0);
            ratio(negative, terms().map(f64::abs).sum())
        }))
    }

    /// Returns the error of Πᵀ Πᵀ c = Πᵀ c.
    fn idempotent(&self) -> Result<f64> {
        Ok(largest(|j| {
            let once = self.project(self.c.col_as_slice(j));
            self.distance(&once, &self.project(&once))
        }))
    }

    /// Returns the error of Πᵀ Lᵀ y = Lᵀ y.
    fn projected(&self) -> Result<f64> {
        Ok(largest(|j| {
            // The projection is part of the lift, L = L Π. The transpose of this is Lᵀ = ΠᵀLᵀ.
            let lowered = self.lowered.col_as_slice(j);
            self.distance(&self.project(lowered), lowered)
        }))
    }

    /// Returns the error of Lᵀ dual(c) = Πᵀ c, for random c unless the metric rejects them, and for c = M z.
    fn dual(&self) -> Result<f64> {
        let mut error = 0.0;
        for j in 0..DIRECTIONS {
            // c = M z = Lᵀ(L z) lies in the range of Lᵀ. A metric that observes only part of the state must
            // accept this c, though it may reject others.
            match self.dual_of(self.c.col_as_slice(j)) {
                Err(Error::NotInRange { .. }) => {}
                other => error = worst(error, other?),
            }
            error = worst(error, self.dual_of(self.product.col_as_slice(j))?);
        }
        Ok(error)
    }

    /// Returns the relative error of Lᵀ dual(c) = Πᵀ c for one c.
    fn dual_of(&self, c: &[f64]) -> Result<f64> {
        let lowered = self.root.lower(column(&self.lifted_dual(c)?))?;
        Ok(self.distance(lowered.col_as_slice(0), &self.project(c)))
    }

    /// Returns the error of ⟨L z', dual(M z)⟩ = ⟨z', M z⟩.
    fn lifted(&self) -> Result<f64> {
        // ⟨L z', dual(c)⟩ = ⟨z', Lᵀ dual(c)⟩ = ⟨z', Πᵀc⟩, and Πᵀ M = M since M = LᵀL and Πᵀ Lᵀ = Lᵀ.
        let mut error = 0.0;
        for j in 0..DIRECTIONS {
            let (m, k) = (self.product.col_as_slice(j), (j + 1) % DIRECTIONS);
            let (z, lifted) = (self.z.col_as_slice(k), self.lifted.col_as_slice(k));
            error = worst(error, pairing((lifted, &self.lifted_dual(m)?), (z, m)));
        }
        Ok(error)
    }

    /// Returns the error of ⟨Πz', M Πz⟩ = ⟨z', M z⟩, with the products M Πz of a local form.
    fn local(&self, form: LocalForm) -> Result<f64> {
        // A local form without Π is right up to constants, which pair with Πz' to zero.
        let columns: Vec<Vec<f64>> = (0..DIRECTIONS)
            .map(|j| tangent(self.root, self.z.col_as_slice(j).to_vec()))
            .collect();
        let tangents = Mat::from_fn(self.weights.len(), DIRECTIONS, |i, j| columns[j][i]);
        let product = match form {
            LocalForm::Metric(m) => Operator::sparse(m).apply(Side::Plain, tangents.as_ref())?,
            LocalForm::Inverse(r) => {
                let mut x = tangents.clone();
                let factor = Cpu::shared().factor(Operator::sparse(r))?;
                factor.solve(Side::Plain, None, x.as_mut())?;
                x
            }
        };
        check::length(
            "the rows of a local form",
            product.nrows(),
            tangents.nrows(),
        )?;
        Ok(largest(|j| {
            let k = (j + 1) % DIRECTIONS;
            let (z, m) = (tangents.col_as_slice(k), self.product.col_as_slice(j));
            pairing((z, product.col_as_slice(j)), (z, m))
        }))
    }

    /// Returns dual(c).
    fn lifted_dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        self.root.dual(c)
    }

    /// Returns Πᵀc.
    fn project(&self, c: &[f64]) -> Vec<f64> {
        let mut c = c.to_vec();
        self.root.project(&mut c);
        c
    }

    /// Returns the relative distance of two covectors, weighted by the sizes of tangents.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        // The pairing of a covector c with a tangent of size w is at most Σ wᵢ|cᵢ|. Errors are measured in
        // this norm.
        distance(a, b, &self.weights)
    }
}

/// Smallest size of a random entry relative to the largest, so that empty cells are tested too.
const SMALLEST: f64 = 1e-8;

/// Returns a batch of random directions with these weights. Each `kind` has streams of its own.
fn batch(weights: &[f64], seed: u64, kind: u64) -> Mat<f64> {
    let columns = (0..DIRECTIONS as u64).map(|j| direction(weights, seed, 10 * kind + j));
    let columns: Vec<Vec<f64>> = columns.collect();
    Mat::from_fn(weights.len(), DIRECTIONS, |i, j| columns[j][i])
}

/// Returns the largest absolute value of each row, raised to at least 10⁻⁸ of the largest row.
fn row_sizes(batch: MatRef<'_, f64>) -> Vec<f64> {
    let largest = |i: usize| (0..batch.ncols()).fold(0.0, |m, j| worst(m, batch[(i, j)].abs()));
    let rows: Vec<f64> = (0..batch.nrows()).map(largest).collect();
    let least = SMALLEST * size(&rows);
    rows.iter().map(|r| worst(*r, least)).collect()
}

/// Returns the largest error over all directions.
fn largest(error: impl Fn(usize) -> f64) -> f64 {
    (0..DIRECTIONS).map(error).fold(0.0, worst)
}
