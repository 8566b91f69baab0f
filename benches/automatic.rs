//! Microseconds for Jacobians: automatic, by hand from triplets, and by hand into a kept pattern.
//!
//! `cargo bench --bench automatic`. The equations are a diffusion with 1,000 unknowns and conductivities on a line, a reaction
//! of two species on 64×64 cells, and a regression with 2,000 data and 24 parameters.

use std::hint::black_box;
use std::time::Instant;

use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::linalg::Pattern;
use pullback::{Model, Operator, random};

/// Returns the shortest of many runs in microseconds, which others on the machine have disturbed least.
fn shortest<T>(mut work: impl FnMut() -> T) -> f64 {
    let run = |_| {
        let clock = Instant::now();
        black_box(work());
        1e6 * clock.elapsed().as_secs_f64()
    };
    (0..200).map(run).fold(f64::INFINITY, f64::min)
}

/// (e^θ u′)′ = f with a conductivity per face.
struct Diffusion(usize);

impl Equation for Diffusion {
    fn dims(&self) -> (usize, usize) {
        (self.0, self.0 + 1)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        let n = self.0;
        for i in 0..n {
            let left = if i > 0 { u[i] - u[i - 1] } else { u[i] };
            let right = if i + 1 < n { u[i] - u[i + 1] } else { u[i] };
            g[i] = theta[i] * left + theta[i + 1] * right - 1.0;
        }
    }
}

impl Diffusion {
    fn entries(&self, theta: &[f64]) -> Vec<(usize, usize, f64)> {
        let mut entries = Vec::with_capacity(3 * self.0);
        for i in 0..self.0 {
            entries.push((i, i, theta[i] + theta[i + 1]));
            if i > 0 {
                entries.push((i, i - 1, -theta[i]));
            }
            if i + 1 < self.0 {
                entries.push((i, i + 1, -theta[i + 1]));
            }
        }
        entries
    }
}

/// Gray and Scott's reaction of two species that diffuse on a torus.
struct Reaction(usize);

impl Reaction {
    /// The four neighbours of a cell.
    fn beside(&self, i: usize) -> [usize; 4] {
        let n = self.0;
        let (x, y) = (i / n, i % n);
        [
            (x + 1) % n * n + y,
            (x + n - 1) % n * n + y,
            x * n + (y + 1) % n,
            x * n + (y + n - 1) % n,
        ]
    }
}

impl Equation for Reaction {
    fn dims(&self) -> (usize, usize) {
        (2 * self.0 * self.0, 2)
    }

    fn residual<S: Scalar>(&self, w: &[S], theta: &[S], g: &mut [S]) {
        let cells = self.0 * self.0;
        let (u, v) = w.split_at(cells);
        for i in 0..cells {
            let spread = |w: &[S]| self.beside(i).iter().map(|&j| w[j]).sum::<S>() - w[i] * 4.0;
            let reaction = u[i] * v[i] * v[i];
            g[i] = spread(u) * 0.2 - reaction + theta[0] * (S::from(1.0) - u[i]);
            g[cells + i] = spread(v) * 0.1 + reaction - (theta[0] + theta[1]) * v[i];
        }
    }
}

impl Reaction {
    fn entries(&self, w: &[f64], theta: &[f64]) -> Vec<(usize, usize, f64)> {
        let cells = self.0 * self.0;
        let mut entries = Vec::with_capacity(12 * cells);
        for i in 0..cells {
            let (u, v) = (w[i], w[cells + i]);
            entries.push((i, i, -0.8 - v * v - theta[0]));
            entries.push((i, cells + i, -2.0 * u * v));
            entries.push((cells + i, i, v * v));
            entries.push((
                cells + i,
                cells + i,
                -0.4 + 2.0 * u * v - theta[0] - theta[1],
            ));
            for j in self.beside(i) {
                entries.push((i, j, 0.2));
                entries.push((cells + i, cells + j, 0.1));
            }
        }
        entries
    }
}

/// Σⱼ θⱼ tanh(j tᵢ).
struct Regression {
    data: usize,
    parameters: usize,
}

impl Formula for Regression {
    fn dims(&self) -> (usize, usize) {
        (self.data, self.parameters)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            let t = i as f64 / self.data as f64;
            let terms = theta.iter().enumerate();
            *y = terms.map(|(j, b)| (*b * (t * (j + 1) as f64)).tanh()).sum();
        }
    }
}

/// Prints a row, with times relative to the values in a kept pattern.
fn row(name: &str, residual: f64, [triplets, kept]: [f64; 2], automatic: [f64; 2]) {
    println!(
        "{name:<24} {residual:>9.1} {triplets:>10.1} {kept:>8.1} {:>10.1} {:>10.1}   {:>5.2} {:>5.2}",
        automatic[0],
        automatic[1],
        automatic[0] / triplets,
        automatic[0] / kept
    );
}

fn main() -> pullback::Result<()> {
    println!(
        "{:<24} {:>9} {:>10} {:>8} {:>10} {:>10}   automatic ∂g/∂ρ / triplets, / kept",
        "microseconds", "residual", "triplets", "kept", "∂g/∂ρ", "∂g/∂θ"
    );
    let n = 1000;
    let (u, theta) = (
        random::normal(n, 1, 0),
        random::uniform(n + 1, (0.5, 2.0), 2),
    );
    let model = Automatic::new(Diffusion(n));
    let by_hand = model.equation();
    let pattern = Pattern::new(n, n, by_hand.entries(&theta).iter().map(|e| (e.0, e.1)))?;
    let mut g = vec![0.0; n];
    row(
        "diffusion, k = p = 1000",
        shortest(|| model.residual(&u, &theta, &mut g)),
        [
            shortest(|| Operator::triplets(n, n, by_hand.entries(&theta))),
            shortest(|| pattern.with_values(by_hand.entries(&theta).iter().map(|e| e.2))),
        ],
        [
            shortest(|| model.state_jacobian(&u, &theta)),
            shortest(|| model.param_jacobian(&u, &theta)),
        ],
    );

    let model = Automatic::new(Reaction(64));
    let (k, theta) = (2 * 64 * 64, [0.04, 0.06]);
    let w = random::uniform(k, (0.1, 0.9), 3);
    let by_hand = model.equation();
    let pattern = Pattern::new(k, k, by_hand.entries(&w, &theta).iter().map(|e| (e.0, e.1)))?;
    let mut g = vec![0.0; k];
    row(
        "reaction, 2×64² unknowns",
        shortest(|| model.residual(&w, &theta, &mut g)),
        [
            shortest(|| Operator::triplets(k, k, by_hand.entries(&w, &theta))),
            shortest(|| pattern.with_values(by_hand.entries(&w, &theta).iter().map(|e| e.2))),
        ],
        [
            shortest(|| model.state_jacobian(&w, &theta)),
            shortest(|| model.param_jacobian(&w, &theta)),
        ],
    );

    let curve = Curve::new(Regression {
        data: 2000,
        parameters: 24,
    });
    let theta = random::uniform(24, (0.2, 0.8), 4);
    let rho = vec![0.0; 2000];
    let values = shortest(|| curve.predict(&theta));
    let jacobian = shortest(|| curve.param_jacobian(&rho, &theta));
    println!("regression, 2000 × 24: values {values:.1}, Jacobian {jacobian:.1}");
    Ok(())
}
