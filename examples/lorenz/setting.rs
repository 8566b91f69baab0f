//! Systems and losses to choose from.

use pullback::models::flow::{ArctanLorenz, Chen, Flow, Lorenz, Rossler, VanDerPol};

use crate::support::geometry::LossKind;

/// Losses in the order of their fits.
pub const LOSSES: [LossKind; 3] = [LossKind::Kl, LossKind::L2, LossKind::HMinus1];

/// Dynamical system with known parameters.
#[derive(Clone, Copy)]
pub struct System {
    pub name: &'static str,
    pub flow: &'static dyn Flow,
    /// True parameters.
    pub truth: &'static [f64],
    /// Initial parameters of a fit.
    pub start: &'static [f64],
    /// Ends of the axes of the grid.
    pub edges: &'static [(f64, f64)],
    /// Initial state of trajectories.
    pub origin: [f64; 3],
}

pub const SYSTEMS: [System; 5] = [
    System {
        name: "lorenz",
        flow: &Lorenz,
        truth: &Lorenz::CLASSIC,
        start: &[8.0, 22.0, 1.5],
        edges: &Lorenz::BOX,
        origin: Lorenz::START,
    },
    System {
        name: "arctan-lorenz",
        flow: &ArctanLorenz,
        truth: &ArctanLorenz::CLASSIC,
        start: &[8.0, 22.0, 1.5],
        edges: &ArctanLorenz::BOX,
        origin: ArctanLorenz::START,
    },
    System {
        name: "rossler",
        flow: &Rossler,
        truth: &Rossler::CLASSIC,
        start: &[0.16, 0.16, 4.56],
        edges: &Rossler::BOX,
        origin: Rossler::START,
    },
    System {
        name: "chen",
        flow: &Chen,
        truth: &Chen::CLASSIC,
        start: &[28.0, 2.4, 22.4],
        edges: &Chen::BOX,
        origin: Chen::START,
    },
    System {
        name: "van-der-pol",
        flow: &VanDerPol,
        truth: &VanDerPol::CLASSIC,
        start: &[0.8],
        edges: &VanDerPol::BOX,
        origin: VanDerPol::START,
    },
];

impl System {
    /// Bounds of the parameters in a fit.
    pub fn bounds(self) -> Vec<(f64, f64)> {
        self.truth.iter().map(|t| (0.1 * t, 4.0 * t)).collect()
    }

    /// Names of the parameters.
    pub fn names(self) -> Vec<String> {
        let indices = 0..self.flow.param_dim();
        indices.map(|j| self.flow.param_name(j)).collect()
    }
}
