//! Several models as one: states one after the other, parameters in common.

use std::ops::Range;

use faer::{Mat, MatMut, MatRef};
use rayon::prelude::*;

use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Batch, Operator, Side};
use crate::model::adjoint::{Sensitivity, StateCurvature};
use crate::model::{Model, Variation};

/// Model of one experiment, and its entries of the common state.
pub(super) struct ModelPart<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) range: Range<usize>,
}

/// Models with common parameters: ρ = (ρ₁, ρ₂, …), so that ∂g/∂ρ is block diagonal and Z stacks the blocks Zᵢ.
///
/// The models share threads where the backend has a lane for each of them.
pub(super) struct StackedModel<'a>(pub(super) Vec<ModelPart<'a>>);

/// Does some work for every part, on several threads if they are `apart`, and returns the results in the order of the parts.
fn each<'p, P: Sync, T: Send>(
    parts: &'p [P],
    apart: bool,
    work: impl Fn(usize, &'p P) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let parts = parts.iter().enumerate();
    if !apart {
        return parts.map(|(i, part)| work(i, part)).collect();
    }
    let parts: Vec<(usize, &'p P)> = parts.collect();
    let all: Vec<Result<T>> = parts.par_iter().map(|&(i, part)| work(i, part)).collect();
    // The error is that of the first part that fails, whichever thread was faster.
    all.into_iter().collect()
}

impl StackedModel<'_> {
    fn states(&self) -> usize {
        self.0.last().map_or(0, |part| part.range.end)
    }

    /// Returns a backend for every model, if there are several and they may be solved side by side.
    fn lanes<'b>(&self, backend: &'b dyn Backend) -> Option<Vec<&'b dyn Backend>> {
        let count = Some(self.0.len()).filter(|count| *count > 1);
        backend.lanes(count?)
    }

    /// Returns a block for every model, with its entries of the state.
    fn blocks<'a>(
        &'a self,
        block: impl Fn(&'a ModelPart<'_>) -> Operator<'a>,
    ) -> Vec<(Operator<'a>, Range<usize>)> {
        let parts = self.0.iter();
        parts
            .map(|part| (block(part), part.range.clone()))
            .collect()
    }
}

impl Model for StackedModel<'_> {
    fn state_dim(&self) -> usize {
        self.states()
    }

    fn param_dim(&self) -> usize {
        self.0.first().map_or(0, |part| part.model.param_dim())
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        for ModelPart { model, range } in &self.0 {
            model.residual(&rho[range.clone()], theta, &mut out[range.clone()]);
        }
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let blocks = self.blocks(|part| part.model.state_jacobian(&rho[part.range.clone()], theta));
        let product = move |side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
            for (block, range) in &blocks {
                let own = block.apply(side, x.subrows(range.start, range.len()));
                let target = out.as_mut();
                fill(target.subrows_mut(range.start, range.len()), own);
            }
        };
        Operator::free(self.states(), self.states(), Box::new(product))
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let blocks = self.blocks(|part| part.model.param_jacobian(&rho[part.range.clone()], theta));
        let product = move |side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| match side {
            Side::Plain => {
                for (block, range) in &blocks {
                    let target = out.as_mut();
                    let own = block.apply(side, x);
                    fill(target.subrows_mut(range.start, range.len()), own);
                }
            }
            Side::Transpose => {
                out.fill(0.0);
                for (block, range) in &blocks {
                    match block.apply(side, x.subrows(range.start, range.len())) {
                        Ok(term) => out += term,
                        Err(_) => out.fill(f64::NAN),
                    }
                }
            }
        };
        Operator::free(self.states(), self.param_dim(), Box::new(product))
    }

    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let lanes = self.lanes(backend);
        let part = |i: usize, part: &'a ModelPart<'_>| {
            let rho = &rho[part.range.clone()];
            let backend = lanes.as_ref().map_or(backend, |lanes| lanes[i]);
            let sensitivity = part.model.linearise(rho, theta, backend)?;
            Ok((sensitivity, part.range.clone()))
        };
        Ok(Box::new(StackedSensitivity {
            states: self.states(),
            params: self.param_dim(),
            apart: lanes.is_some(),
            parts: each(&self.0, lanes.is_some(), part)?,
        }))
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let columns = along.theta.ncols();
        let mut by_state = Mat::zeros(self.states(), columns);
        let mut by_param = Mat::zeros(self.param_dim(), columns);
        for ModelPart { model, range } in &self.0 {
            let own = Variation {
                lambda: &along.lambda[range.clone()],
                rho: along.rho.subrows(range.start, range.len()),
                theta: along.theta,
            };
            let [state, param] = model.second_derivative(&rho[range.clone()], theta, &own)?;
            by_state
                .as_mut()
                .subrows_mut(range.start, range.len())
                .copy_from(state);
            by_param += param;
        }
        Some([by_state, by_param])
    }

    fn diagnose(&self, rho: &[f64], theta: &[f64]) -> Result<()> {
        let mut parts = self.0.iter();
        parts.try_for_each(|part| part.model.diagnose(&rho[part.range.clone()], theta))
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        self.0
            .iter()
            .flat_map(|part| part.model.guess(theta))
            .collect()
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        check::length("ρ", rho.len(), self.states())?;
        let lanes = self.lanes(backend);
        let guess = &*rho;
        let states = each(&self.0, lanes.is_some(), |i, part| {
            let mut state = guess[part.range.clone()].to_vec();
            let backend = lanes.as_ref().map_or(backend, |lanes| lanes[i]);
            part.model.solve(theta, &mut state, backend)?;
            Ok(state)
        })?;
        rho.copy_from_slice(&states.concat());
        Ok(())
    }
}

/// Copies a product, or fills `out` with NaN if there is none.
fn fill(mut out: MatMut<'_, f64>, product: Result<Mat<f64>>) {
    match product {
        Ok(product) => out.copy_from(product),
        Err(_) => out.fill(f64::NAN),
    }
}

/// Stacked derivative Z of the models.
struct StackedSensitivity<'a> {
    states: usize,
    params: usize,
    /// Whether no solve of a part depends on those of others.
    apart: bool,
    parts: Vec<(Box<dyn Sensitivity + 'a>, Range<usize>)>,
}

impl Sensitivity for StackedSensitivity<'_> {
    fn state_dim(&self) -> usize {
        self.states
    }

    fn param_dim(&self) -> usize {
        self.params
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let all = each(&self.parts, self.apart, |_, (part, range)| {
            let tangents = part.tangent(v)?;
            check::length("the rows of a tangent", tangents.nrows(), range.len())?;
            Ok(tangents)
        })?;
        let mut out = Mat::zeros(self.states, v.ncols());
        for (tangents, (_, range)) in all.iter().zip(&self.parts) {
            out.as_mut()
                .subrows_mut(range.start, range.len())
                .copy_from(tangents);
        }
        Ok(out)
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        let terms = each(&self.parts, self.apart, |_, (part, range)| {
            let own = w.as_ref().subrows(range.start, range.len());
            let term = part.adjoint(own.to_owned().into())?;
            check::length("the rows of an adjoint", term.nrows(), self.params)?;
            Ok(term)
        })?;
        // The terms are added in the order of the models, whichever thread was faster.
        let mut out = Mat::zeros(self.params, w.ncols());
        terms.iter().for_each(|term| out += term);
        Ok(out)
    }

    fn takes_solves(&self) -> bool {
        self.parts.iter().any(|(part, _)| part.takes_solves())
    }

    fn announce(&self, covectors: usize) {
        self.parts
            .iter()
            .for_each(|(part, _)| part.announce(covectors));
    }

    fn width(&self) -> usize {
        self.parts
            .iter()
            .map(|(part, _)| part.width())
            .min()
            .unwrap_or(1)
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        let parts = each(&self.parts, self.apart, |_, (part, range)| {
            let curvature = part.curvature(&w[range.clone()])?;
            Ok(curvature.map(|curvature| (curvature, range.clone())))
        })?;
        let Some(parts) = parts.into_iter().collect() else {
            return Ok(None);
        };
        Ok(Some(Box::new(StackedCurvature(parts))))
    }
}

/// Sum of the curvatures of the models.
struct StackedCurvature<'a>(Vec<(Box<dyn StateCurvature + 'a>, Range<usize>)>);

impl StateCurvature for StackedCurvature<'_> {
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        let mut state = Mat::zeros(tangents.nrows(), v.ncols());
        let mut param = Mat::zeros(v.nrows(), v.ncols());
        for (part, range) in &self.0 {
            let own = tangents.subrows(range.start, range.len());
            let [s, c] = part.terms(v, own)?;
            state
                .as_mut()
                .subrows_mut(range.start, range.len())
                .copy_from(s);
            param += c;
        }
        Ok([state, param])
    }
}
