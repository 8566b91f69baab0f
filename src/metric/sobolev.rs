//! Sobolev metrics of any order: M = vol (I − Δ)^s, or vol (−Δ)^s without its constants.

use std::f64::consts::PI;

use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root, check_batch, check_covector};
use crate::check;
use crate::error::Result;
use crate::grid::{CosineTransform, Grid};
use crate::linalg::{Backend, Operator};

/// The H^s metric on a grid with no flux through the boundary, s any real number (±1, ±2 …).
///
/// Its root is the symmetric one, L = √vol (I − Δ)^{s/2}, applied by cosine transforms; so no system is
/// solved. The homogeneous one, √vol (−Δ)^{s/2}, acts on tangents without their mean.
pub struct Sobolev {
    order: f64,
    homogeneous: bool,
    volume: f64,
    grid: Grid,
    transform: CosineTransform,
}

impl Sobolev {
    /// H^s with the norm ‖ζ‖² = ⟨ζ, (I − Δ)^s ζ⟩.
    ///
    /// # Errors
    /// An order that is not finite, or so far from 0 that a power of an eigenvalue on this grid is no number.
    pub fn new(grid: &Grid, order: f64) -> Result<Self> {
        Self::of(grid, order, false)
    }

    /// Homogeneous Ḣ^s with the norm ⟨ζ, (−Δ)^s ζ⟩ on tangents of mean zero.
    ///
    /// # Errors
    /// As for [`new`](Sobolev::new), or an axis with a single cell.
    pub fn homogeneous(grid: &Grid, order: f64) -> Result<Self> {
        grid.check_faces("a homogeneous Sobolev metric")?;
        Self::of(grid, order, true)
    }

    fn of(grid: &Grid, order: f64, homogeneous: bool) -> Result<Self> {
        check::finite("the order of a Sobolev metric", &[order])?;
        let (least, most) = extremes(grid);
        let ends = if homogeneous {
            [least, most]
        } else {
            [1.0, 1.0 + most]
        };
        // Beyond the roots of the largest and the smallest number the metric of a unit tangent may be none.
        let sound = |end: &f64| (order * end.log2()).abs() < 512.0;
        check::option(
            "the order of a Sobolev metric",
            order,
            ends.iter().all(sound),
            "take one nearer to 0: powers of eigenvalues of the Laplacian on this grid overflow",
        )?;
        Ok(Self {
            order,
            homogeneous,
            volume: grid.volume(),
            grid: grid.clone(),
            transform: CosineTransform::new(grid),
        })
    }

    /// (…)^{t/2} applied to every column.
    fn power(&self, t: f64, z: MatRef<'_, f64>) -> Mat<f64> {
        let symbol = |eigenvalue: f64| match (self.homogeneous, eigenvalue > 0.0) {
            (false, _) => (1.0 + eigenvalue).powf(0.5 * t),
            (true, true) => eigenvalue.powf(0.5 * t),
            (true, false) => 0.0,
        };
        self.transform.apply(symbol, z)
    }

    /// M Z.
    pub(crate) fn product(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.volume * self.power(2.0 * self.order, z)
    }
}

/// Bounds of the eigenvalues Σ 4 sin²(πj/2n)/h² of −Δ but for 0.
fn extremes(grid: &Grid) -> (f64, f64) {
    let axes = grid.axes().iter().filter(|a| a.cells > 1);
    let ends = axes.map(|a| {
        let first = (0.5 * PI / a.cells as f64).sin();
        [first, 1.0].map(|s| 4.0 * (s / a.spacing()).powi(2))
    });
    ends.fold((f64::INFINITY, 0.0), |(least, most), [low, high]| {
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
        Ok(self.metric.volume.sqrt() * self.metric.power(self.metric.order, z))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.lift(y)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        Ok(self.metric.product(z))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        let y = self.metric.power(-self.metric.order, c);
        let scale = self.metric.volume.sqrt().recip();
        Ok(y.col_as_slice(0).iter().map(|y| scale * y).collect())
    }

    /// (I − Δ) vol for H¹, its inverse for H⁻¹.
    fn local_form(&self) -> Option<LocalForm> {
        let metric = self.metric;
        if metric.homogeneous || metric.order.abs() != 1.0 {
            return None;
        }
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
