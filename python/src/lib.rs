//! Compiled part of the Python package `pullback`.
//!
//! The package in `python/pullback` checks arguments and holds the documentation. This crate translates: models in Python become
//! a [`pullback::Model`], names become losses and metrics, and reports become dictionaries of arrays.

mod batches;
mod clouds;
mod convert;
mod correct;
mod counted;
mod curvature;
mod descend;
mod design;
mod directions;
mod dynamics;
mod error;
mod grid;
mod items;
mod likelihood;
mod linearised;
mod metrics;
mod network;
mod objective;
mod occupations;
mod outcome;
mod own_model;
mod page;
mod points;
mod posterior;
mod priors;
mod program;
mod ready;
mod repeated;
mod sampled;
mod samples;
mod search;
mod session;
mod stopping;
mod threads;
mod traced;
mod transport;
mod umbridge;
mod watch;
mod word;

use pyo3::prelude::*;

#[pymodule]
mod _pullback {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::batches::descend_in_batches;
    #[pymodule_export]
    use crate::clouds::cloud_loss;
    #[pymodule_export]
    use crate::correct::correct;
    #[pymodule_export]
    use crate::curvature::{Spectrum, blocks, combinations, diagonal, extremes, product};
    #[pymodule_export]
    use crate::curvature::{intervals, shown};
    #[pymodule_export]
    use crate::descend::{descend, solve, verify};
    #[pymodule_export]
    use crate::design::{derivative, design};
    #[pymodule_export]
    use crate::dynamics::{epidemic, evolution};
    #[pymodule_export]
    use crate::error::ModelError;
    #[pymodule_export]
    use crate::grid::Grid;
    #[pymodule_export]
    use crate::likelihood::{MeasuredTable, likelihood_of};
    #[pymodule_export]
    use crate::network::CompiledNetwork;
    #[pymodule_export]
    use crate::objective::{Loss, Observation, interpolation, labels_loss, loss};
    #[pymodule_export]
    use crate::occupations::Trajectories;
    #[pymodule_export]
    use crate::page::page;
    #[pymodule_export]
    use crate::points::TracedPoints;
    #[pymodule_export]
    use crate::posterior::posterior;
    #[pymodule_export]
    use crate::priors::{Prior, gaussian, matern, smoothness};
    #[pymodule_export]
    use crate::ready::{ReadyModel, darcy, gaussian_mixture, invariant_measure};
    #[pymodule_export]
    use crate::repeated::{Replicates, delay_measure, repeated};
    #[pymodule_export]
    use crate::samples::{diffusion, push_forward};
    #[pymodule_export]
    use crate::search::{multistart, profile};
    #[pymodule_export]
    use crate::session::{Session, saved_theta};
    #[pymodule_export]
    use crate::threads::{all_threads, get_threads, set_threads, swap_threads};
    #[pymodule_export]
    use crate::traced::{TracedEvolution, traced_equations, traced_formula};
    #[pymodule_export]
    use crate::umbridge::{Serving, remote};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
