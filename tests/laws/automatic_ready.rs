//! Ready models, written once more by their residuals alone: the derivatives by hand and the automatic ones agree to
//! rounding.

use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::faer::Mat;
use pullback::grid::Axis;
use pullback::models::flow::VanDerPol;
use pullback::models::{Darcy, End, Flux, GaussianMixture, InvariantMeasure, Parameter};
use pullback::{Cpu, Grid, Model, random};

/// Largest difference of two matrices, relative to the largest entry in its row or column: an entry alone in its row may
/// be a small difference of large terms.
fn line_gap(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let largest =
        |values: &mut dyn Iterator<Item = f64>| values.fold(0.0_f64, |s, x| s.max(x.abs()));
    let rows: Vec<f64> = (0..a.nrows())
        .map(|i| largest(&mut a.row(i).iter().copied()))
        .collect();
    let columns: Vec<f64> = (0..a.ncols())
        .map(|j| largest(&mut a.col(j).iter().copied()))
        .collect();
    let gap = |(i, j): (usize, usize)| match (a[(i, j)] - b[(i, j)]).abs() {
        0.0 => 0.0,
        gap => gap / rows[i].max(columns[j]),
    };
    let entries = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| (i, j)));
    entries.map(gap).fold(0.0, f64::max)
}

fn assert_same_derivatives(by_hand: &dyn Model, automatic: &dyn Model, rho: &[f64], theta: &[f64]) {
    for (name, a, b) in [
        (
            "∂g/∂ρ",
            by_hand.state_jacobian(rho, theta),
            automatic.state_jacobian(rho, theta),
        ),
        (
            "∂g/∂θ",
            by_hand.param_jacobian(rho, theta),
            automatic.param_jacobian(rho, theta),
        ),
    ] {
        let off = line_gap(&a.to_dense(), &b.to_dense());
        assert!(off < 1e-14, "{name}: {off:.1e}");
    }
}

const N: usize = 9;

/// Two Gaussians with free weights, means and variances on a plane.
struct Gaussians {
    points: Vec<[f64; 2]>,
}

impl Formula for Gaussians {
    fn dims(&self) -> (usize, usize) {
        (self.points.len(), 6)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        let bump = |x: &[f64; 2], mean: [S; 2], variance: S| {
            let squares = (mean[0] - x[0]).powi(2) + (mean[1] - x[1]).powi(2);
            (squares / variance * -0.5).exp() / (variance * std::f64::consts::TAU)
        };
        for (y, x) in out.iter_mut().zip(&self.points) {
            *y = t[0] * bump(x, [t[1], t[2]], t[3])
                + (S::from(1.0) - t[0]) * bump(x, [t[4], S::from(-0.5)], t[5]);
        }
    }
}

#[test]
fn mixtures() {
    let grid = Grid::new(&[(-4.0, 5.0, N), (-3.0, 4.0, N)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[0.0, 0.0], 1.0)
        .component(0.5, &[1.0, -0.5], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Mean(0, 1),
            Parameter::Variance(0),
            Parameter::Mean(1, 0),
            Parameter::Variance(1),
        ])
        .unwrap();
    let points = (0..grid.cells()).map(|i| [grid.centre(i)[0], grid.centre(i)[1]]);
    let curve = Curve::new(Gaussians {
        points: points.collect(),
    });
    let theta = [0.3, -0.4, 0.6, 1.3, 1.1, 0.8];
    let rho = mixture.density(&theta).unwrap();
    assert_same_derivatives(&mixture, &curve, &rho, &theta);
}

/// Darcy flow with the pressure fixed on the left and the right.
struct Pressures {
    source: Vec<f64>,
}

impl Equation for Pressures {
    fn dims(&self) -> (usize, usize) {
        (N * N, N * N)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        let volume = 1.0 / (N * N) as f64;
        let square = 1.0 / (N * N) as f64;
        let flow = |g: &mut [S], a: usize, b: usize| {
            let mean = S::from(2.0) / ((-theta[a]).exp() + (-theta[b]).exp());
            let rate = mean * (volume / square) * (u[a] - u[b]);
            g[a] += rate;
            g[b] -= rate;
        };
        for (g, f) in g.iter_mut().zip(&self.source) {
            *g = S::from(-volume * f);
        }
        for i in 0..N * N {
            let (x, y) = (i / N, i % N);
            if x + 1 < N {
                flow(g, i, i + N);
            }
            if y + 1 < N {
                flow(g, i, i + 1);
            }
            if x == 0 || x + 1 == N {
                let value = if x == 0 { 1.0 } else { 0.0 };
                g[i] += theta[i].exp() * (2.0 * volume / square) * (u[i] - value);
            }
        }
    }
}

#[test]
fn darcy_flows() {
    let grid = Grid::new(&[(0.0, 1.0, N), (0.0, 1.0, N)]).unwrap();
    let source = random::normal(N * N, 5, 0);
    let darcy = Darcy::new(&grid)
        .unwrap()
        .pressure(0, End::Lower, 1.0)
        .and_then(|d| d.pressure(0, End::Upper, 0.0))
        .and_then(|d| d.source(source.clone()))
        .unwrap();
    let theta = random::normal(N * N, 6, 0);
    let u = darcy.pressures(&theta).unwrap();
    let automatic = Automatic::new(Pressures { source });
    let mut solved = vec![0.0; N * N];
    automatic
        .solve(&theta, &mut solved, &Cpu::default())
        .unwrap();
    assert!(solved.iter().zip(&u).all(|(a, b)| (a - b).abs() < 1e-11));
    assert_same_derivatives(&darcy, &automatic, &u, &theta);
}

/// Stationary density of the van der Pol oscillator x′ = y, y′ = θ(1 − x²)y − x, by upwind fluxes.
struct Measure {
    grid: Grid,
    /// Gauge γ at the point of comparison. At a solution the equations do not depend on it.
    gauge: f64,
}

impl Equation for Measure {
    fn dims(&self) -> (usize, usize) {
        (self.grid.cells(), 1)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], g: &mut [S]) {
        let h: Vec<f64> = self.grid.axes().iter().map(Axis::spacing).collect();
        g.fill(S::from(0.0));
        for i in 0..rho.len() {
            let (centre, strides) = (self.grid.centre(i), [N, 1]);
            for axis in 0..2 {
                if i / strides[axis] % N + 1 == N {
                    continue;
                }
                let mut x = [centre[0], centre[1]];
                x[axis] += 0.5 * h[axis];
                let v = match axis {
                    0 => S::from(x[1]),
                    _ => theta[0] * ((1.0 - x[0] * x[0]) * x[1]) - x[0],
                };
                let spread = 0.1 / h[axis];
                let (up, down) = (
                    v.max(S::from(0.0)) + spread,
                    (-v).max(S::from(0.0)) + spread,
                );
                let flux = (up * rho[i] - down * rho[i + strides[axis]]) / h[axis];
                g[i] += flux;
                g[i + strides[axis]] -= flux;
            }
        }
        let n = rho.len() as f64;
        let mass = rho.iter().sum::<S>() / n - 1.0 / (n * self.grid.volume());
        g.iter_mut().for_each(|g| *g += mass * self.gauge);
    }
}

#[test]
fn invariant_measures() {
    let grid = Grid::new(&[(-3.0, 3.0, N), (-4.0, 4.0, N)]).unwrap();
    let by_hand = InvariantMeasure::new(&grid, VanDerPol)
        .unwrap()
        .flux(Flux::Point)
        .and_then(|m| m.diffusion(0.1))
        .unwrap();
    let theta = [0.8];
    let rho = by_hand.density(&theta, &Cpu::default()).unwrap();
    // A thousandth of the mean rate at which mass leaves a cell.
    let rates = by_hand.generator(&theta);
    let gauge = 1e-3 * rates.diagonal().iter().sum::<f64>() / rho.len() as f64;
    let automatic = Automatic::new(Measure { grid, gauge });
    assert_same_derivatives(&by_hand, &automatic, &rho, &theta);
}
