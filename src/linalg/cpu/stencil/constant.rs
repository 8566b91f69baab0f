//! Stencils with constant coefficients, solved by cosine transforms.

use std::f64::consts::PI;

use faer::MatMut;
use faer::dyn_stack::{MemStack, StackReq};

use crate::linalg::cpu::checked::Direct;
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::{CosineTransform, Method};

/// Largest deviation of coefficients from constants, in units of ε: of a coupling relative to its weight, and of a row sum
/// relative to the largest diagonal entry.
// A diagonal entry is the sum of a constant and of at most six weights, with as many rounding errors, and so is the row
// sum that is computed from it.
const ROUNDINGS: f64 = 16.0;

/// Coefficients of the positive definite matrix s I + Σ w_d L_d + c 11ᵀ, with the unweighted Neumann Laplacian L_d along
/// axis d.
pub(super) struct Coefficients {
    /// Number of cells n_d and weight w_d for every axis with more than one cell.
    axes: Vec<(usize, f64)>,
    shift: f64,
    gauge: f64,
}

impl Coefficients {
    /// Returns the coefficients of a stencil. Returns `None` if they are not constant, or if the matrix is not positive
    /// definite.
    pub(super) fn of(stencil: &Stencil) -> Option<Self> {
        let n = stencil.cells();
        let largest = stencil.centre.iter().fold(0.0, |m: f64, d| m.max(*d));
        let rounding = ROUNDINGS * f64::EPSILON * largest;
        let same = |x: f64, y: f64| (x - y).abs() <= ROUNDINGS * f64::EPSILON * y.abs();
        let mut sums = stencil.centre.clone();
        let mut axes = Vec::new();
        for (axis, &length) in stencil.shape.iter().enumerate().filter(|(_, n)| **n > 1) {
            let (stride, weight) = (stencil.stride(axis), -stencil.up[axis][0]);
            let (up, down) = (&stencil.up[axis], &stencil.down[axis]);
            for cell in (0..n).filter(|cell| cell / stride % length + 1 < length) {
                if !(same(up[cell], -weight) && same(down[cell], -weight)) {
                    return None;
                }
                sums[cell] -= weight;
                sums[cell + stride] -= weight;
            }
            axes.push((length, weight));
        }
        // Row sums are s in every cell, up to rounding. The middle between the smallest and the largest has the smallest
        // deviations.
        let range = sums
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| {
                (s.min(low), s.max(high))
            });
        let shift = 0.5 * (range.0 + range.1);
        let (gauge, constant) = (
            stencil.gauge(),
            sums.iter().all(|s| (s - shift).abs() <= rounding),
        );
        // If no weight is negative, the smallest eigenvalues belong to the constants and to one half wave along an axis.
        let wave = |&(n, w): &(usize, f64)| shift + 4.0 * w * (0.5 * PI / n as f64).sin().powi(2);
        let least = axes
            .iter()
            .map(wave)
            .fold(shift + n as f64 * gauge, f64::min);
        let definite = least > rounding && axes.iter().all(|(_, w)| *w >= 0.0);
        let sound = constant && definite && stencil.excess().is_none();
        sound.then_some(Self { axes, shift, gauge })
    }

    /// Returns the size of a solver in bytes.
    pub(super) fn bytes(&self) -> usize {
        // Eigenvalues and their reciprocals.
        let cells: usize = self.axes.iter().map(|(n, _)| n).product();
        2 * cells * size_of::<f64>()
    }
}

/// Solver for a stencil with constant coefficients.
pub(super) struct Constant {
    transform: CosineTransform,
    /// Reciprocals of the eigenvalues.
    inverse: Vec<f64>,
}

impl Constant {
    /// Prepares solves with the matrix of these coefficients.
    pub(super) fn new(coefficients: &Coefficients) -> Self {
        let transform = CosineTransform::new(&coefficients.axes);
        let mut inverse = transform.symbol(|l| l + coefficients.shift);
        // 11ᵀ has the eigenvalue n for the constants, which come first, and 0 for all other eigenvectors.
        inverse[0] += transform.dim() as f64 * coefficients.gauge;
        inverse.iter_mut().for_each(|l| *l = l.recip());
        Self { transform, inverse }
    }
}

impl Direct for Constant {
    fn method(&self) -> Method {
        Method::CosineTransform
    }

    fn bytes(&self) -> usize {
        self.transform.bytes()
    }

    fn scratch(&self, columns: usize) -> StackReq {
        StackReq::new::<f64>(self.transform.workspace(columns))
    }

    fn solve(&self, _: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        let length = self.transform.workspace(batch.ncols());
        let (mut workspace, _) = stack.make_with(length, |_| 0.0);
        self.transform
            .filter_in(&self.inverse, batch, &mut workspace);
    }
}
