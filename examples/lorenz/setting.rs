//! What can be chosen: systems, losses, metrics.

use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::metric::{FisherRao, L2, Sobolev, Wasserstein2};
use pullback::models::flow::{ArctanLorenz, Chen, Flow, Lorenz, Rossler, VanDerPol};
use pullback::{Grid, Loss, Metric, Result};

/// A system with known parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Lorenz,
    ArctanLorenz,
    Rossler,
    Chen,
    VanDerPol,
}

impl System {
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let all = [
            Self::Lorenz,
            Self::ArctanLorenz,
            Self::Rossler,
            Self::Chen,
            Self::VanDerPol,
        ];
        let found = all.into_iter().find(|s| s.name() == text);
        found.ok_or_else(|| {
            let names = all.map(Self::name).join(", ");
            format!("--flow: `{text}` is none of {names}")
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Lorenz => "lorenz",
            Self::ArctanLorenz => "arctan-lorenz",
            Self::Rossler => "rossler",
            Self::Chen => "chen",
            Self::VanDerPol => "van-der-pol",
        }
    }

    pub fn flow(self) -> &'static dyn Flow {
        match self {
            Self::Lorenz => &Lorenz,
            Self::ArctanLorenz => &ArctanLorenz,
            Self::Rossler => &Rossler,
            Self::Chen => &Chen,
            Self::VanDerPol => &VanDerPol,
        }
    }

    /// The true parameters.
    pub fn truth(self) -> &'static [f64] {
        match self {
            Self::Lorenz => &Lorenz::CLASSIC,
            Self::ArctanLorenz => &ArctanLorenz::CLASSIC,
            Self::Rossler => &Rossler::CLASSIC,
            Self::Chen => &Chen::CLASSIC,
            Self::VanDerPol => &VanDerPol::CLASSIC,
        }
    }

    /// The box of the grid.
    pub fn edges(self) -> &'static [(f64, f64)] {
        match self {
            Self::Lorenz => &Lorenz::BOX,
            Self::ArctanLorenz => &ArctanLorenz::BOX,
            Self::Rossler => &Rossler::BOX,
            Self::Chen => &Chen::BOX,
            Self::VanDerPol => &VanDerPol::BOX,
        }
    }

    /// Where trajectories start.
    pub fn origin(self) -> [f64; 3] {
        match self {
            Self::Lorenz => Lorenz::START,
            Self::ArctanLorenz => ArctanLorenz::START,
            Self::Rossler => Rossler::START,
            Self::Chen => Chen::START,
            Self::VanDerPol => VanDerPol::START,
        }
    }

    /// Where descents start if nothing else is asked for.
    pub fn start(self) -> Vec<f64> {
        match self {
            Self::Lorenz | Self::ArctanLorenz => vec![8.0, 22.0, 1.5],
            other => other.truth().iter().map(|t| 0.8 * t).collect(),
        }
    }

    /// Between which values parameters are looked for.
    pub fn bounds(self) -> Vec<(f64, f64)> {
        self.truth().iter().map(|t| (0.1 * t, 4.0 * t)).collect()
    }

    pub fn names(self) -> Vec<String> {
        let flow = self.flow();
        (0..flow.param_dim()).map(|j| flow.param_name(j)).collect()
    }
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    L2,
    Kl,
    HMinus1,
}

impl LossKind {
    pub const ALL: [Self; 3] = [Self::Kl, Self::L2, Self::HMinus1];

    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|l| l.name() == text);
        found.ok_or_else(|| format!("--loss: `{text}` is none of l2, kl, h-1"))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Kl => "kl",
            Self::HMinus1 => "h-1",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::L2 => "L²",
            Self::Kl => "KL",
            Self::HMinus1 => "H⁻¹",
        }
    }

    pub fn build(self, grid: &Grid, data: &[f64]) -> Result<Box<dyn Loss>> {
        let data = data.to_vec();
        Ok(match self {
            Self::L2 => Box::new(L2Misfit::new(grid, data)?),
            Self::Kl => Box::new(Divergence::kullback_leibler(grid, data)?),
            Self::HMinus1 => Box::new(SobolevMisfit::new(grid, -1.0, data)?),
        })
    }

    /// The metric that makes the step Gauss-Newton.
    pub fn matched(self) -> MetricKind {
        match self {
            Self::L2 => MetricKind::L2,
            Self::Kl => MetricKind::FisherRao,
            Self::HMinus1 => MetricKind::HMinus1,
        }
    }
}

/// The geometry of a descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Standard,
    L2,
    FisherRao,
    HMinus1,
    H1,
    W2,
}

impl MetricKind {
    const ALL: [Self; 6] = [
        Self::Standard,
        Self::L2,
        Self::FisherRao,
        Self::HMinus1,
        Self::H1,
        Self::W2,
    ];

    pub fn parse(flag: &str, text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|m| m.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{flag}: `{text}` is none of {names}")
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::L2 => "l2",
            Self::FisherRao => "fisher-rao",
            Self::HMinus1 => "h-1",
            Self::H1 => "h1",
            Self::W2 => "w2",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Standard => "gradient descent",
            Self::L2 => "L²",
            Self::FisherRao => "Fisher-Rao",
            Self::HMinus1 => "H⁻¹",
            Self::H1 => "H¹",
            Self::W2 => "W₂",
        }
    }

    /// None for plain gradient descent.
    pub fn build(self, grid: &Grid) -> Result<Option<Box<dyn Metric>>> {
        Ok(Some(match self {
            Self::Standard => return Ok(None),
            Self::L2 => Box::new(L2::new(grid)),
            Self::FisherRao => Box::new(FisherRao::new(grid)),
            Self::HMinus1 => Box::new(Sobolev::new(grid, -1.0)?),
            Self::H1 => Box::new(Sobolev::new(grid, 1.0)?),
            Self::W2 => Box::new(Wasserstein2::new(grid)),
        }))
    }
}
