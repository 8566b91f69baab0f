//! Sobolev metrics of any order: M = vol (I − Δ)^s, or vol (−Δ)^s on tangents of mean zero.

use std::f64::consts::PI;
use std::sync::OnceLock;

use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root, check_batch, check_covector};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, CosineTransform, Operator};

/// H^s metric on a grid without flux through the boundary, for any real s (±1, ±2 …).
///
/// The root is symmetric, L = √vol (I − Δ)^{s/2}. Cosine transforms diagonalise Δ and apply L without a linear solve.
/// The homogeneous root √vol (−Δ)^{s/2} acts on tangents of mean zero.
pub struct Sobolev {
    order: f64,
    homogeneous: bool,
    volume: f64,
    grid: Grid,
    transform: CosineTransform,
    /// Symbols of L, of L⁻¹ and of M, without powers of the volume. Each is computed when it is first used.
    symbols: [OnceLock<Vec<f64>>; 3],
}

/// Powers of the root L that are applied to columns, by the index of their symbol.
#[derive(Clone, Copy)]
enum Power {
    Root,
    Inverse,
    Square,
}

impl Sobolev {
    /// Returns H^s with the norm ‖ζ‖² = ⟨ζ, (I − Δ)^s ζ⟩.
    ///
    /// # Errors
    /// Fails if the order is not finite, or so large that a power of an eigenvalue on this grid over- or underflows.
    pub fn new(grid: &Grid, order: f64) -> Result<Self> {
        Self::of(grid, order, false)
    }

    /// Returns the homogeneous Ḣ^s with the norm ⟨ζ, (−Δ)^s ζ⟩ on tangents of mean zero.
    ///
    /// # Errors
    /// Fails as [`new`](Sobolev::new) does, and if an axis has a single cell.
    pub fn homogeneous(grid: &Grid, order: f64) -> Result<Self> {
        grid.check_faces("a homogeneous Sobolev metric")?;
        Self::of(grid, order, true)
    }

    fn of(grid: &Grid, order: f64, homogeneous: bool) -> Result<Self> {
        check::finite("the order of a Sobolev metric", &[order])?;
        let (least, most) = extreme_eigenvalues(grid);
        let extremes = if homogeneous {
            [least, most]
        } else {
            [1.0, 1.0 + most]
        };
        // Powers between 2⁻⁵¹² and 2⁵¹² keep squares such as ζᵀMζ in the range of floating-point numbers.
        let sound = |eigenvalue: &f64| (order * eigenvalue.log2()).abs() < 512.0;
        check::option(
            "the order of a Sobolev metric",
            order,
            extremes.iter().all(sound),
            "take one nearer to 0: powers of eigenvalues of the Laplacian on this grid overflow",
        )?;
        Ok(Self {
            order,
            homogeneous,
            volume: grid.volume(),
            grid: grid.clone(),
            transform: grid.cosine_transform(),
            symbols: Default::default(),
        })
    }

    /// Applies a power of (I − Δ)^{s/2} or (−Δ)^{s/2} to every column.
    fn power(&self, power: Power, z: MatRef<'_, f64>) -> Mat<f64> {
        // The cosine transform diagonalises −Δ with Neumann boundary: every power is a multiplication by a
        // symbol. The constants have the eigenvalue 0 exactly, since the sines of j = 0 are 0 on every axis.
        // The homogeneous symbol is 0 there for negative powers too, which makes it that of the
        // pseudo-inverse. Tangents need no projection of their own: the power removes their mean. An
        // application costs O(N log N), and the N powers of the symbol are computed once.
        let exponent = match power {
            Power::Root => 0.5 * self.order,
            Power::Inverse => -0.5 * self.order,
            Power::Square => self.order,
        };
        let symbol = |eigenvalue: f64| match (self.homogeneous, eigenvalue > 0.0) {
            (false, _) => (1.0 + eigenvalue).powf(exponent),
            (true, true) => eigenvalue.powf(exponent),
            (true, false) => 0.0,
        };
        let symbol = self.symbols[power as usize].get_or_init(|| self.transform.symbol(symbol));
        self.transform.apply(symbol, z)
    }

    /// Returns M Z.
    pub(crate) fn product(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.volume * self.power(Power::Square, z)
    }
}

/// Returns bounds of the nonzero eigenvalues Σ 4 sin²(πj/2n)/h² of −Δ.
fn extreme_eigenvalues(grid: &Grid) -> (f64, f64) {
    let axes = grid.axes().iter().filter(|a| a.cells > 1);
    let extremes = axes.map(|a| {
        // j = 1 gives the smallest nonzero eigenvalue along an axis, and sin² ≤ 1 bounds the largest.
        let first = (0.5 * PI / a.cells as f64).sin();
        [first, 1.0].map(|s| 4.0 * (s / a.spacing()).powi(2))
    });
    extremes.fold((f64::INFINITY, 0.0), |(least, most), [low, high]| {
        (low.min(least), most + high)
    })
}

impl Metric for Sobolev {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::length(
            "the state given to a Sobolev metric",
            rho.len(),
            self.transform.dim(),
        )?;
        Ok(Box::new(SobolevRoot { metric: self }))
    }

    fn name(&self) -> &'static str {
        match (self.homogeneous, self.order) {
            (false, 1.0) => "H1",
            (false, 2.0) => "H2",
            (false, -1.0) => "H-1",
            (false, -2.0) => "H-2",
            (true, 1.0) => "homogeneous H1",
            (true, -1.0) => "homogeneous H-1",
            _ => "Sobolev",
        }
    }
}

struct SobolevRoot<'a> {
    metric: &'a Sobolev,
}

impl Root for SobolevRoot<'_> {
    fn dim(&self) -> usize {
        self.metric.transform.dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        Ok(self.metric.volume.sqrt() * self.metric.power(Power::Root, z))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lift(y)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        Ok(self.metric.product(z))
    }

    // L is symmetric and commutes with Π, so y = L⁻¹c, or the pseudo-inverse in the homogeneous case.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        let y = self.metric.power(Power::Inverse, c);
        // L y = L L⁻¹c = c, or L L⁺c = Πᵀc, where Π removes the mean: constants span the null space of L.
        let scale = self.metric.volume.sqrt().recip();
        Ok(y.col_as_slice(0).iter().map(|y| scale * y).collect())
    }

    /// Returns M = vol (I − Δ) for H¹, M⁻¹ = (I − Δ)/vol for H⁻¹, and None for other metrics.
    fn local_form(&self) -> Option<LocalForm> {
        let metric = self.metric;
        if metric.homogeneous || metric.order.abs() != 1.0 {
            return None;
        }
        // Only the first power of I − Δ couples no cells but neighbours.
        let (faces, cells) = (
            vec![1.0; metric.grid.faces()],
            vec![1.0; metric.grid.cells()],
        );
        let matrix =
            Operator::stencil(metric.grid.weighted_laplacian(&faces, &cells)).to_sparse()?;
        let form = if metric.order > 0.0 {
            LocalForm::Metric(matrix)
        } else {
            LocalForm::Inverse(matrix)
        };
        Some(form.scaled(metric.volume))
    }

    fn project(&self, c: &mut [f64]) {
        if self.metric.homogeneous {
            let mean = c.iter().sum::<f64>() / c.len() as f64;
            c.iter_mut().for_each(|c| *c -= mean);
        }
    }
}
