//! A model that brings its own derivative: time steps of an oscillator, swept forwards and backwards.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::loss::L2Misfit;
use pullback::model::adjoint::{Sensitivity, explicit_jacobian};
use pullback::{
    Backend, Cpu, Descent, Error, Linearisation, Model, Operator, Result, Side, random, verify,
};

use crate::support::{column, dot, gap};

const STEPS: usize = 60;
const H: f64 = 0.05;

/// Positions of ẍ = −θ₀ x − θ₁ ẋ by the symplectic Euler method from x = 1, ẋ = 0.
#[derive(Default)]
struct Oscillator {
    sweeps: [AtomicUsize; 2],
    /// A sweep that fails, as one on a lost node would.
    fails: bool,
    /// Whether ∂ρ/∂θ comes from the equations instead: g = ρ − F(θ) with its Jacobian written out.
    implicit: bool,
}

/// (x, v) before every step and after the last.
fn path(theta: &[f64]) -> Vec<[f64; 2]> {
    let mut path = vec![[1.0, 0.0]];
    for _ in 0..STEPS {
        let [x, v] = path[path.len() - 1];
        let v = v - H * (theta[0] * x + theta[1] * v);
        path.push([x + H * v, v]);
    }
    path
}

struct Sweeps<'a> {
    by: &'a Oscillator,
    theta: [f64; 2],
    path: Vec<[f64; 2]>,
}

impl Sweeps<'_> {
    fn count(&self, side: usize, columns: usize) -> Result<()> {
        self.by.sweeps[side].fetch_add(columns, Ordering::Relaxed);
        match self.by.fails {
            true => Err(Error::Model("a node was lost".into())),
            false => Ok(()),
        }
    }

    /// The linearised step: δv ← δv − H(θ₀δx + θ₁δv + δθ₀x + δθ₁v), δx ← δx + H δv.
    fn forward(&self, change: [f64; 2]) -> Vec<f64> {
        let (mut dx, mut dv) = (0.0, 0.0);
        let step = |[x, v]: &[f64; 2]| {
            let pull = self.theta[0] * dx + self.theta[1] * dv + change[0] * x + change[1] * v;
            dv -= H * pull;
            dx += H * dv;
            dx
        };
        self.path[..STEPS].iter().map(step).collect()
    }

    /// Its transpose, from the last step to the first.
    fn backward(&self, w: &[f64]) -> [f64; 2] {
        let (mut ax, mut av, mut gradient) = (0.0, 0.0, [0.0; 2]);
        for (n, [x, v]) in self.path[..STEPS].iter().enumerate().rev() {
            ax += w[n];
            av += H * ax;
            gradient[0] -= H * av * x;
            gradient[1] -= H * av * v;
            ax -= H * self.theta[0] * av;
            av -= H * self.theta[1] * av;
        }
        gradient
    }
}

impl Sensitivity for Sweeps<'_> {
    fn state_dim(&self) -> usize {
        STEPS
    }
    fn param_dim(&self) -> usize {
        2
    }
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.count(0, v.ncols())?;
        let mut out = Mat::zeros(STEPS, v.ncols());
        for j in 0..v.ncols() {
            let tangent = self.forward([v[(0, j)], v[(1, j)]]);
            out.col_as_slice_mut(j).copy_from_slice(&tangent);
        }
        Ok(out)
    }
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        self.count(1, w.ncols())?;
        let columns: Vec<[f64; 2]> = (0..w.ncols())
            .map(|j| self.backward(w.col_as_slice(j)))
            .collect();
        Ok(Mat::from_fn(2, w.ncols(), |i, j| columns[j][i]))
    }
}

impl Oscillator {
    fn swept(&self, theta: &[f64]) -> Box<dyn Sensitivity + '_> {
        Box::new(Sweeps {
            by: self,
            theta: [theta[0], theta[1]],
            path: path(theta),
        })
    }
}

impl Model for Oscillator {
    fn state_dim(&self) -> usize {
        STEPS
    }
    fn param_dim(&self) -> usize {
        2
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let path = path(theta);
        for (n, out) in out.iter_mut().enumerate() {
            *out = rho[n] - path[n + 1][0];
        }
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(STEPS)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        explicit_jacobian(self.swept(theta))
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let path = path(theta);
        rho.iter_mut()
            .zip(&path[1..])
            .for_each(|(r, [x, _])| *r = *x);
        Ok(())
    }
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        if self.implicit {
            let (a, c) = (
                self.state_jacobian(rho, theta),
                self.param_jacobian(rho, theta),
            );
            let c = Operator::dense(c.to_dense());
            let implicit = pullback::model::adjoint::Implicit::new(a, c, backend)?;
            return Ok(Box::new(implicit));
        }
        Ok(self.swept(theta))
    }
}

const THETA: [f64; 2] = [1.7, 0.3];

fn state(model: &Oscillator, theta: &[f64]) -> Vec<f64> {
    let mut rho = vec![0.0; STEPS];
    model.solve(theta, &mut rho, &Cpu::default()).unwrap();
    rho
}

#[test]
fn tangents_and_adjoints_are_those_of_differences_and_are_counted() {
    let (model, cpu) = (Oscillator::default(), Cpu::default());
    let rho = state(&model, &THETA);
    let z = Linearisation::new(&model, &rho, &THETA, &cpu).unwrap();
    let (v, w) = (random::normal(2, 3, 0), random::normal(STEPS, 3, 1));
    let tangent = z.tangent(column(&v)).unwrap();
    let at = |t: f64| state(&model, &[THETA[0] + t * v[0], THETA[1] + t * v[1]]);
    let (above, below) = (at(1e-5), at(-1e-5));
    let differences: Vec<f64> = above
        .iter()
        .zip(&below)
        .map(|(a, b)| (a - b) / 2e-5)
        .collect();
    // Central differences at 1e-5 are good to about 1e-10.
    assert!(gap(tangent.col_as_slice(0), &differences) < 1e-8);
    let pulled = z.pull_back(&w).unwrap();
    let (left, right) = (dot(&pulled, &v), dot(&w, tangent.col_as_slice(0)));
    assert!((left - right).abs() < 1e-13 * right.abs());
    // 70 covectors come in one batch, and one alone.
    z.adjoint(random::normal_matrix(STEPS, 70, 1).as_ref())
        .unwrap();
    assert_eq!(z.solves(), (1, 71));
    let sweeps = model.sweeps.each_ref().map(|s| s.load(Ordering::Relaxed));
    assert_eq!(sweeps, [1, 71]);
    assert!(verify::model(&model, &THETA, 5).unwrap().passed());
}

#[test]
fn a_descent_counts_the_sweeps_and_takes_the_bits_of_the_written_out_jacobian() {
    let truth = state(&Oscillator::default(), &THETA);
    let loss = L2Misfit::euclidean(truth).unwrap();
    let swept = Oscillator::default();
    let written = Oscillator {
        implicit: true,
        ..Oscillator::default()
    };
    let run = |model| Descent::new(model, &loss).run(&[1.2, 0.1], |_| ()).unwrap();
    let (by_sweeps, by_matrix) = (run(&swept), run(&written));
    assert!(by_sweeps.converged(), "{by_sweeps}");
    assert!(gap(&by_sweeps.theta, &THETA) < 1e-9);
    let tangents = swept.sweeps[0].load(Ordering::Relaxed);
    assert_eq!(by_sweeps.counts.tangent_solves, tangents);
    let adjoints = swept.sweeps[1].load(Ordering::Relaxed);
    assert_eq!(by_sweeps.counts.adjoint_solves, adjoints);
    assert_eq!(by_matrix.counts.tangent_solves, 0);
    assert!(gap(&by_sweeps.theta, &by_matrix.theta) < 1e-12);
    // The same tangents, to the bit.
    let (cpu, rho) = (Cpu::default(), state(&swept, &THETA));
    let [one, other] =
        [&swept, &written].map(|model| Linearisation::new(model, &rho, &THETA, &cpu).unwrap());
    assert_eq!(one.matrix().unwrap(), other.matrix().unwrap());
    // So are those of one batch and of single columns.
    for j in 0..2 {
        let unit: Vec<f64> = (0..2).map(|i| f64::from(u8::from(i == j))).collect();
        let alone = one.tangent(column(&unit)).unwrap();
        assert_eq!(alone.col_as_slice(0), one.matrix().unwrap().col_as_slice(j));
    }
}

#[test]
fn a_sweep_that_fails_is_an_error_with_its_reason() {
    let model = Oscillator {
        fails: true,
        ..Oscillator::default()
    };
    let loss = L2Misfit::euclidean(state(&model, &THETA)).unwrap();
    let error = Descent::new(&model, &loss)
        .run(&[1.2, 0.1], |_| ())
        .unwrap_err();
    assert!(error.to_string().contains("a node was lost"), "{error}");
    let c = explicit_jacobian(model.swept(&THETA));
    let product = c.apply_to(Side::Plain, &[1.0, 0.0]);
    assert!(product.is_err() || product.unwrap()[0].is_nan());
}

/// Returns products of the wrong shape.
struct Short;

impl Sensitivity for Short {
    fn state_dim(&self) -> usize {
        3
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Mat::zeros(2, v.ncols()))
    }
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        Ok(Mat::zeros(1, w.ncols() + 1))
    }
}

struct ShortModel;

impl Model for ShortModel {
    fn state_dim(&self) -> usize {
        3
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], _: &[f64], out: &mut [f64]) {
        out.copy_from_slice(rho);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(3)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(3, 1))
    }
    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        _: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        Ok(Box::new(Short))
    }
}

#[test]
fn products_of_the_wrong_shape_are_refused() {
    let cpu = Cpu::default();
    let z = Linearisation::new(&ShortModel, &[0.0; 3], &[0.0], &cpu).unwrap();
    let error = z.tangent(column(&[1.0])).unwrap_err();
    assert!(
        error.to_string().contains("the rows of a tangent"),
        "{error}"
    );
    let error = z.pull_back(&[1.0; 3]).unwrap_err();
    assert!(
        error.to_string().contains("the columns of an adjoint"),
        "{error}"
    );
}
