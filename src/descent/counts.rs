//! The cost of a run, and the backends that count it.

use std::sync::Arc;

use crate::linalg::{Backend, Reuse, Solved, Tally, describe_purposes, merge_solved};

/// The cost of a run so far, in the field's own units.
///
/// "Solves" are solved columns. The random column that every linearisation adds to its first batch, to detect a singular
/// Jacobian, is not counted.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// States ρ(θ) computed, trials included.
    pub model_solves: usize,
    /// Linear solves inside those (Newton's).
    pub newton_solves: usize,
    /// Factorisations of ∂g/∂ρ, Newton's included.
    pub factorisations: usize,
    /// Solves with ∂g/∂ρ, or forward sweeps of a model with its own sensitivity.
    pub tangent_solves: usize,
    /// Solves with its transpose, or backward sweeps.
    pub adjoint_solves: usize,
    /// Factorisations for the metric and the loss.
    pub metric_factorisations: usize,
    /// Solves for the metric and the loss.
    pub metric_solves: usize,
    /// Factorisations of systems in the parameters: precisions of priors, and systems that directions set up.
    pub system_factorisations: usize,
    /// Solves with those.
    pub system_solves: usize,
    /// Iterations of iterative solvers in all of these, those of the slowest column of every batch.
    pub solver_iterations: usize,
}

/// How linear systems were solved, by purpose.
#[derive(Clone, Debug)]
pub(super) struct Solvers {
    pub(super) model: Vec<Solved>,
    pub(super) metric: Vec<Solved>,
    /// Precisions of priors, and systems that directions set up.
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

/// The backend of a run, once for every purpose, with what was solved for it.
pub(super) struct Ledger<'a> {
    /// For states.
    pub(super) forward: Tally<'a>,
    /// For tangents and adjoints. Factors are shared with `forward`: where g is affine in ρ the matrix is the same.
    pub(super) sensitivity: Tally<'a>,
    /// For the metric and the loss.
    pub(super) geometry: Tally<'a>,
    /// For systems in the parameters. The precision of a quadratic prior is the same at every point.
    pub(super) systems: Tally<'a>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(backend: &'a dyn Backend) -> Self {
        let factors = Arc::new(Reuse::new(backend));
        Self {
            forward: Tally::new(backend).sharing(factors.clone()),
            sensitivity: Tally::new(backend).sharing(factors).warm(),
            geometry: Tally::new(backend).warm(),
            systems: Tally::new(backend).sharing(Arc::new(Reuse::new(backend))),
        }
    }

    /// The counts of all purposes; those of models, tangents and adjoints are kept elsewhere.
    pub(super) fn add_to(&self, counts: &mut Counts) {
        let (sensitivity, geometry) = (&self.sensitivity, &self.geometry);
        counts.newton_solves = self.forward.solves();
        counts.factorisations = self.forward.factorisations() + sensitivity.factorisations();
        counts.metric_factorisations = geometry.factorisations();
        counts.metric_solves = geometry.solves();
        counts.system_factorisations = self.systems.factorisations();
        counts.system_solves = self.systems.solves();
        let all = [&self.forward, sensitivity, geometry, &self.systems];
        counts.solver_iterations = all.into_iter().map(Tally::iterations).sum();
    }

    pub(super) fn solvers(&self) -> Solvers {
        let of = |tallies: &[&Tally<'_>]| merge_solved(tallies.iter().flat_map(|t| t.solved()));
        Solvers {
            model: of(&[&self.forward, &self.sensitivity]),
            metric: of(&[&self.geometry]),
            parameters: of(&[&self.systems]),
        }
    }
}
