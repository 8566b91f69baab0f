//! Models written in Python.

use std::sync::Arc;

use numpy::PyArray1;
use pullback::model::adjoint::{Implicit, Sensitivity};
use pullback::model::solve_by_newton;
use pullback::{Backend, Model, Operator, Result};
use pyo3::prelude::*;

use crate::convert::{Form, broken, vector_into};
use crate::error::of_model;
use crate::watch::Watch;

/// Object with the methods of a model. Exceptions are kept by the watch.
pub(crate) struct Methods {
    object: Py<PyAny>,
    pub(crate) dims: (usize, usize),
    watch: Arc<Watch>,
}

impl Methods {
    /// Takes an object with the attributes `state_dim` and `param_dim`.
    pub(crate) fn new(object: &Bound<'_, PyAny>, watch: &Arc<Watch>) -> PyResult<Self> {
        let dim = |name: &str| object.getattr(name)?.extract::<usize>();
        Ok(Self {
            dims: (dim("state_dim")?, dim("param_dim")?),
            object: object.clone().unbind(),
            watch: Arc::clone(watch),
        })
    }

    /// Calls a method with vectors, and reads its answer.
    fn call<T>(
        &self,
        name: &str,
        vectors: &[&[f64]],
        read: impl FnOnce(&str, &Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Result<T> {
        if self.watch.raised() {
            return Err(Watch::failure());
        }
        Python::attach(|py| {
            let object = self.object.bind(py);
            let answer = match *vectors {
                [theta] => object.call_method1(name, (PyArray1::from_slice(py, theta),)),
                [rho, theta] => {
                    let arguments = (
                        PyArray1::from_slice(py, rho),
                        PyArray1::from_slice(py, theta),
                    );
                    object.call_method1(name, arguments)
                }
                _ => return Err(Watch::failure()),
            };
            let method = format_args!("the model's `{name}`").to_string();
            let found = answer.map_err(|cause| of_model(py, &method, cause));
            let found = found.and_then(|answer| read(&format!("what {method} returned"), &answer));
            found.map_err(|error| {
                self.watch.keep(error);
                Watch::failure()
            })
        })
    }

    fn vector(&self, name: &str, vectors: &[&[f64]], out: &mut [f64]) -> Result<()> {
        self.call(name, vectors, |from, answer| vector_into(from, answer, out))
    }

    pub(crate) fn operator(
        &self,
        name: &str,
        vectors: &[&[f64]],
        form: &Form,
    ) -> Result<Operator<'static>> {
        self.call(name, vectors, |from, answer| {
            form.read(from, answer, &self.watch)
        })
    }

    /// Returns an error if there was an exception.
    pub(crate) fn fault(&self) -> Result<()> {
        match self.watch.raised() {
            true => Err(Watch::failure()),
            false => Ok(()),
        }
    }
}

/// Explicit function ρ = F(θ), with `values(theta)` and `jacobian(theta)`.
pub(crate) struct Explicit(pub(crate) Methods);

impl Explicit {
    /// Returns ∂g/∂θ = −∂F/∂θ of the equations g = ρ − F(θ).
    fn param_jacobian(&self, theta: &[f64]) -> Result<Operator<'static>> {
        let form = Form {
            shape: self.0.dims,
            factor: -1.0,
        };
        self.0.operator("jacobian", &[theta], &form)
    }
}

impl Model for Explicit {
    fn state_dim(&self) -> usize {
        self.0.dims.0
    }

    fn param_dim(&self) -> usize {
        self.0.dims.1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        match self.0.vector("values", &[theta], out) {
            Ok(()) => out.iter_mut().zip(rho).for_each(|(g, r)| *g = r - *g),
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let found = Self::param_jacobian(self, theta);
        found.unwrap_or_else(|_| broken(rho.len(), theta.len()))
    }

    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let c = Self::param_jacobian(self, theta)?;
        let identity = Operator::identity(rho.len());
        Ok(Box::new(Implicit::new(identity, c, backend)?))
    }

    fn diagnose(&self, _: &[f64], _: &[f64]) -> Result<()> {
        self.0.fault()
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        self.0.vector("values", &[theta], rho)
    }
}

/// Equations g(ρ, θ) = 0, with `residual(rho, theta)`, `state_jacobian(rho, theta)`, `param_jacobian(rho, theta)` and, if the
/// object has them, `guess(theta)` and `solve(rho, theta)`.
pub(crate) struct Equations {
    pub(crate) methods: Methods,
    has_guess: bool,
    has_solve: bool,
}

impl Equations {
    pub(crate) fn new(object: &Bound<'_, PyAny>, watch: &Arc<Watch>) -> PyResult<Self> {
        let has = |name: &str| -> PyResult<bool> {
            Ok(object.hasattr(name)? && !object.getattr(name)?.is_none())
        };
        Ok(Self {
            methods: Methods::new(object, watch)?,
            has_guess: has("guess")?,
            has_solve: has("solve")?,
        })
    }

    fn operator<'a>(&self, name: &str, rho: &[f64], theta: &[f64], columns: usize) -> Operator<'a> {
        let shape = (self.methods.dims.0, columns);
        let form = Form { shape, factor: 1.0 };
        let found = self.methods.operator(name, &[rho, theta], &form);
        found.unwrap_or_else(|_| broken(shape.0, shape.1))
    }
}

impl Model for Equations {
    fn state_dim(&self) -> usize {
        self.methods.dims.0
    }

    fn param_dim(&self) -> usize {
        self.methods.dims.1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        if self.methods.vector("residual", &[rho, theta], out).is_err() {
            out.fill(f64::NAN);
        }
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.operator("state_jacobian", rho, theta, self.methods.dims.0)
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.operator("param_jacobian", rho, theta, self.methods.dims.1)
    }

    fn diagnose(&self, _: &[f64], _: &[f64]) -> Result<()> {
        self.methods.fault()
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        let mut guess = vec![0.0; self.methods.dims.0];
        if self.has_guess && self.methods.vector("guess", &[theta], &mut guess).is_err() {
            guess.fill(f64::NAN);
        }
        guess
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        if self.has_solve {
            let start = rho.to_vec();
            return self.methods.vector("solve", &[&start, theta], rho);
        }
        solve_by_newton(self, theta, rho, backend)
    }
}
