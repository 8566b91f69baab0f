//! Residuals of the data: pictures, and tests of independence and of the normal distribution.

use super::content::Content;
use super::figure::{SMALL, figure, number, row};
use super::markup::{Cell, Markup, drawable};
use crate::error::Result;
use crate::plot::{Chart, Colour, Marker, PALETTE, Stroke};
use crate::posterior::Confidence;

/// Most residuals that are drawn one by one.
const DRAWN: usize = 1500;

/// Writes the section.
pub(super) fn section(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let residuals = content.residuals.as_deref().unwrap_or_default();
    let variance = content.accuracy.as_ref().map_or(1.0, |a| a.variance);
    let scale = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let scaled: Vec<f64> = residuals.iter().map(|r| r / scale).collect();
    let known: Vec<f64> = scaled.iter().copied().filter(|r| r.is_finite()).collect();
    let unit = match scale == 1.0 {
        true => {
            "Residuals are model − data, in units of the noise if the loss knows it.".to_string()
        }
        false => format!(
            "Residuals are model − data, in units of the standard deviation {} of the noise.",
            number(scale)
        ),
    };
    html.line("p", &unit);
    let missing = scaled.len() - known.len();
    if missing > 0 {
        html.line(
            "p",
            &format!(
                "{missing} of {} residuals are not finite and left out.",
                scaled.len()
            ),
        );
    }
    if known.is_empty() {
        return Ok(());
    }
    row(html, |html| {
        by_place(html, content, &scaled)?;
        quantiles(html, &known)?;
        histogram(html, &known)
    })?;
    statistics(html, &scaled, &known);
    Ok(())
}

/// Draws residuals against their index or place.
fn by_place(html: &mut Markup, content: &Content<'_>, scaled: &[f64]) -> Result<()> {
    let every = scaled.len().div_ceil(DRAWN);
    let place = |i: usize| content.abscissa.as_ref().map_or(i as f64, |(_, x)| x[i]);
    let points = (0..scaled.len())
        .step_by(every)
        .map(|i| [place(i), scaled[i]]);
    let points: Vec<[f64; 2]> = points
        .filter(|p| p[0].is_finite() && p[1].is_finite())
        .collect();
    let label = content
        .abscissa
        .as_ref()
        .map_or("index of the datum", |(label, _)| label.as_str());
    let ends = points
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], p| {
            [a.min(p[0]), b.max(p[0])]
        });
    let mut chart = Chart::new("").labels(&drawable(label), "residual");
    for level in [-2.0, 0.0, 2.0] {
        let stroke = Stroke::dashed(Colour::GREY).width(1.0);
        chart = chart.line("", &ends.map(|x| [x, level]), stroke);
    }
    let mut caption = format!("Residuals by {label}; dashed lines at −2, 0 and 2");
    if every > 1 {
        caption += &format!("; one of {every} is drawn");
    }
    figure(
        html,
        chart.markers("", &points, PALETTE[0], Marker::Dot),
        SMALL,
        &caption,
    )
}

/// Returns the x with this probability below it, for a standard normal distribution.
fn normal_quantile(probability: f64) -> f64 {
    let level = (2.0 * probability - 1.0).abs();
    let size = Confidence {
        level,
        freedom: None,
    }
    .quantile();
    if probability < 0.5 { -size } else { size }
}

/// Most quantiles that are drawn.
const QUANTILES: usize = 200;

/// Draws the quantiles against those of the normal distribution.
fn quantiles(html: &mut Markup, known: &[f64]) -> Result<()> {
    let mut sorted = known.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len().min(QUANTILES);
    let points = (0..count).map(|k| {
        let share = (k as f64 + 0.5) / count as f64;
        let index = (share * sorted.len() as f64) as usize;
        [normal_quantile(share), sorted[index.min(sorted.len() - 1)]]
    });
    let points: Vec<[f64; 2]> = points.collect();
    let end = points[points.len() - 1][0].max(1.0);
    let chart = Chart::new("")
        .labels("quantile of the normal distribution", "residual")
        .line(
            "",
            &[[-end, -end], [end, end]],
            Stroke::dashed(Colour::GREY).width(1.0),
        )
        .markers("", &points, PALETTE[0], Marker::Dot);
    let caption = "Quantiles of the residuals; independent normal noise gives the dashed line";
    figure(html, chart, SMALL, caption)
}

/// Draws a histogram, with the density of the normal distribution.
fn histogram(html: &mut Markup, known: &[f64]) -> Result<()> {
    const FEWEST: usize = 20;
    if known.len() < FEWEST {
        return Ok(());
    }
    // Beyond five standard deviations all counts belong to the outermost bars.
    let bars = ((known.len() as f64).sqrt() as usize).clamp(6, 40);
    let size = known
        .iter()
        .fold(0.0_f64, |m, r| m.max(r.abs()))
        .clamp(1e-300, 5.0);
    let width = 2.0 * size / bars as f64;
    let mut heights = vec![0.0; bars];
    for r in known {
        let bar = ((r + size) / width).clamp(0.0, bars as f64 - 1.0) as usize;
        heights[bar] += 1.0 / (known.len() as f64 * width);
    }
    let edges: Vec<f64> = (0..=bars).map(|k| k as f64 * width - size).collect();
    let normal = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let curve: Vec<[f64; 2]> = (0..=100)
        .map(|k| (f64::from(k) / 50.0 - 1.0) * size)
        .map(|x| [x, normal(x)])
        .collect();
    let chart = Chart::new("")
        .labels("residual", "density")
        .bars("", &edges, &heights, PALETTE[5])
        .line("", &curve, Stroke::solid(PALETTE[1]));
    figure(
        html,
        chart,
        SMALL,
        "Histogram of the residuals, and the density of the normal distribution",
    )
}

fn statistics(html: &mut Markup, scaled: &[f64], known: &[f64]) {
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let square = known.iter().map(|r| r * r).sum::<f64>() / count;
    let beyond = known.iter().filter(|r| r.abs() > 2.0).count() as f64;
    let finite = scaled.iter().enumerate().filter(|(_, r)| r.is_finite());
    let largest = finite.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let mut rows = vec![
        ("number", known.len().to_string()),
        ("mean", number(mean)),
        ("root mean square", number(square.sqrt())),
        (
            "share beyond ±2 (4.6 % if normal)",
            format!("{:.1} %", 100.0 * beyond / count),
        ),
    ];
    if let Some((index, value)) = largest {
        rows.push(("largest", format!("{} at index {index}", number(*value))));
    }
    if let Some(z) = runs(known) {
        let verdict = match z {
            z if z < -1.96 => "neighbours are alike",
            z if z > 1.96 => "neighbours alternate",
            _ => "no sign of dependence",
        };
        rows.push((
            "runs of equal sign, in standard deviations",
            format!("{z:.2}: {verdict}"),
        ));
    }
    let cells = rows
        .into_iter()
        .map(|(name, text)| vec![Cell::Head(name.into()), Cell::Number(text)]);
    html.table(
        "Statistics of the residuals",
        &["statistic", "value"],
        cells.collect(),
    );
}

/// Returns the number of runs of equal sign, minus its mean for independent residuals, in standard deviations (Wald and
/// Wolfowitz 1940); None for few residuals.
fn runs(residuals: &[f64]) -> Option<f64> {
    const FEWEST: f64 = 10.0;
    let signs: Vec<bool> = residuals
        .iter()
        .filter(|r| **r != 0.0)
        .map(|r| *r > 0.0)
        .collect();
    let positive = signs.iter().filter(|s| **s).count() as f64;
    let negative = signs.len() as f64 - positive;
    if positive < FEWEST || negative < FEWEST {
        return None;
    }
    let runs = 1.0 + signs.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64;
    // Given the numbers of signs, all orders are equally likely: mean μ = 2n₊n₋/n + 1, variance (μ − 1)(μ − 2)/(n − 1).
    let n = positive + negative;
    let mean = 2.0 * positive * negative / n + 1.0;
    let variance = (mean - 1.0) * (mean - 2.0) / (n - 1.0);
    Some((runs - mean) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_tell_dependence() {
        let alternating: Vec<f64> = (0..40)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let halves: Vec<f64> = (0..40).map(|i| if i < 20 { 1.0 } else { -1.0 }).collect();
        assert!(runs(&alternating).is_some_and(|z| z > 6.0));
        assert!(runs(&halves).is_some_and(|z| z < -6.0));
        assert!(runs(&halves[..25]).is_none());
        // 40 signs, 20 of each: μ = 21 and σ² = 20·19/39. 21 runs are the mean.
        let pattern = [1.0, 1.0, -1.0, -1.0];
        let even: Vec<f64> = (0..40).map(|i| pattern[i % 4]).collect();
        let expected = (20.0 - 21.0) / (20.0_f64 * 19.0 / 39.0).sqrt();
        assert!((runs(&even).unwrap_or(f64::NAN) - expected).abs() < 1e-12);
    }

    #[test]
    fn quantiles_of_the_normal_distribution_are_those_of_tables() {
        for (p, x) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_54),
            (0.158_655_253_931, -1.0),
        ] {
            assert!((normal_quantile(p) - x).abs() < 1e-9, "{p}");
        }
    }
}
