//! Heat and reactions in time against closed forms and against SciPy, with their sensitivities.

use std::f64::consts::PI;

use crate::support::{dot, gap, numbers};
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::models::End;
use pullback::models::fields::{GrayScott, Heat};
use pullback::{Cpu, Grid, Linearisation, Side, random, verify};
use serde_json::Value;

fn references(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../reference/fields.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn box_of(entry: &Value) -> Grid {
    let (cells, lengths) = (numbers(&entry["cells"]), numbers(&entry["lengths"]));
    let axes = cells
        .iter()
        .zip(lengths)
        .map(|(n, l)| (0.0, l, *n as usize));
    Grid::new(&axes.collect::<Vec<_>>()).unwrap()
}

/// Heat without sides or sources, from a product of cosines or sines.
fn modes(dim: usize, n: usize, sine: bool) -> (Heat, Grid) {
    let grid = Grid::new(&vec![(0.0, 1.0, n); dim]).unwrap();
    let wave = |x: &f64| if sine { (PI * x).sin() } else { (PI * x).cos() };
    let start = grid.sample(|x| x.iter().map(wave).product());
    let mut heat = Heat::new(&grid, start).unwrap();
    for axis in (0..dim).filter(|_| sine) {
        heat = heat.fixed(axis, End::Lower, 0.0).unwrap();
        heat = heat.fixed(axis, End::Upper, 0.0).unwrap();
    }
    (heat, grid)
}

#[test]
fn modes_decay_as_in_the_closed_form_to_second_order() {
    let (t, conductivity) = (0.05, 0.6_f64);
    for dim in 1..=3 {
        for sine in [false, true] {
            let error = |n: usize| {
                let (heat, grid) = modes(dim, n, sine);
                let decay = (-conductivity * PI * PI * dim as f64 * t).exp();
                let exact = grid.cells();
                let start = Evolution::new(heat.clone(), vec![0.0]).unwrap();
                let theta = vec![conductivity.ln(); exact];
                let start = start.predict(&theta).unwrap();
                let found = Evolution::new(heat, vec![t]).unwrap().predict(&theta);
                let pairs = found.unwrap().into_iter().zip(start);
                pairs
                    .map(|(a, b)| (a - decay * b).abs())
                    .fold(0.0, f64::max)
            };
            let [coarse, fine] = [8, 16].map(error);
            let order = (coarse / fine).log2();
            assert!((order - 2.0).abs() < 0.12, "{dim}-D, {sine}: {order}");
            assert!(fine < 0.01, "{dim}-D, {sine}: {fine}");
        }
    }
}

fn heat_of(entry: &Value) -> Heat {
    let grid = box_of(entry);
    let heat = Heat::new(&grid, numbers(&entry["start"])).unwrap();
    let mut heat = heat.source(numbers(&entry["source"])).unwrap();
    for (axis, ends) in entry["sides"].as_array().unwrap().iter().enumerate() {
        for (value, end) in [End::Lower, End::Upper].into_iter().enumerate() {
            if let Some(value) = ends[value].as_f64() {
                heat = heat.fixed(axis, end, value).unwrap();
            }
        }
    }
    heat
}

#[test]
fn heat_in_variable_media_agrees_with_matrix_exponentials() {
    for entry in references("heat") {
        let theta = numbers(&entry["kappa"]);
        for method in [Method::Explicit, Method::Implicit] {
            let model = Evolution::new(heat_of(&entry), numbers(&entry["times"])).unwrap();
            let model = model.method(method).accuracy(1e-10, &[1e-12]).unwrap();
            let rho = model.predict(&theta).unwrap();
            let off = gap(&rho, &numbers(&entry["states"]));
            assert!(off < 1e-8, "{method:?}: {off:e}");
            let z = Linearisation::new(&model, &rho, &theta, Cpu::shared()).unwrap();
            let z = z.matrix().unwrap();
            for (i, row) in entry["slopes"].as_array().unwrap().iter().enumerate() {
                let exact = numbers(row);
                let found: Vec<f64> = (0..theta.len()).map(|j| z[(i, j)]).collect();
                let off = found.iter().zip(&exact).map(|(a, b)| (a - b).abs());
                let off = off.fold(0.0, f64::max);
                assert!(off < 1e-7, "{method:?}, row {i}: {off:e}");
            }
        }
    }
}

#[test]
fn an_insulated_box_keeps_its_heat() {
    for cells in [vec![11], vec![4, 3], vec![2, 3, 4]] {
        let axes: Vec<_> = cells.iter().map(|n| (0.0, 1.0, *n)).collect();
        let grid = Grid::new(&axes).unwrap();
        let n = grid.cells();
        let start: Vec<f64> = random::uniform(n, (0.0, 1.0), 1);
        let source = random::normal(n, 2, 0);
        let (heat, gain) = (
            grid.integrate(&start).unwrap(),
            grid.integrate(&source).unwrap(),
        );
        for (sources, gain) in [(vec![0.0; n], 0.0), (source, gain)] {
            let dynamics = Heat::new(&grid, start.clone()).unwrap();
            let dynamics = dynamics.source(sources).unwrap();
            let model = Evolution::new(dynamics, vec![0.1, 2.0]).unwrap();
            let rho = model.predict(&random::normal(n, 3, 0)).unwrap();
            for (field, t) in rho.chunks(n).zip([0.1, 2.0]) {
                let off = grid.integrate(field).unwrap() - heat - gain * t;
                assert!(off.abs() < 1e-13, "{cells:?}, {t}: {off:e}");
            }
        }
    }
}

/// In the steady state the same heat flows through all layers, whose resistances are in series.
#[test]
fn layers_are_exact_in_the_steady_state() {
    let grid = Grid::new(&[(0.0, 3.0, 12)]).unwrap();
    let kappa: Vec<f64> = (0..12).map(|i| [0.0, 2.0, -1.0][i / 4]).collect();
    let heat = Heat::new(&grid, vec![0.0; 12]).unwrap();
    let heat = heat.fixed(0, End::Lower, 5.0).unwrap();
    let heat = heat.fixed(0, End::Upper, 1.0).unwrap();
    let model = Evolution::new(heat, vec![500.0]).unwrap();
    let model = model.method(Method::Implicit);
    let found = model.predict(&kappa).unwrap();
    let width = grid.axes()[0].spacing();
    let resistances: Vec<f64> = kappa.iter().map(|k| width / k.exp()).collect();
    let flow = 4.0 / resistances.iter().sum::<f64>();
    let mut before = 0.0;
    for (x, r) in found.iter().zip(resistances) {
        let exact = 5.0 - flow * (before + 0.5 * r);
        assert!((x - exact).abs() < 1e-8, "{x} {exact}");
        before += r;
    }
}

#[test]
fn sensors_interpolate_the_field() {
    let grid = Grid::new(&[(0.0, 1.0, 5), (0.0, 2.0, 4)]).unwrap();
    let points = [[0.31, 1.1], [0.02, 0.9], [0.5, 1.75]];
    let heat = Heat::new(&grid, vec![0.0; 20]).unwrap();
    let heat = heat.sensors(&points).unwrap();
    let x = random::normal(20, 1, 0);
    let exact = grid.interpolation(&points).unwrap();
    let exact = exact.apply_to(Side::Plain, &x).unwrap();
    let mut seen = vec![f64::NAN; heat.outputs()];
    heat.observe(0.0, &x, &[0.0; 20], &mut seen);
    assert_eq!(seen.len(), 3);
    assert!(gap(&seen, &exact) < 1e-15);

    let spots = GrayScott::square(&grid).unwrap();
    assert_eq!(spots.outputs(), 40);
    let spots = spots.sensors(&points).unwrap();
    let both = [x.clone(), random::normal(20, 2, 0)].concat();
    let mut seen = vec![f64::NAN; spots.outputs()];
    spots.observe(0.0, &both, &[0.0; 4], &mut seen);
    assert_eq!(seen.len(), 6);
    assert!(gap(&seen[..3], &exact) < 1e-15);
}

#[test]
fn kept_steps_pass_verification() {
    let line = Grid::new(&[(0.0, 1.0, 6)]).unwrap();
    let plane = Grid::new(&[(0.0, 1.0, 3), (0.0, 1.0, 4)]).unwrap();
    for (grid, method) in [(&line, Method::Explicit), (&plane, Method::Implicit)] {
        let n = grid.cells();
        let heat = Heat::new(grid, random::normal(n, 1, 0)).unwrap();
        let heat = heat.fixed(0, End::Upper, 0.4).unwrap();
        let heat = heat.source(random::normal(n, 2, 0)).unwrap();
        check(heat, method, &random::normal(n, 3, 0));
        let spots = GrayScott::new(&plane, random::uniform(24, (0.0, 1.0), 4)).unwrap();
        check(spots.clone(), method, &[0.02, 0.01, 0.3, 0.2]);
        check(spots.closed(), method, &[0.02, 0.01, 0.3, 0.2]);
    }
}

fn check<D: Dynamics>(dynamics: D, method: Method, theta: &[f64]) {
    let model = Evolution::new(dynamics, vec![0.1, 0.5]).unwrap();
    let model = model.method(method).keep_steps(theta).unwrap();
    let checks = verify::model(&model, theta, 1).unwrap();
    assert!(checks.passed(), "{method:?}: {checks}");
}

#[test]
fn reactions_agree_with_scipy() {
    for entry in references("gray_scott") {
        let spots = GrayScott::new(&box_of(&entry), numbers(&entry["start"])).unwrap();
        let spots = match entry["periodic"].as_bool() {
            Some(true) => spots,
            _ => spots.closed(),
        };
        let model = Evolution::new(spots, numbers(&entry["times"])).unwrap();
        let model = model.accuracy(1e-9, &[1e-11]).unwrap();
        let found = model.predict(&numbers(&entry["theta"])).unwrap();
        let off = gap(&found, &numbers(&entry["states"]));
        assert!(off < 1e-8, "{off:e}");
    }
}

#[test]
fn homogeneous_states_react_alone() {
    let grid = Grid::new(&[(0.0, 0.7, 5), (0.0, 0.3, 4)]).unwrap();
    let theta = [0.02, 0.01, 0.04, 0.06];
    let [feed, kill] = [theta[2], theta[3]];
    for spots in [
        GrayScott::square(&grid).unwrap(),
        GrayScott::square(&grid).unwrap().closed(),
    ] {
        let rate = |u: f64, v: f64| {
            let x = [vec![u; 20], vec![v; 20]].concat();
            let mut out = vec![f64::NAN; 40];
            spots.rate(0.0, &x, &theta, &mut out);
            out
        };
        for (u, v) in [(0.3, 0.2), (1.0, 0.0), (0.7, 0.9)] {
            let exact = [feed * (1.0 - u) - u * v * v, u * v * v - (feed + kill) * v];
            for (out, exact) in rate(u, v).chunks(20).zip(exact) {
                assert!(out.iter().all(|r| (r - exact).abs() < 1e-15), "{out:?}");
            }
        }
        let trivial = rate(1.0, 0.0);
        assert!(dot(&trivial, &trivial) < 1e-30);
    }
}
