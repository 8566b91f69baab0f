//! Traces of functions of a curvature by stochastic Lanczos quadrature.

use std::f64::consts::TAU;
use std::fmt;

use faer::Mat;

use super::average::Average;
use super::checked::{ROUNDING, check_dim, check_probes, product, symmetric};
use super::error::Error;
use super::extremes::LEAST_ERROR;
use crate::check;
use crate::error::Result;
use crate::hessian::{Chain, Curvature, Ritz, Rule, advance};
use crate::linalg::symmetric_eigen;
use crate::random;

/// Probes and steps of stochastic Lanczos quadrature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quadrature {
    /// Number of random probes, at least 16: standard errors of fewer probes are themselves too uncertain. In tests with 400 seeds
    /// and 32 probes, 95 % intervals of traces, effective dimensions and densities hold the truth for 91 to 98 %.
    pub probes: usize,
    /// Number of Lanczos steps per probe, at least 40, or the dimension if that is smaller. Each takes one product.
    pub steps: usize,
    /// Seed of the probes.
    pub seed: u64,
}

impl Default for Quadrature {
    fn default() -> Self {
        Self {
            probes: 32,
            steps: FEWEST_STEPS,
            seed: 0,
        }
    }
}

const FEWEST_STEPS: usize = 40;

/// Largest number of entries of the Krylov bases that are held at a time, 512 MiB.
const ENTRIES: usize = 1 << 26;

/// Spectrum of a curvature H: all its eigenvalues, or what random probes tell of them.
///
/// For random signs w, E[wᵀf(H)w] = tr f(H) (Hutchinson), and m steps of the Lanczos process from w give the rule of Gauss for
/// wᵀf(H)w (Ubaru, Chen and Saad 2017). One set of processes serves all functions f: traces, densities, effective dimensions.
/// Every answer is an [`Average`] with its standard error over the probes and the error by too few steps.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::{Quadrature, Spectrum};
/// let h = Operator::diagonal((1..=100).map(|i| 1.0 / f64::from(i * i)).collect::<Vec<_>>());
/// let spectrum = Spectrum::of(&h, &Quadrature::default())?;
/// let dimension = spectrum.effective_dimension(0.01)?;
/// let exact: f64 = (1..=100).map(|i| 1.0 / (1.0 + 0.01 * f64::from(i * i))).sum();
/// let (low, high) = dimension.interval(0.99)?;
/// assert!(low <= exact && exact <= high, "{dimension}");
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// The same seed gives the same bits on any number of threads.
#[derive(Clone, Debug)]
pub struct Spectrum {
    dim: usize,
    probes: Vec<Probe>,
    /// Smallest and largest node.
    range: (f64, f64),
    products: usize,
    exact: bool,
}

/// Rules of one probe.
#[derive(Clone, Debug)]
struct Probe {
    gauss: Rule,
    radau: Rule,
    /// Residuals of the nodes of `gauss`.
    residuals: Vec<f64>,
    /// Square length of the probe.
    square: f64,
}

impl Probe {
    /// Returns whether the nodes within a width of x are no farther apart than two widths, or settled.
    ///
    /// Between two nodes that are eigenvalues up to a tenth of the width there are no others that the probe sees.
    fn resolves(&self, x: f64, width: f64, coordinate: impl Fn(f64) -> f64) -> bool {
        // The rule of Radau adds the lower end of the spectrum, below which there is nothing.
        let end = self
            .radau
            .nodes
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        let node = |(&value, &residual): (&f64, &f64)| {
            let [low, high] = [value - residual, value + residual].map(&coordinate);
            (coordinate(value), high - low <= 0.1 * width)
        };
        // Nodes are in decreasing order.
        let nodes = self.gauss.nodes.iter().zip(&self.residuals).map(node);
        let all: Vec<(f64, bool)> = nodes.chain([(coordinate(end), false)]).collect();
        let all_settled = all[..all.len() - 1].iter().all(|node| node.1);
        all_settled
            || all.windows(2).all(|pair| {
                let [(above, settled), (below, also)] = [pair[0], pair[1]];
                let far = below > x + width || above < x - width;
                far || above - below <= 2.0 * width || settled && also
            })
    }

    /// Returns Σ w f(x) for the probe and a rule, and Σ |w f(x)|.
    fn integral(&self, rule: &Rule, f: impl Fn(f64) -> f64) -> [f64; 2] {
        let pairs = rule.nodes.iter().zip(&rule.weights);
        let terms = pairs.map(|(x, w)| self.square * w * f(*x));
        terms.fold([0.0; 2], |[sum, size], term| {
            [sum + term, size + term.abs()]
        })
    }
}

/// Rounding error of a rule, relative to the size of its terms: some errors of nodes and weights.
const SUMMED: f64 = 64.0 * f64::EPSILON;

/// Fraction of the largest eigenvalue by which the end of a spectrum is moved down, so that it lies below all nodes.
const MARGIN: f64 = 1e-12;

impl Spectrum {
    /// Estimates the spectrum by [`Quadrature::probes`] times [`Quadrature::steps`] products, all probes in one batch.
    ///
    /// # Errors
    /// Fails for a dimension of 0, for fewer than 16 probes, for fewer than 40 steps and fewer than the dimension, and with
    /// [`HessianError::NotSymmetric`](crate::direction::HessianError::NotSymmetric) for products that are not those of a symmetric matrix. Fails if a product fails or is
    /// not finite.
    pub fn of(h: &dyn Curvature, options: &Quadrature) -> Result<Self> {
        let dim = check_dim(h)?;
        let Quadrature {
            probes,
            steps,
            seed,
        } = *options;
        check_probes("the number of probes of a spectrum", probes)?;
        let fewest = FEWEST_STEPS.min(dim);
        let remedy = "take at least 40, or as many as there are parameters";
        let enough = steps >= fewest;
        check::option("the number of Lanczos steps", steps as f64, enough, remedy)?;
        let steps = steps.min(dim);
        // Bases of a group of probes are held at a time. What a probe gives does not depend on its group.
        let group = (ENTRIES / dim.saturating_mul(steps)).clamp(1, probes);
        let (mut chains, mut products) = (Vec::with_capacity(probes), 0);
        for first in (0..probes).step_by(group) {
            let members = first..probes.min(first + group);
            let start = |j: usize| Chain::new(&random::signs(dim, seed, j as u64 + 1));
            let mut part: Vec<Chain> = members.map(start).collect();
            for _ in 0..steps {
                products += advance(h, &mut part)?;
            }
            chains.extend(part.into_iter().map(Chain::without_basis));
        }
        Ok(Self::of_chains(dim, &chains, products))
    }

    fn of_chains(dim: usize, chains: &[Chain], products: usize) -> Self {
        let ritz: Vec<_> = chains.iter().map(Chain::ritz).collect();
        let nodes = || ritz.iter().flat_map(|ritz| ritz.values.iter().copied());
        let range = nodes().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let lows = ritz.iter().filter_map(|ritz| {
            let last = ritz.values.last()?;
            Some(last - ritz.residuals.last()?)
        });
        let low = lows.fold(range.0, f64::min);
        let size = range.0.abs().max(range.1.abs());
        // A matrix without negative Ritz values is taken for positive semidefinite: its spectrum ends at 0 or above.
        let end = match range.0 >= -ROUNDING * size {
            true => low.max(0.0).min(range.0),
            false => low,
        };
        let probe = |(chain, ritz): (&Chain, &Ritz)| Probe {
            gauss: ritz.gauss(),
            radau: chain.radau(end - MARGIN * size),
            residuals: ritz.residuals.clone(),
            square: chain.square(),
        };
        Self {
            dim,
            probes: chains.iter().zip(&ritz).map(probe).collect(),
            range,
            products,
            exact: false,
        }
    }

    /// Computes all eigenvalues, by as many products as there are parameters, whose matrix is formed.
    ///
    /// # Errors
    /// Fails for a dimension of 0, if a product fails or is not finite, and if the matrix is not symmetric.
    pub fn dense(h: &dyn Curvature) -> Result<Self> {
        let dim = check_dim(h)?;
        let matrix = product(h, Mat::identity(dim, dim))?;
        let (values, _) = symmetric_eigen(symmetric(&matrix)?.as_ref());
        let range = (values[dim - 1], values[0]);
        let rule = Rule {
            weights: vec![1.0 / dim as f64; dim],
            nodes: values,
        };
        Ok(Self {
            dim,
            probes: vec![Probe {
                radau: rule.clone(),
                residuals: vec![0.0; dim],
                gauss: rule,
                square: dim as f64,
            }],
            range,
            products: dim,
            exact: true,
        })
    }

    /// Returns the dimension of the curvature.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the number of products that the spectrum took.
    pub fn products(&self) -> usize {
        self.products
    }

    /// Returns all eigenvalues in decreasing order, if they were computed by [`dense`](Self::dense).
    pub fn eigenvalues(&self) -> Option<&[f64]> {
        self.exact.then(|| self.probes[0].gauss.nodes.as_slice())
    }

    /// Returns the smallest and the largest node, between which not all eigenvalues need lie. [`Extremes`](super::Extremes) says
    /// how accurate they are.
    pub fn range(&self) -> (f64, f64) {
        self.range
    }

    /// Estimates tr f(H) = Σ f(λ).
    ///
    /// Eigenvalues below 1e-13 of the largest are rounding, and count as 0: the logarithm of a singular curvature is an error, and
    /// a count of the positive eigenvalues is that of those above rounding. Where f jumps, the error by few steps is an
    /// estimate of its order only.
    ///
    /// # Errors
    /// Fails with [`Error::Function`] if f is not finite at an eigenvalue of a Lanczos process.
    pub fn sum(&self, f: impl Fn(f64) -> f64) -> Result<Average> {
        let rounding = LEAST_ERROR * self.range.0.abs().max(self.range.1.abs());
        let cleared = |x: f64| if x.abs() <= rounding { 0.0 } else { x };
        let f = |x: f64| f(cleared(x));
        let mut sums = Vec::with_capacity(self.probes.len());
        let mut truncation = 0.0;
        for probe in &self.probes {
            for &eigenvalue in &probe.gauss.nodes {
                let value = f(eigenvalue);
                if !value.is_finite() {
                    let eigenvalue = cleared(eigenvalue);
                    return Err(Error::Function { eigenvalue, value }.into());
                }
            }
            let [sum, size] = probe.integral(&probe.gauss, f);
            let [other, _] = probe.integral(&probe.radau, f);
            let error = (other - sum).abs() + SUMMED * size;
            truncation += if error.is_finite() {
                error
            } else {
                f64::INFINITY
            };
            sums.push(sum);
        }
        Ok(self.average(&sums, truncation / self.probes.len() as f64))
    }

    /// Returns the mean of the probes, or the exact value.
    fn average(&self, sums: &[f64], truncation: f64) -> Average {
        match self.exact {
            true => Average::exact(sums[0]),
            false => Average {
                truncation,
                ..Average::of(sums)
            },
        }
    }

    /// Estimates the trace Σ λ.
    pub fn trace(&self) -> Average {
        // The rule is exact for f(λ) = λ.
        let parts = self.probes.iter().map(|p| p.integral(&p.gauss, |x| x));
        let (sums, sizes): (Vec<f64>, Vec<f64>) = parts.map(|[sum, size]| (sum, size)).unzip();
        let rounding = SUMMED * sizes.iter().sum::<f64>() / sizes.len() as f64;
        self.average(&sums, rounding)
    }

    /// Estimates the effective dimension Σ λ/(λ + α): the number of directions whose curvature exceeds α, with soft edges.
    ///
    /// # Errors
    /// Fails if α is not positive and finite, or so small that eigenvalues of its size are rounding errors. Fails with
    /// [`Error::Negative`] if the curvature has a negative eigenvalue.
    pub fn effective_dimension(&self, alpha: f64) -> Result<Average> {
        let (low, high) = self.range;
        let what = "the damping α of an effective dimension";
        let positive = alpha > 0.0 && alpha.is_finite();
        check::option(what, alpha, positive, "give a positive number")?;
        let size = low.abs().max(high.abs());
        let remedy = "take one above the errors of the eigenvalues by rounding and solves, 1e-10 of the largest";
        check::option(what, alpha, alpha >= ROUNDING * size, remedy)?;
        if low < -ROUNDING * size {
            return Err(Error::Negative {
                what: "an effective dimension",
                eigenvalue: low,
            }
            .into());
        }
        // α/(λ + α) has positive even derivatives and negative odd ones: the rules enclose its sum.
        let rest = self.sum(|lambda| alpha / (lambda.max(0.0) + alpha))?;
        let dim = self.dim as f64;
        Ok(rest.mapped(dim, -1.0).within(0.0, dim))
    }

    /// Estimates the spectral density (1/n) Σ g(x − λ) at these points, with the density g of a normal distribution of this
    /// width.
    ///
    /// Where neighbouring nodes are farther apart than two widths and have not settled, the density is not resolved: its
    /// [`truncation`](Average::truncation) is infinite there. The nodes are about the range over the number of steps apart.
    ///
    /// # Errors
    /// Fails if the width is not positive and finite, or if a point is not finite.
    pub fn density(&self, points: &[f64], width: f64) -> Result<Vec<Average>> {
        self.smoothed(points, width, |lambda| lambda)
    }

    /// Estimates the density of ln λ/ln 10 over the positive eigenvalues, smoothed by a width in decades, at these points.
    /// Its integral is the share of the positive eigenvalues. Small eigenvalues take many steps: what a few steps do not resolve
    /// has an infinite [`truncation`](Average::truncation).
    ///
    /// # Errors
    /// Fails as [`density`](Self::density) does.
    pub fn density_of_decades(&self, points: &[f64], width: f64) -> Result<Vec<Average>> {
        self.smoothed(points, width, |lambda| match lambda > 0.0 {
            true => lambda.log10(),
            false => f64::NEG_INFINITY,
        })
    }

    fn smoothed(
        &self,
        points: &[f64],
        width: f64,
        coordinate: impl Fn(f64) -> f64,
    ) -> Result<Vec<Average>> {
        check::positive("the width of a spectral density", &[width])?;
        check::finite("a point of a spectral density", points)?;
        let scale = (TAU.sqrt() * width * self.dim as f64).recip();
        let at = |&x: &f64| {
            let average = self.sum(|lambda| {
                let z = (coordinate(lambda) - x) / width;
                scale * (-0.5 * z * z).exp()
            })?;
            let resolved = |probe: &Probe| probe.resolves(x, width, &coordinate);
            Ok(Average {
                truncation: match self.probes.iter().all(resolved) {
                    true => average.truncation,
                    false => f64::INFINITY,
                },
                ..average
            })
        };
        points.iter().map(at).collect()
    }
}

impl fmt::Display for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((low, high), trace) = (self.range, self.trace());
        let from = match self.exact {
            true => "all eigenvalues".to_string(),
            false => format!("{} probes", self.probes.len()),
        };
        let nodes = if self.exact { "" } else { ", nodes" };
        write!(
            f,
            "{} eigenvalues{nodes} from {low:.3e} to {high:.3e}, trace {trace} ({from}, {} products)",
            self.dim, self.products
        )
    }
}
