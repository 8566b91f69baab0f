//! States by Newton's method: unknowns of very different sizes, equations that hold to rounding, and starts.

use std::sync::Mutex;

use pullback::faer::Mat;
use pullback::model::Newton;
use pullback::{Backend, Cpu, Error, Model, Operator, Result};

/// Robertson's kinetics by implicit Euler on a grid of times that doubles, with the integral of the last species as a fourth
/// unknown of every time: it grows to 4·10⁷ while the second species stays at 10⁻⁵ and below.
struct Robertson {
    steps: Vec<f64>,
}

impl Robertson {
    fn new() -> Self {
        // t = 10⁻⁴ … 4·10⁷.
        let times: Vec<f64> = (0..=100)
            .map(|n| 1e-4 * (4e11_f64).powf(f64::from(n) / 100.0))
            .collect();
        let mut steps = vec![times[0]];
        steps.extend(times.windows(2).map(|w| w[1] - w[0]));
        Self { steps }
    }

    fn rates(y: &[f64], k: &[f64]) -> [f64; 4] {
        let (slow, fast, back) = (k[0] * y[0], k[1] * y[1] * y[1], k[2] * y[1] * y[2]);
        [back - slow, slow - back - fast, fast, y[2]]
    }

    /// The states at all times, one small Newton iteration a time to the last digit: nothing here looks at sizes.
    fn reference(&self, k: &[f64]) -> Vec<f64> {
        let (mut all, mut before) = (Vec::new(), [1.0, 0.0, 0.0, 0.0]);
        for h in &self.steps {
            let mut y = before;
            for _ in 0..60 {
                let f = Self::rates(&y, k);
                let g: Vec<f64> = (0..3).map(|i| y[i] - before[i] - h * f[i]).collect();
                let slopes = [
                    [-k[0], k[2] * y[2], k[2] * y[1]],
                    [k[0], -k[2] * y[2] - 2.0 * k[1] * y[1], -k[2] * y[1]],
                    [0.0, 2.0 * k[1] * y[1], 0.0],
                ];
                let a = nalgebra::Matrix3::from_fn(|i, j| {
                    f64::from(u8::from(i == j)) - h * slopes[i][j]
                });
                let step = a
                    .lu()
                    .solve(&nalgebra::Vector3::from_row_slice(&g))
                    .unwrap();
                (0..3).for_each(|i| y[i] -= step[i]);
            }
            y[3] = before[3] + h * y[2];
            all.extend(y);
            before = y;
        }
        all
    }
}

impl Model for Robertson {
    fn state_dim(&self) -> usize {
        4 * self.steps.len()
    }
    fn param_dim(&self) -> usize {
        3
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let mut before = [1.0, 0.0, 0.0, 0.0];
        for (n, h) in self.steps.iter().enumerate() {
            let y = &rho[4 * n..4 * n + 4];
            let f = Self::rates(y, theta);
            (0..4).for_each(|i| out[4 * n + i] = y[i] - before[i] - h * f[i]);
            before.copy_from_slice(y);
        }
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], k: &'a [f64]) -> Operator<'a> {
        let mut entries = Vec::new();
        for (n, h) in self.steps.iter().enumerate() {
            let (y, o) = (&rho[4 * n..4 * n + 4], 4 * n);
            let slopes = [
                (0, 0, -k[0]),
                (0, 1, k[2] * y[2]),
                (0, 2, k[2] * y[1]),
                (1, 0, k[0]),
                (1, 1, -k[2] * y[2] - 2.0 * k[1] * y[1]),
                (1, 2, -k[2] * y[1]),
                (2, 1, 2.0 * k[1] * y[1]),
                (3, 2, 1.0),
            ];
            entries.extend(slopes.map(|(i, j, s)| (o + i, o + j, -h * s)));
            entries.extend((0..4).map(|i| (o + i, o + i, 1.0)));
            if n > 0 {
                entries.extend((0..4).map(|i| (o + i, o + i - 4, -1.0)));
            }
        }
        let size = self.state_dim();
        Operator::triplets(size, size, entries)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(self.state_dim(), 3))
    }
}

/// A test of ‖g‖ against the largest size of all equations takes 475 % of error in the second species for an answer.
#[test]
fn a_large_unknown_hides_no_error_of_a_small_one() {
    let (model, k) = (Robertson::new(), [0.04, 3e7, 1e4]);
    let exact = model.reference(&k);
    // From the state of other rates, as along a descent.
    let mut found = model.reference(&[0.05, 2e7, 1.3e4]);
    model.solve(&k, &mut found, &Cpu::default()).unwrap();
    assert!(exact[exact.len() - 1] > 3e7, "the integral is large");
    for (i, (found, exact)) in found.iter().zip(&exact).enumerate() {
        let off = (found - exact).abs() / exact.abs();
        assert!(
            off < 1e-9,
            "unknown {} at step {}: {found:e} for {exact:e}",
            i % 4,
            i / 4
        );
    }
}

/// x is zero by cancellation of large terms, and y must be equal to x: all terms of its equation are rounding.
struct Cancelling;

impl Model for Cancelling {
    fn state_dim(&self) -> usize {
        4
    }
    fn param_dim(&self) -> usize {
        1
    }
    /// u = θ; v = u/3 + u²/9; x = 3v − u − u²/3 = 0; y + y³ = x.
    fn residual(&self, r: &[f64], theta: &[f64], out: &mut [f64]) {
        out[0] = r[0] - theta[0];
        out[1] = r[1] - r[0] / 3.0 - r[0] * r[0] / 9.0;
        out[2] = r[2] - 3.0 * r[1] + r[0] + r[0] * r[0] / 3.0;
        out[3] = r[3] + r[3].powi(3) - r[2];
    }
    fn state_jacobian<'a>(&'a self, r: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let rows = [
            [1.0, 0.0, 0.0, 0.0],
            [-1.0 / 3.0 - 2.0 * r[0] / 9.0, 1.0, 0.0, 0.0],
            [1.0 + 2.0 * r[0] / 3.0, -3.0, 1.0, 0.0],
            [0.0, 0.0, -1.0, 1.0 + 3.0 * r[3] * r[3]],
        ];
        Operator::dense(Mat::from_fn(4, 4, |i, j| rows[i][j]))
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(4, 1))
    }
}

/// A bare componentwise test would refuse these: what is left of the last equation is all there is of it.
#[test]
fn an_unknown_that_is_zero_but_for_rounding_is_no_error() {
    for theta in (1..200).map(|n| 0.37 * f64::from(n)) {
        let mut rho = vec![0.0; 4];
        Cancelling
            .solve(&[theta], &mut rho, &Cpu::default())
            .unwrap();
        assert!(
            rho[2].abs() < 1e-11 * theta * theta && rho[3].abs() < 1e-11 * theta * theta,
            "{rho:?}"
        );
    }
}

/// x² = θ, with guesses counted.
struct Square(Mutex<usize>);

impl Model for Square {
    fn state_dim(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, r: &[f64], theta: &[f64], out: &mut [f64]) {
        out[0] = r[0] * r[0] - theta[0];
    }
    fn state_jacobian<'a>(&'a self, r: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::diagonal(vec![2.0 * r[0]])
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::from_fn(1, 1, |_, _| -1.0))
    }
    fn guess(&self, _: &[f64]) -> Vec<f64> {
        *self.0.lock().unwrap() += 1;
        vec![1.0]
    }
}

#[test]
fn a_state_near_by_is_the_first_start_and_the_guess_the_second() {
    let model = Square(Mutex::new(0));
    let cpu = Cpu::default();
    let solve = |start: f64| {
        let mut rho = [start];
        model.solve(&[2.0], &mut rho, &cpu).unwrap();
        (rho[0], *model.0.lock().unwrap())
    };
    let root = 2.0_f64.sqrt();
    // The branch of the state near by is kept.
    assert_eq!(solve(-1.4), (-root, 0));
    assert_eq!(solve(0.0), (root, 1));
    // From a state that is no number nothing comes, and the guess takes over.
    assert_eq!(solve(f64::NAN), (root, 2));
}

/// A square is missing in ∂g/∂ρ: steps lead away, and the error must not blame the guess alone.
#[test]
fn a_wrong_jacobian_is_named_as_the_suspect() {
    struct Wrong;
    impl Model for Wrong {
        fn state_dim(&self) -> usize {
            1
        }
        fn param_dim(&self) -> usize {
            1
        }
        fn residual(&self, r: &[f64], theta: &[f64], out: &mut [f64]) {
            out[0] = r[0].powi(3) + r[0] - theta[0];
        }
        fn state_jacobian<'a>(&'a self, r: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            Operator::diagonal(vec![1.0 - 3.0 * r[0] * r[0]])
        }
        fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            Operator::dense(Mat::from_fn(1, 1, |_, _| -1.0))
        }
    }
    let error = Wrong
        .solve(&[30.0], &mut [1.0], &Cpu::default())
        .unwrap_err();
    assert!(matches!(error, Error::Newton { .. }), "{error}");
    assert!(error.to_string().contains("verify::model"), "{error}");
}

/// The units of the equations do not matter: rows scaled over forty decades end at the same state.
#[test]
fn the_units_of_the_equations_do_not_matter() {
    struct Scaled(f64);
    impl Model for Scaled {
        fn state_dim(&self) -> usize {
            2
        }
        fn param_dim(&self) -> usize {
            1
        }
        fn residual(&self, r: &[f64], theta: &[f64], out: &mut [f64]) {
            out[0] = self.0 * (r[0] * r[0] + r[1] - theta[0]);
            out[1] = (r[1].powi(3) - r[0]) / self.0;
        }
        fn state_jacobian<'a>(&'a self, r: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            let s = self.0;
            let rows = [[2.0 * s * r[0], s], [-1.0 / s, 3.0 * r[1] * r[1] / s]];
            Operator::dense(Mat::from_fn(2, 2, |i, j| rows[i][j]))
        }
        fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            Operator::dense(Mat::from_fn(
                2,
                1,
                |i, _| if i == 0 { -self.0 } else { 0.0 },
            ))
        }
        fn guess(&self, _: &[f64]) -> Vec<f64> {
            vec![1.0, 1.0]
        }
        fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
            rho.copy_from_slice(&self.guess(theta));
            Newton::default().solve(self, theta, rho, backend)
        }
    }
    let solve = |scale: f64| {
        let mut rho = [0.0; 2];
        Scaled(scale)
            .solve(&[3.0], &mut rho, &Cpu::default())
            .unwrap();
        rho
    };
    let plain = solve(1.0);
    assert!((plain[0] - plain[1].powi(3)).abs() < 1e-14);
    for scale in [1e-20, 1e-7, 1e9, 1e20] {
        let other = solve(scale);
        let near = (0..2).all(|i| (other[i] - plain[i]).abs() <= 1e-14);
        assert!(near, "{scale:e}: {other:?} for {plain:?}");
    }
}
