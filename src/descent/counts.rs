//! Cost of a run, and the backends that count it.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::linalg::{
    Backend, Origins, Reuse, Solved, Tally, TallyState, describe_purposes, merge_solved,
};

/// Cost of a run so far, as numbers of solves and factorisations.
///
/// A solve is one solved column. The random column that every linearisation adds to its first batch, to detect a singular
/// Jacobian, is not counted.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Number of computed states ρ(θ), including those of trials.
    pub model_solves: usize,
    /// Number of linear solves of Newton's method for the states.
    pub newton_solves: usize,
    /// Number of factorisations of ∂g/∂ρ, including those of Newton's method.
    pub factorisations: usize,
    /// Number of tangent solves with ∂g/∂ρ, or forward sweeps of a user-defined sensitivity.
    pub tangent_solves: usize,
    /// Number of adjoint solves with the transpose of ∂g/∂ρ, or backward sweeps of a user-defined sensitivity.
    pub adjoint_solves: usize,
    /// Number of factorisations for the metric and the loss.
    pub metric_factorisations: usize,
    /// Number of solves for the metric and the loss.
    pub metric_solves: usize,
    /// Number of factorisations of systems in the parameters: precisions of priors, and systems of directions.
    pub system_factorisations: usize,
    /// Number of solves of systems in the parameters.
    pub system_solves: usize,
    /// Number of iterations of iterative solvers in all these solves, counting the slowest column of every batch.
    pub solver_iterations: usize,
}

impl Counts {
    /// Returns all counts with the names of their fields.
    pub fn by_name(&self) -> [(&'static str, usize); 10] {
        [
            ("model_solves", self.model_solves),
            ("newton_solves", self.newton_solves),
            ("factorisations", self.factorisations),
            ("tangent_solves", self.tangent_solves),
            ("adjoint_solves", self.adjoint_solves),
            ("metric_factorisations", self.metric_factorisations),
            ("metric_solves", self.metric_solves),
            ("system_factorisations", self.system_factorisations),
            ("system_solves", self.system_solves),
            ("solver_iterations", self.solver_iterations),
        ]
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.model_solves += other.model_solves;
        self.newton_solves += other.newton_solves;
        self.factorisations += other.factorisations;
        self.tangent_solves += other.tangent_solves;
        self.adjoint_solves += other.adjoint_solves;
        self.metric_factorisations += other.metric_factorisations;
        self.metric_solves += other.metric_solves;
        self.system_factorisations += other.system_factorisations;
        self.system_solves += other.system_solves;
        self.solver_iterations += other.solver_iterations;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut total = Self::default();
        all.for_each(|counts| total += counts);
        total
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} model solves, {} factorisations, {} tangent and {} adjoint solves, {} metric solves",
            self.model_solves,
            self.factorisations,
            self.tangent_solves,
            self.adjoint_solves,
            self.metric_solves
        )
    }
}

/// Methods that solved the linear systems, by purpose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Solvers {
    pub(super) model: Vec<Solved>,
    pub(super) metric: Vec<Solved>,
    /// Methods for systems in the parameters: precisions of priors, and systems of directions.
    pub(super) parameters: Vec<Solved>,
}

impl Solvers {
    pub(super) fn all(&self) -> Vec<Solved> {
        let all = [&self.model, &self.metric, &self.parameters];
        merge_solved(all.into_iter().flatten().copied())
    }

    pub(super) fn describe(&self) -> Option<String> {
        describe_purposes(&[
            ("with the model", &self.model),
            ("with the metric", &self.metric),
            ("in the parameters", &self.parameters),
        ])
    }
}

/// Backends of a run that count the solves, one for each purpose.
pub(super) struct Ledger<'a> {
    /// Counter of the solves for states.
    pub(super) forward: Tally<'a>,
    /// Counter of the solves for tangents and adjoints. Factors are shared with `forward`, because the matrix is the
    /// same if g is affine in ρ.
    pub(super) sensitivity: Tally<'a>,
    /// Counter of the solves for the metric.
    pub(super) geometry: Tally<'a>,
    /// Counter of the solves for the loss and for a metric of its preparation, separate because a solution for another
    /// metric is no useful warm start. Value, covector and metric share factors, because a preparation cannot keep them.
    pub(super) loss: Tally<'a>,
    /// Counter of the solves with the precisions of priors. Factors are shared between points, because the precision of
    /// a quadratic prior is constant.
    pub(super) priors: Tally<'a>,
    /// Counter of the solves of systems that directions set up. The systems differ at every point and damping.
    pub(super) systems: Tally<'a>,
    /// Factors for the model, for the loss and for the precisions of priors, which the tallies above share.
    factors: [Arc<Reuse<'a>>; 3],
}

/// State of a ledger: all counts, the warm starts of iterative solvers, and what the shared factors come from.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LedgerState {
    tallies: [TallyState; 6],
    factors: [Origins; 3],
}

/// Number of factors that are kept for the precisions of priors. One prior may need several factors.
const PRECISIONS: usize = 4;

/// Number of factors that are kept for the loss, which may solve with more than one matrix.
const LOSS_FACTORS: usize = 2;

impl<'a> Ledger<'a> {
    pub(super) fn new(backend: &'a dyn Backend) -> Self {
        // The accepted trial is linearised before the next state is computed, so that it suffices to cache
        // the last factor of Newton's method. The right-hand sides of Newton's method are residuals, which
        // decrease from step to step. The last solution is therefore no good guess for the next, and
        // `forward` uses no warm starts.
        let factors = [1, LOSS_FACTORS, PRECISIONS].map(|n| Arc::new(Reuse::new(backend, n)));
        let [of_model, of_loss, of_priors] = factors.clone();
        Self {
            forward: Tally::new(backend).sharing(of_model.clone()),
            sensitivity: Tally::new(backend).sharing(of_model).warm(),
            geometry: Tally::new(backend).warm(),
            loss: Tally::new(backend).sharing(of_loss).warm(),
            priors: Tally::new(backend).sharing(of_priors),
            systems: Tally::new(backend),
            factors,
        }
    }

    /// Returns all tallies, and the factors that they share.
    fn parts(&self) -> ([&Tally<'a>; 6], &[Arc<Reuse<'a>>; 3]) {
        let Self {
            forward,
            sensitivity,
            geometry,
            loss,
            priors,
            systems,
            factors,
        } = self;
        let tallies = [forward, sensitivity, geometry, loss, priors, systems];
        (tallies, factors)
    }

    /// Returns the state.
    pub(super) fn state(&self) -> LedgerState {
        let (tallies, factors) = self.parts();
        LedgerState {
            tallies: tallies.map(Tally::state),
            factors: factors.each_ref().map(|factors| factors.origins()),
        }
    }

    /// Goes on from a state. Its factors are computed again, which is not counted, because the run had them.
    pub(super) fn restore(&self, state: LedgerState) -> Result<()> {
        let (tallies, factors) = self.parts();
        for (tally, state) in tallies.into_iter().zip(state.tallies) {
            tally.restore(state);
        }
        let mut both = factors.iter().zip(state.factors);
        both.try_for_each(|(factors, origins)| factors.restore(origins))
    }

    /// Sets the counts of the solves and factorisations in these backends. Model, tangent and adjoint solves
    /// are counted elsewhere.
    pub(super) fn add_to(&self, counts: &mut Counts) {
        let (sensitivity, geometry) = (&self.sensitivity, &self.geometry);
        counts.newton_solves = self.forward.solves();
        counts.factorisations = self.forward.factorisations() + sensitivity.factorisations();
        let (loss, priors) = (&self.loss, &self.priors);
        counts.metric_factorisations = geometry.factorisations() + loss.factorisations();
        counts.metric_solves = geometry.solves() + loss.solves();
        counts.system_factorisations = self.systems.factorisations() + priors.factorisations();
        counts.system_solves = self.systems.solves() + priors.solves();
        let (all, _) = self.parts();
        counts.solver_iterations = all.into_iter().map(Tally::iterations).sum();
    }

    pub(super) fn solvers(&self) -> Solvers {
        let of = |tallies: &[&Tally<'_>]| merge_solved(tallies.iter().flat_map(|t| t.solved()));
        Solvers {
            model: of(&[&self.forward, &self.sensitivity]),
            metric: of(&[&self.geometry, &self.loss]),
            parameters: of(&[&self.priors, &self.systems]),
        }
    }
}
