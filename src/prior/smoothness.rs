//! Gradient penalties on fields.

use faer::sparse::{SparseColMat, Triplet};

use super::cosine::CosineFactor;
use super::{Prior, Quadratic, deviation};
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, Factor, Operator, Side};

/// H¹ penalty ½ w² ∫ |∇(θ − m)|² + (θ − m)²/ℓ² dx for the smoothness of a field on a grid.
///
/// Without a range ℓ the second term is absent, and constants are not penalised. The mean m is zero by default.
///
/// ```
/// use pullback::{Grid, Prior, prior::Smoothness};
/// let prior = Smoothness::new(&Grid::new(&[(0.0, 1.0, 4)])?, 1.0)?;
/// assert_eq!(prior.value(&[5.0, 5.0, 5.0, 5.0])?, 0.0);
/// assert_eq!(prior.with_range(0.5)?.value(&[5.0, 5.0, 5.0, 5.0])?, 50.0);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Smoothness {
    grid: Grid,
    weight: f64,
    range: Option<f64>,
    mean: Vec<f64>,
    root: SparseColMat<usize, f64>,
}

impl Smoothness {
    /// Returns the penalty of weight w for parameters that are cell values on `grid`.
    ///
    /// # Errors
    /// Fails if the weight is not positive and finite, or if an axis has a single cell.
    pub fn new(grid: &Grid, weight: f64) -> Result<Self> {
        check::positive("the weight of a smoothness prior", &[weight])?;
        grid.check_faces("a smoothness prior")?;
        Ok(Self {
            root: root(grid, weight, None)?,
            weight,
            range: None,
            mean: vec![0.0; grid.cells()],
            grid: grid.clone(),
        })
    }

    /// Adds (θ − m)²/ℓ², which makes the prior proper: positive definite, so that it can be sampled and solved with.
    ///
    /// # Errors
    /// Fails if the range is not positive and finite.
    pub fn with_range(mut self, range: f64) -> Result<Self> {
        check::positive("the range of a smoothness prior", &[range])?;
        self.range = Some(range);
        self.root = root(&self.grid, self.weight, self.range)?;
        Ok(self)
    }

    /// Penalises deviations from the field `mean` instead of zero.
    ///
    /// # Errors
    /// Fails if the field has the wrong length, or entries that are not finite.
    pub fn towards(mut self, mean: Vec<f64>) -> Result<Self> {
        check::length("the mean of a prior", mean.len(), self.grid.cells())?;
        check::finite("the mean of a prior", &mean)?;
        self.mean = mean;
        Ok(self)
    }
}

/// Returns the root w √vol [∇; I/ℓ], with one row per face and one per cell.
fn root(grid: &Grid, weight: f64, range: Option<f64>) -> Result<SparseColMat<usize, f64>> {
    let scale = weight * grid.volume().sqrt();
    let h = grid.spacings();
    let mut entries = Vec::with_capacity(2 * grid.faces() + grid.cells());
    let mut row = 0;
    grid.visit_faces(|d, lower, upper| {
        // ‖P θ‖² = w² vol Σ_faces (θ₊ − θ₋)²/h² + w² vol Σ_cells θ²/ℓ², the midpoint rule for the integral.
        entries.push(Triplet::new(row, lower, -scale / h[d]));
        entries.push(Triplet::new(row, upper, scale / h[d]));
        row += 1;
    });
    if let Some(range) = range {
        for cell in 0..grid.cells() {
            entries.push(Triplet::new(row + cell, cell, scale / range));
        }
        row += grid.cells();
    }
    let root = SparseColMat::try_new_from_triplets(row, grid.cells(), &entries);
    root.map_err(|_| Error::OutOfMemory {
        what: "assembly",
        size: row,
        needed: None,
        limit: None,
    })
}

impl Prior for Smoothness {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let root = Operator::from(self.root.as_ref());
        let residual = root.apply_to(Side::Plain, &deviation(theta, &self.mean)?)?;
        Quadratic::squares(root, residual)
    }

    fn is_affine(&self) -> bool {
        true
    }

    /// Prepares solves with w² vol (1/ℓ² − Δ) by cosine transforms.
    fn precision<'a>(&'a self, _: &[f64], _: &'a dyn Backend) -> Result<Box<dyn Factor + 'a>> {
        let range = self.range.ok_or(Error::NotPositiveDefinite {
            what: "the precision of a smoothness prior without a range (see `Smoothness::with_range`), which leaves \
                   constants free,",
        })?;
        let scale = self.weight * self.weight * self.grid.volume();
        // The rows of faces have the Gram matrix −w² vol Δ without flux, so that cosines are the eigenvectors
        // of PᵀP.
        let symbol = |l: f64| scale * (l + (range * range).recip());
        Ok(Box::new(CosineFactor::new(&self.grid, symbol)?))
    }

    fn variances(&self, theta: &[f64], backend: &dyn Backend) -> Result<Vec<f64>> {
        let Some(range) = self.range else {
            return self.precision(theta, backend).map(|_| Vec::new());
        };
        let scale = self.weight * self.weight * self.grid.volume();
        // diag C⁻¹ from the eigenvectors of −Δ: Σ qᵢ² / (w² vol (1/ℓ² + l)).
        let symbol = |l: f64| (scale * (l + (range * range).recip())).recip();
        Ok(self.grid.cosine_diagonal(symbol))
    }
}
