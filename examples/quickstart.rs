//! Estimates the means of two Gaussians on a line, and the weight of the first.

use pullback::models::{GaussianMixture, Parameter};
use pullback::{Descent, Grid, loss::Divergence};

fn main() -> pullback::Result<()> {
    let grid = Grid::new(&[(-6.0, 8.0, 140)])?;
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[-1.0], 1.0)
        .component(0.5, &[3.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Mean(1, 0),
        ])?;
    let data = mixture.density(&[0.3, -2.0, 2.0])?;
    let loss = Divergence::kullback_leibler(&grid, data)?;

    let report = Descent::new(&mixture, &loss)
        .run(&mixture.parameters(), |iterate| println!("{iterate}"))?;

    println!("\n{report}");
    println!(
        "true (w, μ₁, μ₂) = (0.3, -2, 2), estimate {:.6?}",
        report.theta
    );
    Ok(())
}
