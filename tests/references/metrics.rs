//! Every metric and loss against values computed from their definitions with dense matrices, see
//! `reference/make_metrics.py`.

use crate::support::{Explicit, gap, matrix_gap, numbers};
use pullback::direction::{Information, LeastSquares, Local};
use pullback::faer::Mat;
use pullback::loss::{Divergence, L2Misfit, Observations, SobolevMisfit};
use pullback::metric::{
    FaceMean, FisherRao, HellingerKantorovich, L2, Observed, Sobolev, Wasserstein2,
};
use pullback::{Cpu, Direction, Grid, Linearisation, Loss, Metric, Noise, Operator, Result};
use serde_json::Value;

/// The references come from pseudo-inverses with condition numbers up to 10³.
const ROUNDING: f64 = 1e-11;

fn matrix(value: &Value) -> Mat<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn grid(case: &Value) -> Grid {
    let axes: Vec<Vec<f64>> = case["axes"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    let axes: Vec<_> = axes.iter().map(|a| (a[0], a[1], a[2] as usize)).collect();
    Grid::new(&axes).unwrap()
}

/// Runs on every grid of the file.
fn on_all_grids(look: impl Fn(&str, &Value, &Grid)) {
    let file: Value = serde_json::from_str(include_str!("../reference/metrics.json")).unwrap();
    let cases = file["grids"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        look(case["name"].as_str().unwrap(), case, &grid(case));
    }
}

fn face_mean(params: &Value) -> FaceMean {
    match params["face_mean"].as_str().unwrap() {
        "arithmetic" => FaceMean::Arithmetic,
        "logarithmic" => FaceMean::Logarithmic,
        "geometric" => FaceMean::Geometric,
        "harmonic" => FaceMean::Harmonic,
        other => panic!("no face mean is called {other}"),
    }
}

fn observations(params: &Value) -> (Operator<'static>, Noise) {
    let noise = Noise::full(matrix(&params["noise"])).unwrap();
    (Operator::dense(matrix(&params["operator"])), noise)
}

fn metric(grid: &Grid, entry: &Value) -> Box<dyn Metric> {
    let params = &entry["params"];
    match entry["name"].as_str().unwrap() {
        "L2" => Box::new(L2::new(grid)),
        "FisherRao" if params["mass_fixed"] == true => Box::new(FisherRao::new(grid)),
        "FisherRao" => Box::new(FisherRao::new(grid).with_free_mass()),
        "Sobolev" => {
            let order = number(&params["order"]);
            let homogeneous = params["homogeneous"] == true;
            let new = if homogeneous {
                Sobolev::homogeneous
            } else {
                Sobolev::new
            };
            Box::new(new(grid, order).unwrap())
        }
        "Wasserstein2" => Box::new(Wasserstein2 {
            face_mean: face_mean(params),
            ..Wasserstein2::new(grid)
        }),
        "HellingerKantorovich" => Box::new(HellingerKantorovich {
            alpha: number(&params["alpha"]),
            beta: number(&params["beta"]),
            face_mean: face_mean(params),
            ..HellingerKantorovich::new(grid)
        }),
        "Observed" => {
            let (operator, noise) = observations(params);
            let (operator, noise) = (Box::leak(Box::new(operator)), Box::leak(Box::new(noise)));
            Box::new(Observed::new(operator, noise).unwrap())
        }
        other => panic!("no metric is called {other}"),
    }
}

/// How far G, c, the gradient and η by both exact directions are from their references.
fn errors(case: &Value, entry: &Value, metric: &dyn Metric) -> Result<Vec<f64>> {
    let (cpu, rho) = (Cpu::default(), numbers(&case["rho"]));
    let model = Explicit(matrix(&case["z"]).transpose().to_owned());
    let theta = vec![0.0; model.0.ncols()];
    let z = Linearisation::new(&model, &rho, &theta, &cpu)?;
    let root = metric.at(&rho, &cpu)?;
    let y = root.lift(z.matrix()?.as_ref())?;
    let product = z.matrix()?.transpose() * root.apply(z.matrix()?.as_ref())?;
    let own = &entry["params"]["u"];
    let mut c = numbers(if own.is_null() { &case["u"] } else { own });
    root.project(&mut c);
    let grad = z.pull_back(&c)?;
    let local = Local {
        z: &z,
        root: Some(root.as_ref()),
        covector: &c,
        grad: &grad,
        full_gradient: &grad,
        prior: None,
        theta: &theta,
        coordinates: &theta,
        widest: &[],
        iteration: 0,
        last_scale: None,
        progress: 1.0,
        backend: &cpu,
        second_order: None,
    };
    let g = matrix(&entry["G"]);
    let mut errors = vec![
        matrix_gap((y.transpose() * &y).as_ref(), g.as_ref()),
        matrix_gap(product.as_ref(), g.as_ref()),
        gap(&c, &numbers(&entry["c"])),
        gap(&grad, &numbers(&entry["gradient"])),
    ];
    let directions: [Box<dyn Direction>; 2] = [
        Box::new(LeastSquares::default()),
        Box::new(Information::default()),
    ];
    for direction in &directions {
        let mut finder = direction.begin();
        let eta = finder.prepare(&local)?.at(0.0)?.eta;
        errors.push(gap(&eta, &numbers(&entry["eta"])));
    }
    Ok(errors)
}

#[test]
fn geometries_and_directions_of_every_metric() {
    on_all_grids(|name, case, grid| {
        let entries = case["metrics"].as_array().unwrap();
        assert_eq!(entries.len(), 16);
        for entry in entries {
            let metric = metric(grid, entry);
            let errors = errors(case, entry, metric.as_ref()).unwrap();
            let place = format!("{} on the {name}", metric.name());
            let good = errors.iter().all(|e| *e < ROUNDING);
            assert!(
                good,
                "{place}: G, M, c, gradient, η twice are off by {errors:?}"
            );
        }
    });
}

fn loss(grid: &Grid, name: &str, target: Vec<f64>) -> Result<Box<dyn Loss>> {
    Ok(match name {
        "L2" => Box::new(L2Misfit::new(grid, target)?),
        "KullbackLeibler" => Box::new(Divergence::kullback_leibler(grid, target)?),
        "ReverseKullbackLeibler" => Box::new(Divergence::reverse_kullback_leibler(grid, target)?),
        "Hellinger" => Box::new(Divergence::hellinger(grid, target)?),
        "ChiSquared" => Box::new(Divergence::chi_squared(grid, target)?),
        "SobolevMinus1" => Box::new(SobolevMisfit::new(grid, -1.0, target)?),
        other => panic!("no loss is called {other}"),
    })
}

#[test]
fn values_and_gradients_of_every_loss() {
    on_all_grids(|place, case, grid| {
        let rho = numbers(&case["rho"]);
        let entries = case["losses"].as_array().unwrap();
        assert_eq!(entries.len(), 6);
        for entry in entries {
            let name = entry["name"].as_str().unwrap();
            let loss = loss(grid, name, numbers(&case["target"])).unwrap();
            let mut u = vec![0.0; rho.len()];
            loss.gradient(&rho, &mut u);
            let off = gap(&u, &numbers(&entry["gradient"]));
            // Divergences are small differences of their terms.
            let value = gap(&[loss.value(&rho)], &[number(&entry["value"])]);
            assert!(
                off < 1e-13 && value < 1e-13,
                "{name}, {place}: {value:e}, {off:e}"
            );
        }
    });
}

/// The covector of the observed case is the gradient of the loss of these observations.
#[test]
fn gradients_of_observations() {
    on_all_grids(|place, case, _| {
        let entries = case["metrics"].as_array().unwrap();
        let entry = entries.iter().find(|e| e["name"] == "Observed").unwrap();
        let (operator, noise) = observations(&entry["params"]);
        let data = numbers(&entry["params"]["data"]);
        let loss = Observations::new(operator, data, noise).unwrap();
        let mut u = vec![0.0; numbers(&case["rho"]).len()];
        loss.gradient(&numbers(&case["rho"]), &mut u);
        let off = gap(&u, &numbers(&entry["c"]));
        assert!(off < 1e-13, "{place}: off by {off:e}");
    });
}
