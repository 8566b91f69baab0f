//! Posteriors and covariances of parameters against dense algebra.

use crate::support::{Explicit, definite, eigenvalues, gap, identity, matrix_gap, reference_solve};
use pullback::faer::Mat;
use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::posterior::{Posterior, Rank};
use pullback::prior::{Matern, PriorTerms, Tikhonov};
use pullback::{Descent, Error, Grid, Noise, Operator, Prior, random};

const P: usize = 6;
const NOISE: f64 = 0.4;

/// Seven observations of a linear model of six parameters.
struct Linear {
    model: Explicit,
    loss: Observations,
    /// LZ.
    rows: Mat<f64>,
}

fn linear() -> Linear {
    let (f, o) = (
        random::normal_matrix(9, P, 1),
        random::normal_matrix(7, 9, 2),
    );
    let rows = (&o * &f) * pullback::faer::Scale(1.0 / NOISE);
    let noise = Noise::uniform(7, NOISE).unwrap();
    let data = random::normal(7, 3, 0);
    Linear {
        loss: Observations::new(Operator::dense(o), data, noise).unwrap(),
        model: Explicit(f),
        rows,
    }
}

fn priors() -> [(&'static str, Box<dyn Prior>); 2] {
    let full = Noise::full(definite(P, 7)).unwrap();
    let grid = Grid::new(&[(0.0, 1.0, P)]).unwrap();
    let matern = Matern::new(&grid, 0.8, 0.6).unwrap();
    [
        (
            "Tikhonov",
            Box::new(Tikhonov::new(vec![0.2; P], full).unwrap()),
        ),
        ("Matern", Box::new(matern.around(vec![0.1; P]).unwrap())),
    ]
}

fn precision(prior: &dyn Prior) -> Mat<f64> {
    let p = PriorTerms::new(&[prior], &[0.0; P])
        .unwrap()
        .matrix()
        .unwrap();
    p.transpose() * &p
}

fn inverse(a: &Mat<f64>) -> Mat<f64> {
    reference_solve(a.as_ref(), identity(a.nrows()).as_ref())
}

fn diagonal(a: &Mat<f64>) -> Vec<f64> {
    (0..a.nrows()).map(|i| a[(i, i)]).collect()
}

fn full_rank() -> Rank {
    Rank {
        rank: P,
        ..Rank::default()
    }
}

const THETA: [f64; P] = [0.3, -0.2, 0.5, 0.1, -0.6, 0.4];

/// ln det of a positive definite matrix.
fn log_det(a: &Mat<f64>) -> f64 {
    eigenvalues(a.as_ref()).iter().map(|l| l.ln()).sum()
}

#[test]
fn at_full_rank_it_is_the_dense_posterior() {
    let problem = linear();
    let g = problem.rows.transpose() * &problem.rows;
    for (name, prior) in priors() {
        let c = precision(&*prior);
        let descent = Descent::new(&problem.model, &problem.loss).prior(&*prior);
        let posterior = descent.posterior(&THETA, full_rank()).unwrap();
        let covariance = inverse(&(&g + &c));
        let off = gap(&posterior.variances().unwrap(), &diagonal(&covariance));
        assert!(off < 1e-8, "{name}, variances: {off:e}");
        let off = gap(
            &posterior.prior_variances().unwrap(),
            &diagonal(&inverse(&c)),
        );
        assert!(off < 1e-10, "{name}, prior variances: {off:e}");
        // Rows L Z P⁻¹ have the eigenvalues of C⁻¹G for any square root.
        let s = &problem.rows * inverse(&c) * problem.rows.transpose();
        let mut values = eigenvalues(s.as_ref());
        values.reverse();
        let off = gap(posterior.eigenvalues(), &values[..P]);
        assert!(off < 1e-8, "{name}, eigenvalues: {off:e}");
        let u = posterior.eigenvectors();
        let unit = u.transpose() * &c * u;
        let off = matrix_gap(unit.as_ref(), identity(P).as_ref());
        assert!(off < 1e-10, "{name}, UᵀCU: {off:e}");
        let gain = 0.5 * (log_det(&(&g + &c)) - log_det(&c));
        let off = gap(&[posterior.information_gain()], &[gain]);
        assert!(off < 1e-9, "{name}, information gain: {off:e}");
        let divergence = gain - 0.5 * P as f64
            + 0.5 * diagonal(&(&c * &covariance)).iter().sum::<f64>()
            + prior.value(&THETA).unwrap();
        let off = gap(&[posterior.divergence()], &[divergence]);
        assert!(off < 1e-9, "{name}, divergence: {off:e}");
        assert_eq!(posterior.mean(), THETA);
    }
}

#[test]
fn samples_have_the_mean_and_covariance_of_the_dense_posterior() {
    let (problem, n) = (linear(), 2000);
    let g = problem.rows.transpose() * &problem.rows;
    for (name, prior) in priors() {
        let covariance = inverse(&(&g + precision(&*prior)));
        let descent = Descent::new(&problem.model, &problem.loss).prior(&*prior);
        let posterior = descent.posterior(&THETA, full_rank()).unwrap();
        let samples = posterior.samples(n, 11).unwrap();
        let centred = Mat::from_fn(P, n, |i, j| samples[(i, j)] - THETA[i]);
        let found = &centred * centred.transpose();
        for i in 0..P {
            let mean = (0..n).map(|j| centred[(i, j)]).sum::<f64>() / n as f64;
            let error = (covariance[(i, i)] / n as f64).sqrt();
            assert!(mean.abs() < 4.5 * error, "{name}, mean {i}: {mean:e}");
            for j in 0..P {
                let (c, v) = (covariance[(i, j)], covariance[(i, i)] * covariance[(j, j)]);
                let error = ((v + c * c) / n as f64).sqrt();
                let off = (found[(i, j)] / n as f64 - c).abs();
                assert!(off < 4.5 * error, "{name}, {i}, {j}: {off:e}, {error:e}");
            }
        }
    }
}

fn darcy() -> (Darcy, Observations, Matern) {
    let grid = Grid::new(&[(0.0, 1.0, 16), (0.0, 1.0, 16)]).unwrap();
    let model = Darcy::new(&grid).unwrap();
    let model = model.pressure(0, End::Lower, 1.0).unwrap();
    let model = model.pressure(0, End::Upper, 0.0).unwrap();
    let place = |i: usize| 0.1 + 0.2 * i as f64;
    let points: Vec<[f64; 2]> = (0..25).map(|i| [place(i / 5), place(i % 5)]).collect();
    let wells = model.observe(&points).unwrap();
    let noise = Noise::uniform(25, 0.01).unwrap();
    let loss = Observations::new(wells, vec![0.5; 25], noise).unwrap();
    (model, loss, Matern::new(&grid, 1.0, 0.5).unwrap())
}

#[test]
fn truncated_posteriors_of_a_darcy_flow_come_down_to_that_of_full_rank() {
    let (model, loss, prior) = darcy();
    let theta = model.grid().sample(|x| (6.0 * x[0]).sin() * x[1]);
    let posterior = |rank| -> Posterior<'_> {
        let rank = Rank {
            rank,
            ..Rank::default()
        };
        let descent = Descent::new(&model, &loss).prior(&prior);
        descent.posterior(&theta, rank).unwrap()
    };
    let all = posterior(25);
    assert_eq!(all.eigenvalues().len(), 25);
    let (least, before) = (all.variances().unwrap(), all.prior_variances().unwrap());
    let mut last = f64::INFINITY;
    for rank in [1, 3, 8, 15, 25] {
        let found = posterior(rank);
        let variances = found.variances().unwrap();
        let below = variances.iter().zip(&before).all(|(v, b)| v <= b);
        let above = variances.iter().zip(&least).all(|(v, l)| *v >= l - 1e-6);
        assert!(below && above, "rank {rank}");
        let off: f64 = variances.iter().zip(&least).map(|(v, l)| v - l).sum();
        assert!(off < last, "rank {rank}: {off:e} after {last:e}");
        last = off;
        let next = all.eigenvalues().get(rank).copied().unwrap_or(0.0);
        let warned = found.to_string().contains("raise the rank");
        assert_eq!(warned, next > 0.1, "rank {rank}, then {next}: {found}");
    }
    assert!(posterior(1).to_string().contains("raise the rank"));
    // 25 rows are fewer than three passes of 3 + 10 columns.
    assert_eq!(posterior(3).solves(), 25);
    // There are no more than 25 pairs.
    assert!(posterior(60).eigenvalues().len() == 25);
    let off = gap(&posterior(60).variances().unwrap(), &least);
    assert!(off < 1e-8, "{off:e}");
}

#[test]
fn posteriors_without_a_prior_or_a_rank_are_errors() {
    let (problem, [(_, prior), _]) = (linear(), priors());
    let free = Descent::new(&problem.model, &problem.loss);
    let error = free.posterior(&THETA, full_rank()).err().unwrap();
    assert!(error.to_string().contains("Descent::prior"), "{error}");
    let none = Rank {
        rank: 0,
        ..Rank::default()
    };
    let descent = Descent::new(&problem.model, &problem.loss).prior(&*prior);
    let error = descent.posterior(&THETA, none).err().unwrap();
    assert!(matches!(error, Error::Option { .. }), "{error}");
}

#[test]
fn data_that_say_nothing_leave_the_prior() {
    let grid = Grid::new(&[(0.0, 1.0, 6), (0.0, 1.0, 6)]).unwrap();
    // No flow at all.
    let model = Darcy::new(&grid).unwrap();
    let model = model.pressure(0, End::Lower, 0.0).unwrap();
    let noise = Noise::uniform(1, 0.1).unwrap();
    let loss = Observations::new(model.observe(&[[0.5, 0.5]]).unwrap(), vec![0.0], noise).unwrap();
    let prior = Matern::new(&grid, 1.0, 0.5).unwrap();
    let descent = Descent::new(&model, &loss).prior(&prior);
    let posterior = descent.posterior(&[0.0; 36], Rank::default()).unwrap();
    assert_eq!(posterior.eigenvalues().len(), 0);
    let (after, before) = (posterior.variances(), posterior.prior_variances());
    assert_eq!(after.unwrap(), before.unwrap());
    assert!(posterior.to_string().contains("gain 0.0"), "{posterior}");
}
