//! Pictures: the distance from the optimum against the solves of the model, one chart for each loss.

use std::path::Path;

use pullback::Result;
use pullback::plot::{Chart, Colour, Corner, PALETTE, Page, Point, Stroke};

use crate::output::{Lap, labels};
use crate::problems::Problem;

/// Writes the picture of a problem.
pub fn draw(problem: &Problem, laps: &[Lap], out: &Path) -> Result<()> {
    let columns = problem.losses.len().min(2);
    let mut page = Page::new(columns)
        .title(&problem.title)
        .chart_size(760, 460);
    let names = [true, false].map(|natural| names(laps, natural));
    for (loss, _) in &problem.losses {
        let of_loss: Vec<&Lap> = laps.iter().filter(|lap| lap.loss == *loss).collect();
        page = page.chart(chart(loss, &of_loss, &names));
    }
    page.save(&out.join(problem.name))?;
    Ok(())
}

/// Names of all natural gradients of a problem, or of all other methods, whose places give them one colour in all charts.
fn names(laps: &[Lap], natural: bool) -> Vec<String> {
    labels(laps.iter().filter(|lap| is_natural(lap) == natural))
}

fn is_natural(lap: &Lap) -> bool {
    lap.metric != "—"
}

/// Draws all laps with one loss: natural gradients solid, others dashed.
fn chart(loss: &str, laps: &[&Lap], [natural, plain]: &[Vec<String>; 2]) -> Chart {
    let mut chart = Chart::new(&format!("loss {loss}"))
        .labels("solves of the model", "distance from the optimum")
        .log_x()
        .log_y()
        .y_range(1e-8, 10.0)
        .legend(Corner::Outside);
    for lap in laps {
        let label = lap.label();
        let stroke = match is_natural(lap) {
            true => Stroke::solid(colour(natural, &label)).width(2.2),
            false => Stroke::dashed(colour(plain, &label)).width(1.4),
        };
        // A distance of zero has no place on a logarithmic axis.
        let place = |(solves, error): &(usize, f64)| [(*solves).max(1) as f64, error.max(1e-9)];
        let points: Vec<Point> = lap.path.iter().map(place).collect();
        chart = chart.line(&label, &points, stroke);
    }
    chart
}

/// Colour of a name by its place in a list; black where the palette ends.
fn colour(names: &[String], label: &str) -> Colour {
    let place = names.iter().position(|name| name == label);
    let colour = place.and_then(|place| PALETTE.get(place));
    colour.copied().unwrap_or(Colour::BLACK)
}
