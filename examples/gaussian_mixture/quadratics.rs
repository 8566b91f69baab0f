//! Quadratic models that descents in the standard, L² and W₂ geometries minimise in their first steps.

use std::path::{Path, PathBuf};

use pullback::descent::Move;
use pullback::direction::information_matrix;
use pullback::plot::{Chart, Colour, Corner, Field2, Levels, Marker, Page, Palette};
use pullback::{Cpu, Linearisation, Result};

use crate::output::{Run, describe};
use crate::pictures::{colour, truth};
use crate::problem::Problem;
use crate::support::geometry::Geometry;

/// Number of steps to draw per descent.
const STEPS: usize = 3;

/// Quadratic model h ↦ ∇f·h + hᵀ(G + λD)h/2τ around an iterate, D = diag G; for gradient descent G = I and λ = 0.
struct Quadratic {
    centre: [f64; 2],
    gradient: [f64; 2],
    matrix: [[f64; 2]; 2],
}

impl Quadratic {
    /// Computes the model that a step from θ minimises.
    fn new(problem: &Problem, geometry: Geometry, theta: &[f64], step: &Move) -> Result<Self> {
        let (tau, damping) = (step.scale, step.damping);
        let cpu = Cpu::default();
        let rho = problem.mixture.density(theta)?;
        let z = Linearisation::new(&problem.mixture, &rho, theta, &cpu)?;
        let mut u = vec![0.0; rho.len()];
        problem.loss.gradient(&rho, &mut u);
        let mut matrix = [[1.0 / tau, 0.0], [0.0, 1.0 / tau]];
        if let Some(metric) = geometry.metric(problem.grid())? {
            let root = metric.at(&rho, &cpu)?;
            root.project(&mut u);
            let g = information_matrix(root.as_ref(), z.matrix()?.as_ref())?;
            let damped = |i: usize, j: usize| if i == j { 1.0 + damping } else { 1.0 };
            matrix = [0, 1].map(|i| [0, 1].map(|j| g[(i, j)] * damped(i, j) / tau));
        }
        let gradient = z.pull_back(&u)?;
        Ok(Self {
            centre: [theta[0], theta[1]],
            gradient: [gradient[0], gradient[1]],
            matrix,
        })
    }

    fn value(&self, x: f64, y: f64) -> f64 {
        let h = [x - self.centre[0], y - self.centre[1]];
        let [[a, b], [c, d]] = self.matrix;
        let curvature = h[0] * (a * h[0] + b * h[1]) + h[1] * (c * h[0] + d * h[1]);
        self.gradient[0] * h[0] + self.gradient[1] * h[1] + 0.5 * curvature
    }

    /// Level lines evenly spaced in distance from the minimum, including the one through the iterate.
    fn levels(&self, minimum: [f64; 2]) -> Levels {
        let lowest = self.value(minimum[0], minimum[1]);
        let rings = (1..=8).map(|k| lowest * (1.0 - (0.5 * f64::from(k)).powi(2)));
        Levels::Values(rings.collect())
    }
}

/// Draws one row per geometry and one column per step.
pub fn picture(problem: &Problem, runs: &[Run], stem: &Path) -> Result<Option<[PathBuf; 2]>> {
    let shown = [Geometry::Standard, Geometry::L2, Geometry::W2];
    let Some(first) = runs.first() else {
        return Ok(None);
    };
    let title = format!(
        "{} – quadratic models of the first steps",
        describe(first.case, first.loss)
    );
    let mut page = Page::new(STEPS).title(&title);
    let mut charts = 0;
    for run in runs.iter().filter(|r| shown.contains(&r.geometry)) {
        for step in 0..STEPS.min(run.report.iterations()) {
            page = page.chart(chart(problem, run, step)?);
            charts += 1;
        }
    }
    if charts == 0 {
        return Ok(None);
    }
    Ok(Some(page.chart_size(520, 430).save(stem)?))
}

fn chart(problem: &Problem, run: &Run, step: usize) -> Result<Chart> {
    let history = &run.report.history;
    let (from, to) = (&history[step], &history[step + 1]);
    let Some(taken) = &to.step else {
        return Ok(Chart::new(run.geometry.label()));
    };
    let model = Quadratic::new(problem, run.geometry, &from.theta, taken)?;
    let [from, to] = [from, to].map(|it| [it.theta[0], it.theta[1]]);
    let [x, y] = around(run.case.window(), from, to);
    let loss = Field2::sample(x, y, [48, 48], |a, b| {
        problem.loss_at(&[a, b]).max(1e-12).log10()
    });
    let field = Field2::sample(x, y, [160, 160], |a, b| model.value(a, b));
    let names = run.case.names();
    let label = run.geometry.label();
    let title = format!("{label}, step {}, τ = {:.3}", step + 1, taken.scale);
    let star = [truth(run.case, [0, 1])];
    Ok(Chart::new(&title)
        .labels(names[0], names[1])
        .colour_label("log₁₀ loss")
        .heat(loss, Palette::Grey)
        .contours(field, model.levels(to))
        .path(
            "step, and level lines of the model",
            &[from, to],
            colour(run.geometry),
        )
        .markers("truth", &star, Colour::BLACK, Marker::Star)
        .legend(if step == 0 {
            Corner::UpperLeft
        } else {
            Corner::None
        }))
}

/// Window around a step, with the proportions of a larger window.
fn around(window: [[f64; 2]; 2], from: [f64; 2], to: [f64; 2]) -> [[f64; 2]; 2] {
    let width = |i: usize| window[i][1] - window[i][0];
    let length = (0..2)
        .map(|i| (to[i] - from[i]).abs() / width(i))
        .fold(0.0, f64::max);
    let share = (4.0 * length).clamp(1e-6, 1.0);
    [0, 1].map(|i| {
        let half = 0.5 * share * width(i);
        let inside = |c: f64| c.clamp(window[i][0] + half, window[i][1] - half);
        let centre = inside(0.5 * (from[i] + to[i]));
        [centre - half, centre + half]
    })
}
