//! Cases to choose from, and the problem to solve in each.

use pullback::descent::{Control, Snapshot, Tolerances};
use pullback::direction::{Gradient, LeastSquares};
use pullback::faer::MatRef;
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::{Armijo, TrustRatio};
use pullback::{
    Bounds, Cpu, Descent, Direction, Grid, Linearisation, Loss, Report, Result, StepRule,
};

use crate::support::geometry::{Geometry, LossKind};

/// Choice of the unknown parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    A,
    B,
    Five,
}

impl Case {
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::Five];

    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Five => "five",
        }
    }

    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::A => &["μ₁₁", "μ₁₂"],
            Self::B => &["w", "μ₁₁"],
            Self::Five => &["w", "μ₁₁", "μ₁₂", "μ₂₁", "μ₂₂"],
        }
    }

    pub fn truth(self) -> &'static [f64] {
        match self {
            Self::A => &[1.0, 3.0],
            Self::B => &[0.3, 1.0],
            Self::Five => &[0.3, 1.0, 3.0, 3.0, 2.0],
        }
    }

    /// Distance ‖θ − θ*‖ from the truth.
    pub fn distance(self, theta: &[f64]) -> f64 {
        let pairs = theta.iter().zip(self.truth());
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }

    pub fn start(self) -> &'static [f64] {
        match self {
            Self::A => &[4.2, 4.0],
            Self::B => &[0.7, -1.5],
            Self::Five => &[0.5, 0.0, 4.5, 4.5, 0.5],
        }
    }

    /// Window of the pictures, for the cases with two parameters.
    pub fn window(self) -> [[f64; 2]; 2] {
        match self {
            Self::B => [[0.0, 1.0], [-3.0, 6.0]],
            _ => [[-2.0, 7.0], [-1.5, 7.5]],
        }
    }

    fn free(self) -> Vec<Parameter> {
        let (w, mean) = (Parameter::Weight(0), Parameter::Mean);
        match self {
            Self::A => vec![mean(0, 0), mean(0, 1)],
            Self::B => vec![w, mean(0, 0)],
            Self::Five => vec![w, mean(0, 0), mean(0, 1), mean(1, 0), mean(1, 1)],
        }
    }

    /// Bounds of the parameters: [0, 1] for weights, the domain for means.
    pub fn intervals(self) -> Vec<(f64, f64)> {
        let interval = |name: &&str| if *name == "w" { (0.0, 1.0) } else { BOX.into() };
        self.names().iter().map(interval).collect()
    }
}

/// Both sides of the square domain of the densities.
pub const BOX: [f64; 2] = [-4.0, 10.0];

/// One case with one loss on one grid of cells.
pub struct Problem {
    pub mixture: GaussianMixture,
    pub loss: Box<dyn Loss>,
    pub bounds: Bounds,
    kind: LossKind,
    backend: Cpu,
}

impl Problem {
    /// Sets up the mixture on [−4, 10]² with `cells` cells along each axis, and the loss with the true density as data.
    pub fn new(case: Case, loss: LossKind, cells: usize) -> Result<Self> {
        let side = (BOX[0], BOX[1], cells);
        let grid = Grid::new(&[side, side])?;
        let mixture = GaussianMixture::new(&grid)
            .component(0.3, &[1.0, 3.0], 1.0)
            .component(0.7, &[3.0, 2.0], 1.0)
            .free(&case.free())?;
        let target = mixture.density(case.truth())?;
        let (lower, upper) = case.intervals().into_iter().unzip();
        Ok(Self {
            loss: loss.build(&grid, target)?,
            bounds: Bounds::new(lower, upper)?,
            kind: loss,
            backend: Cpu::default(),
            mixture,
        })
    }

    pub fn grid(&self) -> &Grid {
        self.mixture.grid()
    }

    /// Loss at θ; NaN where the mixture is not defined.
    pub fn loss_at(&self, theta: &[f64]) -> f64 {
        let rho = self.mixture.density(theta);
        rho.map_or(f64::NAN, |rho| self.loss.value(&rho))
    }

    /// Minimises the loss in a geometry, until it is 10⁻¹⁰ of its initial value.
    ///
    /// If the metric matches the loss, the steps are those of Levenberg and Marquardt. Otherwise the first step has the
    /// length of [`Self::first_scale`], and a line search adapts the scale, which at most doubles in an iteration.
    pub fn descend<F: Into<Control>>(
        &self,
        geometry: Geometry,
        start: &[f64],
        iterations: usize,
        observer: impl FnMut(Snapshot<'_>) -> F,
    ) -> Result<Report> {
        let metric = geometry.metric(self.grid())?;
        let direction = direction(geometry);
        let mut matched = TrustRatio::default();
        let mut growing = Armijo::growing(self.first_scale(geometry, start)?, 2.0);
        let step: &mut dyn StepRule = match self.kind.matched() == Some(geometry) {
            true => &mut matched,
            false => &mut growing,
        };
        let mut descent = Descent::new(&self.mixture, self.loss.as_ref())
            .direction(direction.as_ref())
            .step(step)
            .bounds(&self.bounds)
            .backend(&self.backend)
            .tolerances(Tolerances {
                target: Some(1e-10 * self.loss_at(start)),
                iterations,
                ..Tolerances::default()
            });
        if let Some(metric) = &metric {
            descent = descent.metric(metric.as_ref());
        }
        descent.run(start, observer)
    }

    /// Scale τ of the first step that minimises the Gauss-Newton model of the loss along the first direction.
    fn first_scale(&self, geometry: Geometry, theta: &[f64]) -> Result<f64> {
        let (metric, direction) = (geometry.metric(self.grid())?, direction(geometry));
        let mut descent = Descent::new(&self.mixture, self.loss.as_ref())
            .direction(direction.as_ref())
            .backend(&self.backend);
        if let Some(metric) = &metric {
            descent = descent.metric(metric.as_ref());
        }
        let proposal = descent.propose(theta, 0.0)?;
        let Some(own) = self.loss.metric() else {
            return Ok(1.0);
        };
        let rho = self.mixture.density(theta)?;
        let z = Linearisation::new(&self.mixture, &rho, theta, &self.backend)?;
        let eta = MatRef::from_column_major_slice(&proposal.eta, theta.len(), 1);
        let lifted = own
            .at(&rho, &self.backend)?
            .lift(z.tangent(eta)?.as_ref())?;
        // The predicted decrease of an undamped step is half of its slope.
        let scale = 2.0 * proposal.predicted / lifted.squared_norm_l2();
        Ok(if scale.is_normal() { scale } else { 1.0 })
    }
}

/// Method for the search direction.
fn direction(geometry: Geometry) -> Box<dyn Direction> {
    match geometry {
        Geometry::Standard => Box::new(Gradient),
        _ => Box::new(LeastSquares::default()),
    }
}
