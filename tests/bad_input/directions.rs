//! Input that makes no sense is an error that names the argument and the remedy: directions for many parameters, their
//! priors, and posteriors.

use crate::support::Explicit;
use crate::support::altered::{altered, products};
use crate::support::bad::{check, row};
use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Forcing, Nystrom, Preconditioner, Sketched,
};
use pullback::faer::Mat;
use pullback::loss::{L2Misfit, Observations};
use pullback::metric::{FisherRao, Wasserstein2};
use pullback::posterior::Rank;
use pullback::prior::{Matern, PriorTerms, Smoothness, Tikhonov};
use pullback::sketch::ProbeKind;
use pullback::step::Fixed;
use pullback::{
    Cpu, Descent, Direction, Grid, Loss, Metric, Model, Noise, Operator, Prior, Result,
};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn line() -> Grid {
    Grid::new(&[(0.0, 1.0, 4)]).unwrap()
}

fn sound() -> Explicit {
    Explicit(Mat::from_fn(4, 4, |i, j| {
        1.0 + ((i + 1) * (j + 2) % 5) as f64
    }))
}

fn observed() -> Observations {
    let few = Operator::dense(Mat::from_fn(2, 4, |i, j| (i + j) as f64));
    Observations::new(few, vec![1.0; 2], Noise::uniform(2, 1.0).unwrap()).unwrap()
}

fn run(direction: &dyn Direction, prior: Option<&dyn Prior>) -> Result<()> {
    let (model, loss) = (sound(), observed());
    let mut descent = Descent::new(&model, &loss).direction(direction);
    if let Some(prior) = prior {
        descent = descent.prior(prior);
    }
    descent.run(&[1.0; 4], |_| ()).map(drop)
}

#[test]
fn options_of_directions() {
    let sketched = |kind, probes| {
        let direction = Sketched {
            kind,
            probes,
            ..Sketched::default()
        };
        run(&direction, None)
    };
    let conjugate = |forcing, iterations| {
        let direction = ConjugateGradient {
            forcing,
            iterations,
            ..ConjugateGradient::default()
        };
        run(&direction, None)
    };
    let fixed = |forcing| conjugate(Forcing::Fixed(forcing), 10);
    let progress = |most| conjugate(Forcing::Progress { most }, 10);
    let nystrom = |rank| {
        let direction = ConjugateGradient {
            preconditioner: Preconditioner::Nystrom(Nystrom {
                rank,
                ..Nystrom::default()
            }),
            ..ConjugateGradient::default()
        };
        run(&direction, None)
    };
    // The same calls pass with options that make sense.
    assert!(sketched(ProbeKind::Orthonormal, 2).is_ok());
    assert!(fixed(0.5).is_ok() && progress(0.5).is_ok() && nystrom(1).is_ok());
    check(vec![
        row(
            "no probes",
            "Option",
            "at least as many as parameters",
            || sketched(ProbeKind::Signs, 0),
        ),
        row("too many probes", "Option", "cannot outnumber", || {
            sketched(ProbeKind::Orthonormal, 3)
        }),
        row("forcing 0", "Option", "between 0 and 1", || fixed(0.0)),
        row("forcing 1", "Option", "between 0 and 1", || fixed(1.0)),
        row("forcing NaN", "Option", "between 0 and 1", || fixed(NAN)),
        row("most 0", "Option", "between 0 and 1", || progress(0.0)),
        row("most 1", "Option", "between 0 and 1", || progress(1.0)),
        row("most NaN", "Option", "the forcing", || progress(NAN)),
        row("no iterations", "Option", "allow at least one", || {
            conjugate(Forcing::Fixed(0.5), 0)
        }),
        row("rank 0", "Option", "give at least 1", || nystrom(0)),
    ]);
}

#[test]
fn fields_of_matern_type() {
    let new = |deviation, range| Matern::new(&line(), deviation, range);
    let around = |mean: Vec<f64>| new(1.0, 1.0).and_then(|prior| prior.around(mean));
    let towards = |mean: Vec<f64>| Smoothness::new(&line(), 1.0)?.towards(mean);
    let ranged = |range| Smoothness::new(&line(), 1.0)?.with_range(range);
    let flat = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]).unwrap();
    let (deviation, range) = ("the standard deviation", "the range of a random field");
    check(vec![
        row("deviation", "NotPositive", deviation, || new(-1.0, 1.0)),
        row("deviation 0", "NotPositive", deviation, || new(0.0, 1.0)),
        row("NaN deviation", "NotFinite", deviation, || new(NAN, 1.0)),
        row("infinite deviation", "NotFinite", deviation, || {
            new(INF, 1.0)
        }),
        row("range", "NotPositive", range, || new(1.0, -1.0)),
        row("range 0", "NotPositive", range, || new(1.0, 0.0)),
        row("NaN range", "NotFinite", range, || new(1.0, NAN)),
        row("infinite range", "NotFinite", range, || new(1.0, INF)),
        row("range below a cell", "Option", "width of a cell", || {
            new(1.0, 0.2)
        }),
        row("overflow", "Not", "weight of a random field", || {
            new(1e-300, 1.0)?
                .value(&[0.0; 4])
                .and_then(|_| new(1e-320, 1e300))
        }),
        row("one cell", "GridTooCoarse", "remove it", || {
            Matern::new(&flat, 1.0, 1.0)
        }),
        row("mean", "Dimension", "mean of a prior", || {
            around(vec![0.0; 3])
        }),
        row("NaN mean", "NotFinite", "mean of a prior", || {
            around(vec![NAN; 4])
        }),
        row("θ", "Dimension", "θ given to a prior", || {
            new(1.0, 1.0)?.value(&[0.0; 5])
        }),
        row("smooth mean", "Dimension", "mean of a prior", || {
            towards(vec![0.0; 5])
        }),
        row("smooth NaN", "NotFinite", "mean of a prior", || {
            towards(vec![NAN; 4])
        }),
        row("smooth range", "NotPositive", "the range", || ranged(-1.0)),
        row("smooth NaN range", "NotFinite", "the range", || ranged(NAN)),
    ]);
}

#[test]
fn priors_that_leave_constants_free() {
    let free = Smoothness::new(&line(), 1.0).unwrap();
    let proper = free.clone().with_range(1.0).unwrap();
    let (conjugate, sketched) = (ConjugateGradient::default(), Sketched::default());
    let all: [&dyn Direction; 3] = [&conjugate, &DataSpace, &sketched];
    for direction in all {
        assert!(run(direction, Some(&proper)).is_ok());
        check(vec![row(
            direction.name(),
            "NotPositiveDefinite",
            "with_range",
            || run(direction, Some(&free)),
        )]);
    }
    let (model, loss) = (sound(), observed());
    check(vec![row(
        "posterior",
        "NotPositiveDefinite",
        "with_range",
        || {
            let descent = Descent::new(&model, &loss).prior(&free);
            descent.posterior(&[1.0; 4], Rank::default()).map(drop)
        },
    )]);
}

/// A singular precision may have a factor, by the luck of rounding.
#[test]
fn sums_of_priors_that_leave_constants_free() {
    for n in 4..30 {
        let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)]).unwrap();
        let one = Smoothness::new(&grid, 1.0).unwrap();
        let other = Smoothness::new(&grid, 0.7).unwrap();
        let weak = Noise::uniform(n * n, 1e4).unwrap();
        let weak = Tikhonov::new(vec![0.0; n * n], weak).unwrap();
        let factorise = |second: &dyn Prior| {
            let mut terms = PriorTerms::new(&[&one, second], &vec![0.0; n * n])?;
            terms.factorise(Cpu::shared())
        };
        assert!(factorise(&weak).is_ok(), "{n}");
        let says = "leave some combination of the parameters free";
        check(vec![row("sum", "NotPositiveDefinite", says, || {
            factorise(&other)
        })]);
    }
}

#[test]
fn what_the_dual_direction_cannot_do() {
    let (explicit, loss) = (sound(), observed());
    let identity = |_| Operator::identity(explicit.state_dim());
    let free = altered(&explicit, identity, products);
    let prior = Matern::new(&line(), 1.0, 1.0).unwrap();
    assert!(run(&Dual, Some(&prior)).is_ok());
    let density = L2Misfit::new(&line(), vec![1.0; 4]).unwrap();
    let positive = sound();
    let keeps = |metric: &dyn Metric| {
        let descent = Descent::new(&positive, &density)
            .prior(&prior)
            .metric(metric);
        descent.direction(&Dual).run(&[0.1; 4], |_| ()).map(drop)
    };
    check(vec![
        row("products", "NotSparse", "the model's Jacobians", || {
            let descent = Descent::new(&free, &loss).prior(&prior).direction(&Dual);
            descent.run(&[1.0; 4], |_| ())
        }),
        row("undamped", "Option", "add a prior", || {
            let (model, rule) = (sound(), Fixed { scale: 1.0 });
            let descent = Descent::new(&model, &loss).direction(&Dual);
            descent.step(&rule).run(&[1.0; 4], |_| ()).map(drop)
        }),
        row("mass, Fisher-Rao", "Option", "change of mass", || {
            keeps(&FisherRao::new(&line()))
        }),
        row("mass, W2", "Option", "change of mass", || {
            keeps(&Wasserstein2::new(&line()))
        }),
    ]);
}

/// A loss without a metric.
struct Sum;

impl Loss for Sum {
    fn value(&self, rho: &[f64]) -> f64 {
        rho.iter().sum()
    }
    fn gradient(&self, _: &[f64], out: &mut [f64]) {
        out.fill(1.0);
    }
}

#[test]
fn posteriors_and_covariances() {
    let (model, loss) = (sound(), observed());
    let prior = Matern::new(&line(), 1.0, 1.0).unwrap();
    let report = Descent::new(&model, &loss).run(&[1.0; 4], |_| ()).unwrap();
    let none = Rank {
        rank: 0,
        ..Rank::default()
    };
    check(vec![
        row("no prior", "Option", "Descent::prior", || {
            let descent = Descent::new(&model, &loss);
            descent.posterior(&[1.0; 4], Rank::default()).map(drop)
        }),
        row("rank 0", "Option", "eigenpairs to keep", || {
            let descent = Descent::new(&model, &loss).prior(&prior);
            descent.posterior(&[1.0; 4], none).map(drop)
        }),
        row("short θ", "Dimension", "θ", || {
            let descent = Descent::new(&model, &loss).prior(&prior);
            descent.posterior(&[1.0; 3], Rank::default()).map(drop)
        }),
        row("posterior", "NoMetric", "Descent::metric", || {
            let descent = Descent::new(&model, &Sum).prior(&prior);
            descent.posterior(&[1.0; 4], Rank::default()).map(drop)
        }),
        row("covariance", "NoMetric", "Descent::metric", || {
            report.covariance(&Descent::new(&model, &Sum))
        }),
    ]);
}

#[test]
fn budgets_below_one_solve() {
    let auto = |budget| {
        let direction = Auto {
            budget,
            ..Auto::default()
        };
        run(&direction, None)
    };
    assert!(auto(1).is_ok());
    check(vec![row(
        "no budget",
        "Option",
        "at least one solve",
        || auto(0),
    )]);
}
