//! Natural direction as a linear least-squares problem, which avoids squaring the condition number.

use faer::{Mat, MatRef};

use super::{Damping, Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::linalg::{DampedLeastSquares, Rows};
use crate::metric::Root;
use crate::model::adjoint::blocks;

/// Direction η = argmin ‖L Z η + dual(u)‖² + ‖P η + s‖² by QR, where u is the covector of the loss, and P and
/// s are the root and the residual of the priors.
///
/// Undamped, the least-norm step is taken and directions with negligible singular values are truncated. Damping
/// appends the rows √λ D^{1/2}. Columns are first scaled to unit length, which makes truncation and damping independent
/// of units.
#[derive(Clone, Copy, Debug)]
pub struct LeastSquares {
    /// Relative size below which a pivot of the scaled problem counts as zero.
    pub rank_tolerance: f64,
    /// Matrix D that damping is proportional to.
    pub damping: Damping,
}

impl LeastSquares {
    /// Direction with the default options, as a constant to borrow.
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

/// Largest change of a parameter that a direction proposes. Step rules shorten it.
const LONGEST: f64 = 1e150;

impl Direction for LeastSquares {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Reducer {
            options: self,
            system: DampedLeastSquares::new(self.rank_tolerance),
            columns: Vec::new(),
        })
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

/// Largest number of parameters for which the rows of the system are reduced block by block. With more, products of matrices
/// pay.
const NARROW: usize = 16;

/// Finder with buffers for one system after another.
struct Reducer<'o> {
    options: &'o LeastSquares,
    system: DampedLeastSquares,
    /// All columns, in order.
    columns: Vec<usize>,
}

impl Finder for Reducer<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let prior = match at.prior {
            Some(prior) => Some(prior.rows()?),
            None => None,
        };
        // ½‖L Z η + dual(u)‖² has the gradient (LZ)ᵀdual(u) = Zᵀu at η = 0 and the Hessian G. The rows P and
        // s of the priors add ½‖P η + s‖², with the gradient Pᵀs = ∇R and the Hessian PᵀP = C. One QR of all
        // rows [A | b] gives R and the leading part c of Qᵀb, and ‖A η + b‖² = ‖R η + c‖² + const, from which
        // every damping starts. The normal equations (G + C) η = −(Zᵀu + ∇R) are never formed: a QR has the
        // condition number of A, and they have its square.
        let (z, dual) = (at.z.matrix()?, root.dual(at.covector)?);
        let prior = prior.as_ref().map(|(p, s)| (p.as_ref(), s.as_slice()));
        // A metric that sees little of a tangent would make steps along it long, as its length is in the denominator.
        self.system.least = root.lengths(z.as_ref())?.unwrap_or_default();
        if z.ncols() <= NARROW {
            let lifted = root.lift(z.as_ref())?;
            check::length("the rows of a lifted batch", lifted.nrows(), dual.len())?;
            self.columns.clear();
            self.columns.extend(0..z.ncols());
            let rows = |(matrix, b)| Rows {
                matrix,
                kept: &self.columns,
                b,
            };
            let data = rows((lifted.as_ref(), dual.as_slice()));
            match prior.map(rows) {
                None => self.system.factor(&[data]),
                Some(prior) => self.system.factor(&[data, prior]),
            }
        } else {
            let augmented = augmented((root, z), &dual, prior)?;
            self.system.factor_wide(augmented);
        }
        let damping = self.options.damping;
        self.system.weights = damping.weights(&self.system.norms, at.widest);
        Ok(Box::new(LeastSquaresPath(&mut self.system)))
    }
}

/// Returns `[LZ | dual(u)]` above `[P | s]`, filled block by block.
fn augmented(
    (root, z): (&dyn Root, &Mat<f64>),
    dual: &[f64],
    prior: Option<(MatRef<'_, f64>, &[f64])>,
) -> Result<Mat<f64>> {
    let (rows, p) = (dual.len(), z.ncols());
    let prior_rows = prior.map_or(0, |(matrix, _)| matrix.nrows());
    // The system is filled in place, so that the memory holds no second copy of L Z, the largest matrix of a
    // step.
    let mut out = Mat::zeros(rows + prior_rows, p + 1);
    for block in blocks(p) {
        let lifted = root.lift(z.subcols(block.start, block.len()))?;
        check::length("the rows of a lifted batch", lifted.nrows(), rows)?;
        let mut target = out
            .as_mut()
            .submatrix_mut(0, block.start, rows, block.len());
        target.copy_from(&lifted);
    }
    let (above, last) = out.col_as_slice_mut(p).split_at_mut(rows);
    above.copy_from_slice(dual);
    if let Some((matrix, residual)) = prior {
        last.copy_from_slice(residual);
        let mut target = out.as_mut().submatrix_mut(rows, 0, prior_rows, p);
        target.copy_from(matrix);
    }
    Ok(out)
}

struct LeastSquaresPath<'a>(&'a mut DampedLeastSquares);

impl Path for LeastSquaresPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let predicted = self.0.solve(damping);
        // A column close to underflow has a scale close to overflow.
        let eta = self.0.eta.iter().map(|eta| eta.clamp(-LONGEST, LONGEST));
        Ok(Proposal {
            predicted,
            eta: eta.collect(),
            rank: match damping > 0.0 {
                true => self.0.eta.len(),
                false => self.0.rank,
            },
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }

    fn norms(&self) -> &[f64] {
        &self.0.norms
    }
}
