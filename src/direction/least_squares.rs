//! Natural direction as a linear least-squares problem, which avoids squaring the condition number.

use faer::{Mat, MatRef};

use super::damping::Weights;
use super::filtered::{Filtered, LONGEST, Scaled};
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
///
/// With a [`cutoff`](LeastSquares::cutoff) more of the undamped step is truncated, as where only the leading part of G is to be
/// trusted (energy natural gradients of networks, Müller and Zeinhofer 2023). [`Grid`](crate::step::Grid) is the step rule for it.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::{Descent, loss::L2Misfit};
/// use pullback::direction::{Damping, LeastSquares};
/// /// Two parameters with almost the same effect.
/// struct Twins;
/// impl Formula for Twins {
///     fn dims(&self) -> (usize, usize) { (2, 2) }
///     fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
///         out[0] = t[0] + t[1];
///         out[1] = (t[0] - t[1]) * 1e-6;
///     }
/// }
/// let (curve, loss) = (Curve::new(Twins), L2Misfit::euclidean(vec![2.0, 1.0])?);
/// let truncated = LeastSquares { cutoff: 1e-3, ..LeastSquares::default() };
/// let step = Descent::new(&curve, &loss).direction(&truncated).propose(&[0.0, 0.0], 0.0)?;
/// assert!(step.rank == 1 && step.eta.iter().all(|eta| (eta - 1.0).abs() < 1e-5));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeastSquares<'a> {
    /// Relative size below which a pivot of the scaled problem counts as zero.
    pub rank_tolerance: f64,
    /// Singular values up to this fraction of the largest one are truncated in undamped steps, 0 by default. A run that ends with
    /// some left out says so in its report.
    ///
    /// They are those of the problem in coordinates where [`damping`](LeastSquares::damping) is the identity: of columns of unit
    /// length, of L Z itself, or relative to a prior. [`Proposal::rank`] is the number of those that are kept.
    pub cutoff: f64,
    /// Matrix D that damping is proportional to.
    pub damping: Damping<'a>,
}

impl LeastSquares<'static> {
    /// Direction with the default options, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        rank_tolerance: 1e-12,
        cutoff: 0.0,
        damping: Damping::Diagonal,
    };
}

impl Default for LeastSquares<'_> {
    fn default() -> Self {
        *LeastSquares::STANDARD
    }
}

impl Direction for LeastSquares<'_> {
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
        )?;
        check::option(
            "the cut-off of least squares",
            self.cutoff,
            (0.0..1.0).contains(&self.cutoff),
            "give a fraction of the largest singular value, such as 1e-6, or 0",
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
    options: &'o LeastSquares<'o>,
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
        let (z, mut dual) = (at.z.matrix()?, root.dual(at.covector)?);
        let uneven;
        let prior = prior.as_ref().map(|(p, s)| (p.as_ref(), s.as_slice()));
        // A metric that sees little of a tangent would make steps along it long, as its length is in the denominator.
        self.system.least = root.lengths(z.as_ref())?.unwrap_or_default();
        if z.ncols() <= NARROW {
            let lifted = root.lift(z.as_ref())?;
            check::length("the rows of a lifted batch", lifted.nrows(), dual.len())?;
            uneven = is_uneven(lifted.as_ref(), &dual);
            dual.iter_mut().filter(|_| uneven).for_each(|y| *y = 0.0);
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
            let mut augmented = augmented((root, z), &dual, prior)?;
            let rows = dual.len();
            uneven = is_uneven(augmented.submatrix(0, 0, rows, z.ncols()), &dual);
            let above = &mut augmented.col_as_slice_mut(z.ncols())[..rows];
            above.iter_mut().filter(|_| uneven).for_each(|y| *y = 0.0);
            self.system.factor_wide(augmented);
        }
        if uneven {
            self.system.set_gradient(at.grad);
        }
        let options = self.options;
        match options.damping.weights(at, &self.system.norms)? {
            Weights::Diagonal(weights) if options.cutoff == 0.0 => self.system.weights = weights,
            weights => {
                let limits = (options.cutoff, options.rank_tolerance);
                let scaled = self.scaled(uneven.then_some(at.grad));
                return Ok(Box::new(Filtered::new(scaled, &weights, limits)?));
            }
        }
        Ok(Box::new(LeastSquaresPath(&mut self.system)))
    }
}

impl Reducer<'_> {
    /// Returns the triangular form of the system, with its gradient where that is known to more digits.
    fn scaled<'g>(&self, gradient: Option<&'g [f64]>) -> Scaled<'g> {
        Scaled {
            gradient,
            augmented: self.system.triangle(),
            norms: self.system.norms.clone(),
            scale: self.system.scale.clone(),
        }
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

/// Factor by which y may exceed the part of it that counts, before steps are taken from the gradient.
const UNEVEN: f64 = 1e4;

/// Returns whether (LZ)ᵀy has far more correct digits than a factorisation of [LZ | y] would leave.
//
// Where a label is all but impossible, its row of LZ has the size √p and its entry of y the size 1/√p. Their product matters, and
// reflections make an error of ε‖y‖. The gradient itself has an error of ε |LZ|ᵀ|y|, here in columns of unit length. Rows of zeros
// make no error.
fn is_uneven(lifted: MatRef<'_, f64>, y: &[f64]) -> bool {
    // The square of an entry of y may overflow.
    let largest = y.iter().fold(0.0_f64, |m, y| m.max(y.abs()));
    let mut seen = vec![false; y.len()];
    let mut needed = 0.0_f64;
    for column in lifted.col_iter() {
        let (mut square, mut sum) = (0.0, 0.0);
        for ((a, y), seen) in column.iter().zip(y).zip(&mut seen) {
            square += a * a;
            sum += (a * (y / largest)).abs();
            *seen |= *a != 0.0;
        }
        // The quotient is NaN for a column of zeros.
        needed = needed.max(sum / f64::sqrt(square));
    }
    let squares = y.iter().zip(&seen).filter(|(_, seen)| **seen);
    let square: f64 = squares.map(|(y, _)| (y / largest).powi(2)).sum();
    square.sqrt() > UNEVEN * needed
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
