//! Fits a rational function to the mobility of electrons: tables of estimates and of profile intervals, and pictures of the
//! 95 % band and of the profiles.
//!
//! The data are the set Thurber of the NIST Statistical Reference Datasets (R. Thurber, 1979), which certifies the answer.

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::L2Misfit;
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Stroke};
use pullback::posterior::{Estimates, Variance};
use pullback::profile::{Profile, ProfileLikelihood, Profiles};
use pullback::{Descent, Noise, Report, verify};

use support::command::{self, Arguments, Failure, path};
use support::output::make_folder;

const HELP: &str = "\
Fits the NIST set Thurber by its formula alone, with standard errors, a band and profiles.

usage: curve_fit [options]
  --out DIR  [out/curve_fit]  folder for the pictures
  --help     print this text";

/// Logarithm of the density and mobility of electrons.
#[rustfmt::skip]
const DATA: [(f64, f64); 37] = [
    (-3.067, 80.574), (-2.981, 84.248), (-2.921, 87.264), (-2.912, 87.195), (-2.84, 89.076), (-2.797, 89.608),
    (-2.702, 89.868), (-2.699, 90.101), (-2.633, 92.405), (-2.481, 95.854), (-2.363, 100.696), (-2.322, 101.06),
    (-1.501, 401.672), (-1.46, 390.724), (-1.274, 567.534), (-1.212, 635.316), (-1.1, 733.054), (-1.046, 759.087),
    (-0.915, 894.206), (-0.714, 990.785), (-0.566, 1090.109), (-0.545, 1080.914), (-0.4, 1122.643), (-0.309, 1178.351),
    (-0.109, 1260.531), (-0.103, 1273.514), (0.01, 1288.339), (0.119, 1327.543), (0.377, 1353.863), (0.79, 1414.509),
    (0.963, 1425.208), (1.006, 1421.384), (1.115, 1442.962), (1.572, 1464.35), (1.841, 1468.705), (2.047, 1447.894),
    (2.2, 1457.628),
];

const CERTIFIED: [f64; 7] = [
    1.288_139_68e3,
    1.491_079_253_5e3,
    5.832_383_687_7e2,
    7.541_664_429_1e1,
    9.662_950_286_4e-1,
    3.979_728_579_7e-1,
    4.972_729_734_9e-2,
];

/// (b₀ + b₁x + b₂x² + b₃x³)/(1 + b₄x + b₅x² + b₆x³) at these x.
struct Mobility(Vec<f64>);

impl Formula for Mobility {
    fn dims(&self) -> (usize, usize) {
        (self.0.len(), 7)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, &x) in out.iter_mut().zip(&self.0) {
            let above = b[0] + b[1] * x + b[2] * (x * x) + b[3] * x.powi(3);
            let below = b[4] * x + b[5] * (x * x) + b[6] * x.powi(3) + 1.0;
            *y = above / below;
        }
    }
}

fn main() -> ExitCode {
    let read = |given: &Arguments| given.get("--out", path);
    command::main(HELP, read, |out: &PathBuf| run(out))
}

fn run(out: &Path) -> Result<(), Failure> {
    make_folder(out)?;
    let (x, y): (Vec<f64>, Vec<f64>) = DATA.iter().copied().unzip();
    let curve = Curve::new(Mobility(x));
    let start = [1000.0, 1000.0, 400.0, 40.0, 0.7, 0.3, 0.03];
    println!("{}\n", verify::model(&curve, &start, 1)?);

    let loss = L2Misfit::euclidean(y)?;
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&start, |iterate| println!("{iterate}"))?;
    println!("\n{report}\n");

    // The noise is unknown: the residual estimates its variance.
    let estimates = report.estimates(&descent, Variance::Estimated)?;
    println!("{estimates}");
    println!("certified: {CERTIFIED:?}");

    // The covariance knows the model only at the fit. Profiles follow it to the ends of the intervals.
    let likelihood = ProfileLikelihood::new(&descent).variance(Variance::Estimated);
    let profiles = likelihood.run(&report.theta, |_| ())?;
    println!("\n{profiles}");

    for (name, page) in [
        ("fit", draw(&report, &estimates)?),
        ("profiles", draw_profiles(&profiles)),
    ] {
        println!("wrote {}", page.save(&out.join(name))?[0].display());
    }
    Ok(())
}

/// Draws the data, and the fit with the 95 % bands of the curve and of new data.
fn draw(report: &Report, estimates: &Estimates) -> pullback::Result<Page> {
    let (first, last) = (DATA[0].0, DATA[DATA.len() - 1].0);
    let fine: Vec<f64> = (0..=200)
        .map(|i| first + (last - first) * f64::from(i) / 200.0)
        .collect();
    // The same formula on a fine grid, at the parameters of the fit.
    let smooth = Curve::new(Mobility(fine.clone()));
    let values = smooth.predict(&report.theta)?;
    let rows = |band: Vec<(f64, f64)>| -> Vec<[f64; 3]> {
        let pairs = fine.iter().zip(band);
        pairs.map(|(x, (low, high))| [*x, low, high]).collect()
    };
    let band = rows(estimates.band(&smooth)?);
    let noise = Noise::uniform(fine.len(), 1.0)?; // the loss has no noise of its own
    let new = rows(estimates.prediction_band(&smooth, &noise)?);
    let line: Vec<[f64; 2]> = fine.iter().zip(&values).map(|(x, y)| [*x, *y]).collect();
    let data: Vec<[f64; 2]> = DATA.iter().map(|(x, y)| [*x, *y]).collect();
    let chart = Chart::new("Mobility of electrons")
        .labels("ln density", "mobility")
        .band("95 % of new data", &new, PALETTE[2])
        .band("95 % band", &band, PALETTE[0])
        .line("fit", &line, Stroke::solid(PALETTE[0]))
        .markers("data", &data, PALETTE[1], Marker::Circle)
        .legend(Corner::LowerRight);
    Ok(Page::new(1).chart(chart))
}

/// Parameters whose profiles are drawn.
const DRAWN: [usize; 4] = [1, 3, 4, 6];

/// Draws the increase of the objective along profiles, with the parabolas of the covariance.
fn draw_profiles(profiles: &Profiles) -> Page {
    let page = Page::new(2)
        .title("Profiles of four parameters of the mobility")
        .chart_size(560, 400);
    let drawn = DRAWN.iter().filter_map(|&j| profiles.of(j));
    drawn.fold(page, |page, profile| {
        page.chart(draw_profile(profiles, profile))
    })
}

fn draw_profile(profiles: &Profiles, profile: &Profile) -> Chart {
    let increase = |objective: f64| (objective - profiles.objective) / profiles.threshold;
    let points = profile.points.iter();
    let points: Vec<[f64; 2]> = points.map(|p| [p.value, increase(p.objective)]).collect();
    let (from, to) = (points[0][0], points[points.len() - 1][0]);
    let (low, high) = profile.wald.unwrap_or(profile.interval);
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let parabola: Vec<[f64; 2]> = (0..=100)
        .map(|i| from.min(low) + (to.max(high) - from.min(low)) * f64::from(i) / 100.0)
        .map(|x| [x, ((x - middle) / half).powi(2)])
        .collect();
    let ends = [profile.interval.0, profile.interval.1].map(|x| [x, 1.0]);
    let level = [[from.min(low), 1.0], [to.max(high), 1.0]];
    Chart::new("")
        .labels(&profiles.names[profile.parameter], "increase / threshold")
        .line("covariance", &parabola, Stroke::dashed(PALETTE[1]))
        .line("profile", &points, Stroke::solid(PALETTE[0]))
        .line(
            "95 % threshold",
            &level,
            Stroke::solid(Colour::GREY).width(1.0),
        )
        .markers("interval", &ends, PALETTE[0], Marker::Circle)
        .y_range(0.0, 2.2)
        .legend(Corner::UpperRight)
}
