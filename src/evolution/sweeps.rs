//! Derivatives of the steps that were taken, by sweeps forward and backward in time.
//!
//! The derivatives are those of the discrete steps, with their lengths held fixed. With a step's state x and its first slope
//! K₁, which is the last one of the step before, the stages obey
//!
//! ```text
//! δKᵢ = (I − hγJᵢ)⁻¹ (Jᵢ (δx + h Σⱼ aᵢⱼ δKⱼ) + Fᵢ δθ),   J = ∂f/∂x, F = ∂f/∂θ at stage i, j < i,
//! δx₊ = δx + h Σᵢ bᵢ δKᵢ.
//! ```

use faer::{Mat, MatRef};

use super::dynamics::{Dynamics, Initial, Rate};
use super::matrix::{Lu, add_product, add_transposed};
use super::method::Tableau;
use super::plan::Plan;
use super::trajectory::Trajectory;
use crate::automatic::Slopes;
use crate::error::Result;
use crate::linalg::{Batch, Side};
use crate::model::adjoint::Sensitivity;

/// Linearisation of all stages of a trajectory.
pub(super) struct Sweeps {
    n: usize,
    p: usize,
    tableau: Tableau,
    trajectory: Trajectory,
    /// [J F] of the initial slope, and of every stage but the first of every step, column by column.
    first: Vec<f64>,
    stages: Vec<Stage>,
    /// ∂x₀/∂θ.
    initial: Vec<f64>,
}

/// Linearised stage.
struct Stage {
    slopes: Vec<f64>,
    system: Option<Lu>,
}

impl Sweeps {
    pub(super) fn new<D: Dynamics>(
        dynamics: &D,
        plan: &Plan,
        theta: &[f64],
        trajectory: Trajectory,
    ) -> Self {
        let (n, p) = dynamics.dims();
        let tableau = plan.method.tableau();
        let mut derivatives = Slopes::<4>::new(n, n + p);
        let mut both = [trajectory.state(0), theta].concat();
        let mut initial = vec![0.0; n * p];
        Slopes::<4>::new(n, p).at(&Initial(dynamics), theta, &mut initial);
        let mut slopes_at = |t: f64, both: &[f64]| {
            let mut out = vec![0.0; n * (n + p)];
            derivatives.at(&Rate { dynamics, t }, both, &mut out);
            out
        };
        let first = slopes_at(plan.start, &both);
        let mut stages = Vec::with_capacity(trajectory.steps.len() * (tableau.stages() - 1));
        for (step, &[t, h]) in trajectory.steps.iter().enumerate() {
            for i in 1..tableau.stages() {
                let stage = &mut both[..n];
                stage.copy_from_slice(trajectory.state(step));
                add_product(trajectory.slopes(step), h, &tableau.a[i], stage);
                let slopes = slopes_at(t + tableau.c[i] * h, &both);
                let shift = h * tableau.diagonal(i);
                let system = (shift != 0.0).then(|| Lu::shifted(n, shift, &slopes[..n * n]));
                stages.push(Stage { slopes, system });
            }
        }
        Self {
            n,
            p,
            tableau,
            first,
            stages,
            initial,
            trajectory,
        }
    }

    fn stage(&self, step: usize, stage: usize) -> &Stage {
        &self.stages[step * (self.tableau.stages() - 1) + stage - 1]
    }

    /// Sweeps one tangent forward, and writes it at the observations to `out`.
    fn forward(&self, v: &[f64], out: &mut [f64]) {
        let (n, s) = (self.n, self.tableau.stages());
        let mut x = vec![0.0; n];
        add_product(&self.initial, 1.0, v, &mut x);
        let mut slopes = vec![0.0; n * s];
        let (in_state, in_theta) = self.first.split_at(n * n);
        add_product(in_state, 1.0, &x, &mut slopes[..n]);
        add_product(in_theta, 1.0, v, &mut slopes[..n]);
        let mut base = vec![0.0; n];
        let mut observations = self
            .trajectory
            .seen
            .iter()
            .zip(out.chunks_exact_mut(n))
            .peekable();
        for step in 0..=self.trajectory.steps.len() {
            while let Some((_, out)) = observations.next_if(|(seen, _)| **seen == step) {
                out.copy_from_slice(&x);
            }
            let Some(&[_, h]) = self.trajectory.steps.get(step) else {
                break;
            };
            for i in 1..s {
                base.copy_from_slice(&x);
                add_product(&slopes, h, self.tableau.earlier(i), &mut base);
                let stage = self.stage(step, i);
                let (in_state, in_theta) = stage.slopes.split_at(n * n);
                let slope = &mut slopes[i * n..(i + 1) * n];
                slope.fill(0.0);
                add_product(in_state, 1.0, &base, slope);
                add_product(in_theta, 1.0, v, slope);
                if let Some(system) = &stage.system {
                    system.solve(Side::Plain, slope);
                }
            }
            add_product(&slopes, h, self.tableau.weights(), &mut x);
            slopes.copy_within((s - 1) * n.., 0);
        }
    }

    /// Sweeps one covector of the observations backward, and adds the covector of θ to `out`.
    fn backward(&self, w: &[f64], out: &mut [f64]) {
        let (n, s) = (self.n, self.tableau.stages());
        // Adjoints of the state and of the slopes. That of the first slope goes to the last one of the step before.
        let (mut x, mut slopes, mut by_stage) = (vec![0.0; n], vec![0.0; n * s], vec![0.0; n]);
        let mut total = vec![0.0; n];
        let seen = self.trajectory.seen.iter().zip(w.chunks_exact(n)).rev();
        let mut observations = seen.peekable();
        for step in (0..=self.trajectory.steps.len()).rev() {
            while let Some((_, w)) = observations.next_if(|(seen, _)| **seen == step) {
                x.iter_mut().zip(w).for_each(|(x, w)| *x += w);
            }
            let Some(step) = step.checked_sub(1) else {
                break;
            };
            let h = self.trajectory.steps[step][1];
            slopes.copy_within(..n, (s - 1) * n);
            slopes[..(s - 1) * n].fill(0.0);
            for (i, k) in slopes.chunks_exact_mut(n).enumerate() {
                let factor = h * self.tableau.weight(i);
                k.iter_mut().zip(&x).for_each(|(k, x)| *k += factor * x);
            }
            total.copy_from_slice(&x);
            for i in (1..s).rev() {
                let stage = self.stage(step, i);
                let (earlier, rest) = slopes.split_at_mut(i * n);
                let slope = &mut rest[..n];
                if let Some(system) = &stage.system {
                    system.solve(Side::Transpose, slope);
                }
                let (in_state, in_theta) = stage.slopes.split_at(n * n);
                by_stage.fill(0.0);
                add_transposed(in_state, 1.0, slope, &mut by_stage);
                add_transposed(in_theta, 1.0, slope, out);
                total.iter_mut().zip(&by_stage).for_each(|(x, b)| *x += b);
                for (a, k) in self
                    .tableau
                    .earlier(i)
                    .iter()
                    .zip(earlier.chunks_exact_mut(n))
                {
                    let factor = h * a;
                    k.iter_mut()
                        .zip(&by_stage)
                        .for_each(|(k, b)| *k += factor * b);
                }
            }
            x.copy_from_slice(&total);
        }
        let (in_state, in_theta) = self.first.split_at(n * n);
        add_transposed(in_state, 1.0, &slopes[..n], &mut x);
        add_transposed(in_theta, 1.0, &slopes[..n], out);
        add_transposed(&self.initial, 1.0, &x, out);
    }
}

impl Sensitivity for Sweeps {
    fn state_dim(&self) -> usize {
        self.n * self.trajectory.seen.len()
    }

    fn param_dim(&self) -> usize {
        self.p
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.state_dim(), v.ncols());
        for (j, column) in v.col_iter().enumerate() {
            let v: Vec<f64> = column.iter().copied().collect();
            self.forward(&v, out.col_as_slice_mut(j));
        }
        Ok(out)
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        let mut out = Mat::zeros(self.p, w.ncols());
        for j in 0..w.ncols() {
            self.backward(w.col_as_slice(j), out.col_as_slice_mut(j));
        }
        Ok(out)
    }
}
