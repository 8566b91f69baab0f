//! The cases, losses and geometries to choose from.

use pullback::descent::{Control, Snapshot, Tolerances};
use pullback::direction::{Gradient, LeastSquares};
use pullback::faer::MatRef;
use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::metric::{FisherRao, L2, Sobolev, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::{Armijo, TrustRatio};
use pullback::{
    Bounds, Cpu, Descent, Direction, Grid, Linearisation, Loss, Metric, Report, Result, StepRule,
};

/// Which parameters are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    A,
    B,
    Five,
}

impl Case {
    pub fn parse(name: &str) -> std::result::Result<Self, String> {
        match name {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            "five" => Ok(Self::Five),
            _ => Err(format!("--case: `{name}` is none of a, b, five")),
        }
    }

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

    /// ‖θ − θ*‖.
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

    /// The window that pictures and basin maps show, for the cases with two parameters.
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

    /// The interval of a parameter: weights stay in [0, 1], means in the box of the states.
    pub fn interval(name: &str) -> [f64; 2] {
        if name == "w" { [0.0, 1.0] } else { BOX }
    }

    fn bounds(self) -> Result<Bounds> {
        let intervals = self.names().iter().map(|name| Self::interval(name));
        let (lower, upper) = intervals.map(|[l, u]| (l, u)).unzip();
        Bounds::new(lower, upper)
    }
}

/// Each side of the box that states live on.
pub const BOX: [f64; 2] = [-4.0, 10.0];

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    L2,
    Kl,
    ReverseKl,
    Hellinger,
    Chi2,
    HMinus1,
}

impl LossKind {
    pub fn parse(name: &str) -> std::result::Result<Self, String> {
        match name {
            "l2" => Ok(Self::L2),
            "kl" => Ok(Self::Kl),
            "reverse-kl" => Ok(Self::ReverseKl),
            "hellinger" => Ok(Self::Hellinger),
            "chi2" => Ok(Self::Chi2),
            "h-1" => Ok(Self::HMinus1),
            _ => Err(format!(
                "--loss: `{name}` is none of l2, kl, reverse-kl, hellinger, chi2, h-1"
            )),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Kl => "kl",
            Self::ReverseKl => "reverse-kl",
            Self::Hellinger => "hellinger",
            Self::Chi2 => "chi2",
            Self::HMinus1 => "h-1",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::L2 => "L²",
            Self::Kl => "Kullback-Leibler",
            Self::ReverseKl => "reverse Kullback-Leibler",
            Self::Hellinger => "Hellinger",
            Self::Chi2 => "χ²",
            Self::HMinus1 => "H^{−1}",
        }
    }

    /// Whether this metric is the loss's own (but for a mass that mixtures keep), so that its steps are
    /// Gauss-Newton.
    fn matches(self, geometry: Geometry) -> bool {
        matches!(
            (self, geometry),
            (Self::L2, Geometry::L2)
                | (Self::HMinus1, Geometry::HMinus1)
                | (Self::Kl | Self::ReverseKl, Geometry::FisherRao)
        )
    }

    fn build(self, grid: &Grid, target: Vec<f64>) -> Result<Box<dyn Loss>> {
        Ok(match self {
            Self::L2 => Box::new(L2Misfit::new(grid, target)?),
            Self::Kl => Box::new(Divergence::kullback_leibler(grid, target)?),
            Self::ReverseKl => Box::new(Divergence::reverse_kullback_leibler(grid, target)?),
            Self::Hellinger => Box::new(Divergence::hellinger(grid, target)?),
            Self::Chi2 => Box::new(Divergence::chi_squared(grid, target)?),
            Self::HMinus1 => Box::new(SobolevMisfit::new(grid, -1.0, target)?),
        })
    }
}

/// How steps are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    Standard,
    L2,
    W2,
    FisherRao,
    H1,
    HMinus1,
}

impl Geometry {
    pub const ALL: [Self; 6] = [
        Self::Standard,
        Self::L2,
        Self::W2,
        Self::FisherRao,
        Self::H1,
        Self::HMinus1,
    ];

    pub fn parse(name: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.iter().find(|g| g.name() == name);
        found.copied().ok_or_else(|| {
            format!("--metric: `{name}` is none of standard, l2, w2, fisher-rao, h1, h-1")
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::L2 => "l2",
            Self::W2 => "w2",
            Self::FisherRao => "fisher-rao",
            Self::H1 => "h1",
            Self::HMinus1 => "h-1",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::L2 => "L²",
            Self::W2 => "W₂",
            Self::FisherRao => "Fisher-Rao",
            Self::H1 => "H¹",
            Self::HMinus1 => "H^{−1}",
        }
    }

    /// How directions are found.
    fn direction(self) -> Box<dyn Direction> {
        match self {
            Self::Standard => Box::new(Gradient),
            _ => Box::new(LeastSquares::default()),
        }
    }

    /// The metric; None for plain gradient descent.
    pub fn metric(self, grid: &Grid) -> Result<Option<Box<dyn Metric>>> {
        Ok(match self {
            Self::Standard => None,
            Self::L2 => Some(Box::new(L2::new(grid))),
            Self::W2 => Some(Box::new(Wasserstein2::new(grid))),
            Self::FisherRao => Some(Box::new(FisherRao::new(grid))),
            Self::H1 => Some(Box::new(Sobolev::new(grid, 1.0)?)),
            Self::HMinus1 => Some(Box::new(Sobolev::new(grid, -1.0)?)),
        })
    }
}

/// One case with one loss on one grid.
pub struct Problem {
    pub mixture: GaussianMixture,
    pub loss: Box<dyn Loss>,
    pub bounds: Bounds,
    kind: LossKind,
    backend: Cpu,
}

impl Problem {
    /// The mixture on [−4, 10]² with `cells` cells along each axis, and the loss to its truth.
    pub fn new(case: Case, loss: LossKind, cells: usize) -> Result<Self> {
        let side = (BOX[0], BOX[1], cells);
        let grid = Grid::new(&[side, side])?;
        let mixture = GaussianMixture::new(&grid)
            .component(0.3, &[1.0, 3.0], 1.0)
            .component(0.7, &[3.0, 2.0], 1.0)
            .free(&case.free())?;
        let target = mixture.density(case.truth())?;
        Ok(Self {
            loss: loss.build(&grid, target)?,
            bounds: case.bounds()?,
            kind: loss,
            backend: Cpu::default(),
            mixture,
        })
    }

    pub fn grid(&self) -> &Grid {
        self.mixture.grid()
    }

    /// The loss at θ; NaN outside the model's domain.
    pub fn loss_at(&self, theta: &[f64]) -> f64 {
        let rho = self.mixture.density(theta);
        rho.map_or(f64::NAN, |rho| self.loss.value(&rho))
    }

    /// A descent until the loss is 10⁻¹⁰ of its first value, every geometry with steps of its own.
    ///
    /// Where the metric matches the loss, steps are Levenberg-Marquardt's. All others start with the length
    /// that the loss's own metric finds best along their first direction, and then find their scale as they
    /// go, growing at most twofold an iteration.
    pub fn descend<F: Into<Control>>(
        &self,
        geometry: Geometry,
        start: &[f64],
        iterations: usize,
        observer: impl FnMut(Snapshot<'_>) -> F,
    ) -> Result<Report> {
        let metric = geometry.metric(self.grid())?;
        let direction = geometry.direction();
        let mut matched = TrustRatio::default();
        let mut growing = Armijo::growing(self.first_scale(geometry, start)?, 2.0);
        let step: &mut dyn StepRule = match self.kind.matches(geometry) {
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

    /// The τ that minimises the quadratic model of the loss's own metric along the first direction.
    fn first_scale(&self, geometry: Geometry, theta: &[f64]) -> Result<f64> {
        let (metric, direction) = (geometry.metric(self.grid())?, geometry.direction());
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
        // An undamped direction promises half of its slope.
        let scale = 2.0 * proposal.predicted / lifted.squared_norm_l2();
        Ok(if scale.is_normal() { scale } else { 1.0 })
    }
}
