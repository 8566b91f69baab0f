//! Pictures: the distance from the optimum against the solves of the model, one chart for each loss.

use std::path::Path;

use pullback::Result;
use pullback::plot::{Chart, Colour, Corner, PALETTE, Page, Point, Stroke};

use crate::output::Lap;
use crate::problems::Problem;

/// Writes the picture of a problem.
pub fn draw(problem: &Problem, laps: &[Lap], out: &Path) -> Result<()> {
    let columns = problem.losses.len().min(2);
    let mut page = Page::new(columns)
        .title(&problem.title)
        .chart_size(760, 460);
    for (loss, _) in &problem.losses {
        let of_loss: Vec<&Lap> = laps.iter().filter(|lap| lap.loss == *loss).collect();
        page = page.chart(chart(loss, &of_loss));
    }
    page.save(&out.join(problem.name))?;
    Ok(())
}

/// Draws all laps with one loss: natural gradients solid, others dashed.
fn chart(loss: &str, laps: &[&Lap]) -> Chart {
    let mut chart = Chart::new(&format!("loss {loss}"))
        .labels("solves of the model", "distance from the optimum")
        .log_x()
        .log_y()
        .y_range(1e-8, 10.0)
        .legend(Corner::Outside);
    let mut used = [0; 2];
    for lap in laps {
        let plain = usize::from(lap.metric == "—");
        let colour = colour(used[plain]);
        used[plain] += 1;
        let stroke = match plain {
            0 => Stroke::solid(colour).width(2.2),
            _ => Stroke::dashed(colour).width(1.4),
        };
        // A distance of zero has no place on a logarithmic axis.
        let place = |(solves, error): &(usize, f64)| [(*solves).max(1) as f64, error.max(1e-9)];
        let points: Vec<Point> = lap.path.iter().map(place).collect();
        chart = chart.line(&lap.label(), &points, stroke);
    }
    chart
}

/// Colour of a line; black where the palette ends.
fn colour(index: usize) -> Colour {
    PALETTE.get(index).copied().unwrap_or(Colour::BLACK)
}
