//! Second derivatives of the steps: a second sweep backward.
//!
//! A backward sweep gives every function f of the dynamics, at every stage and observation, a multiplier λ, so that the gradient
//! of ⟨w, ρ⟩ is Σ λᵀ ∂f/∂θ. Along a direction v, with the tangents δY of the stages, the same sweep without covectors of the
//! observations, but with the covectors ∇²(λᵀf)(δY, v) of every state and of θ, gives the derivative of this gradient:
//!
//! ```text
//! b = Jᵀλ + …   becomes   δb = Jᵀδλ + (δJ)ᵀλ + …,   (δJ)ᵀλ = ∂/∂Y of λᵀ(J δY + F v).
//! ```

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::lanes::{groups, load};
use super::linearised::{Linearised, Place};
use super::sweeps::{Record, Visitor};
use crate::check;
use crate::error::Result;
use crate::model::adjoint::StateCurvature;

/// Curvatures of all experiments, which add up.
pub(super) struct Curvatures<'a>(pub(super) Vec<Bent<'a>>);

impl StateCurvature for Curvatures<'_> {
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        // Wider tapes do not pay.
        let groups = groups(v.ncols(), 4);
        let parts: Vec<Mat<f64>> = self
            .0
            .par_iter()
            .map(|bent| bent.product(v, &groups))
            .collect();
        let mut out = Mat::zeros(v.nrows(), v.ncols());
        for part in &parts {
            out += part;
        }
        for column in 0..out.ncols() {
            check::finite("a second derivative of the steps", out.col_as_slice(column))?;
        }
        // The whole product is in the parameters.
        Ok([Mat::zeros(tangents.nrows(), tangents.ncols()), out])
    }
}

/// Curvature of the states of an experiment.
pub(super) struct Bent<'a> {
    along: &'a Linearised<'a>,
    multipliers: Multipliers,
}

impl<'a> Bent<'a> {
    /// Sweeps a covector of the observables backward.
    pub(super) fn new(along: &'a Linearised<'a>, w: &[f64], p: usize) -> Self {
        let mut multipliers = Multipliers(Vec::new());
        let w: Vec<[f64; 1]> = w.iter().map(|w| [*w]).collect();
        along.backward(&w, &mut vec![[0.0]; p], &mut multipliers);
        Self { along, multipliers }
    }

    fn product(&self, v: MatRef<'_, f64>, groups: &[[usize; 2]]) -> Mat<f64> {
        let mut out = Mat::zeros(v.nrows(), v.ncols());
        for &[first, width] in groups {
            match width {
                1 => self.lanes::<1>(v, first, &mut out),
                _ => self.lanes::<4>(v, first, &mut out),
            }
        }
        out
    }

    /// Writes the products with the columns from `first` on.
    fn lanes<const L: usize>(&self, v: MatRef<'_, f64>, first: usize, out: &mut Mat<f64>) {
        let mut tangents = Record::new();
        self.along
            .forward_recorded::<L>(&load(v, first), Some(&mut tangents));
        let mut bends = Bends {
            along: self.along,
            multipliers: self.multipliers.0.iter(),
            tangents,
        };
        let none = vec![[0.0; L]; self.along.outputs * self.along.course.observations];
        let mut product = vec![[0.0; L]; v.nrows()];
        self.along.backward(&none, &mut product, &mut bends);
        for (i, row) in product.iter().enumerate() {
            for (j, entry) in row.iter().enumerate().take(v.ncols() - first) {
                out[(i, first + j)] = *entry;
            }
        }
    }
}

/// Multipliers of a backward sweep, place by place.
struct Multipliers(Vec<Vec<f64>>);

impl Visitor<1> for Multipliers {
    fn leave(&mut self, _: Place, lambda: &[[f64; 1]], factor: f64) {
        self.0.push(lambda.iter().map(|[l]| factor * l).collect());
    }
}

/// Covectors of the second derivatives along tangents.
struct Bends<'a, const L: usize> {
    along: &'a Linearised<'a>,
    /// Multipliers in the order of a backward sweep.
    multipliers: std::slice::Iter<'a, Vec<f64>>,
    /// Tangents in the order of a forward sweep.
    tangents: Record<L>,
}

impl<const L: usize> Visitor<L> for Bends<'_, L> {
    fn enter(&mut self, place: Place, x: &mut [[f64; L]], v: &mut [[f64; L]]) {
        let (Some(lambda), Some(tangent)) = (self.multipliers.next(), self.tangents.pop()) else {
            return;
        };
        let directions = Mat::from_fn(tangent.len(), L, |i, j| tangent[i][j]);
        let product = self.along.bend(place, lambda, directions.as_ref());
        for (i, out) in x.iter_mut().chain(v).enumerate() {
            for (j, out) in out.iter_mut().enumerate() {
                *out += product[(i, j)];
            }
        }
    }
}
