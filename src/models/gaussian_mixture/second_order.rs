//! Second derivatives of a mixture, contracted with multipliers.

use faer::Mat;

use super::{Component, GaussianMixture, MOST_DERIVATIVES, Parameter};
use crate::model::Variation;
use crate::vector::dot;

/// Number of derivatives of a profile along one axis, of the orders 0 to [`MOST_DERIVATIVES`].
const ORDERS: usize = MOST_DERIVATIVES + 1;

/// Derivative of an order along an axis, with respect to the mean.
#[derive(Clone, Copy)]
struct Partial {
    axis: usize,
    order: usize,
    factor: f64,
}

/// Sums Σ λ(x) ∂ᵃN/∂μᵃ over the cells, for all multi-indices a with entries below [`ORDERS`].
struct Moments<'m> {
    dim: usize,
    values: Vec<f64>,
    component: &'m Component,
}

impl Moments<'_> {
    /// Returns the sum for these derivatives, one after the other.
    fn after(&self, partials: &[Partial]) -> f64 {
        // The last axis is the fastest.
        let stride = |axis: usize| ORDERS.pow((self.dim - 1 - axis) as u32);
        let index = partials
            .iter()
            .map(|p| p.order * stride(p.axis))
            .sum::<usize>();
        partials.iter().map(|p| p.factor).product::<f64>() * self.values[index]
    }

    /// Returns Σ λ ∂ⱼ∂ₖ(w N), given the terms of ∂ⱼN and ∂ₖN, and ∂ⱼw and ∂ₖw.
    fn second(&self, shapes: [&[Partial]; 2], weights: [f64; 2]) -> f64 {
        // The weights are linear in θ: ∂ⱼ∂ₖ(w N) = ∂ⱼw ∂ₖN + ∂ₖw ∂ⱼN + w ∂ⱼ∂ₖN.
        let [first_j, first_k] =
            shapes.map(|shape| shape.iter().map(|a| self.after(&[*a])).sum::<f64>());
        let pairs = shapes[0]
            .iter()
            .flat_map(|a| shapes[1].iter().map(move |b| [*a, *b]));
        let both: f64 = pairs.map(|pair| self.after(&pair)).sum();
        weights[0] * first_k + weights[1] * first_j + self.component.weight * both
    }
}

impl GaussianMixture {
    /// Returns the derivatives of Aᵀλ and Cᵀλ along every column of a variation. Since A = I, the first vanishes.
    pub(super) fn bend(&self, theta: &[f64], along: &Variation<'_>) -> [Mat<f64>; 2] {
        let state = Mat::zeros(self.grid.cells(), along.rho.ncols());
        let p = self.free.len();
        // An invalid θ has no density, and no derivatives either.
        let second = match self.at(theta) {
            Ok(components) => self.second(&components, along.lambda),
            Err(_) => Mat::from_fn(p, p, |_, _| f64::NAN),
        };
        [state, -(second * along.theta)]
    }

    /// Returns the p × p matrix Σᵢ λᵢ ∂²ρᵢ/∂θ².
    fn second(&self, components: &[Component], lambda: &[f64]) -> Mat<f64> {
        let p = self.free.len();
        let mut out = Mat::zeros(p, p);
        for (c, component) in components.iter().enumerate() {
            let moments = self.moments(component, lambda);
            let weights: Vec<f64> = (0..p).map(|i| self.weight_slope(i, c)).collect();
            let shapes: Vec<Vec<Partial>> = (0..p).map(|i| self.shape_slope(i, c)).collect();
            for j in 0..p {
                for k in 0..=j {
                    let second = moments.second([&shapes[j], &shapes[k]], [weights[j], weights[k]]);
                    out[(j, k)] += second;
                }
            }
        }
        for j in 0..p {
            (0..j).for_each(|k| out[(k, j)] = out[(j, k)]);
        }
        out
    }

    /// Returns ∂w/∂θ of the weight of component `c` with respect to free parameter `i`.
    fn weight_slope(&self, i: usize, c: usize) -> f64 {
        match self.free[i] {
            Parameter::Weight(own) if own == c => 1.0,
            // The last weight is 1 minus the others.
            Parameter::Weight(_) if c + 1 == self.components.len() => -1.0,
            _ => 0.0,
        }
    }

    /// Returns ∂N/∂θ of component `c` with respect to free parameter `i`, as a sum of derivatives by its means.
    fn shape_slope(&self, i: usize, c: usize) -> Vec<Partial> {
        let mean = |axis| Partial {
            axis,
            order: 1,
            factor: 1.0,
        };
        // The heat equation ∂N/∂σ² = ½ ∂²N/∂μ² holds for all derivatives of N as well.
        let variance = |axis| Partial {
            axis,
            order: 2,
            factor: 0.5,
        };
        match self.free[i] {
            Parameter::Mean(own, axis) if own == c => vec![mean(axis)],
            Parameter::AxisVariance(own, axis) if own == c => vec![variance(axis)],
            Parameter::Variance(own) if own == c => (0..self.grid.dim()).map(variance).collect(),
            _ => Vec::new(),
        }
    }

    /// Contracts λ with the profiles of a component and all their derivatives, axis by axis.
    fn moments<'m>(&self, component: &'m Component, lambda: &[f64]) -> Moments<'m> {
        // With N cells the first contraction takes 5N multiplications, and each further one fewer: much less than p² fields
        // of N values.
        let mut values = lambda.to_vec();
        for d in (0..self.grid.dim()).rev() {
            let profiles = (0..ORDERS).map(|order| self.profile(component, d, order));
            let contracted = profiles.map(|profile| contract(&values, &profile));
            values = contracted.collect::<Vec<_>>().concat();
        }
        Moments {
            dim: self.grid.dim(),
            values,
            component,
        }
    }
}

/// Contracts the last axis of an array with a profile.
fn contract(array: &[f64], profile: &[f64]) -> Vec<f64> {
    array
        .chunks(profile.len())
        .map(|line| dot(line, profile))
        .collect()
}
