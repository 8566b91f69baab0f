//! Models of other programs.

use std::sync::{Mutex, PoisonError};

use pullback::model::adjoint::{Sensitivity, explicit_jacobian};
use pullback::{Backend, Model, Operator, Result};
use serde_json::Value;

use crate::blocks::Blocks;
use crate::error::Error;
use crate::requests::Connection;
use crate::sensitivity::{Derivative, Remotely};
use crate::wire::{Request, Support};

/// Model F of another program, behind an address: ρ = F(θ).
///
/// All inputs together are θ and all outputs together are ρ, in their order. Products with ∂F/∂θ come from `ApplyJacobian` and
/// `Gradient`. If the server has only one of them, the other comes from the whole Jacobian, which takes a request for every
/// parameter or every output. With `ApplyHessian` there are second derivatives, which [`Newton`](pullback::direction::Newton)
/// uses. Without any of them, see [`differences`](Remote::differences).
///
/// ```no_run
/// use pullback::{Descent, verify, loss::L2Misfit};
/// use pullback_umbridge::Remote;
///
/// let model = Remote::connect("http://localhost:4242", "forward")?
///     .configured(serde_json::json!({ "fidelity": 2 }))?
///     .parallel(4);
/// println!("{}", verify::model(&model, &[1.0, 2.0], 1)?); // are the derivatives of the server right?
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Remote {
    connection: Connection,
    support: Support,
    inputs: Blocks,
    outputs: Blocks,
    parallel: usize,
    step: Option<f64>,
    /// Parameters and values of the last evaluation.
    last: Mutex<Option<(Vec<f64>, Vec<f64>)>>,
    /// Failure that became NaN where no error can be returned.
    failure: Mutex<Option<Error>>,
}

impl Remote {
    /// Connects with the model of this name of the server at `url`, such as `http://localhost:4242`.
    ///
    /// # Errors
    /// Fails with an [`Error`] if there is no server, if it speaks another protocol, or if it has no such model.
    pub fn connect(url: &str, name: &str) -> Result<Self> {
        let connection = Connection::open(url, name)?;
        let support = connection.support()?;
        if !support.evaluate {
            return Err(Error::Unsupported {
                name: name.to_owned(),
                what: "values",
                remedy: "choose another model of the server",
            }
            .into());
        }
        let [inputs, outputs] = connection.sizes()?;
        Ok(Self {
            connection,
            support,
            inputs: Blocks::new(inputs),
            outputs: Blocks::new(outputs),
            parallel: 1,
            step: None,
            last: Mutex::new(None),
            failure: Mutex::new(None),
        })
    }

    /// Passes this configuration, a JSON object, with every request.
    ///
    /// # Errors
    /// Fails if the server does not tell the sizes that the model has with this configuration.
    pub fn configured(mut self, config: Value) -> Result<Self> {
        self.connection.config = config;
        let [inputs, outputs] = self.connection.sizes()?;
        self.inputs = Blocks::new(inputs);
        self.outputs = Blocks::new(outputs);
        self.last = Mutex::new(None);
        Ok(self)
    }

    /// Sends up to `count` requests at a time. The default is 1, since a server may compute only one thing at once.
    pub fn parallel(mut self, count: usize) -> Self {
        self.parallel = count.max(1);
        self
    }

    /// Replaces derivatives that the server does not compute by central differences with this step, relative to every
    /// parameter. They take two evaluations for every parameter, and are only as good as the values are smooth: with values
    /// exact to ε, the best step is about ε^(1/3), and the derivatives have an error of about ε^(2/3).
    pub fn differences(mut self, step: f64) -> Self {
        self.step = Some(step);
        self
    }

    /// Computes F(θ).
    fn values(&self, theta: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, values)) = last.as_ref().filter(|(known, _)| known == theta) {
            return Ok(values.clone());
        }
        let values = self.evaluated(theta)?;
        *last = Some((theta.to_vec(), values.clone()));
        Ok(values)
    }

    /// Asks the server for F(θ).
    pub(crate) fn evaluated(&self, theta: &[f64]) -> std::result::Result<Vec<f64>, Error> {
        let found = self.connection.evaluate(self.request(theta))?;
        let expected = self.outputs.ranges();
        let lengths = found
            .iter()
            .map(Vec::len)
            .filter(|&n| n > 0)
            .collect::<Vec<_>>();
        self.connection
            .sized("Evaluate", self.outputs.len(), lengths.iter().sum())?;
        for ((_, range), &length) in expected.iter().zip(&lengths) {
            self.connection
                .sized("a block of Evaluate", range.len(), length)?;
        }
        Ok(found.concat())
    }

    /// Returns a request at these parameters.
    pub(crate) fn request(&self, theta: &[f64]) -> Request {
        Request {
            input: Some(self.inputs.split(theta)),
            ..Request::default()
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn blocks(&self) -> (&Blocks, &Blocks) {
        (&self.inputs, &self.outputs)
    }

    pub(crate) fn threads(&self) -> usize {
        self.parallel
    }

    /// Returns how the derivative is computed.
    pub(crate) fn derivative(&self) -> std::result::Result<Derivative, Error> {
        match (
            self.support.apply_jacobian,
            self.support.gradient,
            self.step,
        ) {
            (true, true, _) => Ok(Derivative::Products),
            (true, false, _) => Ok(Derivative::Tangents),
            (false, true, _) => Ok(Derivative::Gradients),
            (false, false, Some(step)) if step > 0.0 && step.is_finite() => {
                Ok(Derivative::Differences(step))
            }
            (false, false, _) => Err(Error::Unsupported {
                name: self.connection.name.clone(),
                what: "derivatives",
                remedy: "add Gradient or ApplyJacobian to it, or call `differences` with a positive step",
            }),
        }
    }

    /// Returns whether the server computes second derivatives.
    pub(crate) fn bends(&self) -> bool {
        self.support.apply_hessian
    }

    fn keep(&self, failure: Error) {
        let mut kept = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(failure);
    }
}

impl Model for Remote {
    fn state_dim(&self) -> usize {
        self.outputs.len()
    }

    fn param_dim(&self) -> usize {
        self.inputs.len()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        match self.values(theta) {
            Ok(values) => {
                for (g, (rho, value)) in out.iter_mut().zip(rho.iter().zip(values)) {
                    *g = rho - value;
                }
            }
            Err(failure) => {
                self.keep(failure);
                out.fill(f64::NAN);
            }
        }
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(rho.len())
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        explicit_jacobian(Box::new(Remotely::new(self, theta)))
    }

    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        self.derivative()?;
        Ok(Box::new(Remotely::new(self, theta)))
    }

    fn diagnose(&self, _: &[f64], _: &[f64]) -> Result<()> {
        let mut kept = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        rho.copy_from_slice(&self.values(theta)?);
        Ok(())
    }
}
