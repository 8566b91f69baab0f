//! Experiments with inputs, rest and algebraic equations, against closed forms.

use crate::support::dot;
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Experiment, Method};
use pullback::faer::Mat;
use pullback::{Cpu, Linearisation, Model, random, verify};

const METHODS: [Method; 2] = [Method::Explicit, Method::Implicit];

/// Largest distance of two vectors, relative to the largest entry of the second.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = b.iter().fold(0.0_f64, |size, b| size.max(b.abs()));
    let gaps = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0, f64::max) / size
}

pub(super) fn jacobian<D: Dynamics>(model: &Evolution<D>, theta: &[f64]) -> Mat<f64> {
    let rho = model.predict(theta).unwrap();
    let at = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    at.tangent(Mat::<f64>::identity(theta.len(), theta.len()).as_ref())
        .unwrap()
}

/// Checks ⟨w, Zv⟩ = ⟨Zᵀw, v⟩ for several columns to a relative error, and that a column has the same bits in whatever company.
pub(super) fn check_transposes<D: Dynamics>(model: &Evolution<D>, theta: &[f64], tolerance: f64) {
    let rho = model.predict(theta).unwrap();
    let at = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    let (k, p) = (rho.len(), theta.len());
    for m in [1, 3, 6, 17] {
        let v = Mat::from_fn(p, m, |i, j| random::normal(p, 1, j as u64)[i]);
        let w = Mat::from_fn(k, m, |i, j| random::normal(k, 2, j as u64)[i]);
        let (zv, zw) = (
            at.tangent(v.as_ref()).unwrap(),
            at.adjoint(w.as_ref()).unwrap(),
        );
        for j in 0..m {
            let left = dot(w.col_as_slice(j), zv.col_as_slice(j));
            let right = dot(zw.col_as_slice(j), v.col_as_slice(j));
            let size = dot(w.col_as_slice(j), w.col_as_slice(j)).sqrt()
                * dot(zv.col_as_slice(j), zv.col_as_slice(j)).sqrt();
            assert!(
                (left - right).abs() <= tolerance * size,
                "{left} and {right}"
            );
            let (v, w) = (v.as_ref().subcols(j, 1), w.as_ref().subcols(j, 1));
            assert_eq!(at.tangent(v).unwrap().col_as_slice(0), zv.col_as_slice(j));
            assert_eq!(at.adjoint(w).unwrap().col_as_slice(0), zw.col_as_slice(j));
        }
    }
}

/// Amount x that is infused at a rate and cleared, observed as a concentration. θ holds clearance, volume and rate.
struct Infusion;

impl Dynamics for Infusion {
    fn dims(&self) -> (usize, usize) {
        (1, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[2] - theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(0.0);
    }

    fn outputs(&self) -> usize {
        2
    }

    fn observe<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[0] / theta[1];
        out[1] = x[0] * t;
    }
}

/// Amount after a time, from an amount, under a constant rate of infusion.
fn infused(x: f64, t: f64, clearance: f64, rate: f64) -> f64 {
    rate / clearance + (x - rate / clearance) * (-clearance * t).exp()
}

#[test]
fn inputs_change_where_they_should() {
    let (clearance, volume) = (0.7, 3.0);
    for method in METHODS {
        let experiments = vec![
            Experiment::new(vec![1.0, 2.0, 5.0])
                .given(2, 1.5)
                .from(2.0, &[(2, 0.0)]),
            // Another patient clears at another rate, the fourth parameter is not there.
            Experiment::new(vec![0.5, 3.0])
                .given(2, 2.0)
                .own(0, 2)
                .start(0.5),
        ];
        let model = Evolution::over(Infusion, experiments).unwrap();
        let model = model.method(method).accuracy(1e-11, &[1e-12]).unwrap();
        let theta = [clearance, volume, 0.2];
        let x1 = infused(0.0, 1.0, clearance, 1.5);
        let x2 = infused(0.0, 2.0, clearance, 1.5);
        let x5 = infused(x2, 3.0, clearance, 0.0);
        let y3 = infused(0.0, 2.5, 0.2, 2.0);
        let exact = [
            x1 / volume,
            x1,
            x2 / volume,
            2.0 * x2,
            x5 / volume,
            5.0 * x5,
            0.0,
            0.0,
            y3 / volume,
            3.0 * y3,
        ];
        let found = model.predict(&theta).unwrap();
        assert!(distance(&found, &exact) < 1e-10, "{method:?}: {found:?}");
        check_transposes(&model, &theta, 1e-13);
        let kept = model.keep_steps(&theta).unwrap();
        assert_eq!(kept.predict(&theta).unwrap().len(), found.len());
        assert!(distance(&kept.predict(&theta).unwrap(), &found) < 1e-12);
        let report = verify::model(&kept, &theta, 1).unwrap();
        assert!(report.passed(), "{method:?}: {report}");
    }
}

/// ẋ = −x until time 1, and then ẋ = θ: a rate that jumps at a time that the rate itself knows.
struct Switch;

impl Dynamics for Switch {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = if t < 1.0 { -x[0] } else { theta[0] };
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }
}

#[test]
fn a_rate_may_jump_where_a_step_ends() {
    for method in METHODS {
        let times = || Experiment::new(vec![0.5, 1.0, 3.0]);
        let model = |experiment| {
            let model = Evolution::over(Switch, vec![experiment])
                .unwrap()
                .method(method);
            model.every(0.05).unwrap()
        };
        let e = (-1.0_f64).exp();
        let exact = [(-0.5_f64).exp(), e, e + 2.0 * 0.3];
        // Steps end at all times of observation. Without the break, the last stage before it has the other rate.
        let found = model(times().from(1.0, &[])).predict(&[0.3]).unwrap();
        assert!(distance(&found, &exact) < 1e-7, "{method:?}: {found:?}");
        let blurred = model(times()).predict(&[0.3]).unwrap();
        assert!(distance(&blurred, &exact) > 1e-4, "{method:?}");
    }
}

/// A ⇌ B with rates θ₀ and θ₁, from (θ₂, 0): the sum of both stays.
struct Exchange;

impl Dynamics for Exchange {
    fn dims(&self) -> (usize, usize) {
        (2, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[1] = theta[0] * x[0] - theta[1] * x[1];
        out[0] = -out[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[2];
        out[1] = S::from(0.0);
    }
}

#[test]
fn steady_states_keep_what_is_conserved() {
    let experiment = Experiment::new(vec![1.0, f64::INFINITY]);
    let model = Evolution::over(Exchange, vec![experiment]).unwrap();
    let model = model
        .method(Method::Implicit)
        .accuracy(1e-10, &[1e-12])
        .unwrap();
    let theta = [2.0, 0.5, 3.0];
    let [a, b, m] = theta;
    let rho = model.predict(&theta).unwrap();
    assert!(
        distance(&rho[2..], &[m * b / (a + b), m * a / (a + b)]) < 1e-12,
        "{rho:?}"
    );
    // The steady state's Jacobian in x is singular: only the way to it knows the sum.
    let z = jacobian(&model, &theta);
    let s = (a + b) * (a + b);
    let exact = [
        [-m * b / s, m * a / s, b / (a + b)],
        [m * b / s, -m * a / s, a / (a + b)],
    ];
    for (i, exact) in exact.iter().enumerate() {
        let row: Vec<f64> = (0..3).map(|j| z[(2 + i, j)]).collect();
        assert!(distance(&row, exact) < 1e-11, "{row:?} and {exact:?}");
    }
    // Long steps towards rest have systems with a condition number of about their length.
    check_transposes(&model, &theta, 1e-10);
    let kept = model.keep_steps(&theta).unwrap();
    assert!(verify::model(&kept, &theta, 1).unwrap().passed());
}

#[test]
fn a_steady_state_is_found_from_nothing() {
    for experiment in [
        Experiment::new(vec![f64::INFINITY]).given(2, 1.5),
        Experiment::new(vec![0.0]).given(2, 1.5).rested(&[]),
    ] {
        let model = Evolution::over(Infusion, vec![experiment]).unwrap();
        let rho = model.method(Method::Implicit).predict(&[0.5, 2.0]).unwrap();
        assert!((rho[0] - 1.5).abs() < 1e-9, "{rho:?}");
    }
}

#[test]
fn a_rate_may_jump_at_the_last_observation() {
    for method in METHODS {
        let model = |times| {
            let experiment = Experiment::new(times).from(1.0, &[]);
            let model = Evolution::over(Switch, vec![experiment])
                .unwrap()
                .method(method);
            model.every(0.25).unwrap().predict(&[100.0]).unwrap()
        };
        assert_eq!(
            model(vec![0.5, 1.0]),
            model(vec![0.5, 1.0, 2.0])[..2],
            "{method:?}"
        );
    }
}

#[test]
fn experiments_may_start_from_rest() {
    let rest = Experiment::new(vec![0.0, 0.4])
        .given(0, 3.0)
        .rested(&[(0, 1.0)]);
    let model = Evolution::over(Exchange, vec![rest]);
    // Entry 0 is given everywhere, so that the model's parameters must not skip it.
    assert!(model.is_err());
    let rest = Experiment::new(vec![0.0, 0.4])
        .given(0, 3.0)
        .own(1, 0)
        .own(2, 1);
    let model = Evolution::over(Exchange, vec![rest.rested(&[(0, 1.0)])]).unwrap();
    let model = model
        .method(Method::Implicit)
        .accuracy(1e-10, &[1e-12])
        .unwrap();
    let (b, m) = (0.5, 2.0);
    let at_rest = m * b / (1.0 + b);
    let later = |b: f64, m: f64| {
        let (rest, end) = (m * b / (1.0 + b), m * b / (3.0 + b));
        end + (rest - end) * (-(3.0 + b) * 0.4).exp()
    };
    let x = later(b, m);
    let rho = model.predict(&[b, m]).unwrap();
    assert!(
        distance(&rho, &[at_rest, m - at_rest, x, m - x]) < 1e-9,
        "{rho:?}"
    );
    let z = jacobian(&model, &[b, m]);
    let h = 1e-5;
    let slope = (later(b + h, m) - later(b - h, m)) / (2.0 * h);
    assert!(
        (z[(2, 0)] - slope).abs() < 1e-8,
        "{} and {slope}",
        z[(2, 0)]
    );
    check_transposes(&model, &[b, m], 1e-10);
}

#[test]
fn experiments_are_independent_of_threads() {
    let experiment = |i: usize| Experiment::new(vec![1.0, 2.0 + i as f64]).given(2, i as f64);
    let model = Evolution::over(Infusion, (0..9).map(experiment).collect()).unwrap();
    let theta = [0.7, 3.0];
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let rho = model.predict(&theta).unwrap();
            let at = Linearisation::new(&model, &rho, &theta, Cpu::shared()).unwrap();
            let w = Mat::from_fn(rho.len(), 11, |i, j| {
                random::normal(rho.len(), 4, j as u64)[i]
            });
            let adjoint = at.adjoint(w.as_ref()).unwrap();
            (rho.clone(), jacobian(&model, &theta), adjoint)
        })
    };
    assert!(run(1) == run(3));
    assert_eq!(model.state_dim(), 36);
}
