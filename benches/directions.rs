//! What a step costs with thousands of parameters: Darcy inversions on finer and finer grids, the directions side by side,
//! and a Wasserstein step with 16,384 parameters.
//!
//! `cargo bench --bench directions`; `-- --quick` leaves out grids beyond 128². The peer is
//! `benches/peers/darcy_gauss_newton.py`.

#[path = "support/darcy.rs"]
mod darcy;

use std::time::Instant;

use darcy::Problem;
use pullback::descent::Counts;
use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Nystrom, Preconditioner, Sketched,
};
use pullback::faer::{MatMut, MatRef};
use pullback::loss::Divergence;
use pullback::metric::{FisherRao, Wasserstein2};
use pullback::prior::Matern;
use pullback::{Backend, Cpu, Descent, Direction, Grid, Metric, Model, Operator, Result, Side};

fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    meshes(if quick {
        &[32, 64, 128]
    } else {
        &[32, 64, 128, 256, 512]
    })?;
    directions()?;
    transport()
}

fn solves(c: &Counts) -> usize {
    c.newton_solves + c.tangent_solves + c.adjoint_solves
}

/// Steps, solves and seconds until the objective is within one per cent of the best; the best of three runs.
fn row(name: &str, problem: &Problem, direction: &dyn Direction) -> Result<f64> {
    let cpu = Cpu::default();
    let best = problem.run(&ConjugateGradient::default(), &cpu)?.loss;
    let mut seconds = f64::INFINITY;
    let mut found = (0, 0, 0);
    for _ in 0..if problem.parameters > 100_000 { 1 } else { 3 } {
        let report = problem.run(direction, &cpu)?;
        let near = report.history.iter().find(|it| it.loss <= 1.01 * best);
        if let Some(near) = near {
            seconds = seconds.min(near.seconds);
            found = (
                near.iteration,
                solves(&near.counts),
                near.counts.system_solves,
            );
        }
    }
    println!(
        "{name:>24} | {:>5} {:>7} {:>12} {:>9.3} | {best:.6e}",
        found.0, found.1, found.2, seconds
    );
    Ok(best)
}

fn heading(what: &str) {
    println!(
        "\n{what}\n{:>24} | {:>5} {:>7} {:>12} {:>9} | best objective",
        "", "steps", "solves", "prior solves", "seconds"
    );
}

fn meshes(sizes: &[usize]) -> Result<()> {
    heading("Darcy by conjugate gradients, to 1 % above the best objective");
    for &n in sizes {
        let problem = Problem::new(n, 200)?;
        row(
            &format!("{n}², 200 wells"),
            &problem,
            &ConjugateGradient::default(),
        )?;
    }
    row(
        "64², all cells",
        &Problem::new(64, 0)?,
        &ConjugateGradient::default(),
    )?;
    Ok(())
}

fn directions() -> Result<()> {
    let nystrom = ConjugateGradient {
        preconditioner: Preconditioner::Nystrom(Nystrom::default()),
        ..ConjugateGradient::default()
    };
    let sketched = Sketched {
        probes: 128,
        ..Sketched::default()
    };
    let table: [(&str, &dyn Direction); 6] = [
        ("auto", &Auto::default()),
        ("conjugate gradients", &ConjugateGradient::default()),
        ("with Nyström", &nystrom),
        ("data space", &DataSpace),
        ("dual", &Dual),
        ("sketched, m = 128", &sketched),
    ];
    for points in [40, 200] {
        let problem = Problem::new(64, points)?;
        heading(&format!(
            "4,096 parameters, {points} wells, to 1 % above the best objective"
        ));
        for (name, direction) in table {
            row(name, &problem, direction)?;
        }
    }
    Ok(())
}

/// ρ = e^θ / ∫e^θ, one parameter a cell.
struct Softmax {
    cells: usize,
    volume: f64,
}

impl Softmax {
    fn density(&self, theta: &[f64]) -> Vec<f64> {
        let most = theta.iter().fold(f64::MIN, |m, t| m.max(*t));
        let weights: Vec<f64> = theta.iter().map(|t| (t - most).exp()).collect();
        let total = self.volume * weights.iter().sum::<f64>();
        weights.iter().map(|w| w / total).collect()
    }
}

impl Model for Softmax {
    fn state_dim(&self) -> usize {
        self.cells
    }

    fn param_dim(&self) -> usize {
        self.cells
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let density = self.density(theta);
        out.iter_mut()
            .zip(rho.iter().zip(density))
            .for_each(|(o, (r, d))| *o = r - d);
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.cells)
    }

    /// −(diag ρ − vol ρρᵀ), symmetric.
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let (rho, volume) = (self.density(theta), self.volume);
        let product = move |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
            for j in 0..x.ncols() {
                let mean: f64 = volume * x.col(j).iter().zip(&rho).map(|(x, r)| x * r).sum::<f64>();
                for (i, r) in rho.iter().enumerate() {
                    out[(i, j)] = r * (mean - x[(i, j)]);
                }
            }
        };
        Operator::free(self.cells, self.cells, Box::new(product))
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        rho.copy_from_slice(&self.density(theta));
        Ok(())
    }
}

fn transport() -> Result<()> {
    let n = 128;
    let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)])?;
    let model = Softmax {
        cells: grid.cells(),
        volume: grid.volume(),
    };
    let bump = |x: &[f64], a: f64, b: f64| -((x[0] - a).powi(2) + (x[1] - b).powi(2)) / 0.02;
    let target = grid.sample(|x| (bump(x, 0.3, 0.4).exp() + bump(x, 0.7, 0.6).exp() + 0.05).ln());
    let data = model.density(&target);
    let loss = Divergence::kullback_leibler(&grid, data)?;
    let prior = Matern::new(&grid, 3.0, 0.3)?;
    let (wasserstein, fisher_rao) = (Wasserstein2::new(&grid), FisherRao::new(&grid));
    let start = vec![0.0; grid.cells()];
    println!("\nA density with 16,384 parameters, KL loss");
    for (name, metric) in [
        ("W2", &wasserstein as &dyn Metric),
        ("Fisher-Rao", &fisher_rao),
    ] {
        let direction = ConjugateGradient::default();
        let descent = || {
            Descent::new(&model, &loss)
                .metric(metric)
                .prior(&prior)
                .direction(&direction)
        };
        let mut step = f64::INFINITY;
        for _ in 0..3 {
            let clock = Instant::now();
            descent().propose(&start, 1e-3)?;
            step = step.min(clock.elapsed().as_secs_f64());
        }
        let report = descent().run(&start, |_| ())?;
        let near = |it: &&pullback::descent::Iterate| it.loss <= 1.01 * report.loss;
        let (steps, solves) = report
            .history
            .iter()
            .find(near)
            .map_or((0, 0), |it| (it.iteration, it.counts.metric_solves));
        println!(
            "{name:>24} | a step {step:.3} s; {steps} steps and {solves} metric solves to 1 % above {:.6e}",
            report.loss
        );
    }
    Ok(())
}
