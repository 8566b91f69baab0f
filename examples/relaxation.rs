//! Looks at what a decaying signal tells of the rates in it: the spectrum of its information, the combinations of amplitudes that it
//! determines, and three forms of Fisher's information, of which one misleads.
//!
//! A signal is the sum of forty decays with rates from 0.1 to 10. Their amplitudes are the parameters. That they can hardly be told from the
//! signal is the textbook's example of an ill-posed problem, the inverse Laplace transform.

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{
    Combinations, Extremes, Group, Kind, Lanczos, Quadrature, Sight, Spectrum, Unit, blocks,
};
use pullback::descent::Tolerances;
use pullback::loss::{Fisher, Observations};
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Stroke};
use pullback::posterior::Variance;
use pullback::{Descent, Metric, Noise, random};

use support::command::{self, Arguments, Failure, path};
use support::output::{make_folder, note};

const HELP: &str = "\
Looks at the information of a decaying signal: its spectrum, what it determines, and three forms of Fisher's information.

usage: relaxation [options]
  --out DIR  [out/relaxation]  folder for the pictures
  --help     print this text";

/// Number of decays.
const DECAYS: usize = 40;

/// Number of times from 0 to 20.
const TIMES: usize = 400;

/// Deviation of a reading.
const SIGMA: f64 = 0.02;

/// Shares of the largest eigenvalue around which directions begin to count.
const SHARES: [f64; 4] = [1e-1, 1e-2, 1e-4, 1e-6];

fn rate(k: usize) -> f64 {
    10f64.powf(2.0 * k as f64 / (DECAYS - 1) as f64 - 1.0)
}

/// y(t) = Σ aₖ exp(−bₖt) with known rates b.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (TIMES, DECAYS)
    }

    fn values<S: Scalar>(&self, a: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            let t = 20.0 * i as f64 / (TIMES - 1) as f64;
            *y = S::from(0.0);
            for (k, a) in a.iter().enumerate() {
                *y += *a * (-rate(k) * t).exp();
            }
        }
    }
}

fn main() -> ExitCode {
    let read = |given: &Arguments| given.get("--out", path);
    command::main(HELP, read, |out: &PathBuf| run(out))
}

fn run(out: &Path) -> Result<(), Failure> {
    make_folder(out)?;
    let model = Curve::new(Decay);
    let loss = Observations::present(&[0.0; TIMES], &Noise::uniform(TIMES, SIGMA)?)?;
    let (descent, amplitudes) = (Descent::new(&model, &loss), [1.0 / DECAYS as f64; DECAYS]);
    let page = spectrum(&descent, &amplitudes)?;
    page.save(&out.join("spectrum"))?;

    let seen = descent.combinations(&amplitudes, Variance::Known, Unit::Sizes)?;
    let determined = seen.count(Sight::Determined);
    println!("2. What the signal determines\n");
    println!(
        "   {determined} of {DECAYS} combinations of the amplitudes to less than their sizes, to ±"
    );
    let errors = seen.errors();
    for (k, error) in errors.iter().take(determined + 2).enumerate() {
        println!("   {:>3}  {error:.1e}", k + 1);
    }
    combinations(&seen).save(&out.join("combinations"))?;

    println!("\n3. Fisher's information in three ways\n");
    fisher()?.save(&out.join("fisher"))?;
    let out = out.display();
    note(&format!("wrote pictures (PNG, SVG) to {out}"));
    Ok(())
}

/// Prints and draws the spectrum of the information, from random probes and exactly.
fn spectrum(descent: &Descent<'_>, at: &[f64]) -> Result<Page, Failure> {
    let of = Kind::Information;
    let extremes = descent.curvature(at, of, |g| Extremes::of(g, &Lanczos::default()))?;
    let probed = descent.curvature(at, of, |g| Spectrum::of(g, &Quadrature::default()))?;
    let exact = descent.curvature(at, of, |g| Spectrum::dense(g))?;
    println!("1. The spectrum of the information\n\n   {extremes}\n   {probed}\n");
    let largest = extremes.largest.value;
    println!("   effective dimension Σ λ/(λ + α) at a share α of the largest eigenvalue");
    for share in SHARES {
        let estimated = probed.effective_dimension(share * largest)?;
        let value = exact.effective_dimension(share * largest)?.value;
        println!("   {share:>7.0e}  {estimated} by probes, {value:.2} exactly");
    }
    let halves = [
        Group::new("slow decays", 0..DECAYS / 2),
        Group::new("fast decays", DECAYS / 2..DECAYS),
    ];
    for block in descent.curvature(at, of, |g| blocks(g, &halves))? {
        let (name, trace) = (&block.group.name, block.trace());
        println!(
            "   {name}: trace {trace:.2e}, largest eigenvalue {:.2e}",
            block.eigenvalues()[0]
        );
    }
    println!();
    density(&exact, &probed, largest)
}

/// Draws the density of the eigenvalues.
fn density(exact: &Spectrum, probed: &Spectrum, largest: f64) -> Result<Page, Failure> {
    let decades: Vec<f64> = (0..120)
        .map(|i| -8.0 + 0.1 * f64::from(i) + largest.log10() - 3.5)
        .collect();
    let band = |spectrum: &Spectrum| -> Result<Vec<[f64; 3]>, Failure> {
        let density = spectrum.density_of_decades(&decades, 0.4)?;
        let rows = decades.iter().zip(&density).map(|(x, average)| {
            let (low, high) = average.interval(0.95)?;
            Ok([*x, low.max(0.0), high.min(0.5)])
        });
        rows.collect()
    };
    let dense = exact.density_of_decades(&decades, 0.4)?;
    let line: Vec<[f64; 2]> = decades
        .iter()
        .zip(&dense)
        .map(|(x, d)| [*x, d.value])
        .collect();
    let values = exact.eigenvalues().unwrap_or(&[]).iter();
    let marks = values
        .filter(|v| **v > 1e-13 * largest)
        .map(|v| [v.log10(), 0.0]);
    let chart = Chart::new("Eigenvalues of the information")
        .labels(
            "decimal logarithm of the eigenvalue",
            "share of directions in a decade",
        )
        .band("95 % by 32 probes", &band(probed)?, PALETTE[0])
        .line("exact", &line, Stroke::dashed(PALETTE[1]))
        .markers(
            "eigenvalues",
            &marks.collect::<Vec<_>>(),
            Colour::BLACK,
            Marker::Dot,
        )
        .legend(Corner::UpperLeft);
    Ok(Page::new(1).chart_size(640, 380).chart(chart))
}

/// Draws the errors of all combinations, and the first ones.
fn combinations(seen: &Combinations) -> Page {
    let errors = seen.errors();
    let points: Vec<[f64; 2]> = (errors.iter().enumerate())
        .filter(|(_, error)| error.is_finite())
        .map(|(k, error)| [(k + 1) as f64, *error])
        .collect();
    let sizes = [[1.0, 1.0], [points.len() as f64, 1.0]];
    let scree = Chart::new("What the data know")
        .labels("combination", "standard error / size")
        .log_y()
        .markers("combinations", &points, PALETTE[0], Marker::Dot)
        .line("the size", &sizes, Stroke::dashed(Colour::GREY))
        .legend(Corner::UpperLeft);
    let mut weights = Chart::new("The combinations that they know best")
        .labels("rate", "weight of the amplitude")
        .log_x();
    for (k, colour) in PALETTE.into_iter().enumerate().take(4) {
        let column = seen.covectors().col(k);
        let size = column.norm_max();
        let line: Vec<[f64; 2]> = (0..DECAYS).map(|i| [rate(i), column[i] / size]).collect();
        weights = weights.line(&(k + 1).to_string(), &line, Stroke::solid(colour));
    }
    Page::new(2)
        .chart_size(560, 380)
        .chart(scree)
        .chart(weights.legend(Corner::Outside))
}

/// A line a + b x.
struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (60, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * (i as f64 / 30.0 - 1.0);
        }
    }
}

/// Fits a line to data that are ten times as accurate as the model says, by three informations.
fn fisher() -> Result<Page, Failure> {
    let errors = random::normal(60, 3, 0);
    let data: Vec<f64> = (0..60)
        .map(|i| 1.0 + 2.0 * (i as f64 / 30.0 - 1.0) + 0.1 * errors[i])
        .collect();
    let (model, loss) = (
        Curve::new(Line),
        Observations::present(&data, &Noise::uniform(60, 1.0)?)?,
    );
    let tolerances = Tolerances {
        iterations: 100,
        ..Tolerances::default()
    };
    let start = [-9.0, 20.0];
    let fitted = Descent::new(&model, &loss).run(&start, |_| ())?.theta;
    let [exact, sampled, empirical] = [
        Fisher::exact(&loss),
        Fisher::sampled(&loss, 20, 1)?,
        Fisher::empirical(&loss),
    ];
    let metrics: [(&str, &dyn Metric); 3] = [
        ("exact", &exact),
        ("sampled", &sampled),
        ("empirical", &empirical),
    ];
    let mut chart = Chart::new("A line whose data are more accurate than the model says")
        .labels("1 + step", "distance from the minimum")
        .log_x()
        .log_y();
    for ((name, metric), colour) in metrics.into_iter().zip(PALETTE) {
        let mut line = Vec::new();
        let descent = Descent::new(&model, &loss)
            .metric(metric)
            .tolerances(tolerances);
        let report = descent.run(&start, |at| {
            let off = at
                .theta
                .iter()
                .zip(&fitted)
                .map(|(t, f)| (t - f).powi(2))
                .sum::<f64>();
            line.push([(at.iteration + 1) as f64, off.sqrt().max(1e-12)]);
        })?;
        let last = line[line.len() - 1];
        println!(
            "   {name:<10} {:>4} steps, {:.1e} from the minimum",
            report.iterations(),
            last[1]
        );
        chart = chart.line(name, &line, Stroke::solid(colour));
    }
    println!(
        "\n   The empirical information is that of the residuals, which is far too large at the start and too small at the fit."
    );
    Ok(Page::new(1)
        .chart_size(560, 380)
        .chart(chart.legend(Corner::Outside)))
}
