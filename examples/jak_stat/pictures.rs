//! Pictures: the waterfall of all runs, the fit with its noise levels, and the profiles.

use std::path::Path;

use pullback::Result;
use pullback::models::dynamics::JakStat;
use pullback::multistart::{Fit, Summary};
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Point, Stroke};
use pullback::profile::{Profile, Profiles};

use crate::fit::Best;
use crate::problem::{FINAL, OBSERVABLES, model};

const TITLES: [&str; OBSERVABLES] = [
    "phosphorylated share of A",
    "phosphorylated share of B",
    "share of A",
];

/// Writes all pictures.
pub fn draw(summary: &Summary, best: &Best, profiles: &Profiles, out: &Path) -> Result<()> {
    let page = Page::new(1).chart(waterfall(summary));
    page.chart_size(760, 480).save(&out.join("waterfall"))?;
    draw_fit(best)?.save(&out.join("fit"))?;
    let mut page = Page::new(3)
        .title("Increase of the negative log-likelihood; the line is the 95 % level")
        .chart_size(380, 280);
    for profile in &profiles.profiles {
        page = page.chart(draw_profile(profiles, profile));
    }
    page.save(&out.join("profiles"))?;
    Ok(())
}

/// Draws the final objectives of all runs in increasing order, above the best one.
fn waterfall(summary: &Summary) -> Chart {
    let best = summary.best().loss;
    // The distance of the best run from itself is 0, which has no logarithm.
    let place = |(k, fit): (usize, &&Fit)| [(k + 1) as f64, (fit.report.loss - best).max(1e-6)];
    let sorted = summary.sorted();
    let of = |converged: bool| -> Vec<Point> {
        let runs = sorted.iter().enumerate();
        let runs = runs.filter(|(_, fit)| fit.optimum.is_some() == converged);
        runs.map(place).collect()
    };
    Chart::new("runs in the order of their fits")
        .labels("run", "log-likelihood below the best")
        .log_y()
        .markers("converged", &of(true), PALETTE[0], Marker::Dot)
        .markers("not converged", &of(false), Colour::BLACK, Marker::Cross)
        .legend(Corner::UpperLeft)
}

/// Draws measurements, curves and bands of one standard deviation of the noise.
fn draw_fit(best: &Best) -> Result<Page> {
    let times: Vec<f64> = (0..=480).map(|i| 0.5 * f64::from(i)).collect();
    let seen = model(times.clone(), FINAL)?.predict(&best.report.theta)?;
    let mut page = Page::new(OBSERVABLES).chart_size(420, 320);
    for (k, title) in TITLES.into_iter().enumerate() {
        let rows = times.iter().zip(seen.chunks_exact(2 * OBSERVABLES));
        let (line, band): (Vec<Point>, Vec<[f64; 3]>) = rows
            .map(|(&t, row)| {
                let (y, noise) = (row[k], row[OBSERVABLES + k]);
                ([t, y], [t, y - noise, y + noise])
            })
            .unzip();
        let data = JakStat::TIMES.iter().zip(JakStat::MEASUREMENTS);
        let data: Vec<Point> = data.map(|(&t, row)| [t, row[k]]).collect();
        let chart = Chart::new(title)
            .labels("minutes", "percent")
            .band("± σ", &band, PALETTE[0])
            .line("fit", &line, Stroke::solid(PALETTE[0]))
            .markers("measured", &data, PALETTE[1], Marker::Circle)
            .legend(Corner::Outside);
        page = page.chart(chart);
    }
    Ok(page)
}

/// Draws one profile with its threshold.
fn draw_profile(profiles: &Profiles, profile: &Profile) -> Chart {
    let points = profile.points.iter();
    let line: Vec<Point> = points
        .map(|point| [point.value, point.objective - profiles.objective])
        .collect();
    let ends = [line.first(), line.last()].map(|end| end.map_or(1.0, |point| point[0]));
    let level = ends.map(|value| [value, profiles.threshold]);
    let fit = [line[profile.fit]];
    Chart::new(&profiles.names[profile.parameter])
        .labels("value", "increase")
        .log_x()
        .y_range(-0.1, 1.5 * profiles.threshold)
        .line("", &level, Stroke::dashed(Colour::GREY))
        .line("", &line, Stroke::solid(PALETTE[0]))
        .markers("", &fit, PALETTE[1], Marker::Star)
}
