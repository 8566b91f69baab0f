//! Softmax losses at logits of any size, and least-squares steps where a sample is confidently wrong.

use crate::support::{column, gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::{Damping, LeastSquares};
use pullback::faer::{Mat, linalg::solvers::Solve};
use pullback::loss::{Predictive, Scores, Softmax};
use pullback::{Descent, Loss, random};

/// Logits of three classes that are linear in θ, for eight samples.
struct Scoring {
    z: Mat<f64>,
    offsets: Vec<f64>,
}

impl Scoring {
    /// Scores with so many parameters, at whose origin the first class of the first sample is behind the others by `gap`.
    fn new(parameters: usize, gap: f64) -> Self {
        let mut offsets = random::normal(24, 5, 0);
        offsets[0] = offsets[1].max(offsets[2]) - gap;
        Self {
            z: random::normal_matrix(24, parameters, 6),
            offsets,
        }
    }
}

impl Formula for Scoring {
    fn dims(&self) -> (usize, usize) {
        (24, self.z.ncols())
    }
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = S::from(self.offsets[i]);
            for (j, t) in theta.iter().enumerate() {
                *y += *t * self.z[(i, j)];
            }
        }
    }
}

fn labels() -> Vec<usize> {
    (0..8).map(|n| (n * n) % 3).collect()
}

/// Returns −(G + λD)⁻¹∇ by its definition, with D = diag G or I.
fn damped_step(model: &Scoring, damping: f64, identity: bool) -> Vec<f64> {
    let p = model.z.ncols();
    let (mut g, mut slope) = (Mat::<f64>::zeros(p, p), Mat::<f64>::zeros(p, 1));
    for (n, label) in labels().into_iter().enumerate() {
        let z = model.z.subrows(3 * n, 3);
        let logits = &model.offsets[3 * n..3 * n + 3];
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let e: Vec<f64> = logits.iter().map(|x| (x - largest).exp()).collect();
        let share = |c: usize| e[c] / e.iter().sum::<f64>();
        let unit = |holds: bool| f64::from(u8::from(holds));
        let m = Mat::from_fn(3, 3, |i, j| share(i) * (unit(i == j) - share(j)));
        let score = Mat::from_fn(3, 1, |i, _| share(i) - unit(i == label));
        g += z.transpose() * m * z;
        slope += z.transpose() * score;
    }
    for i in 0..p {
        g[(i, i)] += damping * if identity { 1.0 } else { g[(i, i)] };
    }
    let step = g.full_piv_lu().solve(-slope);
    step.col_as_slice(0).to_vec()
}

#[test]
fn least_squares_steps_are_right_where_a_sample_is_confidently_wrong() {
    // Few parameters and many take different ways through the factorisation; eight samples of three classes determine 16.
    for (parameters, damping) in [(3, 0.0), (3, 1e-3), (14, 1e-2), (20, 1e-2)] {
        for distance in [0.0, 20.0, 40.0, 60.0, 70.0, 100.0, 200.0, 700.0, 1300.0] {
            let model = Scoring::new(parameters, distance);
            let expected = damped_step(&model, damping, false);
            let curve = Curve::new(model);
            let loss = Softmax::new(3, labels()).unwrap();
            let origin = vec![0.0; parameters];
            let found = Descent::new(&curve, &loss).propose(&origin, damping);
            let found = found.unwrap();
            let off = gap(&found.eta, &expected);
            assert!(off < 1e-8, "{parameters} at {distance}: {off:e}");
        }
    }
}

#[test]
fn filtered_steps_are_right_where_a_sample_is_confidently_wrong() {
    for distance in [0.0, 70.0, 200.0, 1300.0] {
        let model = Scoring::new(3, distance);
        let expected = damped_step(&model, 1e-2, true);
        let curve = Curve::new(model);
        let loss = Softmax::new(3, labels()).unwrap();
        let filtered = LeastSquares {
            cutoff: 1e-10,
            damping: Damping::Identity,
            ..LeastSquares::default()
        };
        let descent = Descent::new(&curve, &loss).direction(&filtered);
        let found = descent.propose(&[0.0; 3], 1e-2).unwrap();
        let off = gap(&found.eta, &expected);
        assert!(off < 1e-8, "{distance}: {off:e}");
    }
}

#[test]
fn common_sizes_of_logits_do_not_change_probabilities() {
    for size in [0.0, 1.0, 1e3, 1e8, 1e12, 1e15] {
        let loss = Softmax::new(2, vec![0]).unwrap();
        let mut slope = [0.0; 2];
        loss.gradient(&[size; 2], &mut slope);
        assert_eq!(slope, [-0.5, 0.5], "{size:e}");
        let loss = Softmax::new(3, vec![2]).unwrap();
        let rho = [size, size, size - 1.0];
        let mut slope = [0.0; 3];
        loss.gradient(&rho, &mut slope);
        let likely = 1.0 / (2.0 + (-1.0_f64).exp());
        assert!((slope[0] - likely).abs() < 1e-15, "{size:e}: {slope:?}");
        assert!(slope.iter().sum::<f64>().abs() < 1e-16, "{size:e}");
        let root = loss.information(&rho, Scores::Expected).unwrap();
        let equal = root.lift(column(&[1.0; 3])).unwrap();
        assert_eq!(equal.col_as_slice(0), [0.0; 3]);
        // M e₁ = p₁ (e₁ − p).
        let product = root.apply(column(&[1.0, 0.0, 0.0])).unwrap();
        let own = product[(0, 0)];
        assert!((own - likely * (1.0 - likely)).abs() < 1e-15, "{size:e}");
    }
}

#[test]
fn logits_at_the_end_of_the_numbers_have_an_infinite_loss_or_none() {
    let loss = Softmax::new(2, vec![0]).unwrap();
    assert_eq!(loss.value(&[-1e308, 1e308]), f64::INFINITY);
    assert_eq!(loss.value(&[1e308, -1e308]), 0.0);
    assert_eq!(loss.value(&[1e308, 1e308]), 2.0_f64.ln());
    let mut slope = [0.0; 2];
    loss.gradient(&[-1e308, 1e308], &mut slope);
    assert_eq!(slope, [-1.0, 1.0]);
}
