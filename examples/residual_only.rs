//! Estimates two diffusivities and a reaction rate of a nonlinear equation on a square, from its residual alone.
//!
//! The concentration u solves −∇·(D∇u) + κ u³ = 30 with u = 0 on the boundary, and D differs between the left and the right
//! half. The parameters are θ = (ln D_left, ln D_right, ln κ). No derivative is written anywhere.

use pullback::automatic::{Automatic, Equation, Scalar};
use pullback::loss::Observations;
use pullback::posterior::Variance;
use pullback::{Cpu, Descent, Model, Noise, Operator, Side, verify};

/// Number of cells along each side.
const N: usize = 32;

struct Reaction;

impl Equation for Reaction {
    fn dims(&self) -> (usize, usize) {
        (N * N, 3)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        let d = |i: usize| theta[usize::from(i / N >= N / 2)].exp();
        for i in 0..N * N {
            g[i] = theta[2].exp() * u[i].powi(3) - 30.0;
            for neighbour in neighbours(i) {
                // The harmonic mean conducts between two cells. The boundary is half a cell away, hence the factor 2.
                g[i] += match neighbour {
                    Some(j) => (u[i] - u[j]) / (d(i).recip() + d(j).recip()),
                    None => u[i] * d(i),
                } * (2 * N * N) as f64;
            }
        }
    }
}

/// Returns the four neighbours of a cell, None beyond the boundary.
fn neighbours(i: usize) -> [Option<usize>; 4] {
    let (x, y) = (i / N, i % N);
    [
        (x > 0).then(|| i - N),
        (x + 1 < N).then(|| i + N),
        (y > 0).then(|| i - 1),
        (y + 1 < N).then(|| i + 1),
    ]
}

fn main() -> pullback::Result<()> {
    let (model, truth) = (Automatic::new(Reaction), [0.5, -0.7, 1.2]);
    println!("{}\n", verify::model(&model, &[0.0, 0.0, 0.0], 1)?);

    // The data: 40 sensors with one percent of noise.
    let mut u = vec![0.0; N * N];
    model.solve(&truth, &mut u, &Cpu::default())?;
    let sensors = Operator::triplets(
        40,
        N * N,
        (0..40).map(|s| (s, (s * 389 + 77) % (N * N), 1.0)),
    );
    let exact = sensors.apply_to(Side::Plain, &u)?;
    let noise = pullback::random::normal(40, 3, 0);
    let data = exact
        .iter()
        .zip(&noise)
        .map(|(u, z)| u + 0.01 * z)
        .collect();
    let loss = Observations::new(&sensors, data, Noise::uniform(40, 0.01)?)?;

    let descent = Descent::new(&model, &loss);
    let report = descent.run(&[0.0, 0.0, 0.0], |iterate| println!("{iterate}"))?;
    println!("\n{report}\n");

    let table = report.estimates(&descent, Variance::Known)?;
    println!("{}", table.named(&["ln D left", "ln D right", "ln κ"])?);
    println!("truth: {truth:?}");
    Ok(())
}
