//! Metrics and losses by name.

use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::metric::{FisherRao, L2, Sobolev, Wasserstein2};
use pullback::{Grid, Loss, Metric, Result};

/// Geometry that measures the length of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// The Euclidean geometry of the parameters: plain gradient descent.
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

    /// The name on the command line, and the one for people.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Standard => ["standard", "gradient descent"],
            Self::L2 => ["l2", "L²"],
            Self::W2 => ["w2", "W₂"],
            Self::FisherRao => ["fisher-rao", "Fisher-Rao"],
            Self::H1 => ["h1", "H¹"],
            Self::HMinus1 => ["h-1", "H⁻¹"],
        }
    }

    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    pub fn label(self) -> &'static str {
        self.names()[1]
    }

    /// The metric on densities; None for plain gradient descent.
    pub fn metric(self, grid: &Grid) -> Result<Option<Box<dyn Metric>>> {
        Ok(Some(match self {
            Self::Standard => return Ok(None),
            Self::L2 => Box::new(L2::new(grid)),
            Self::W2 => Box::new(Wasserstein2::new(grid)),
            Self::FisherRao => Box::new(FisherRao::new(grid)),
            Self::H1 => Box::new(Sobolev::new(grid, 1.0)?),
            Self::HMinus1 => Box::new(Sobolev::new(grid, -1.0)?),
        }))
    }
}

/// Loss that compares the density of the model with the data.
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
    pub const ALL: [Self; 6] = [
        Self::L2,
        Self::Kl,
        Self::ReverseKl,
        Self::Hellinger,
        Self::Chi2,
        Self::HMinus1,
    ];

    /// The name on the command line, and the one for people.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::L2 => ["l2", "L²"],
            Self::Kl => ["kl", "KL"],
            Self::ReverseKl => ["reverse-kl", "reverse KL"],
            Self::Hellinger => ["hellinger", "Hellinger"],
            Self::Chi2 => ["chi2", "χ²"],
            Self::HMinus1 => ["h-1", "H⁻¹"],
        }
    }

    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    pub fn label(self) -> &'static str {
        self.names()[1]
    }

    /// The geometry with which a natural-gradient step is a Gauss-Newton step, if it is one of the list.
    pub fn matched(self) -> Option<Geometry> {
        match self {
            Self::L2 => Some(Geometry::L2),
            Self::Kl | Self::ReverseKl => Some(Geometry::FisherRao),
            Self::HMinus1 => Some(Geometry::HMinus1),
            Self::Hellinger | Self::Chi2 => None,
        }
    }

    pub fn build(self, grid: &Grid, data: Vec<f64>) -> Result<Box<dyn Loss>> {
        Ok(match self {
            Self::L2 => Box::new(L2Misfit::new(grid, data)?),
            Self::Kl => Box::new(Divergence::kullback_leibler(grid, data)?),
            Self::ReverseKl => Box::new(Divergence::reverse_kullback_leibler(grid, data)?),
            Self::Hellinger => Box::new(Divergence::hellinger(grid, data)?),
            Self::Chi2 => Box::new(Divergence::chi_squared(grid, data)?),
            Self::HMinus1 => Box::new(SobolevMisfit::new(grid, -1.0, data)?),
        })
    }
}
