//! A prior A M⁻¹A on finite elements, known by its products and solves, beside the same prior as a dense matrix.

use crate::support;
use crate::support::{Reaction, dot, gap, identity, matrix_gap, reference_solve};
use pullback::descent::Tolerances;
use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Forcing, Information, LeastSquares, Nystrom,
    Preconditioner, Sketched,
};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Factor, SolveStats};
use pullback::loss::Observations;
use pullback::posterior::Rank;
use pullback::prior::{PriorTerms, Quadratic, Tikhonov};
use pullback::step::Armijo;
use pullback::{
    Backend, Bounds, Cpu, Descent, Direction, Error, Noise, Operator, Prior, Report, Result, Side,
    random,
};

const P: usize = 30;
const ROWS: usize = 12;

/// Linear elements on [0, 1]: C = A M⁻¹A, A = δK + M, with a mass matrix that is not lumped.
struct BiLaplacian {
    mean: Vec<f64>,
    a: Operator<'static>,
    mass: Operator<'static>,
    a_inverse: Box<dyn Factor>,
    mass_inverse: Box<dyn Factor>,
    /// Whether it draws samples.
    draws: bool,
}

/// The matrix with these entries on the diagonal (half at the ends) and beside it.
fn tridiagonal(diagonal: f64, beside: f64) -> Operator<'static> {
    let entries = (1..P).flat_map(|i| {
        let half = 0.5 * diagonal;
        [
            (i - 1, i - 1, half),
            (i, i, half),
            (i, i - 1, beside),
            (i - 1, i, beside),
        ]
    });
    Operator::triplets(P, P, entries).positive_definite()
}

fn mass() -> Operator<'static> {
    let h = 1.0 / (P - 1) as f64;
    tridiagonal(h * 2.0 / 3.0, h / 6.0)
}

fn a() -> Operator<'static> {
    let (h, delta) = (1.0 / (P - 1) as f64, 0.02);
    tridiagonal(delta * 2.0 / h + h * 2.0 / 3.0, -delta / h + h / 6.0)
}

fn prior(draws: bool) -> BiLaplacian {
    BiLaplacian {
        mean: (0..P).map(|i| 0.3 * (0.2 * i as f64).sin()).collect(),
        a: a(),
        mass: mass(),
        a_inverse: Cpu::shared().factor(a()).unwrap(),
        mass_inverse: Cpu::shared().factor(mass()).unwrap(),
        draws,
    }
}

impl Prior for BiLaplacian {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let product = Operator::free(
            P,
            P,
            Box::new(|_, v, mut out| {
                let mut x = self.a.apply(Side::Plain, v).unwrap();
                let solved = self.mass_inverse.solve(Side::Plain, None, x.as_mut());
                solved.unwrap();
                out.copy_from(self.a.apply(Side::Plain, x.as_ref()).unwrap());
            }),
        );
        let deviation: Vec<f64> = theta.iter().zip(&self.mean).map(|(t, m)| t - m).collect();
        Quadratic::gaussian(product, &deviation)
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn precision<'a>(&'a self, _: &[f64], _: &'a dyn Backend) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(Solves(self)))
    }

    /// A⁻¹Lξ, M = LLᵀ.
    fn draw(&self, _: &[f64], count: usize, seed: u64) -> Result<Mat<f64>> {
        if !self.draws {
            return Err(Error::PriorLacks {
                what: "samples",
                remedy: "take the other",
            });
        }
        let l = cholesky(&self.mass.to_dense());
        let mut x = l * random::normal_matrix(P, count, seed);
        self.a_inverse.solve(Side::Plain, None, x.as_mut())?;
        Ok(x)
    }
}

fn cholesky(a: &Mat<f64>) -> Mat<f64> {
    let a = nalgebra::DMatrix::from_fn(P, P, |i, j| a[(i, j)]);
    let l = a.cholesky().unwrap().l();
    Mat::from_fn(P, P, |i, j| l[(i, j)])
}

struct Solves<'a>(&'a BiLaplacian);

impl Factor for Solves<'_> {
    fn solve(
        &self,
        side: Side,
        _: Option<MatRef<'_, f64>>,
        mut x: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        let first = self.0.a_inverse.solve(side, None, x.as_mut())?;
        let mut y = self.0.mass.apply(Side::Plain, x.as_ref())?;
        let second = self.0.a_inverse.solve(side, None, y.as_mut())?;
        x.copy_from(&y);
        Ok(first.worst(second))
    }
}

/// C by another library.
fn dense_precision() -> Mat<f64> {
    let a = a().to_dense();
    &a * reference_solve(mass().to_dense().as_ref(), a.as_ref())
}

/// N(m, C⁻¹) by its covariance, for comparison.
fn dense_prior() -> Tikhonov {
    let covariance = reference_solve(dense_precision().as_ref(), identity(P).as_ref());
    let symmetric = Mat::from_fn(P, P, |i, j| 0.5 * (covariance[(i, j)] + covariance[(j, i)]));
    Tikhonov::new(prior(false).mean, Noise::full(symmetric).unwrap()).unwrap()
}

fn problem() -> (Reaction, Observations) {
    let model = Reaction::new(20, P, 3);
    let observed = Operator::dense(random::normal_matrix(ROWS, 20, 5));
    let noise = Noise::uniform(ROWS, 0.05).unwrap();
    let data = random::normal(ROWS, 8, 0);
    (model, Observations::new(observed, data, noise).unwrap())
}

fn run(direction: &dyn Direction, prior: &dyn Prior, bounds: Option<&Bounds>) -> Result<Report> {
    let (model, loss) = problem();
    let tolerances = Tolerances {
        iterations: 300,
        ..Tolerances::default()
    };
    let mut descent = Descent::new(&model, &loss).prior(prior);
    descent = descent.direction(direction).tolerances(tolerances);
    if let Some(bounds) = bounds {
        descent = descent.bounds(bounds);
    }
    let armijo = Armijo::default();
    if direction.name().contains("sketch") {
        descent = descent.step(&armijo);
    }
    descent.run(&[0.0; P], |_| ())
}

fn nystrom() -> ConjugateGradient<'static> {
    ConjugateGradient {
        preconditioner: Preconditioner::Nystrom(Nystrom {
            rank: 6,
            oversampling: 3,
            seed: 1,
        }),
        ..ConjugateGradient::default()
    }
}

#[test]
fn values_gradients_and_variances_are_those_of_the_matrix() {
    let (prior, dense) = (prior(false), dense_prior());
    let theta = random::normal(P, 4, 0);
    let [a, b] = [&prior as &dyn Prior, &dense].map(|p| p.value(&theta).unwrap());
    assert!((a / b - 1.0).abs() < 1e-10, "{a}, {b}");
    let [a, b] = [&prior as &dyn Prior, &dense].map(|p| p.at(&theta).unwrap().gradient());
    assert!(gap(&a, &b) < 1e-9);
    let [a, b] =
        [&prior as &dyn Prior, &dense].map(|p| p.variances(&theta, Cpu::shared()).unwrap());
    assert!(gap(&a, &b) < 1e-10);
}

/// P and s of a prior without a root, from the Cholesky factor of its precision; beside a prior that has one.
#[test]
fn rows_are_made_of_the_precision_where_there_is_no_root() {
    let theta = random::normal(P, 4, 0);
    let (prior, second) = (
        prior(false),
        Tikhonov::new(vec![0.1; P], Noise::uniform(P, 2.0).unwrap()).unwrap(),
    );
    let both: [&dyn Prior; 2] = [&prior, &second];
    for count in [1, 2] {
        let terms = PriorTerms::new(&both[..count], &theta).unwrap();
        let (p, s) = terms.rows().unwrap();
        let mut c = dense_precision();
        (0..P).for_each(|i| c[(i, i)] += 0.25 * (count - 1) as f64);
        assert!(matrix_gap((p.transpose() * &p).as_ref(), c.as_ref()) < 1e-12);
        let gradient = p.transpose() * support::column(&s);
        assert!(gap(gradient.col_as_slice(0), &terms.gradient()) < 1e-11);
    }
}

#[test]
fn every_direction_comes_to_the_minimum_without_a_root() {
    let reference = run(&LeastSquares::default(), &dense_prior(), None).unwrap();
    assert!(reference.converged());
    let geometry = Sketched {
        probes: 200,
        ..Sketched::default()
    };
    let directions: [&dyn Direction; 7] = [
        &LeastSquares::default(),
        &Information::default(),
        &ConjugateGradient::default(),
        &nystrom(),
        &DataSpace,
        &geometry,
        &Auto {
            budget: 20,
            ..Auto::default()
        },
    ];
    for direction in directions {
        let report = run(direction, &prior(false), None).unwrap();
        assert!(report.converged(), "{}: {report}", direction.name());
        let off = (report.loss - reference.loss) / reference.loss;
        assert!(off.abs() < 1e-8, "{}: {off:e}", direction.name());
    }
}

#[test]
fn exact_steps_are_those_of_the_matrix() {
    let (model, loss) = problem();
    let theta = random::normal(P, 9, 0);
    let (prior, dense) = (prior(false), dense_prior());
    let tight = ConjugateGradient {
        forcing: Forcing::Fixed(1e-13),
        ..ConjugateGradient::default()
    };
    let directions: [&dyn Direction; 4] = [
        &LeastSquares::default(),
        &Information::default(),
        &DataSpace,
        &tight,
    ];
    for direction in directions {
        let [found, expected] = [&prior as &dyn Prior, &dense].map(|p| {
            let descent = Descent::new(&model, &loss).prior(p).direction(direction);
            descent.propose(&theta, 0.0).unwrap()
        });
        let off =
            gap(&found.eta, &expected.eta).max(gap(&[found.predicted], &[expected.predicted]));
        assert!(off < 1e-8, "{}: {off:e}", direction.name());
    }
}

fn posterior_of<'a>(
    model: &'a Reaction,
    loss: &'a Observations,
    prior: &'a dyn Prior,
) -> pullback::posterior::Posterior<'a> {
    let descent = Descent::new(model, loss).prior(prior);
    descent.posterior(&[0.1; P], Rank::default()).unwrap()
}

#[test]
fn posteriors_are_those_of_the_matrix() {
    let (model, loss) = problem();
    let (prior, dense) = (prior(true), dense_prior());
    let found = posterior_of(&model, &loss, &prior);
    let expected = posterior_of(&model, &loss, &dense);
    assert_eq!(found.eigenvalues().len(), ROWS);
    assert!(gap(found.eigenvalues(), expected.eigenvalues()) < 1e-10);
    let [a, b] = [&found, &expected].map(|p| p.variances().unwrap());
    assert!(gap(&a, &b) < 1e-10);
    let [a, b] = [&found, &expected].map(|p| p.divergence());
    assert!((a / b - 1.0).abs() < 1e-10, "{a}, {b}");
    let u = found.eigenvectors();
    let unit = u.transpose() * dense_precision() * u;
    assert!(matrix_gap(unit.as_ref(), identity(ROWS).as_ref()) < 1e-10);
}

/// The variance of ten random combinations, by samples and by the inverse of G + C.
#[test]
fn samples_have_the_covariance_of_the_posterior() {
    let ((model, loss), n) = (problem(), 4000);
    let (prior, dense) = (prior(true), dense_prior());
    let samples = posterior_of(&model, &loss, &prior).samples(n, 11).unwrap();
    let exact = posterior_of(&model, &loss, &dense);
    let covariance = reference_solve(dense_precision().as_ref(), identity(P).as_ref());
    for k in 0..10 {
        let w = random::normal(P, 21, k);
        let mut variance = dot(&w, (&covariance * support::column(&w)).col_as_slice(0));
        for (j, l) in exact.eigenvalues().iter().enumerate() {
            let along = dot(exact.eigenvectors().col_as_slice(j), &w);
            variance -= l / (1.0 + l) * along * along;
        }
        let values: Vec<f64> = (0..n)
            .map(|j| dot(samples.col_as_slice(j), &w) - 0.1 * w.iter().sum::<f64>())
            .collect();
        let found = dot(&values, &values) / n as f64;
        let off = (found / variance - 1.0).abs();
        assert!(
            off < 4.5 * (2.0 / n as f64).sqrt(),
            "{k}: {found}, {variance}"
        );
    }
}

#[test]
fn what_takes_more_than_products_says_what_is_missing() {
    let (model, loss) = problem();
    let rootless = prior(false);
    let posterior = posterior_of(&model, &loss, &rootless);
    let error = posterior.samples(2, 1).err().unwrap();
    assert!(matches!(error, Error::PriorLacks { .. }), "{error}");
    let error = run(&Dual, &rootless, None).err().unwrap();
    assert!(matches!(error, Error::NotSparse { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("precision of the priors") && said.contains("conjugate gradients"),
        "{said}"
    );
    // A sum would have to be factorised.
    let second = Tikhonov::new(vec![0.1; P], Noise::uniform(P, 2.0).unwrap()).unwrap();
    let mut terms = PriorTerms::new(&[&rootless, &second], &[0.0; P]).unwrap();
    let said = terms.factorise(Cpu::shared()).unwrap_err().to_string();
    assert!(
        said.contains("sparse") && said.contains("Preconditioner::Identity"),
        "{said}"
    );
}

/// The precision of the parameters that are free, from solves with that of all.
#[test]
fn bounds_may_hold_parameters() {
    let bounds = Bounds::new(vec![-0.05; P], vec![0.1; P]).unwrap();
    let reference = run(&LeastSquares::default(), &dense_prior(), Some(&bounds)).unwrap();
    let held = |report: &Report| {
        let at = |t: &&f64| **t == -0.05 || **t == 0.1;
        report.theta.iter().filter(at).count()
    };
    assert!(reference.converged() && held(&reference) > 3, "{reference}");
    let directions: [&dyn Direction; 3] = [&ConjugateGradient::default(), &nystrom(), &DataSpace];
    for direction in directions {
        let report = run(direction, &prior(false), Some(&bounds)).unwrap();
        assert!(report.converged(), "{}: {report}", direction.name());
        let off = (report.loss - reference.loss) / reference.loss;
        assert!(off.abs() < 1e-8, "{}: {off:e}", direction.name());
        assert_eq!(held(&report), held(&reference), "{}", direction.name());
    }
}

#[test]
fn the_default_says_how_to_draw_samples() {
    struct Plain;
    impl Prior for Plain {
        fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
            Quadratic::gaussian(Operator::identity(theta.len()), theta)
        }
    }
    let error = Plain.draw(&[0.0; 3], 1, 0).err().unwrap();
    assert!(error.to_string().contains("Prior::draw"), "{error}");
    let terms = PriorTerms::new(&[&Plain], &[1.0, 2.0]);
    assert_eq!(terms.unwrap().value(), 2.5);
}
