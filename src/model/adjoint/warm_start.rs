//! What was solved for at one point of a descent, from which iterations at the next may start.
//!
//! Along a descent A, C and the covector change little from step to step, and so do Z = −A⁻¹C and λ = A⁻ᵀw. Solutions
//! are kept only where the solver did iterate: a factorisation has no use for them.

use faer::{Mat, MatRef};

use super::blocks::negate;
use super::{Chart, Linearisation};
use crate::error::Result;
use crate::linalg::Side;
use crate::vector::dot;

/// What was solved for at one point.
#[derive(Default)]
pub(crate) struct Known {
    gradient: Option<Adjoint>,
    tangents: Option<Tangents>,
}

/// Covectors W and A⁻ᵀW.
pub(super) struct Adjoint {
    covectors: Mat<f64>,
    lambda: Mat<f64>,
}

/// Z, and its coordinates.
struct Tangents {
    z: Mat<f64>,
    chart: Chart,
}

impl Adjoint {
    /// For every covector w the multiple of an old λ that would be right if A had not changed and w had not turned:
    /// near a match the covector falls by orders of magnitude in a step, and λ itself would be worse than nothing.
    fn near(&self, w: MatRef<'_, f64>) -> Option<Mat<f64>> {
        if w.shape() != self.lambda.shape() {
            return None;
        }
        let mut near = self.lambda.clone();
        for j in 0..near.ncols() {
            let old = self.covectors.col_as_slice(j);
            let turned: f64 = old.iter().zip(w.col(j).iter()).map(|(a, b)| a * b).sum();
            let share = turned / dot(old, old);
            let share = if share.is_finite() { share } else { 0.0 };
            let column = near.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= share);
        }
        Some(near)
    }
}

impl Tangents {
    /// A⁻¹C = −Z in other coordinates; columns of parameters that were not free are zero.
    fn near(self, chart: &Chart) -> Mat<f64> {
        let Self { z, chart: old } = self;
        let mut near = if old.free == chart.free {
            z
        } else {
            let places = old.places(chart);
            Mat::from_fn(z.nrows(), places.len(), |i, j| {
                places[j].map_or(0.0, |place| z[(i, place)])
            })
        };
        if old.scale == chart.scale {
            negate(near.as_mut());
            return near;
        }
        for (j, &i) in chart.free.iter().enumerate() {
            let ratio = -chart.scale[i] / old.scale[i];
            let ratio = if ratio.is_finite() { ratio } else { 0.0 };
            let column = near.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= ratio);
        }
        near
    }
}

impl Linearisation<'_> {
    /// Starts its solves from those of a linearisation at a point near by; once, before anything is solved.
    pub(crate) fn start_from(&mut self, solved: Known) {
        let k = self.state_dim();
        let tangents = solved.tangents.filter(|t| t.z.nrows() == k);
        self.near = tangents.map(|t| t.near(&self.chart));
        self.gradient = solved.gradient;
    }

    /// Zᵀ W for the covectors of the gradient, which are remembered for the next point.
    ///
    /// # Errors
    /// As for [`adjoint`](Self::adjoint).
    pub(crate) fn gradient(&mut self, w: Mat<f64>) -> Result<Mat<f64>> {
        let old = self.gradient.take();
        let Some(factor) = &self.factor else {
            return self.adjoint(w.as_ref());
        };
        self.check_adjoint(w.nrows())?;
        let near = old.and_then(|old| old.near(w.as_ref()));
        self.count(Side::Transpose, w.ncols());
        let near = near.as_ref().map(|near| near.as_ref());
        let solution = self.solve(factor.as_ref(), Side::Transpose, w.clone(), near)?;
        let (lambda, iterated) = solution;
        let mut out = Mat::zeros(self.param_dim(), w.ncols());
        self.contract(lambda.as_ref(), out.as_mut())?;
        self.gradient = iterated.then_some(Adjoint {
            covectors: w,
            lambda,
        });
        Ok(out)
    }

    /// What the next linearisation may start from.
    pub(crate) fn into_solved(self) -> Known {
        let iterated = self.iterated.into_inner();
        let z = self.matrix.into_inner().filter(|_| iterated);
        Known {
            gradient: self.gradient,
            tangents: z.map(|z| Tangents {
                z,
                chart: self.chart,
            }),
        }
    }
}
