//! Pages of real runs.

use pullback::descent::Tolerances;
use pullback::direction::Auto;
use pullback::evolution::Evolution;
use pullback::loss::{Divergence, Observations};
use pullback::metric::Wasserstein2;
use pullback::models::dynamics::LotkaVolterra;
use pullback::models::{Darcy, End, GaussianMixture, Parameter};
use pullback::plot::{Chart, PALETTE, Page, Stroke};
use pullback::posterior::Variance;
use pullback::prior::Matern;
use pullback::{Descent, Grid, Noise, Side, Transform, random};

/// Name of a page and its text.
pub(crate) type Written = (&'static str, String);

/// A fit of rates in time, with noise that the residual estimates.
pub(crate) fn lotka_volterra(steps: usize) -> Written {
    let times: Vec<f64> = (0..21).map(f64::from).collect();
    let model = Evolution::new(LotkaVolterra::new([30.0, 4.0]).unwrap(), times.clone()).unwrap();
    let theta = [0.55, 0.028, 0.024, 0.8];
    let noise = random::normal(42, 1, 0);
    let data: Vec<f64> = (model.predict(&theta).unwrap().iter().zip(&noise))
        .map(|(x, e)| x + 2.0 * e)
        .collect();
    let loss = Observations::present(&data, &Noise::uniform(42, 1.0).unwrap()).unwrap();
    let transforms = [Transform::Log; 4];
    let tolerances = Tolerances {
        iterations: steps,
        ..Tolerances::default()
    };
    let descent = Descent::new(&model, &loss)
        .transforms(&transforms)
        .tolerances(tolerances);
    let report = descent.run(&[0.5, 0.03, 0.025, 0.75], |_| ()).unwrap();
    let table = report.estimates(&descent, Variance::Estimated).unwrap();
    let names = [
        "birth of hares",
        "hunting",
        "birth of lynx",
        "death of lynx",
    ];
    let hares: Vec<[f64; 2]> = (times.iter().zip(report.rho.iter().step_by(2)))
        .map(|(t, x)| [1900.0 + t, *x])
        .collect();
    let chart = Chart::new("Hares").labels("year", "thousand pelts");
    let chart = chart.line("fit", &hares, Stroke::solid(PALETTE[0]));
    let picture = Page::new(1)
        .chart(chart)
        .chart_size(900, 320)
        .svg()
        .unwrap();
    let years = times.iter().flat_map(|t| [1900.0 + t; 2]).collect();
    let page = report.page(&descent).unwrap().title("Hares and lynx");
    let page = page.estimates(&table.named(&names).unwrap());
    let page = page
        .against("year", years)
        .picture("Hares over the years", &picture);
    (
        "lotka_volterra",
        page.setting("model", "LotkaVolterra").html().unwrap(),
    )
}

/// A density fitted with the Wasserstein metric.
pub(crate) fn mixture() -> Written {
    let grid = Grid::new(&[(-6.0, 8.0, 140)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[-1.0], 1.0)
        .component(0.5, &[3.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Mean(1, 0),
        ])
        .unwrap();
    let data = mixture.density(&[0.3, -2.0, 2.0]).unwrap();
    let loss = Divergence::kullback_leibler(&grid, data).unwrap();
    let metric = Wasserstein2::new(&grid);
    let descent = Descent::new(&mixture, &loss).metric(&metric);
    let report = descent.run(&mixture.parameters(), |_| ()).unwrap();
    let page = report
        .page(&descent)
        .unwrap()
        .title("Mixture of two components");
    let page = page.names(&["weight 0", "mean 0", "mean 1"]).unwrap();
    ("mixture", page.html().unwrap())
}

/// A field of permeabilities from pressures in wells.
pub(crate) fn darcy() -> Written {
    let n = 40;
    let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)]).unwrap();
    let darcy = Darcy::new(&grid)
        .and_then(|d| d.pressure(0, End::Lower, 1.0))
        .and_then(|d| d.pressure(0, End::Upper, 0.0))
        .unwrap();
    let wells: Vec<[f64; 2]> = (0..64)
        .map(|k| [f64::from(k / 8) / 8.0 + 0.06, f64::from(k % 8) / 8.0 + 0.06])
        .collect();
    let wells = darcy.observe(&wells).unwrap();
    let truth: Vec<f64> = (0..n * n)
        .map(|i| (6.0 * (i / n) as f64 / n as f64).sin() + (5.0 * (i % n) as f64 / n as f64).cos())
        .collect();
    let noise = random::normal(64, 2, 0);
    let exact = wells
        .apply_to(Side::Plain, &darcy.pressures(&truth).unwrap())
        .unwrap();
    let data = exact
        .iter()
        .zip(noise)
        .map(|(u, e)| u + 0.003 * e)
        .collect();
    let loss = Observations::new(&wells, data, Noise::uniform(64, 0.003).unwrap()).unwrap();
    let prior = Matern::new(&grid, 1.0, 0.5).unwrap();
    let auto = Auto::default();
    let descent = Descent::new(&darcy, &loss).prior(&prior).direction(&auto);
    let report = descent.run(&vec![0.0; n * n], |_| ()).unwrap();
    let page = report
        .page(&descent)
        .unwrap()
        .title("Permeability of a porous medium");
    ("darcy", page.field(&[n, n]).html().unwrap())
}
