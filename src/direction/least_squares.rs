//! The natural direction as a least-squares problem, which never squares a condition number.

use faer::{Mat, MatRef};

use super::{Damping, Direction, Finder, Local, Path, Proposal, unit_scale};
use crate::check;
use crate::error::Result;
use crate::linalg::{TriangularForm, minimum_norm};
use crate::metric::Root;
use crate::model::adjoint::blocks;
use crate::vector::dot;

/// η = argmin ‖L Z η + dual(u)‖² + ‖P η + s‖², by QR.
///
/// Undamped, directions whose singular values are negligible are truncated and the least-norm step is taken;
/// damped, rows √λ D^{1/2} are added. Columns are scaled to unit length first, so neither depends on units.
#[derive(Clone, Copy, Debug)]
pub struct LeastSquares {
    /// Relative size below which a pivot of the scaled problem counts as zero.
    pub rank_tolerance: f64,
    /// What damping adds to.
    pub damping: Damping,
}

impl LeastSquares {
    /// The defaults, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        rank_tolerance: 1e-12,
        damping: Damping::Diagonal,
    };
}

impl Default for LeastSquares {
    fn default() -> Self {
        *Self::STANDARD
    }
}

impl Direction for LeastSquares {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the rank tolerance of least squares",
            self.rank_tolerance,
            (0.0..1.0).contains(&self.rank_tolerance),
            "give a small number, such as 1e-12",
        )
    }

    fn name(&self) -> &'static str {
        "least squares"
    }
}

impl Finder for &LeastSquares {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let prior = match at.prior {
            Some(prior) => Some(prior.rows()?),
            None => None,
        };
        let below = prior.as_ref().map(|(p, s)| (p.as_ref(), s.as_slice()));
        let system = augmented((root, at.z.matrix()?), &root.dual(at.covector)?, below)?;
        let mut form = TriangularForm::of(system);
        let norms = form.column_norms();
        let scale = unit_scale(&norms);
        form.scale_columns(&scale);
        Ok(Box::new(LeastSquaresPath {
            rank_tolerance: self.rank_tolerance,
            weights: self.damping.weights(&norms, at.widest),
            form,
            norms,
            scale,
        }))
    }
}

/// `[LZ | dual(u)]` above `[P | s]`; what is lifted goes there block by block.
fn augmented(
    (root, z): (&dyn Root, &Mat<f64>),
    dual: &[f64],
    prior: Option<(MatRef<'_, f64>, &[f64])>,
) -> Result<Mat<f64>> {
    let (rows, p) = (dual.len(), z.ncols());
    let below = prior.map_or(0, |(matrix, _)| matrix.nrows());
    let mut out = Mat::zeros(rows + below, p + 1);
    for block in blocks(p) {
        let lifted = root.lift(z.subcols(block.start, block.len()))?;
        check::length("the rows of a lifted batch", lifted.nrows(), rows)?;
        let mut place = out
            .as_mut()
            .submatrix_mut(0, block.start, rows, block.len());
        place.copy_from(&lifted);
    }
    let (above, last) = out.col_as_slice_mut(p).split_at_mut(rows);
    above.copy_from_slice(dual);
    if let Some((matrix, residual)) = prior {
        last.copy_from_slice(residual);
        let mut place = out.as_mut().submatrix_mut(rows, 0, below, p);
        place.copy_from(matrix);
    }
    Ok(out)
}

struct LeastSquaresPath {
    rank_tolerance: f64,
    /// D, scaled.
    weights: Vec<f64>,
    form: TriangularForm,
    norms: Vec<f64>,
    scale: Vec<f64>,
}

impl Path for LeastSquaresPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let (x, rank) = if damping > 0.0 {
            let rows: Vec<f64> = self.weights.iter().map(|w| (damping * w).sqrt()).collect();
            (self.form.damped(&rows), self.scale.len())
        } else {
            minimum_norm(self.form.r.as_ref(), &self.form.c, self.rank_tolerance)
        };
        let image = self.form.image(&x);
        Ok(Proposal {
            predicted: -dot(&image, &self.form.c) - 0.5 * dot(&image, &image),
            eta: x.iter().zip(&self.scale).map(|(x, s)| x * s).collect(),
            rank,
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }

    fn norms(&self) -> &[f64] {
        &self.norms
    }
}
