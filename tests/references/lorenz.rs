//! The Lorenz measure on 16³ cells against independently computed values: point and face-averaged fluxes, without
//! teleportation and with two strengths of it.
//!
//! The reference speaks of cell masses p = vol·ρ and Euclidean norms; the factors of vol below are its translation.

use crate::support;
use crate::support::{column, dot, gap, numbers};
use pullback::direction::information_matrix;
use pullback::faer::{Mat, MatRef};
use pullback::loss::{Divergence, L2Misfit};
use pullback::metric::{FisherRao, L2, Sobolev, Wasserstein2};
use pullback::models::flow::Lorenz;
use pullback::models::{Flux, InvariantMeasure};
use pullback::{Cpu, Descent, Grid, Linearisation, Loss, Metric};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../reference/lorenz_n16.json")).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn matrix(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().flat_map(numbers).collect()
}

fn grid() -> Grid {
    Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, 16))).unwrap()
}

fn model(case: &Value, grid: &Grid) -> InvariantMeasure<'static> {
    let flux = match case["scheme"].as_str().unwrap() {
        "('pt',)" => Flux::Point,
        "('quad', 2)" => Flux::FaceAveraged,
        other => panic!("no such flux: {other}"),
    };
    let alpha = case["alpha"].as_f64().unwrap();
    let model = InvariantMeasure::new(grid, Lorenz).unwrap();
    model.flux(flux).unwrap().teleportation(alpha).unwrap()
}

/// All metrics of the reference, with the factor that leads from the library's G to that of masses.
fn metrics(grid: &Grid) -> Vec<(&'static str, Box<dyn Metric>, f64)> {
    let vol = grid.volume();
    vec![
        ("L2", Box::new(L2::new(grid)), vol),
        ("W2", Box::new(Wasserstein2::new(grid)), 1.0),
        ("FR", Box::new(FisherRao::new(grid)), 1.0),
        (
            "H1",
            Box::new(Sobolev::homogeneous(grid, -1.0).unwrap()),
            vol,
        ),
    ]
}

fn rows(m: MatRef<'_, f64>) -> Vec<f64> {
    let all = (0..m.nrows()).flat_map(|i| (0..m.ncols()).map(move |j| m[(i, j)]));
    all.collect()
}

/// Largest difference relative to the largest entry.
fn check(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let off = gap(found, expected);
    assert!(
        off <= tolerance,
        "{what}: off by {off:e}: {found:?} instead of {expected:?}"
    );
}

struct At {
    grid: Grid,
    rho: Vec<f64>,
    z: Mat<f64>,
    theta: Vec<f64>,
}

impl At {
    fn new(case: &Value, theta: &Value) -> Self {
        let (grid, theta, cpu) = (grid(), numbers(theta), Cpu::default());
        let model = model(case, &grid);
        let rho = model.density(&theta, &cpu).unwrap();
        let z = Linearisation::new(&model, &rho, &theta, &cpu)
            .unwrap()
            .matrix()
            .unwrap()
            .clone();
        Self {
            grid,
            rho,
            z,
            theta,
        }
    }

    fn masses(&self) -> Vec<f64> {
        self.rho.iter().map(|r| r * self.grid.volume()).collect()
    }
}

fn check_density(what: &str, at: &At, expected: &Value) {
    let p = at.masses();
    for (cell, value) in expected["p_samples"].as_object().unwrap() {
        let found = p[cell.parse::<usize>().unwrap()];
        let value = value.as_f64().unwrap();
        // The file gives twelve digits of each.
        assert!(
            (found - value).abs() <= 1e-10 * value.max(1e-4),
            "{what}: cell {cell}: {found}"
        );
    }
    let monomials: [fn(&[f64]) -> f64; 9] = [
        |x| x[0],
        |x| x[1],
        |x| x[2],
        |x| x[0] * x[0],
        |x| x[1] * x[1],
        |x| x[2] * x[2],
        |x| x[0] * x[1],
        |x| x[0] * x[2],
        |x| x[1] * x[2],
    ];
    let moments = monomials.map(|f| dot(&p, &at.grid.sample(f)));
    check(
        &format!("{what}: moments"),
        &moments,
        &numbers(&expected["moments"]),
        1e-10,
    );
    let largest = p.iter().copied().fold(0.0, f64::max);
    let smallest = p.iter().copied().fold(f64::INFINITY, f64::min);
    let entropy = -p.iter().map(|p| p * p.ln()).sum::<f64>();
    let scalars = [
        ("max", largest),
        ("min", smallest),
        ("entropy", entropy),
        ("norm2", dot(&p, &p).sqrt()),
    ];
    for (key, found) in scalars {
        check(
            &format!("{what}: {key}"),
            &[found],
            &[expected[key].as_f64().unwrap()],
            1e-9,
        );
    }
    // Cells come in pairs under (x, y) → (−x, −y), so the place of the maximum is one of two.
    let argmax = expected["argmax"].as_u64().unwrap() as usize;
    assert!(
        (p[argmax] - largest).abs() <= 1e-10 * largest,
        "{what}: argmax"
    );
}

fn check_sensitivities(what: &str, at: &At, expected: &Value) {
    let vol = at.grid.volume();
    let column_of = |j: usize| at.z.col_as_slice(j);
    let norms: Vec<f64> = (0..3)
        .map(|j| vol * dot(column_of(j), column_of(j)).sqrt())
        .collect();
    check(
        &format!("{what}: |Z|"),
        &norms,
        &numbers(&expected["Z_norms"]),
        1e-9,
    );
    let largest = |j: usize| column_of(j).iter().fold(0.0_f64, |m, z| m.max(z.abs()));
    let largest: Vec<f64> = (0..3).map(|j| vol * largest(j)).collect();
    check(
        &format!("{what}: max |Z|"),
        &largest,
        &numbers(&expected["Z_max"]),
        1e-9,
    );
    let h: Vec<f64> = (0..at.rho.len())
        .map(|i| (0.37 * (i as f64 + 1.0)).sin())
        .collect();
    let pulled: Vec<f64> = (0..3).map(|j| vol * dot(&h, column_of(j))).collect();
    check(
        &format!("{what}: hᵀZ"),
        &pulled,
        &numbers(&expected["hTZ"]),
        1e-8,
    );
    let mut means = Vec::new();
    for axis in 0..3 {
        let x = at.grid.sample(|x| x[axis]);
        means.extend((0..3).map(|j| vol * dot(&x, column_of(j))));
    }
    check(
        &format!("{what}: ∂E[x]"),
        &means,
        &matrix(&expected["dmean_dtheta"]),
        1e-8,
    );
    let cpu = Cpu::default();
    for (name, metric, factor) in metrics(&at.grid) {
        let root = metric.at(&at.rho, &cpu).unwrap();
        let g = information_matrix(root.as_ref(), at.z.as_ref()).unwrap();
        let found: Vec<f64> = rows(g.as_ref()).iter().map(|g| factor * g).collect();
        let key = format!("G_{name}");
        check(
            &format!("{what}: {key}"),
            &found,
            &matrix(&expected[&key]),
            1e-8,
        );
    }
}

#[test]
fn densities_sensitivities_and_information_matrices_are_the_references() {
    let all = cases();
    assert_eq!(all.len(), 6);
    for case in &all {
        for point in ["theta_star", "theta0"] {
            let what = format!("{} ε = {} at {point}", case["scheme"], case["eps"]);
            let at = At::new(case, &case[point]);
            let expected = &case[format!("at_{point}")];
            check_density(&what, &at, expected);
            check_sensitivities(&what, &at, expected);
            let outflow = model(case, &at.grid).generator(&at.theta);
            let rates = outflow.diagonal().iter();
            let most = rates.clone().fold(0.0_f64, |m, d| m.max(*d));
            let least = rates.fold(f64::INFINITY, |m, d| m.min(*d));
            let extremes = [
                expected["max_outrate"].as_f64().unwrap(),
                expected["min_outrate"].as_f64().unwrap(),
            ];
            check(
                &format!("{what}: outflow"),
                &[most, least],
                &extremes,
                1e-11,
            );
        }
    }
}

/// A number or a list of the reference, by its key.
fn expect(case: &Value, key: &str, found: &[f64], tolerance: f64) {
    let expected = case[key]
        .as_f64()
        .map_or_else(|| numbers(&case[key]), |x| vec![x]);
    let what = format!("{} ε = {}: {key}", case["scheme"], case["eps"]);
    check(&what, found, &expected, tolerance);
}

impl At {
    /// Zᵀ∂f/∂ρ.
    fn gradient(&self, loss: &dyn Loss) -> Vec<f64> {
        let mut u = vec![0.0; self.rho.len()];
        loss.gradient(&self.rho, &mut u);
        (0..3).map(|j| dot(self.z.col_as_slice(j), &u)).collect()
    }
}

#[test]
fn losses_gradients_and_directions_are_the_references() {
    for case in &cases() {
        let truth = At::new(case, &case["theta_star"]);
        let at = At::new(case, &case["theta0"]);
        let (grid, vol) = (&at.grid, at.grid.volume());
        let model = model(case, grid);
        let scaled = |a: &[f64], s: f64| a.iter().map(|a| s * a).collect::<Vec<f64>>();
        let l2 = L2Misfit::new(grid, truth.rho.clone()).unwrap();
        expect(case, "f", &[vol * l2.value(&at.rho)], 1e-9);
        expect(case, "grad", &scaled(&at.gradient(&l2), vol), 1e-8);
        for (name, metric, factor) in metrics(grid) {
            let descent = Descent::new(&model, &l2).metric(metric.as_ref());
            let eta = descent.propose(&at.theta, 0.0).unwrap().eta;
            // η = −G⁻¹∇f: the factors of G and of f = vol·(the library's) belong together.
            expect(
                case,
                &format!("eta_{name}"),
                &scaled(&eta, vol / factor),
                1e-7,
            );
        }
        let kl = Divergence::kullback_leibler(grid, truth.rho.clone()).unwrap();
        expect(case, "KL_star_p", &[kl.value(&at.rho)], 1e-9);
        expect(case, "grad_KL", &at.gradient(&kl), 1e-8);
        let proposal = Descent::new(&model, &kl).propose(&at.theta, 0.0).unwrap();
        expect(case, "eta_FR_of_KL", &proposal.eta, 1e-7);
        let pairs = at.rho.iter().zip(&truth.rho);
        let distance: f64 = pairs.map(|(a, b)| (a - b).abs()).sum();
        expect(case, "TV", &[0.5 * vol * distance], 1e-9);
        check_homogeneous((&truth, &at), case);
    }
}

/// ½‖p − p*‖² in the dual of the homogeneous H¹, its gradient, and the direction of the same metric.
fn check_homogeneous((truth, at): (&At, &At), case: &Value) {
    let (vol, cpu) = (at.grid.volume(), Cpu::default());
    let metric = Sobolev::homogeneous(&at.grid, -1.0).unwrap();
    let root = metric.at(&at.rho, &cpu).unwrap();
    let d: Vec<f64> = at.rho.iter().zip(&truth.rho).map(|(a, b)| a - b).collect();
    let md = root.apply(column(&d)).unwrap();
    let md: Vec<f64> = md.col_as_slice(0).iter().map(|m| vol * m).collect();
    expect(case, "f_H1", &[0.5 * dot(&d, &md)], 1e-9);
    let grad: Vec<f64> = (0..3).map(|j| dot(at.z.col_as_slice(j), &md)).collect();
    expect(case, "grad_fH1", &grad, 1e-8);
    let g = information_matrix(root.as_ref(), at.z.as_ref()).unwrap();
    let g = Mat::from_fn(3, 3, |i, j| -vol * g[(i, j)]);
    expect(
        case,
        "eta_H1_of_fH1",
        &support::reference_vector(g.as_ref(), &grad),
        1e-7,
    );
}

/// E z and the standard deviation of x as the grid is refined, to all digits that SciPy's sparse LU has with a matrix
/// assembled there (`make_lorenz.py`); upwinding diffuses, and the flow itself has 23.55.
#[test]
fn moments_at_three_sizes() {
    let table = [
        (16, 25.231460446942, 8.452078473663),
        (24, 24.860667084499, 8.275339172568),
        (32, 24.723134103022, 8.209635895899),
    ];
    for (n, ez, sd) in table {
        let grid = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, n))).unwrap();
        let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
        let rho = model.density(&Lorenz::CLASSIC, &Cpu::default()).unwrap();
        let mean = |f: fn(&[f64]) -> f64| grid.volume() * dot(&rho, &grid.sample(f));
        assert!(
            (mean(|x| x[2]) - ez).abs() <= 0.005,
            "{n}: E z = {}",
            mean(|x| x[2])
        );
        check("sd x", &[mean(|x| x[0] * x[0]).sqrt()], &[sd], 1e-11);
    }
}
