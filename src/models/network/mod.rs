//! Networks: explicit models whose state is the outputs at many samples.

mod activation;
mod blocks;
mod curvature;
mod labelled;
mod layer;
mod pass;
mod sensitivity;

pub use self::activation::Activation;
pub use self::labelled::Labelled;

use std::ops::Range;

use faer::Mat;

use self::blocks::passes;
use self::layer::Layer;
use self::sensitivity::Derivative;
use crate::check;
use crate::curvature::Group;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::adjoint::{Sensitivity, explicit_jacobian};
use crate::model::{Model, Variation};
use crate::random;

/// Multilayer perceptron with `f64` weights. The state is the outputs at all samples, sample by sample.
///
/// Every layer maps a to s(W a + b), and the last one to W a + b alone: its outputs are numbers for a regression
/// ([`Observations`](crate::loss::Observations)) or logits of classes ([`Softmax`](crate::loss::Softmax)). θ holds, layer by
/// layer, the columns of W and then b.
///
/// Tangents, adjoints and second derivatives are exact, by passes with all samples. One pass counts as one solve. The matrix
/// ∂ρ/∂θ is formed only by directions that ask for it.
///
/// ```
/// use pullback::faer::Mat;
/// use pullback::loss::Softmax;
/// use pullback::models::{Activation, Network};
/// use pullback::{Descent, Loss};
/// // Two classes that no line separates: the samples are 1 inside a ring, and 0 outside.
/// let points = |i: usize| [(0.7 * i as f64).sin(), (1.1 * i as f64).cos()];
/// let inputs = Mat::from_fn(2, 40, |d, n| points(n)[d]);
/// let labels = (0..40).map(|n| usize::from(points(n)[0].hypot(points(n)[1]) < 0.8));
/// let network = Network::new(&inputs, &[6, 2], Activation::Tanh)?;
/// let loss = Softmax::new(2, labels.collect())?.mean();
/// let descent = Descent::new(&network, &loss);
/// let mut run = descent.begin(&network.initial(1))?;
/// for _ in 0..30 {
///     run.step()?;
/// }
/// assert_eq!(loss.accuracy(run.rho())?, 1.0);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    /// Inputs [x; 1], one column per sample.
    inputs: Mat<f64>,
    layers: Vec<Layer>,
    activation: Activation,
    /// Factors of the outputs.
    scales: Option<Vec<f64>>,
}

/// Least number of samples in a block, a work load of one thread.
const BLOCK: usize = 128;

/// Largest number of blocks, by which the memory for sums over them is bounded.
const BLOCKS: usize = 16;

impl Network {
    /// Creates a network for these samples, the columns of `inputs`, whose layers have these numbers of units, outputs last.
    ///
    /// # Errors
    /// Fails if there are no samples, inputs or layers, if a layer has no units, or if an input is not finite.
    pub fn new(inputs: &Mat<f64>, widths: &[usize], activation: Activation) -> Result<Self> {
        let count =
            |what, count: usize, remedy| check::option(what, count as f64, count > 0, remedy);
        let none = "give the units of every layer, outputs last";
        count("the number of layers of a network", widths.len(), none)?;
        let least = widths.iter().min().copied().unwrap_or(0);
        count(
            "the least number of units of a layer",
            least,
            "give at least one",
        )?;
        Ok(Self {
            layers: Layer::chain(inputs.nrows(), widths),
            inputs: homogeneous(inputs)?,
            activation,
            scales: None,
        })
    }

    /// Returns the network for other samples, such as those held out of a fit.
    ///
    /// # Errors
    /// Fails if there are no samples, if their number of inputs differs, or if an input is not finite.
    pub fn with_inputs(&self, inputs: &Mat<f64>) -> Result<Self> {
        let expected = self.inputs.nrows() - 1;
        check::length("the inputs of a network", inputs.nrows(), expected)?;
        Ok(Self {
            inputs: homogeneous(inputs)?,
            ..self.clone_without_inputs()
        })
    }

    /// Multiplies every output by a factor of its own.
    ///
    /// Such factors change the units of the weights of the last layer, and with them the condition of a fit, but not what the
    /// network can express.
    ///
    /// # Errors
    /// Fails if there is not one factor for every output, or if one is zero or not finite.
    pub fn output_scales(mut self, scales: &[f64]) -> Result<Self> {
        check::length(
            "the factors of the outputs of a network",
            scales.len(),
            self.outputs(),
        )?;
        let sizes: Vec<f64> = scales.iter().map(|scale| scale.abs()).collect();
        check::positive("the size of a factor of an output of a network", &sizes)?;
        self.scales = Some(scales.to_vec());
        Ok(self)
    }

    /// Returns the network for some of its samples, in this order.
    ///
    /// # Errors
    /// Fails if there are none, or if a sample does not exist.
    pub fn subset(&self, chosen: &[usize]) -> Result<Self> {
        check::chosen(chosen, self.samples())?;
        let mut inputs = Mat::zeros(self.inputs.nrows(), chosen.len());
        for (j, &n) in chosen.iter().enumerate() {
            inputs.as_mut().col_mut(j).copy_from(self.inputs.col(n));
        }
        Ok(Self {
            inputs,
            ..self.clone_without_inputs()
        })
    }

    fn clone_without_inputs(&self) -> Self {
        Self {
            inputs: Mat::new(),
            layers: self.layers.clone(),
            activation: self.activation,
            scales: self.scales.clone(),
        }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        self.inputs.ncols()
    }

    /// Returns the number of outputs of one sample.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// Returns the length of the state.
    fn states(&self) -> usize {
        self.outputs() * self.samples()
    }

    /// Returns the number of weights and biases.
    fn parameters(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.range().end)
    }

    /// Returns the parameters of every layer as a group, for [`curvature::blocks`](crate::curvature::blocks).
    ///
    /// ```
    /// use pullback::faer::Mat;
    /// use pullback::models::{Activation, Network};
    /// let network = Network::new(&Mat::<f64>::zeros(3, 1), &[4, 2], Activation::Relu)?;
    /// let sizes: Vec<usize> = network.layers().iter().map(|layer| layer.members.len()).collect();
    /// assert_eq!(sizes, [4 * (3 + 1), 2 * (4 + 1)]);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    pub fn layers(&self) -> Vec<Group> {
        let layers = self.layers.iter().enumerate();
        let group =
            |(l, layer): (usize, &Layer)| Group::new(&format!("layer {}", l + 1), layer.range());
        layers.map(group).collect()
    }

    /// Returns random initial weights, with the variance of Glorot and Bengio (2010), or for [`Activation::Relu`] that of He et al.
    /// (2015), and biases of zero.
    pub fn initial(&self, seed: u64) -> Vec<f64> {
        let mut theta = vec![0.0; self.parameters()];
        for (l, layer) in self.layers.iter().enumerate() {
            let deviation = self.activation.variance(layer.inputs, layer.outputs).sqrt();
            let count = layer.inputs * layer.outputs;
            let normal = random::normal(count, seed, l as u64 + 1);
            let weights = theta[layer.range()].iter_mut().zip(&normal);
            weights.for_each(|(weight, x)| *weight = deviation * x);
        }
        theta
    }

    /// Returns the outputs at all samples, sample by sample.
    ///
    /// # Errors
    /// Fails if θ has the wrong length or an entry that is not finite.
    pub fn predict(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut out = Vec::with_capacity(self.states());
        for pass in passes(self, theta)? {
            let samples = 0..pass.samples.len();
            samples.for_each(|n| out.extend_from_slice(pass.outputs.col_as_slice(n)));
        }
        Ok(out)
    }

    /// Returns blocks of samples that passes treat one by one. They do not depend on the number of threads.
    fn blocks(&self) -> Vec<Range<usize>> {
        let size = BLOCK.max(self.samples().div_ceil(BLOCKS));
        let starts = (0..self.samples()).step_by(size);
        starts
            .map(|start| start..(start + size).min(self.samples()))
            .collect()
    }
}

/// Returns the inputs with a last row of ones.
fn homogeneous(inputs: &Mat<f64>) -> Result<Mat<f64>> {
    let (rows, samples) = inputs.shape();
    for (what, count) in [
        ("the number of samples", samples),
        ("the number of inputs", rows),
    ] {
        check::option(what, count as f64, count > 0, "give at least one")?;
    }
    let all: Vec<f64> = inputs.col_iter().flat_map(|x| x.iter().copied()).collect();
    check::finite("an input of a network", &all)?;
    let entry = |i: usize, n: usize| if i < rows { inputs[(i, n)] } else { 1.0 };
    Ok(Mat::from_fn(rows + 1, samples, entry))
}

impl Model for Network {
    fn state_dim(&self) -> usize {
        self.states()
    }

    fn param_dim(&self) -> usize {
        self.parameters()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        match self.predict(theta) {
            Ok(outputs) => {
                let pairs = rho.iter().zip(&outputs);
                out.iter_mut().zip(pairs).for_each(|(g, (r, f))| *g = r - f);
            }
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.states())
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        match Derivative::new(self, theta) {
            Ok(derivative) => explicit_jacobian(Box::new(derivative)),
            Err(_) => Operator::free(
                self.states(),
                self.parameters(),
                Box::new(|_, _, mut out| out.fill(f64::NAN)),
            ),
        }
    }

    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        Ok(Box::new(Derivative::new(self, theta)?))
    }

    fn second_derivative(
        &self,
        _: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        // g = ρ − F(θ) is linear in ρ, and has the curvature of −F in θ.
        let product = match Derivative::new(self, theta) {
            Ok(derivative) => -derivative.curved(along.lambda, along.theta),
            Err(_) => Mat::from_fn(self.parameters(), along.theta.ncols(), |_, _| f64::NAN),
        };
        Some([Mat::zeros(self.states(), along.theta.ncols()), product])
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        check::length("ρ", rho.len(), self.states())?;
        rho.copy_from_slice(&self.predict(theta)?);
        Ok(())
    }
}
