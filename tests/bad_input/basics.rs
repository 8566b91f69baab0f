//! Input that makes no sense is an error that names the argument and the remedy: the parts of a problem.

use crate::support::bad::{check, row};
use pullback::faer::{Mat, mat};
use pullback::loss::{Divergence, L2Misfit, Observations, Sinkhorn, SobolevMisfit, Sum, Transport};
use pullback::prior::{Smoothness, Tikhonov};
use pullback::{Bounds, Grid, Loss, Noise, Operator, Prior, Result};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn line() -> Grid {
    Grid::new(&[(0.0, 1.0, 4)]).unwrap()
}

#[test]
fn grids() {
    let unit = (0.0, 1.0, 4);
    check(vec![
        row("no axes", "GridAxes", "needs 1, 2 or 3", || Grid::new(&[])),
        row("four axes", "GridAxes", "has 4 axes", || {
            Grid::new(&[unit; 4])
        }),
        row("NaN", "NotFinite", "a bound of the grid", || {
            Grid::new(&[(NAN, 1.0, 4)])
        }),
        row("infinite", "NotFinite", "a bound of the grid", || {
            Grid::new(&[(0.0, INF, 4)])
        }),
        row("reversed", "Bounds", "lower end first", || {
            Grid::new(&[unit, (1.0, 0.0, 4)])
        }),
        row("no length", "Bounds", "at index 1", || {
            Grid::new(&[unit, (1.0, 1.0, 4)])
        }),
        row("no cells", "GridTooCoarse", "refine the axis", || {
            Grid::new(&[(0.0, 1.0, 0)])
        }),
        row("short field", "Dimension", "a field on the grid", || {
            line().field(&[1.0; 3]).map(|_| ())
        }),
    ]);
}

#[test]
fn a_field_with_too_many_values() {
    check(vec![row(
        "long field",
        "Dimension",
        "a field on the grid",
        || line().field(&[1.0; 5]).map(|_| ()),
    )]);
}

type Build = fn(Vec<f64>) -> Result<Box<dyn Loss>>;

fn boxed(loss: Result<impl Loss + 'static>) -> Result<Box<dyn Loss>> {
    loss.map(|loss| Box::new(loss) as Box<dyn Loss>)
}

#[test]
fn targets_and_states_of_losses() {
    let losses: [(Build, bool); 8] = [
        (|q| boxed(L2Misfit::new(&line(), q)), false),
        (|q| boxed(SobolevMisfit::new(&line(), -1.0, q)), false),
        (|q| boxed(Divergence::kullback_leibler(&line(), q)), true),
        (
            |q| boxed(Divergence::reverse_kullback_leibler(&line(), q)),
            true,
        ),
        (|q| boxed(Divergence::hellinger(&line(), q)), true),
        (|q| boxed(Divergence::chi_squared(&line(), q)), true),
        (|q| boxed(Transport::new(&line(), q)), true),
        (
            |q| boxed(Transport::sinkhorn(&line(), q, &Sinkhorn::default())),
            true,
        ),
    ];
    for (build, density) in losses {
        let state = move |rho: &[f64]| build(vec![1.0; 4])?.check(rho);
        check(vec![
            row("long target", "Dimension", "target", move || {
                build(vec![1.0; 5])
            }),
            row("NaN target", "NotFinite", "target", move || {
                build(vec![1.0, NAN, 1.0, 1.0])
            }),
            row("infinite target", "NotFinite", "target", move || {
                build(vec![1.0, 1.0, INF, 1.0])
            }),
            row("short state", "Dimension", "state", move || {
                state(&[1.0; 3])
            }),
        ]);
        if density {
            let negative = vec![1.0, -1.0, 1.0, 1.0];
            assert!(build(negative.clone()).is_err());
            check(vec![
                row("negative state", "Negative", "clip or refit", || {
                    state(&negative)
                }),
                row("NaN state", "NotFinite", "state", || state(&[NAN; 4])),
                row("empty state", "NoMass", "positive mass", || {
                    state(&[0.0; 4])
                }),
            ]);
        }
    }
}

#[test]
fn targets_that_are_no_densities() {
    let g = line();
    let holes = || vec![1.0, 0.0, 1.0, 1.0];
    let negative = || vec![1.0, -0.5, 1.0, 1.0];
    let empty = || vec![0.0; 4];
    check(vec![
        row("KL", "Negative", "clip", || {
            Divergence::kullback_leibler(&g, negative())
        }),
        row("Hellinger", "Negative", "clip", || {
            Divergence::hellinger(&g, negative())
        }),
        row("KL", "NoMass", "positive mass", || {
            Divergence::kullback_leibler(&g, empty())
        }),
        row("Hellinger", "NoMass", "positive mass", || {
            Divergence::hellinger(&g, empty())
        }),
        row("reverse KL", "NotPositive", "at index 1", || {
            Divergence::reverse_kullback_leibler(&g, holes())
        }),
        row("chi2", "NotPositive", "χ²", || {
            Divergence::chi_squared(&g, holes())
        }),
        row("support", "NotPositive", "has data", || {
            Divergence::kullback_leibler(&g, vec![1.0; 4])?.check(&holes())
        }),
        row("order", "NotFinite", "order", || {
            SobolevMisfit::new(&g, NAN, vec![1.0; 4])
        }),
    ]);
}

#[test]
fn sums_and_observations() {
    let sum = |weight| Sum::default().add(weight, L2Misfit::new(&line(), vec![1.0; 4])?);
    let noise = |n| Noise::uniform(n, 1.0).unwrap();
    let observe = |o: Mat<f64>, data: Vec<f64>, n| Observations::new(o, data, noise(n));
    let one = || mat![[1.0, 2.0]];
    check(vec![
        row("weight 0", "NotPositive", "weight of a loss", move || {
            sum(0.0)
        }),
        row("weight NaN", "NotFinite", "weight of a loss", move || {
            sum(NAN)
        }),
        row("data", "Dimension", "the data: expected", move || {
            observe(one(), vec![1.0; 2], 1)
        }),
        row("noise", "Dimension", "noise", move || {
            observe(one(), vec![1.0], 3)
        }),
        row("NaN data", "NotFinite", "the data", move || {
            observe(one(), vec![NAN], 1)
        }),
        row(
            "NaN operator",
            "NotFinite",
            "observation operator",
            move || observe(mat![[1.0, NAN]], vec![1.0], 1),
        ),
        row("state", "Dimension", "state", move || {
            observe(one(), vec![1.0], 1)?.check(&[1.0; 3])
        }),
        row("covector", "Dimension", "operand", move || {
            Operator::from(one()).apply_to(pullback::Side::Plain, &[1.0])
        }),
    ]);
}

#[test]
fn covariances() {
    let full = Noise::full;
    let two = || Noise::uniform(2, 1.0).unwrap();
    check(vec![
        row("deviation 0", "NotPositive", "deviation", || {
            Noise::uniform(2, 0.0)
        }),
        row("negative", "NotPositive", "index 1", || {
            Noise::deviations(vec![1.0, -1.0])
        }),
        row("NaN", "NotFinite", "deviation", || {
            Noise::deviations(vec![NAN])
        }),
        row("not square", "Dimension", "covariance", move || {
            full(Mat::zeros(2, 3))
        }),
        row("NaN entry", "NotFinite", "covariance", move || {
            full(mat![[1.0, NAN], [NAN, 1.0]])
        }),
        row("asymmetric", "NotSymmetric", "covariance", move || {
            full(mat![[1.0, 0.5], [0.4, 1.0]])
        }),
        row(
            "indefinite",
            "NotPositiveDefinite",
            "check its entries",
            move || full(mat![[1.0, 2.0], [2.0, 1.0]]),
        ),
        row("singular", "NotPositiveDefinite", "add damping", || {
            full(mat![[0.3, 0.3], [0.3, 0.3]])
        }),
        row("singular, large", "NotPositiveDefinite", "", || {
            full(mat![[1e160, 1e160], [1e160, 1e160]])
        }),
        row("no reciprocal", "OutOfRange", "index 0", || {
            Noise::uniform(2, 1e-320)
        }),
        row("vector", "Dimension", "whiten", move || {
            two().whitened(&[1.0])
        }),
    ]);
}

#[test]
fn priors() {
    let two = || Noise::uniform(2, 1.0).unwrap();
    let prior = move |mean: Vec<f64>| Tikhonov::new(mean, two());
    let flat = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]).unwrap();
    check(vec![
        row("mean", "Dimension", "mean of a prior", move || {
            prior(vec![0.0; 3])
        }),
        row("NaN mean", "NotFinite", "mean of a prior", move || {
            prior(vec![0.0, NAN])
        }),
        row("θ", "Dimension", "θ given to a prior", move || {
            prior(vec![0.0; 2])?.value(&[1.0])
        }),
        row("weight", "NotPositive", "smoothness", || {
            Smoothness::new(&line(), -1.0)
        }),
        row("one cell", "GridTooCoarse", "remove it", || {
            Smoothness::new(&flat, 1.0)
        }),
        row("field", "Dimension", "prior", || {
            Smoothness::new(&line(), 1.0)?.value(&[1.0])
        }),
    ]);
}

#[test]
fn bounds() {
    let new = |l: &[f64], u: &[f64]| Bounds::new(l.to_vec(), u.to_vec());
    check(vec![
        row("lengths", "Dimension", "upper bounds", move || {
            new(&[0.0], &[1.0, 2.0])
        }),
        row("NaN lower", "Bounds", "not a number", move || {
            new(&[NAN], &[1.0])
        }),
        row("NaN upper", "Bounds", "not a number", move || {
            new(&[0.0], &[NAN])
        }),
        row("reversed", "Bounds", "index 1", move || {
            new(&[0.0, 2.0], &[1.0, 1.0])
        }),
    ]);
}
