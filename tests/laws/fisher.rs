//! Fisher's information: expected, sampled and of the measured data.

use crate::likelihood::{FAMILIES, expected, mixed, single};
use crate::support::{Reaction, column, dot, gap, matrix_gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{Curvature, Kind};
use pullback::descent::Tolerances;
use pullback::direction::{Information, LeastSquares};
use pullback::faer::{Mat, MatRef, mat};
use pullback::loss::{
    Datum, Family, Fisher, L2Misfit, Likelihood, NoiseLevel, Observations, Predictive, Scores,
};
use pullback::metric::{Root, Rows};
use pullback::step::Fixed;
use pullback::{Cpu, Descent, Direction, Loss, Metric, Model, Noise, Operator, Result, random};

fn dense(root: &dyn Root) -> Mat<f64> {
    let n = root.dim();
    root.apply(Mat::<f64>::identity(n, n).as_ref()).unwrap()
}

fn information(loss: &dyn Predictive, rho: &[f64], scores: Scores) -> Mat<f64> {
    dense(loss.information(rho, scores).unwrap().as_ref())
}

fn sampled(draws: usize, seed: u64) -> Scores {
    Scores::Sampled { draws, seed }
}

#[test]
fn the_expectation_of_the_squared_scores_is_fishers_information() {
    for family in FAMILIES {
        for rho in [[0.7, 0.2], [3.0, 1.5]] {
            let exact = information(&single(family, 1.0), &rho, Scores::Expected);
            let mean = Mat::from_fn(2, 2, |i, j| {
                expected(family, &rho, |loss| {
                    information(loss, &rho, Scores::Measured)[(i, j)]
                })
            });
            let off = matrix_gap(mean.as_ref(), exact.as_ref());
            assert!(off < 1e-10, "{family:?} at {rho:?}: {off:e}");
        }
    }
}

#[test]
fn drawn_data_have_the_distribution_of_the_model() {
    for (seed, family) in FAMILIES.into_iter().enumerate() {
        let (rho, draws) = ([3.0, 1.5], 200_000);
        let loss = single(family, 1.0);
        let exact = information(&loss, &rho, Scores::Expected);
        let found = information(&loss, &rho, sampled(draws, seed as u64));
        // A squared score, over its mean, has a variance of at most 8 for these distributions (that of a noise level with normal
        // data: E[(z² − 1)⁴]/4 − 1 = 14).
        let bound = 4.0 * (14.0 / draws as f64).sqrt();
        for (i, j) in [(0, 0), (0, 1), (1, 1)] {
            let size = (exact[(i, i)] * exact[(j, j)]).sqrt();
            let off = (found[(i, j)] - exact[(i, j)]).abs() / size;
            assert!(off < bound, "{family:?} ({i}, {j}): {off}");
        }
    }
}

/// log₂ of the relative error of the pulled-back sampled information, averaged over seeds.
fn error_of(loss: &dyn Predictive, z: &Mat<f64>, rho: &[f64], draws: usize) -> f64 {
    let pulled = |m: Mat<f64>| z.transpose() * (m * z);
    let exact = pulled(information(loss, rho, Scores::Expected));
    let seeds = 0..40;
    let squares = seeds.map(|seed| {
        let off = pulled(information(loss, rho, sampled(draws, seed))) - &exact;
        off.squared_norm_l2() / exact.squared_norm_l2()
    });
    0.5 * (squares.sum::<f64>() / 40.0).log2()
}

#[test]
fn the_error_of_the_sampled_information_falls_by_the_root_of_the_draws() {
    let entry = |mean| Datum {
        mean,
        noise: NoiseLevel::Entry(8),
        value: 0.3,
        family: Family::Student { freedom: 4.0 },
    };
    let likelihood = Likelihood::new(9, (0..8).map(entry)).unwrap();
    let noise = Noise::full(crate::support::definite(9, 1)).unwrap();
    let observed = Observations::new(Operator::identity(9), vec![0.2; 9], noise).unwrap();
    let (z, rho) = (random::normal_matrix(9, 3, 4), [0.8; 9]);
    for loss in [&likelihood as &dyn Predictive, &observed] {
        let errors: Vec<f64> = [1, 8, 64, 512]
            .iter()
            .map(|&m| error_of(loss, &z, &rho, m))
            .collect();
        // From 1 to 512 = 2⁹ draws.
        let slope = (errors[3] - errors[0]) / 9.0;
        assert!((slope + 0.5).abs() < 0.1, "{errors:?}: {slope}");
    }
}

/// Cross entropy of labels with the probabilities softmax of three logits each.
struct Softmax(Vec<usize>);

impl Softmax {
    fn probabilities(rho: &[f64]) -> Vec<[f64; 3]> {
        let softmax = |logits: &[f64]| {
            let largest = logits.iter().fold(f64::NEG_INFINITY, |m: f64, x| m.max(*x));
            let weights = [0, 1, 2].map(|c| (logits[c] - largest).exp());
            weights.map(|w| w / weights.iter().sum::<f64>())
        };
        rho.chunks(3).map(softmax).collect()
    }

    /// √weight (e_c − p) of a label c.
    fn row(n: usize, p: &[f64; 3], c: usize, weight: f64) -> Vec<(usize, f64)> {
        let entry = |k: usize| weight.sqrt() * (f64::from(u8::from(k == c)) - p[k]);
        (0..3).map(|k| (3 * n + k, entry(k))).collect()
    }
}

impl Loss for Softmax {
    fn value(&self, rho: &[f64]) -> f64 {
        let pairs = self.0.iter().zip(Self::probabilities(rho));
        pairs.map(|(&c, p)| -p[c].ln()).sum()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        for (n, (&c, p)) in self.0.iter().zip(Self::probabilities(rho)).enumerate() {
            (0..3).for_each(|k| out[3 * n + k] = p[k] - f64::from(u8::from(k == c)));
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Fisher::exact(self)))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let all = Self::probabilities(rho);
        Ok(Some(Mat::from_fn(v.nrows(), v.ncols(), |i, j| {
            let (n, p) = (i / 3, &all[i / 3]);
            let mean: f64 = (0..3).map(|k| p[k] * v[(3 * n + k, j)]).sum();
            p[i % 3] * (v[(i, j)] - mean)
        })))
    }
}

impl Predictive for Softmax {
    fn information<'a>(&'a self, rho: &'a [f64], scores: Scores) -> Result<Box<dyn Root + 'a>> {
        let all = Self::probabilities(rho);
        let mut rows = Vec::new();
        for (n, p) in all.iter().enumerate() {
            match scores {
                Scores::Expected => rows.extend((0..3).map(|c| Self::row(n, p, c, p[c]))),
                Scores::Measured => rows.push(Self::row(n, p, self.0[n], 1.0)),
                Scores::Sampled { draws, seed } => {
                    for x in random::uniform(draws, (0.0, 1.0), seed ^ n as u64) {
                        let c = usize::from(x > p[0]) + usize::from(x > p[0] + p[1]);
                        rows.push(Self::row(n, p, c, 1.0 / draws as f64));
                    }
                }
            }
        }
        let root = Rows::new(rho.len(), &rows)?;
        // Scores are p − e_c, and rows e_c − p.
        Ok(match scores {
            Scores::Measured => Box::new(root.with_dual(vec![-1.0; rows.len()])),
            _ => Box::new(root),
        })
    }
}

/// Three logits of a network with two hidden units, at eight places.
struct Network;

impl Formula for Network {
    fn dims(&self) -> (usize, usize) {
        (24, 13)
    }

    fn values<S: Scalar>(&self, w: &[S], out: &mut [S]) {
        for n in 0..8 {
            let x = 0.5 * n as f64 - 2.0;
            let hidden = [0, 1].map(|h| (w[2 * h] * x + w[2 * h + 1]).tanh());
            for k in 0..3 {
                let v = &w[4 + 3 * k..];
                out[3 * n + k] = v[0] * hidden[0] + v[1] * hidden[1] + v[2];
            }
        }
    }
}

#[test]
fn fisher_is_the_gauss_newton_hessian_for_exponential_families() {
    // ZᵀMZ of Fisher's information against Zᵀf″Z, both in natural parameters: the logits of labels, and means of normal data.
    let weights = random::normal(13, 5, 0);
    let network = Curve::new(Network);
    let labels = Softmax(vec![0, 2, 1, 1, 0, 2, 2, 1]);
    let reaction = Reaction::new(9, 4, 2);
    let theta = [0.2, -0.1, 0.4, 0.3];
    let noise = Noise::full(crate::support::definite(9, 1)).unwrap();
    let observed = Observations::new(Operator::identity(9), vec![0.2; 9], noise).unwrap();
    let datum = |mean| Datum {
        mean,
        noise: NoiseLevel::Given(0.1 + 0.1 * mean as f64),
        value: 0.3,
        family: Family::Gaussian,
    };
    let normal = Likelihood::new(9, (0..9).map(datum)).unwrap();
    let problems: [(&dyn Model, &dyn Predictive, &[f64]); 3] = [
        (&network, &labels, &weights),
        (&reaction, &observed, &theta),
        (&reaction, &normal, &theta),
    ];
    for (model, loss, theta) in problems {
        let exact = Fisher::exact(loss);
        let descent = Descent::new(model, loss).metric(&exact);
        let n = theta.len();
        let identity = Mat::<f64>::identity(n, n);
        let pulled = |h: &dyn Curvature| h.product(identity.as_ref());
        let information = descent.curvature(theta, Kind::Information, pulled).unwrap();
        let curved = hessian_of_loss(model, loss, theta);
        let off = matrix_gap(information.as_ref(), curved.as_ref());
        assert!(off < 1e-13, "{off:e}");
    }
}

/// Zᵀf″Z.
fn hessian_of_loss(model: &dyn Model, loss: &dyn Loss, theta: &[f64]) -> Mat<f64> {
    let cpu = Cpu::default();
    let mut rho = vec![0.0; model.state_dim()];
    model.solve(theta, &mut rho, &cpu).unwrap();
    let z = pullback::Linearisation::new(model, &rho, theta, &cpu).unwrap();
    let z = z.matrix().unwrap();
    z.transpose() * loss.hessian(&rho, z.as_ref()).unwrap().unwrap()
}

#[test]
fn every_root_lifts_the_gradient_of_its_loss() {
    let noise = Noise::full(crate::support::definite(6, 1)).unwrap();
    let data = random::normal(6, 3, 0);
    let observed = Observations::new(Operator::identity(6), data, noise).unwrap();
    let families: Vec<Family> = FAMILIES
        .into_iter()
        .filter(|f| *f != Family::Laplace)
        .collect();
    let likelihood = mixed(&families);
    let rho = [1.2, 0.8, 1.5, 2.0, 0.6, 0.9];
    for loss in [&observed as &dyn Predictive, &likelihood] {
        let mut u = vec![0.0; 6];
        loss.gradient(&rho, &mut u);
        for scores in [Scores::Expected, sampled(5, 2), Scores::Measured] {
            let root = loss.information(&rho, scores).unwrap();
            let y = root.dual(&u).unwrap();
            let lowered = root.lower(column(&y)).unwrap();
            assert!(gap(lowered.col_as_slice(0), &u) < 1e-12, "{scores:?}");
            // L and Lᵀ are transposes of each other, and M = LᵀL.
            let (a, b) = (
                random::normal(6, 7, 0),
                random::normal(root.lifted_dim(), 8, 0),
            );
            let lifted = root.lift(column(&a)).unwrap();
            let lowered = root.lower(column(&b)).unwrap();
            let [left, right] = [
                dot(lifted.col_as_slice(0), &b),
                dot(&a, lowered.col_as_slice(0)),
            ];
            assert!((left - right).abs() < 1e-12 * left.abs(), "{scores:?}");
        }
    }
}

#[test]
fn directions_by_least_squares_and_by_the_information_matrix_agree() {
    let model = Reaction::new(9, 3, 2);
    let datum = |mean| Datum {
        mean,
        noise: NoiseLevel::Given(0.1 + 0.05 * mean as f64),
        value: 0.3,
        family: Family::Student { freedom: 5.0 },
    };
    let loss = Likelihood::new(9, (0..9).map(datum)).unwrap();
    let sampled = Fisher::sampled(&loss, 3, 1).unwrap();
    for metric in [Fisher::exact(&loss), sampled, Fisher::empirical(&loss)] {
        let (rows, matrix) = (LeastSquares::default(), Information::default());
        let eta = |direction: &dyn Direction| {
            let descent = Descent::new(&model, &loss)
                .metric(&metric)
                .direction(direction);
            descent.propose(&[0.1, 0.2, 0.3], 0.0).unwrap().eta
        };
        let off = gap(&eta(&rows), &eta(&matrix));
        assert!(off < 1e-9, "{}: {off:e}", metric.name());
    }
}

/// y = a + b t at 50 times from −0.98 to 0.98.
struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (50, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * (i as f64 / 25.0 - 0.98);
        }
    }
}

#[test]
fn the_empirical_information_misleads_where_the_noise_is_not_that_of_the_model() {
    let noise = random::normal(50, 1, 0);
    let data: Vec<f64> = (0..50).map(|i| 23.0 + 0.1 * noise[i]).collect();
    let loss = Observations::present(&data, &Noise::uniform(50, 1.0).unwrap()).unwrap();
    let model = Curve::new(Line);
    let best = Descent::new(&model, &L2Misfit::euclidean(data).unwrap())
        .run(&[0.0, 0.0], |_| ())
        .unwrap()
        .theta;
    let step = Fixed::default();
    let after = |metric: &dyn Metric, start: f64, iterations| {
        let tolerances = Tolerances {
            iterations,
            ..Tolerances::default()
        };
        let descent = Descent::new(&model, &loss)
            .metric(metric)
            .step(&step)
            .tolerances(tolerances);
        let report = descent.run(&[start, 0.0], |_| ()).unwrap();
        let last = report.history.last().unwrap();
        ((last.theta[0] - best[0]).abs(), report.history.len() - 1)
    };
    let (exact, empirical) = (Fisher::exact(&loss), Fisher::empirical(&loss));
    assert!(after(&exact, 0.0, 1).0 < 1e-12);
    // Far from the fit residuals r are all near the distance D, and a step is D/D² long: D² falls by 2 a step, from 23² = 529 to
    // about 129 after 200.
    let (distance, steps) = after(&empirical, 0.0, 200);
    assert_eq!(steps, 200);
    assert!((distance / 23.0 - 0.5).abs() < 0.03, "{distance}");
    // Near the fit the residuals are those of the noise, 0.1: a step is a hundred times too long.
    let (distance, _) = after(&empirical, best[0] + 0.01, 1);
    assert!((0.5..2.0).contains(&distance), "{distance}");
}

#[test]
fn the_empirical_information_of_correlated_data_depends_on_their_order() {
    // Γ = LLᵀ with L = [[2, 0], [1, 1]], and the residual ρ − d = (1, −2): L⁻¹ has the rows (½, 0) and (−½, 1), and the whitened
    // residual is (½, −2½).
    let information = |order: [usize; 2], scores| {
        let gamma = mat![[4.0, 2.0], [2.0, 2.0]];
        let data = [-1.0, 2.0];
        let moved = Mat::from_fn(2, 2, |i, j| gamma[(order[i], order[j])]);
        let rows = Mat::from_fn(2, 2, |i, j| f64::from(u8::from(order[i] == j)));
        let noise = Noise::full(moved).unwrap();
        let data = order.map(|i| data[i]).to_vec();
        let loss = Observations::new(Operator::from(rows), data, noise).unwrap();
        let root = loss.information(&[0.0; 2], scores).unwrap();
        root.apply(Mat::<f64>::identity(2, 2).as_ref()).unwrap()
    };
    let rows = mat![[0.5, 0.0], [-0.5, 1.0]];
    let squares = [0.25, 6.25];
    let expected = Mat::from_fn(2, 2, |i, j| {
        (0..2)
            .map(|k| squares[k] * rows[(k, i)] * rows[(k, j)])
            .sum()
    });
    let first = information([0, 1], Scores::Measured);
    assert!(matrix_gap(first.as_ref(), expected.as_ref()) < 1e-14);
    let other = information([1, 0], Scores::Measured);
    assert!(matrix_gap(other.as_ref(), expected.as_ref()) > 0.1);
    let exact = [[0, 1], [1, 0]].map(|order| information(order, Scores::Expected));
    assert!(matrix_gap(exact[0].as_ref(), exact[1].as_ref()) < 1e-14);
}
