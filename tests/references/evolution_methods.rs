//! Methods of the time steps: their orders, their estimates and their work.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::evolution::{LotkaVolterra, Robertson, reference};
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::{Cpu, Linearisation};

/// Spiral onto the unit circle with angular velocity θ (1 + cos t), in closed form in polar coordinates.
struct Spiral;

impl Dynamics for Spiral {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let growth = -x[0] * x[0] - x[1] * x[1] + 1.0;
        let velocity = theta[0] * (1.0 + t.cos());
        out[0] = x[0] * growth - velocity * x[1];
        out[1] = x[1] * growth + velocity * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(0.5);
        out[1] = S::from(0.0);
    }
}

/// State of [`Spiral`]: ṙ = r (1 − r²) from r = ½, with the angle θ (t + sin t).
fn spiral(t: f64, theta: f64) -> [f64; 2] {
    let radius = (1.0 + 3.0 * (-2.0 * t).exp()).sqrt().recip();
    let (sin, cos) = (theta * (t + t.sin())).sin_cos();
    [radius * cos, radius * sin]
}

/// Largest error of [`Spiral`] at two times.
fn spiral_error(model: impl Fn(Evolution<Spiral>) -> Evolution<Spiral>) -> f64 {
    let times = vec![1.0, 3.0];
    let exact: Vec<f64> = times.iter().flat_map(|&t| spiral(t, 0.8)).collect();
    let model = model(Evolution::new(Spiral, times).unwrap());
    gap(&model.predict(&[0.8]).unwrap(), &exact)
}

fn gap(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

/// Slope of the line through points, by least squares.
fn slope(points: &[[f64; 2]]) -> f64 {
    let mean = |k: usize| points.iter().map(|p| p[k]).sum::<f64>() / points.len() as f64;
    let means = [mean(0), mean(1)];
    let moment = |k: usize| -> f64 {
        let products = points.iter().map(|p| (p[0] - means[0]) * (p[k] - means[k]));
        products.sum()
    };
    moment(1) / moment(0)
}

#[test]
fn every_method_has_its_order() {
    for (method, order) in [
        (Method::Explicit, 5.0),
        (Method::Implicit, 4.0),
        (Method::ImplicitFifth, 5.0),
        (Method::Theta(0.5), 2.0),
        (Method::Theta(0.75), 1.0),
        (Method::Theta(1.0), 1.0),
    ] {
        let points = [32.0, 48.0, 64.0, 96.0, 128.0].map(|count: f64| {
            let error = spiral_error(|model| model.method(method).every(1.0 / count).unwrap());
            [-count.ln(), error.ln()]
        });
        let found = slope(&points);
        assert!((found - order).abs() < 0.1, "{method:?}: {found:.2}");
    }
}

/// With errors h^(q+1) of a step that are kept at the accuracy ε, the error at the end goes with ε^(q/(q+1)).
#[test]
fn the_estimates_of_the_theta_method_are_of_its_order() {
    for (theta, power) in [(0.5, 2.0 / 3.0), (0.75, 0.5), (1.0, 0.5)] {
        let method = Method::Theta(theta);
        let points = [1e-4, 1e-5, 1e-6, 1e-7].map(|accuracy: f64| {
            let error =
                spiral_error(|model| model.method(method).accuracy(0.0, &[accuracy]).unwrap());
            [accuracy.ln(), error.ln()]
        });
        let found = slope(&points);
        assert!((found - power).abs() < 0.1, "{method:?}: {found:.2}");
    }
}

/// Stiff oscillator ẍ = θ (1 − x²) ẋ − x (van der Pol).
struct VanDerPol;

impl Dynamics for VanDerPol {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[1];
        out[1] = theta[0] * (-x[0] * x[0] + 1.0) * x[1] - x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(2.0);
        out[1] = S::from(0.0);
    }
}

/// Dynamics whose plain rates are counted, not those with derivatives.
struct Counted<D>(D, AtomicUsize);

impl<D: Dynamics> Dynamics for Counted<D> {
    fn dims(&self) -> (usize, usize) {
        self.0.dims()
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        if size_of::<S>() == size_of::<f64>() {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        self.0.rate(t, x, theta, out);
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.0.initial(theta, out);
    }
}

/// Returns the states, the number of steps and the number of rates of a solve.
fn work<D: Dynamics>(model: Evolution<Counted<D>>, theta: &[f64]) -> (Vec<f64>, usize, usize) {
    let states = model.predict(theta).unwrap();
    let rates = model.dynamics().1.load(Ordering::Relaxed);
    // The number of steps is the smallest limit that lets the solve pass.
    let (mut low, mut high, mut model) = (0_usize, 100_000, model);
    while low + 1 < high {
        let middle = low.midpoint(high);
        model = model.most_steps(middle);
        *(if model.predict(theta).is_ok() {
            &mut high
        } else {
            &mut low
        }) = middle;
    }
    (states, high, rates)
}

/// Largest error relative to the size of every entry.
fn relative(a: &[f64], b: &[f64]) -> f64 {
    let errors = a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs());
    errors.fold(0.0, f64::max)
}

fn study<D: Dynamics>(name: &str, dynamics: impl Fn() -> D, absolute: &[f64]) -> [[f64; 3]; 2] {
    let (theta, times, states, _) = reference(name);
    [Method::Implicit, Method::ImplicitFifth].map(|method| {
        let model =
            Evolution::new(Counted(dynamics(), AtomicUsize::new(0)), times.clone()).unwrap();
        let model = model.method(method).accuracy(1e-10, absolute).unwrap();
        let (found, steps, rates) = work(model, &theta);
        let error = relative(&found, &states);
        println!("{name} {method:?}: {steps} steps, {rates} rates, relative error {error:.1e}");
        [steps as f64, rates as f64, error]
    })
}

#[test]
fn the_fifth_order_pays_at_high_accuracy() {
    let robertson = study("robertson", || Robertson, &[1e-12, 1e-16, 1e-12]);
    let van_der_pol = study("van_der_pol", || VanDerPol, &[1e-12, 1e-14]);
    for [fourth, fifth] in [robertson, van_der_pol] {
        assert!(fifth[0] < 0.7 * fourth[0] && fifth[1] < fourth[1]);
        assert!(fourth[2] < 1e-8 && fifth[2] < 1e-8);
    }
}

/// The error at the end is that of all steps together, which grows with the orbit.
#[test]
fn the_fifth_order_keeps_its_accuracy() {
    let (theta, times, states, _) = reference("lotka_volterra");
    for accuracy in [1e-5, 1e-7, 1e-9] {
        let model = Evolution::new(LotkaVolterra { free: false }, times.clone()).unwrap();
        let model = model.method(Method::ImplicitFifth);
        let model = model.accuracy(accuracy, &[accuracy]).unwrap();
        let error = gap(&model.predict(&theta).unwrap(), &states);
        assert!(error < 50.0 * accuracy, "at {accuracy}: {error:.1e}");
    }
}

#[test]
fn the_theta_method_solves_stiff_rates() {
    let (theta, times, states, _) = reference("robertson");
    for (number, bound) in [(0.5, 3e-4), (1.0, 3e-3)] {
        let model = Evolution::new(Robertson, times.clone()).unwrap();
        let model = model.method(Method::Theta(number));
        let model = model.accuracy(1e-6, &[1e-8, 1e-12, 1e-8]).unwrap();
        let error = relative(&model.predict(&theta).unwrap(), &states);
        assert!(error < bound, "θ = {number}: {error:.1e}");
    }
}

/// ẋ = −θx³ from 10.
struct Cubic;

impl Dynamics for Cubic {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0] * x[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(10.0);
    }
}

/// The solution y of y + a y³ = x, by bisection, and its derivatives in x and a.
fn cubic_root(x: f64, a: f64) -> (f64, [f64; 2]) {
    let (mut low, mut high) = (0.0, x);
    for _ in 0..200 {
        let y: f64 = 0.5 * (low + high);
        if y + a * y.powi(3) < x {
            low = y;
        } else {
            high = y;
        }
    }
    let slope = 1.0 + 3.0 * a * low * low;
    (low, [1.0 / slope, -low.powi(3) / slope])
}

#[test]
fn long_steps_of_given_length_are_solved_to_rounding() {
    // The Jacobian falls from −300 to −20 in the first step of implicit Euler: with that of its start, corrections hardly shrink.
    let model = Evolution::new(Cubic, vec![0.5, 1.0]).unwrap();
    let model = model.method(Method::Theta(1.0)).every(0.5).unwrap();
    let found = model.predict(&[1.0]).unwrap();
    let (first, [_, by_a]) = cubic_root(10.0, 0.5);
    let (second, [by_x, by_rate]) = cubic_root(first, 0.5);
    for (found, exact) in found.iter().zip([first, second]) {
        assert!((found / exact - 1.0).abs() < 2e-15, "{found} {exact}");
    }
    let z = Linearisation::new(&model, &found, &[1.0], Cpu::shared()).unwrap();
    let z = z.matrix().unwrap().clone();
    let exact = [0.5 * by_a, by_x * 0.5 * by_a + 0.5 * by_rate];
    for (i, exact) in exact.into_iter().enumerate() {
        assert!((z[(i, 0)] / exact - 1.0).abs() < 1e-14, "{z:?} {exact}");
    }
    for method in [Method::Implicit, Method::ImplicitFifth, Method::Theta(0.5)] {
        let of = || {
            let model = Evolution::new(Cubic, vec![0.5, 1.0]).unwrap();
            model.method(method).every(0.25).unwrap()
        };
        let f = |theta: f64| of().predict(&[theta]).unwrap();
        let rho = f(1.0);
        let linear = |model: &Evolution<Cubic>| {
            let z = Linearisation::new(model, &rho, &[1.0], Cpu::shared()).unwrap();
            z.matrix().unwrap().clone()
        };
        let z = linear(&of());
        assert_eq!(z, linear(&of().memory(1)), "{method:?}");
        let (before, after) = (f(1.0 - 1e-5), f(1.0 + 1e-5));
        for i in 0..2 {
            let difference = (after[i] - before[i]) / 2e-5;
            assert!(
                (z[(i, 0)] - difference).abs() < 1e-6,
                "{method:?}: {z:?} {difference}"
            );
        }
    }
}
