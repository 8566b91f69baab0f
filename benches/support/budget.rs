//! Lines of measurements, what is going on, and the time that is left for more of it.

use std::fmt::Display;
use std::time::Instant;

use pullback::faer::Mat;
use pullback::{Operator, Side};
use rayon::prelude::*;

/// Every part of the bench takes what is measured here.
pub(crate) struct Bench {
    begin: Instant,
    seconds: f64,
    /// Everything small, to see that it runs.
    pub(crate) quick: bool,
    rows: Vec<String>,
    wrong: Vec<String>,
}

/// What was measured, but for the seconds.
pub(crate) struct Measured<'m> {
    pub(crate) by: &'m str,
    pub(crate) problem: &'m str,
    /// Cells along an axis.
    pub(crate) cells: usize,
    pub(crate) columns: usize,
    pub(crate) iterations: usize,
    pub(crate) residual: f64,
}

impl Bench {
    /// `PULLBACK_BENCH_QUICK=1` makes everything small, and `PULLBACK_BENCH_SECONDS` changes what all of it may take.
    pub(crate) fn new() -> Self {
        let seconds = std::env::var("PULLBACK_BENCH_SECONDS").ok();
        Self {
            begin: Instant::now(),
            seconds: seconds.and_then(|s| s.parse().ok()).unwrap_or(95.0),
            quick: std::env::var("PULLBACK_BENCH_QUICK").is_ok_and(|q| q != "0"),
            rows: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Says what comes next, or how it went.
    pub(crate) fn say(&self, what: impl Display) {
        println!("[{:6.1} s] {what}", self.elapsed());
    }

    pub(crate) fn elapsed(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Whether there is time for what is likely to take so many seconds; says so if there is not.
    pub(crate) fn has_time(&self, what: &str, likely: f64) -> bool {
        let left = self.seconds - self.elapsed();
        if likely > left {
            self.say(format!(
                "skipped: {what} would take about {likely:.0} s, and {left:.0} s are left"
            ));
        }
        likely <= left
    }

    /// A line for `benches/gpu.sh`, and a row of the table for humans.
    pub(crate) fn report(&mut self, of: &Measured<'_>, seconds: f64) {
        let Measured {
            by, problem, cells, ..
        } = of;
        let (m, iterations, residual) = (of.columns, of.iterations, of.residual);
        let each = seconds / m as f64;
        println!("{by},{problem},{cells},{m},{iterations},{seconds:.6e},{each:.6e},{residual:.3e}");
        let rate = bytes(problem, m as f64)
            .map(|b| 1e-9 * b * (cells * cells * cells * m) as f64 / seconds)
            .map_or(String::new(), |rate| format!("{rate:.0}"));
        let steps = Some(iterations).filter(|&i| i > 0);
        let steps = steps.map_or(String::new(), |i| i.to_string());
        self.rows.push(format!(
            "| {problem} | {cells}³ | {m} | {by} | {steps} | {:.3} | {:.4} | {residual:.1e} | {rate} |",
            1e3 * seconds,
            1e3 * each
        ));
    }

    /// Notes what may not be.
    pub(crate) fn check(&mut self, what: &str, found: f64, most: f64) {
        let word = if found <= most {
            "at most"
        } else {
            "WRONG: beyond"
        };
        self.say(format!("{what}: {found:.1e}, {word} {most:.1e}"));
        if found > most || found.is_nan() {
            self.wrong.push(format!("{what}: {found:.1e}"));
        }
    }

    /// The table, and whether all was well.
    pub(crate) fn end(&self) -> bool {
        println!(
            "\n| problem | cells | columns | by | iterations | ms | ms a column | residual | GB/s |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        self.rows.iter().for_each(|row| println!("{row}"));
        println!();
        self.wrong.iter().for_each(|what| println!("WRONG: {what}"));
        self.say("done");
        self.wrong.is_empty()
    }
}

/// Bytes an unknown and column of passes over m columns, as `benches/gpu.sh` counts them.
fn bytes(problem: &str, m: f64) -> Option<f64> {
    match problem.trim_end_matches("-launched") {
        "copy" => Some(16.0),
        "product" => Some(16.0 + 56.0 / m),
        "sweep" => Some(24.0 + 56.0 / m),
        "sweep-red-black" => Some(24.0 + 112.0 / m),
        "sweep-single" => Some(12.0 + 28.0 / m),
        _ => None,
    }
}

/// The largest ‖b − A x‖/‖b‖ of the columns.
pub(crate) fn residual(a: &Operator<'_>, side: Side, (x, b): (&Mat<f64>, &Mat<f64>)) -> f64 {
    let each = (0..b.ncols()).into_par_iter().map(|j| {
        let (x, b) = (x.col_as_slice(j), b.col_as_slice(j));
        a.apply_to(side, x)
            .map_or(f64::NAN, |image| distance(&image, b))
    });
    each.reduce(|| 0.0, worse)
}

/// The largest ‖x − y‖/‖y‖ of the columns.
pub(crate) fn gap(x: &Mat<f64>, y: &Mat<f64>) -> f64 {
    let each = (0..y.ncols())
        .into_par_iter()
        .map(|j| distance(x.col_as_slice(j), y.col_as_slice(j)));
    each.reduce(|| 0.0, worse)
}

/// ‖x − y‖/‖y‖.
pub(crate) fn distance(x: &[f64], y: &[f64]) -> f64 {
    let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
    (square / y.iter().map(|y| y * y).sum::<f64>()).sqrt()
}

/// The larger, or what is no number.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
