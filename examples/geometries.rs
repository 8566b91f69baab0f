//! Draws what losses see of a bump that is moved, and which change of a bump each metric proposes.
//!
//! The loss decides where valleys and plateaus are. The metric decides which change of the state counts as small, and so the
//! direction of the steepest descent of one and the same loss.

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::{
    Divergence, L2Misfit, Observations, Penalty, Robust, Sinkhorn, SobolevMisfit, Transport,
    UnbalancedTransport, value_of,
};
use pullback::metric::{FisherRao, HellingerKantorovich, L2, Sobolev, Wasserstein2};
use pullback::plot::{Chart, Colour, Corner, PALETTE, Page, Stroke};
use pullback::{Descent, Grid, Loss, Metric, Noise, Result};

use support::command::{self, Arguments, Failure, path};
use support::output::make_folder;

const HELP: &str = "\
Draws losses of a moved bump, and the steepest descent of a loss in six metrics.

usage: geometries [options]
  --out DIR  [out/geometries]  folder for the pictures
  --help     print this text";

/// Standard deviation of the bumps.
const SIGMA: f64 = 0.7;

/// Density whose values in the cells are the parameters.
struct Free(usize);

impl Formula for Free {
    fn dims(&self) -> (usize, usize) {
        (self.0, self.0)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(theta);
    }
}

fn main() -> ExitCode {
    let read = |given: &Arguments| given.get("--out", path);
    command::main(HELP, read, |out: &PathBuf| run(out))
}

fn run(out: &Path) -> std::result::Result<(), Failure> {
    make_folder(out)?;
    for (name, page) in [("losses", losses()?), ("metrics", metrics()?)] {
        println!("wrote {}", page.save(&out.join(name))?[0].display());
    }
    Ok(())
}

/// Small floor of densities that keeps divergences finite.
const FLOOR: f64 = 1e-9;

/// Normal density around a point, on a floor.
fn bump(grid: &Grid, centre: f64, floor: f64) -> Result<Vec<f64>> {
    let raw = grid.sample(|x| (-0.5 * ((x[0] - centre) / SIGMA).powi(2)).exp() + floor);
    let mass = grid.integrate(&raw)?;
    Ok(raw.iter().map(|value| value / mass).collect())
}

/// Losses by their names.
type Losses = Vec<(&'static str, Box<dyn Loss>)>;

/// Misfits of values, without and with doubts about single ones.
fn misfits(grid: &Grid, data: &[f64]) -> Result<Losses> {
    let q = || data.to_vec();
    let mut all: Losses = vec![
        ("L²", Box::new(L2Misfit::new(grid, q())?)),
        ("H¹", Box::new(SobolevMisfit::new(grid, 1.0, q())?)),
        ("H⁻¹", Box::new(SobolevMisfit::new(grid, -1.0, q())?)),
    ];
    let noise = Noise::uniform(grid.cells(), 0.1)?;
    for (name, penalty) in [
        ("soft L¹", Penalty::SoftL1),
        ("Huber", Penalty::Huber),
        ("Cauchy", Penalty::Cauchy),
        ("Tukey", Penalty::Tukey),
    ] {
        let observations = Observations::present(data, &noise)?;
        all.push((name, Box::new(Robust::new(observations, penalty)?)));
    }
    Ok(all)
}

/// Divergences of densities.
fn divergences(grid: &Grid, data: &[f64]) -> Result<Losses> {
    let q = || data.to_vec();
    Ok(vec![
        (
            "Kullback-Leibler",
            Box::new(Divergence::kullback_leibler(grid, q())?),
        ),
        (
            "reverse Kullback-Leibler",
            Box::new(Divergence::reverse_kullback_leibler(grid, q())?),
        ),
        ("Hellinger", Box::new(Divergence::hellinger(grid, q())?)),
        ("χ²", Box::new(Divergence::chi_squared(grid, q())?)),
    ])
}

/// Losses by transport, of densities without a floor: what is far away would have to be carried, however little it is.
fn transports(grid: &Grid) -> Result<Losses> {
    let data = bump(grid, 0.0, 0.0)?;
    let (q, plain) = (|| data.clone(), Sinkhorn::default());
    let coarse = Sinkhorn {
        epsilon: Some(0.25),
        ..plain.clone()
    };
    Ok(vec![
        ("W₂²", Box::new(Transport::new(grid, q())?)),
        (
            "entropic W₂²",
            Box::new(Transport::sinkhorn(grid, q(), &plain)?),
        ),
        (
            "unbalanced, √λ = 2",
            Box::new(UnbalancedTransport::new(grid, q(), 4.0, &coarse)?),
        ),
    ])
}

/// Draws every loss between a bump and the same bump moved by s, relative to its value at s = 1.
fn losses() -> Result<Page> {
    let grid = Grid::new(&[(-12.0, 12.0, 480)])?;
    let data = bump(&grid, 0.0, FLOOR)?;
    println!(
        "loss at a shift s, relative to s = 1\n{:26}{:>16}{:>16}{:>16}",
        "", "s = 2", "s = 4", "s = 6"
    );
    let kinds = [
        ("Misfits of values", FLOOR, misfits(&grid, &data)?),
        (
            "Divergences of densities",
            FLOOR,
            divergences(&grid, &data)?,
        ),
        ("Transport", 0.0, transports(&grid)?),
    ];
    let page = Page::new(3)
        .title("Loss of a bump that is moved by s")
        .chart_size(460, 460);
    kinds.iter().try_fold(page, |page, (title, floor, losses)| {
        Ok(page.chart(moved((&grid, *floor), title, losses)?))
    })
}

/// Draws losses of one kind, and writes a row about each.
fn moved((grid, floor): (&Grid, f64), title: &str, losses: &Losses) -> Result<Chart> {
    let shifts: Vec<f64> = (-60..=60).map(|i| 0.1 * f64::from(i)).collect();
    let chart = Chart::new(title)
        .labels("s", "loss / loss at s = 1")
        .y_range(0.0, 16.0)
        .legend(Corner::UpperRight);
    // Dashes show a curve on another.
    let strokes: [fn(Colour) -> Stroke; 2] = [Stroke::solid, Stroke::dashed];
    let styles = PALETTE.into_iter().zip(strokes.into_iter().cycle());
    let mut drawn = losses.iter().zip(styles);
    drawn.try_fold(chart, |chart, ((name, loss), (colour, stroke))| {
        let at = |s: f64| -> Result<f64> { Ok(value_of(loss.as_ref(), &bump(grid, s, floor)?)) };
        let unit = at(1.0)?;
        let relative = |s: f64| -> Result<f64> { Ok(at(s)? / unit) };
        let curve: Result<Vec<[f64; 2]>> = shifts.iter().map(|&s| Ok([s, relative(s)?])).collect();
        println!(
            "{name:26}{:16.2}{:16.2}{:16.2}",
            relative(2.0)?,
            relative(4.0)?,
            relative(6.0)?
        );
        Ok(chart.line(name, &curve?, stroke(colour)))
    })
}

/// Draws the direction of steepest descent of the H⁻¹ misfit at a bump ρ, in six metrics.
///
/// The covector of this loss is smooth and reaches from the state to the data, so that all metrics can follow it.
fn metrics() -> Result<Page> {
    let grid = Grid::new(&[(-5.0, 5.0, 160)])?;
    let (rho, target) = (bump(&grid, -1.0, FLOOR)?, bump(&grid, 1.0, FLOOR)?);
    let loss = SobolevMisfit::new(&grid, -1.0, target.clone())?;
    let model = Curve::new(Free(grid.cells()));
    let compared: [(&str, Box<dyn Metric>); 6] = [
        ("L²: fill and drain", Box::new(L2::new(&grid))),
        (
            "H¹: the same, smoothed",
            Box::new(Sobolev::new(&grid, 1.0)?),
        ),
        (
            "H⁻¹: the same, sharpened",
            Box::new(Sobolev::new(&grid, -1.0)?),
        ),
        (
            "Fisher-Rao: reweigh what is there",
            Box::new(FisherRao::new(&grid)),
        ),
        (
            "W₂: carry what is there",
            Box::new(Wasserstein2::new(&grid)),
        ),
        (
            "Hellinger-Kantorovich: both",
            Box::new(HellingerKantorovich::new(&grid)),
        ),
    ];
    let centres = grid.sample(|x| x[0]);
    let points = |values: &[f64]| -> Vec<[f64; 2]> {
        centres.iter().zip(values).map(|(x, y)| [*x, *y]).collect()
    };
    let filled: Vec<[f64; 3]> = points(&rho).iter().map(|[x, y]| [*x, 0.0, *y]).collect();
    let page = Page::new(2)
        .title("Steepest descent of one loss")
        .chart_size(560, 360);
    compared.iter().try_fold(page, |page, (name, metric)| {
        let step = Descent::new(&model, &loss)
            .metric(metric.as_ref())
            .propose(&rho, 0.0)?
            .eta;
        let height = step
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        let scaled: Vec<f64> = step.iter().map(|value| 0.5 * value / height).collect();
        let chart = Chart::new(name)
            .labels("x", "")
            .band("state ρ", &filled, Colour::GREY)
            .line("data", &points(&target), Stroke::dashed(PALETTE[1]))
            .line(
                "change of ρ, scaled",
                &points(&scaled),
                Stroke::solid(PALETTE[0]),
            )
            .y_range(-0.7, 0.7)
            .legend(Corner::LowerRight);
        Ok(page.chart(chart))
    })
}
