//! Batches that stay where a backend keeps them, through metric, adjoint and contraction.

use crate::support;
use std::sync::atomic::Ordering;

use crate::support::far::Far;
use crate::support::matrix_gap;
use crate::support::singular::means_singular;
use pullback::direction::{Estimator, Sketched};
use pullback::linalg::Batch;
use pullback::loss::L2Misfit;
use pullback::metric::{HellingerKantorovich, L2, Scaled, Stacked, Wasserstein2};
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::prior::Matern;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{
    Backend, Cpu, Descent, Error, Grid, Linearisation, Metric, Operator, Prior, Result, Side,
    Transform, random,
};

/// Not the truth, where the residual of the loss would vanish.
const THETA: [f64; 3] = [9.0, 26.0, 2.5];
const P: usize = 3;
/// More than a block.
const PROBES: usize = 70;

/// The invariant measure of the Lorenz equations.
struct Problem {
    model: InvariantMeasure<'static>,
    grid: Grid,
    rho: Vec<f64>,
    k: usize,
}

fn problem() -> Problem {
    let cells = [9, 8, 10];
    let axis = |i: usize| (Lorenz::BOX[i].0, Lorenz::BOX[i].1, cells[i]);
    let grid = Grid::new(&[0, 1, 2].map(axis)).unwrap();
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    let rho = model.density(&THETA, &Cpu::default()).unwrap();
    let k = grid.cells();
    Problem {
        model,
        grid,
        rho,
        k,
    }
}

impl Problem {
    fn linearisation<'a>(&'a self, backend: &'a dyn Backend) -> Linearisation<'a> {
        Linearisation::new(&self.model, &self.rho, &THETA, backend).unwrap()
    }

    /// Sᵀ.
    fn sketch(&self, metric: &dyn Metric, backend: &dyn Backend) -> pullback::faer::Mat<f64> {
        let (z, root) = (
            self.linearisation(backend),
            metric.at(&self.rho, backend).unwrap(),
        );
        let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), PROBES, 5).unwrap();
        let sketch = Sketch::new(&z, root.as_ref(), &probes).unwrap();
        assert_eq!(z.solves(), (0, PROBES));
        sketch.rows().to_owned()
    }
}

#[test]
fn of_a_transport_sketch_only_the_contraction_comes_back() {
    let problem = problem();
    let (k, grid) = (problem.k, &problem.grid);
    let w2 = Wasserstein2::new(grid);
    let hk = HellingerKantorovich::new(grid);
    let scaled = Scaled {
        metric: &w2,
        factor: 3.0,
    };
    let one = Stacked::default().add(2.0, &w2);
    for metric in [&w2 as &dyn Metric, &hk, &scaled, &one] {
        let (name, far) = (metric.name(), Far::default());
        let here = problem.sketch(metric, &far.cpu);
        let there = problem.sketch(metric, &far);
        // The same solves of the same systems, but for the columns that stand beside one another.
        let off = matrix_gap(there.as_ref(), here.as_ref());
        assert!(off < 1e-12, "{name}: {off:e}");
        // One column more is the probe of singularity, of which nothing comes back.
        assert_eq!(far.account.take(), ((PROBES + 1) * k, PROBES * P), "{name}");
        // What cannot be applied there is applied here.
        far.account.refuses.store(true, Ordering::Relaxed);
        let refused = problem.sketch(metric, &far);
        assert_eq!(refused, there, "{name}");
        let numbers = ((PROBES + 1) * k, PROBES * k);
        assert_eq!(far.account.take(), numbers, "{name}");
    }
}

#[test]
fn a_first_batch_from_the_processor_has_the_probe_beside_it() {
    let problem = problem();
    let (k, l2) = (problem.k, L2::new(&problem.grid));
    let two = Stacked::default()
        .add(1.0, &l2)
        .add(0.1, Wasserstein2::new(&problem.grid));
    let far = Far::default();
    let here = problem.sketch(&l2, &far.cpu);
    let there = problem.sketch(&l2, &far);
    assert!(matrix_gap(there.as_ref(), here.as_ref()) < 1e-12);
    assert_eq!(far.account.take(), ((PROBES + 1) * k, (PROBES + 1) * P));
    // A sum of metrics is taken on the processor.
    let here = problem.sketch(&two, &far.cpu);
    let there = problem.sketch(&two, &far);
    assert!(matrix_gap(there.as_ref(), here.as_ref()) < 1e-12);
    let numbers = ((2 * PROBES + 1) * k, PROBES * k + (PROBES + 1) * P);
    assert_eq!(far.account.take(), numbers);
}

#[test]
fn lowered_probes_are_the_same_wherever_the_mass_is_taken_off() {
    let problem = problem();
    let (far, w2) = (Far::default(), Wasserstein2::new(&problem.grid));
    let near = w2.at(&problem.rho, &far.cpu).unwrap();
    let root = w2.at(&problem.rho, &far).unwrap();
    let y = random::normal_matrix(root.lifted_dim(), 4, 3);
    let expected = near.lower(y.as_ref()).unwrap();
    let there = root.lower_batch(y.clone()).unwrap();
    assert!(matches!(there, Batch::Device(_)) && there.shape() == (problem.k, 4));
    assert_eq!(far.account.take(), (4 * problem.k, 0));
    assert!(matrix_gap(there.fetch().unwrap().as_ref(), expected.as_ref()) < 1e-12);
    assert_eq!(root.lower(y.as_ref()).unwrap(), expected);
    assert!(matches!(near.lower_batch(y).unwrap(), Batch::Host(_)));
}

/// A factor that knows nothing of accelerators, and one that has no matrix.
#[test]
fn factors_pass_on_what_they_can_and_fetch_the_rest() -> Result<()> {
    let far = Far::default();
    let b = random::normal_matrix(30, 2, 1);
    let diagonal = || Operator::diagonal(random::uniform(30, (0.5, 2.0), 3));
    let near = far.cpu.factor(diagonal())?;
    let (x, _) = near.solve_batch(Side::Plain, None, far.account.keep(b.clone()))?;
    assert!(matches!(x, Batch::Host(_)) && far.account.take() == (0, 60));
    let (again, _) = near.solve_batch(Side::Plain, None, b.clone().into())?;
    assert_eq!(x.fetch()?, again.fetch()?);

    let grid = Grid::new(&[(0.0, 1.0, 6), (0.0, 1.0, 5)])?;
    let prior = Matern::new(&grid, 1.0, 0.4)?;
    let precision = prior.precision(&[0.0; 30], &far)?;
    let (x, _) = precision.solve_batch(Side::Plain, None, far.account.keep(b.clone()))?;
    assert!(matches!(x, Batch::Host(_)) && far.account.take() == (0, 60));
    let (again, _) = precision.solve_batch(Side::Plain, None, b.into())?;
    assert_eq!(x.fetch()?, again.fetch()?);
    Ok(())
}

#[test]
fn descents_keep_batches_away_and_propose_the_same() {
    let problem = problem();
    let truth = problem
        .model
        .density(&Lorenz::CLASSIC, &Cpu::default())
        .unwrap();
    let loss = L2Misfit::new(&problem.grid, truth).unwrap();
    let w2 = Wasserstein2::new(&problem.grid);
    let direction = Sketched {
        estimator: Estimator::Geometry,
        probes: 12,
        ..Sketched::default()
    };
    // Other coordinates too: charts are applied to what came back.
    for transforms in [[Transform::Identity; P], [Transform::Log; P]] {
        let propose = |backend: &dyn Backend| {
            Descent::new(&problem.model, &loss)
                .metric(&w2)
                .direction(&direction)
                .transforms(&transforms)
                .backend(backend)
                .propose(&THETA, 1e-3)
                .unwrap()
        };
        let far = Far::default();
        let (here, there) = (propose(&far.cpu), propose(&far));
        let off = support::gap(&there.eta, &here.eta);
        assert!(off < 1e-10, "{transforms:?}: {off:e}");
        assert_eq!(far.account.take(), (12 * problem.k, 12 * P));
    }
}

#[test]
fn what_the_probe_says_alone_is_heard() {
    let problem = problem();
    let (far, w2) = (Far::default(), Wasserstein2::new(&problem.grid));
    let z = problem.linearisation(&far);
    let root = w2.at(&problem.rho, &far).unwrap();
    let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), 3, 5).unwrap();
    far.account.doubts.store(true, Ordering::Relaxed);
    let outcome = Sketch::new(&z, root.as_ref(), &probes);
    assert!(outcome.is_err_and(|error| means_singular(&error)));
}

#[test]
fn a_backend_that_loses_rows_is_found_out() {
    let problem = problem();
    let (far, w2) = (Far::default(), Wasserstein2::new(&problem.grid));
    let z = problem.linearisation(&far);
    let root = w2.at(&problem.rho, &far).unwrap();
    let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), 5, 5).unwrap();
    far.account.loses.store(true, Ordering::Relaxed);
    let outcome = Sketch::new(&z, root.as_ref(), &probes);
    let what = "the rows of a batch from a backend";
    assert!(matches!(outcome, Err(Error::Dimension { what: w, .. }) if w == what));
    let mut batch = Batch::from(random::normal_matrix(5, 2, 1));
    assert!(batch.centre(&[1.0; 4]).is_err());
    assert!(batch.apply(&Operator::identity(4), Side::Plain).is_err());
}
