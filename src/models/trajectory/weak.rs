//! First estimate of θ from the weak form of stationarity, for velocities linear in θ.
//!
//! An invariant measure μ satisfies ∫v·∇φ dμ = 0 for every smooth φ, since ∫φ(x(t)) dμ does not change with t. With
//! v(x; θ) = v(x; 0) + Σ_j θ_j ∂v/∂θ_j, each test function φ_i gives one linear equation for θ.

use faer::Mat;

use super::monomials::Monomials;
use super::{Occupation, Trajectory, check_dim, check_grid};
use crate::check;
use crate::models;
use crate::random;

use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::minimum_norm;
use crate::models::flow::Flow;

/// Relative deviation from linearity that rounding may cause.
// The defect is relative to the sum of the absolute values of all terms, so that rounding leaves a few ε for
// fields of a few terms.
const LINEAR: f64 = 1e-9;

/// Relative pivot below which a combination of parameters counts as undetermined.
// About √ε. Pivots carry errors of about ε relative to the largest, so that half of the digits of a pivot of
// this size are correct.
const RANK: f64 = 1e-8;

/// Square root of the number of pairs (x, θ) at which linearity is tested, and number of magnitudes of θ.
const TRIALS: usize = 4;

/// Estimates θ by least squares from the weak form Σ_i w_i v(x_i; θ)·∇φ(x_i) = 0.
///
/// The test functions φ are monomials of degree 1 to 3 (1 to 5 in the plane) in the coordinates, centred by their mean
/// and scaled by their standard deviation. The weighted points represent an invariant measure; weights may be negative.
///
/// The velocity must be linear in θ, so that the equations are linear. Each equation is divided by its size
/// E[|∂v/∂θ·∇φ|²]^½. Each parameter is measured in a unit that makes all ∂v/∂θ_j equally large. The estimate
/// is the least-squares solution. Noise on the points biases the estimate.
///
/// ```
/// use pullback::{models::flow::VanDerPol, models::trajectory::{Sampling, weak_start}};
/// let sampling = Sampling { duration: 100.0, start: VanDerPol::START, ..Sampling::default() };
/// let points = sampling.run(&VanDerPol, &[1.0], |_| ())?.points;
/// let mu = weak_start(&VanDerPol, &points, &vec![1.0; points.len()])?;
/// assert!((mu[0] - 1.0).abs() < 0.05);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails with [`models::Error::NotLinear`](crate::models::Error::NotLinear) if the velocity is not linear in θ, and with [`models::Error::Undetermined`](crate::models::Error::Undetermined) if the points
/// do not determine all parameters. Fails if a point or weight is not finite, or if there is not one weight per point.
pub fn weak_start(flow: &dyn Flow, points: &[[f64; 3]], weights: &[f64]) -> Result<Vec<f64>> {
    estimate(flow, points, weights, None)
}

impl Trajectory {
    /// Estimates θ from all points, as [`weak_start`] does.
    ///
    /// If the interval is known, the method fits ∫v·∇φ dt = φ(x_T) − φ(x_0) with the trapezoidal rule. This identity
    /// holds for any part of a trajectory, so that only noise and the length of the interval limit the accuracy. If the
    /// interval is unknown, the method fits E[v·∇φ] = 0, which a finite trajectory satisfies up to O(1/T).
    ///
    /// # Errors
    /// Fails as [`weak_start`] does, and if the flow has another dimension.
    pub fn weak_start(&self, flow: &dyn Flow) -> Result<Vec<f64>> {
        check::length("a point of the trajectory", self.dim, flow.dim())?;
        let mut weights = vec![1.0; self.points.len()];
        let ends = match (&self.points[..], self.interval) {
            ([first, .., last], Some(dt)) => {
                check::positive("the interval of the trajectory", &[dt])?;
                // Integrating d/dt φ(x) = v·∇φ(x) along the trajectory is exact, whatever its length. The
                // error is that of the rule, O(dt²).
                let last_index = weights.len() - 1;
                (weights[0], weights[last_index]) = (0.5, 0.5);
                // Trapezoidal rule: dt Σ w_k v·∇φ(x_k) ≈ φ(x_T) − φ(x_0) with w = ½, 1, …, 1, ½. Divided by dt, the
                // right-hand side has the factor 1/dt.
                Some((*first, *last, dt.recip()))
            }
            _ => None,
        };
        estimate(flow, &self.points, &weights, ends)
    }
}

impl Occupation {
    /// Estimates θ from the cells of the grid, as [`weak_start`] does from points.
    ///
    /// The width h of the cells is accounted for by Sheppard's correction −h²/24 ∂²/∂x² along every axis. The
    /// correction cannot compensate for an attractor thinner than the cells: parameters of small terms, such as b of
    /// the Rössler equations, are then lost.
    ///
    /// # Errors
    /// Fails as [`weak_start`] does, and if the grid is not that of the density or has another dimension than the flow.
    pub fn weak_start(&self, flow: &dyn Flow, grid: &Grid) -> Result<Vec<f64>> {
        check_grid(grid, flow.dim())?;
        check::length(
            "the density of the occupation",
            self.density.len(),
            grid.cells(),
        )?;
        check::density("the density of the occupation", &self.density)?;
        let (mut points, mut weights) = (Vec::new(), Vec::new());
        let visited = self.density.iter().enumerate().filter(|&(_, &r)| r > 0.0);
        for (cell, &r) in visited {
            // A histogram averages over cells: ρ̄ = ρ + h²/24 ρ″ + O(h⁴) along each axis, so that ∫fρ = ∫(f − h²/24
            // f″)ρ̄. With f″ ≈ (f(x + h) − 2f(x) + f(x − h))/h², the centre has the weight 1 + 2/24 per axis and each
            // of the two points beside it −1/24.
            let centre = grid.centre(cell);
            points.push(centre);
            weights.push(r * (1.0 + grid.dim() as f64 / 12.0));
            for (d, axis) in grid.axes().iter().enumerate() {
                for h in [-axis.spacing(), axis.spacing()] {
                    let mut shifted = centre;
                    shifted[d] += h;
                    points.push(shifted);
                    weights.push(-r / 24.0);
                }
            }
        }
        estimate(flow, &points, &weights, None)
    }
}

/// Sets up and solves the equations for θ. `ends` holds the first and last point and 1/dt if the right-hand side is
/// (φ(last) − φ(first))/dt. Otherwise the right-hand side is zero.
fn estimate(
    flow: &dyn Flow,
    points: &[[f64; 3]],
    weights: &[f64],
    ends: Option<([f64; 3], [f64; 3], f64)>,
) -> Result<Vec<f64>> {
    check_dim(flow.dim())?;
    check::length("the weights of the points", weights.len(), points.len())?;
    check::finite("the weights of the points", weights)?;
    check::finite("the points of the trajectory", points.as_flattened())?;
    let given = !points.is_empty();
    check::option("the number of points", 0.0, given, "give at least one")?;
    check_linear(flow, points)?;
    let tests = Monomials::new(points, weights, flow.dim())?;
    let mut equations = Equations::new(tests.len(), flow.param_dim(), flow.dim());
    for (x, w) in points.iter().zip(weights) {
        equations.add(flow, &tests, x, *w);
    }
    if let Some((first, last, rate)) = ends {
        let (before, after) = (tests.values(&first), tests.values(&last));
        // Moves the right-hand side (φ_i(last) − φ_i(first))/dt to the left.
        for (i, (before, after)) in before.iter().zip(after).enumerate() {
            equations.constant[i] -= rate * (after - before);
        }
    }
    equations.solve()
}

/// Checks that v(x; θ) = v(x; 0) + Σ θ_j ∂v/∂θ_j at random θ.
fn check_linear(flow: &dyn Flow, points: &[[f64; 3]]) -> Result<()> {
    // The deviation is relative to the sum of the absolute values of all terms, which bounds their rounding error.
    let p = flow.param_dim();
    let mut columns = vec![[0.0; 3]; p];
    for trial in 0..TRIALS * TRIALS {
        // θ has magnitudes 0.1, 1, 10 and 100. The points are spread over the whole data.
        let size = 10_f64.powi((trial % TRIALS) as i32 - 1);
        let theta: Vec<f64> = random::normal(p, 1, trial as u64);
        let theta: Vec<f64> = theta.iter().map(|t| size * t).collect();
        let x = &points[trial * (points.len() - 1) / (TRIALS * TRIALS - 1)];
        let (full, rest) = (flow.velocity(x, &theta), flow.velocity(x, &vec![0.0; p]));
        flow.param_derivative(x, &vec![0.0; p], &mut columns);
        for d in 0..flow.dim() {
            let terms = || theta.iter().zip(&columns).map(|(t, c)| t * c[d]);
            let size = full[d].abs() + rest[d].abs() + terms().map(f64::abs).sum::<f64>();
            let defect = (full[d] - rest[d] - terms().sum::<f64>()).abs() / size;
            if !size.is_finite() {
                return Err(models::Error::Velocity { point: *x }.into());
            }
            if defect > LINEAR {
                let what = "the weak start";
                return Err(models::Error::NotLinear { what, defect }.into());
            }
        }
    }
    Ok(())
}

/// Linear equations Σ_j matrix_ij θ_j + constant_i = 0 for θ.
struct Equations {
    matrix: Mat<f64>,
    constant: Vec<f64>,
    /// Sums Σ |w| (∂v/∂θ_j·∇φ_i)² over the points, for the scaling of the equations.
    squares: Mat<f64>,
    /// Buffer for ∂v/∂θ at a point.
    columns: Vec<[f64; 3]>,
    dim: usize,
}

impl Equations {
    fn new(tests: usize, p: usize, dim: usize) -> Self {
        Self {
            matrix: Mat::zeros(tests, p),
            constant: vec![0.0; tests],
            squares: Mat::zeros(tests, p),
            columns: vec![[0.0; 3]; p],
            dim,
        }
    }

    /// Adds the terms of a point x with weight w.
    fn add(&mut self, flow: &dyn Flow, tests: &Monomials, x: &[f64; 3], w: f64) {
        let zero = vec![0.0; self.columns.len()];
        let rest = flow.velocity(x, &zero);
        flow.param_derivative(x, &zero, &mut self.columns);
        tests.gradients(x, |i, g| {
            let dot = |v: &[f64; 3]| (0..self.dim).map(|d| v[d] * g[d]).sum::<f64>();
            self.constant[i] += w * dot(&rest);
            for (j, column) in self.columns.iter().enumerate() {
                let product = dot(column);
                self.matrix[(i, j)] += w * product;
                self.squares[(i, j)] += w.abs() * product * product;
            }
        });
    }

    /// Scales the equations and solves them by least squares.
    fn solve(mut self) -> Result<Vec<f64>> {
        // Column j is divided by u_j = (Σ_i squares_ij)^½, which amounts to the variable u_j θ_j. Row i is then divided
        // by its size (Σ_j squares_ij/u_j²)^½. Neither the units of θ nor the degree of φ then decide what weighs most.
        let (n, p) = self.matrix.shape();
        let rms = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>().sqrt();
        let mut units = vec![0.0; p];
        for (j, unit) in units.iter_mut().enumerate() {
            *unit = rms(&mut (0..n).map(|i| self.squares[(i, j)]));
        }
        check::finite("the velocity of the flow at the points", &units)?;
        check::finite("the velocity of the flow at the points", &self.constant)?;
        let unit = |j: usize| if units[j] > 0.0 { units[j] } else { 1.0 };
        for i in 0..n {
            let size = rms(&mut (0..p).map(|j| self.squares[(i, j)] / unit(j).powi(2)));
            let size = if size > 0.0 { size } else { 1.0 };
            self.constant[i] /= size;
            (0..p).for_each(|j| self.matrix[(i, j)] /= size * unit(j));
        }
        // With 19 or 20 equations for a few unknowns, nearly all of the cost is in the sums over the points,
        // O(points · tests · p).
        let (theta, rank) = minimum_norm(self.matrix.as_ref(), &self.constant, RANK);
        if rank < p {
            return Err(models::Error::Undetermined {
                what: "the points",
                rank,
                needed: p,
            }
            .into());
        }
        Ok(theta.iter().enumerate().map(|(j, t)| t / unit(j)).collect())
    }
}
