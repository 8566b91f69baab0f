//! A loss that needs a solve at every state: its work is shared, counted and may fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::linalg::Method;
use pullback::loss::{L2Misfit, Misfit, Sum, gradient_of, value_of};
use pullback::metric::{L2, Root};
use pullback::{
    Backend, Cpu, Descent, Error, Grid, Loss, Metric, Operator, Result, Side, random, verify,
};

use crate::support::{Explicit, column, definite, gap, reference_solve, reference_vector};

const N: usize = 12;

/// ½ dᵀK⁻¹d of the deviation d = ρ − q, with a multiple of the identity as its own metric.
struct Energy {
    stiffness: pullback::faer::Mat<f64>,
    data: Vec<f64>,
    /// States with a first entry beyond this have no energy.
    limit: f64,
    prepared: AtomicUsize,
    metric: L2,
}

struct AtState<'a> {
    by: &'a Energy,
    deviation: Vec<f64>,
    potential: Vec<f64>,
    rho: Vec<f64>,
}

impl Energy {
    fn new(seed: u64) -> Self {
        let stiffness = definite(N, seed);
        Self {
            metric: L2 {
                volume: 1.0 / stiffness[(0, 0)],
            },
            stiffness,
            data: random::normal(N, seed + 1, 0),
            limit: f64::INFINITY,
            prepared: AtomicUsize::new(0),
        }
    }
}

impl Loss for Energy {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }
    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }
    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        if rho[0] > self.limit {
            return Err(Error::model("the material has failed"));
        }
        let deviation: Vec<f64> = rho.iter().zip(&self.data).map(|(r, q)| r - q).collect();
        let mut x = column(&deviation).to_owned();
        let stiffness = Operator::dense(self.stiffness.clone()).positive_definite();
        backend
            .factor(stiffness)?
            .solve(Side::Plain, None, x.as_mut())?;
        Ok(Box::new(AtState {
            by: self,
            deviation,
            potential: x.col_as_slice(0).to_vec(),
            rho: rho.to_vec(),
        }))
    }
}

impl Misfit for AtState<'_> {
    fn value(&self) -> f64 {
        let terms = self.deviation.iter().zip(&self.potential);
        0.5 * terms.map(|(d, p)| d * p).sum::<f64>()
    }
    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        Ok(self.potential.clone())
    }
    /// Not K⁻¹, but of its size: good enough to descend with.
    fn root<'m>(&'m self, backend: &'m dyn Backend) -> Result<Option<Box<dyn Root + 'm>>> {
        self.by.metric.at(&self.rho, backend).map(Some)
    }
}

fn explicit() -> Explicit {
    Explicit(random::normal_matrix(N, 2, 4))
}

#[test]
fn one_solve_gives_value_covector_and_metric_and_is_counted() {
    let (loss, model) = (Energy::new(1), explicit());
    let rho = random::normal(N, 9, 0);
    let misfit = loss.at(&rho, Cpu::shared()).unwrap();
    let deviation: Vec<f64> = rho.iter().zip(&loss.data).map(|(r, q)| r - q).collect();
    let expected = reference_vector(loss.stiffness.as_ref(), &deviation);
    let covector = misfit.covector(Cpu::shared()).unwrap();
    assert!(gap(&covector, &expected) < 1e-12);
    assert!(verify::loss(&loss, &rho, 1).unwrap().passed());

    loss.prepared.store(0, Ordering::Relaxed);
    let report = Descent::new(&model, &loss)
        .run(&[3.0, -2.0], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    // Prepared once for every state, whether its gradient was wanted or not.
    let prepared = loss.prepared.load(Ordering::Relaxed);
    assert_eq!(prepared, report.counts.model_solves);
    assert_eq!(report.counts.metric_solves, prepared);
    // K is the same for all states, and its factor is found again.
    assert_eq!(report.counts.metric_factorisations, 1);
    let cholesky = |s: &&pullback::linalg::Solved| s.method == Method::DenseCholesky;
    assert_eq!(
        report.solvers.iter().find(cholesky).unwrap().columns,
        prepared
    );
    assert!(
        report
            .history
            .iter()
            .all(|it| it.metric == "the loss's own")
    );
    // The minimum is a weighted least-squares solution, (FᵀK⁻¹F) θ = FᵀK⁻¹q. A metric that does not match the loss leaves
    // half of the digits.
    let kf = reference_solve(loss.stiffness.as_ref(), model.0.as_ref());
    let normal = model.0.transpose() * &kf;
    let right = kf.transpose() * column(&loss.data);
    let minimum = reference_solve(normal.as_ref(), right.as_ref());
    assert!(gap(&report.theta, minimum.col_as_slice(0)) < 1e-6);
}

#[test]
fn sums_share_preparations_and_stack_what_their_parts_bring() {
    let grid = Grid::new(&[(0.0, 1.0, N)]).unwrap();
    let other = L2Misfit::new(&grid, vec![0.5; N]).unwrap();
    let (energy, reference) = (Energy::new(1), Energy::new(1));
    let sum = Sum::default()
        .add(2.0, energy)
        .unwrap()
        .add(3.0, other)
        .unwrap();
    let rho = random::normal(N, 9, 0);
    let (cpu, misfit) = (Cpu::shared(), sum.at(&rho, Cpu::shared()).unwrap());
    let plain = L2Misfit::new(&grid, vec![0.5; N]).unwrap();
    let expected = 2.0 * reference.value(&rho) + 3.0 * plain.value(&rho);
    assert!((misfit.value() - expected).abs() < 1e-12 * expected.abs());
    let covector = misfit.covector(cpu).unwrap();
    let (mut a, mut b) = (vec![0.0; N], vec![0.0; N]);
    reference.gradient(&rho, &mut a);
    plain.gradient(&rho, &mut b);
    let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a + 3.0 * b).collect();
    assert!(gap(&covector, &expected) < 1e-12);
    let root = misfit.root(cpu).unwrap().unwrap();
    assert_eq!(root.lifted_dim(), 2 * N);
    // M = 2 (1/K₀₀) + 3 vol.
    let product = root.apply(column(&rho)).unwrap();
    let size = 2.0 / reference.stiffness[(0, 0)] + 3.0 * grid.volume();
    let expected: Vec<f64> = rho.iter().map(|r| size * r).collect();
    assert!(gap(product.col_as_slice(0), &expected) < 1e-12);
}

#[test]
fn a_failing_preparation_is_an_error_at_the_start_and_a_bad_trial_elsewhere() {
    let mut loss = Energy::new(1);
    let model = Explicit(pullback::faer::Mat::from_fn(N, 1, |i, _| 1.0 + i as f64));
    loss.limit = 2.0;
    let descent = Descent::new(&model, &loss);
    let error = descent.run(&[3.0], |_| ()).unwrap_err();
    assert!(
        error.to_string().contains("the material has failed"),
        "{error}"
    );
    // The minimum lies beyond the limit: trials there fail, and the run stays where the loss is defined.
    loss.data = (0..N).map(|i| 2.5 * (1.0 + i as f64)).collect();
    let report = Descent::new(&model, &loss).run(&[1.0], |_| ()).unwrap();
    assert!(report.theta[0] <= 2.0);
    assert!(!report.converged(), "{report}");
    let failure = report.last_failure.unwrap();
    assert!(failure.contains("the material has failed"), "{failure}");
}
