//! Sensitivities that are prepared when they are first needed.

use std::sync::OnceLock;

use faer::{Mat, MatRef};

use super::second_order::StateCurvature;
use super::sensitivity::Sensitivity;
use crate::error::Result;
use crate::linalg::{Backend, Batch, Operator};
use crate::model::Model;

/// Sensitivity of a model at a point, prepared by the first product.
pub(super) struct Deferred<'a> {
    model: &'a dyn Model,
    /// State ρ and parameters θ.
    point: (&'a [f64], &'a [f64]),
    backend: &'a dyn Backend,
    prepared: OnceLock<Box<dyn Sensitivity + 'a>>,
}

impl<'a> Deferred<'a> {
    pub(super) fn new(
        model: &'a dyn Model,
        point: (&'a [f64], &'a [f64]),
        backend: &'a dyn Backend,
    ) -> Self {
        Self {
            model,
            point,
            backend,
            prepared: OnceLock::new(),
        }
    }

    /// Returns the prepared sensitivity.
    fn get(&self) -> Result<&(dyn Sensitivity + 'a)> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared.as_ref());
        }
        let (rho, theta) = self.point;
        let prepared = self.model.linearise(rho, theta, self.backend)?;
        Ok(self.prepared.get_or_init(|| prepared).as_ref())
    }
}

// Methods that cannot fail answer with the default where the preparation fails. The next product then returns the error.
impl Sensitivity for Deferred<'_> {
    fn state_dim(&self) -> usize {
        self.point.0.len()
    }

    fn param_dim(&self) -> usize {
        self.point.1.len()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.get()?.tangent(v)
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        self.get()?.adjoint(w)
    }

    fn takes_solves(&self) -> bool {
        self.get().is_ok_and(|z| z.takes_solves())
    }

    fn announce(&self, covectors: usize) {
        if let Ok(z) = self.get() {
            z.announce(covectors);
        }
    }

    fn width(&self) -> usize {
        self.get().map_or(1, |z| z.width())
    }

    fn jacobians(&self) -> Option<[Operator<'_>; 2]> {
        self.get().ok()?.jacobians()
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        self.get()?.curvature(w)
    }
}
