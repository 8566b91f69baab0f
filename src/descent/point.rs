//! Points of a run: parameters with their state and objective.

use serde::{Deserialize, Serialize};

use crate::linalg::Batches;
use crate::loss::Misfit;

/// Point θ with its state and objective.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) theta: Vec<f64>,
    pub(super) rho: Vec<f64>,
    /// Objective f(ρ) + R(θ) at the point.
    pub(super) loss: f64,
    /// Penalty R(θ) of the priors.
    pub(super) penalty: f64,
}

impl Clone for Point {
    fn clone(&self) -> Self {
        Self {
            theta: self.theta.clone(),
            rho: self.rho.clone(),
            loss: self.loss,
            penalty: self.penalty,
        }
    }

    /// Copies a point into the memory of this one.
    fn clone_from(&mut self, other: &Self) {
        self.theta.clone_from(&other.theta);
        self.rho.clone_from(&other.rho);
        (self.loss, self.penalty) = (other.loss, other.penalty);
    }
}

/// Objective f(ρ(θ)) + R(θ) at a point, and its gradient ([`Descent::gradient`](super::Descent::gradient)).
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Value of the objective.
    pub value: f64,
    /// Derivative with respect to every parameter θⱼ, in its own units also with transforms.
    pub gradient: Vec<f64>,
}

/// Derivative of the misfit f(ρ(θ)) at a point, in the coordinates of the descent with all parameters free.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Derivative {
    /// Covector ∂f/∂ρ.
    pub(super) covector: Vec<f64>,
    /// Gradient Zᵀ ∂f/∂ρ.
    pub(super) gradient: Vec<f64>,
}

/// Point with the loss prepared at its state.
pub(super) struct Evaluated<'a> {
    pub(super) point: Point,
    pub(super) misfit: Box<dyn Misfit + 'a>,
    /// Warm starts of the loss before it was prepared, from which a preparation comes out bit for bit as it was.
    pub(super) before: Option<Batches>,
    /// Derivative of the misfit, where a step rule asked for it.
    pub(super) derivative: Option<Derivative>,
}
