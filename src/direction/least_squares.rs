//! The natural direction as a least-squares problem, which never squares a condition number.

use faer::{Mat, MatRef};

use super::{Damping, Direction, Local, Path, Proposal, unit_scale};
use crate::backend::{TriangularForm, minimum_norm};
use crate::check;
use crate::error::Result;
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

impl Default for LeastSquares {
    fn default() -> Self {
        Self {
            rank_tolerance: 1e-12,
            damping: Damping::default(),
        }
    }
}

impl Direction for LeastSquares {
    fn prepare<'a>(&'a self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let y = root.lift(at.z.matrix()?.as_ref())?;
        let dual = root.dual(at.covector)?;
        let mut system = vec![(y, dual)];
        if let Some(prior) = at.prior {
            system.push((prior.matrix()?, prior.residual().to_vec()));
        }
        let mut form = TriangularForm::of(augmented(&system));
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

/// The blocks `[A | b]` on top of each other.
fn augmented(blocks: &[(Mat<f64>, Vec<f64>)]) -> Mat<f64> {
    let rows: usize = blocks.iter().map(|(a, _)| a.nrows()).sum();
    let cols = blocks.first().map_or(0, |(a, _)| a.ncols());
    let mut out = Mat::zeros(rows, cols + 1);
    let mut row = 0;
    for (a, b) in blocks {
        let n = a.nrows();
        let mut block = out.as_mut().subrows_mut(row, n);
        block.as_mut().subcols_mut(0, cols).copy_from(a);
        let b = MatRef::from_column_major_slice(b, n, 1);
        block.subcols_mut(cols, 1).copy_from(b);
        row += n;
    }
    out
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

    fn norms(&self) -> &[f64] {
        &self.norms
    }
}
