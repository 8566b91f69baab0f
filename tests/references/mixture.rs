//! The two-component mixture of case `a` against independently computed values, and closed forms of W₂.

use crate::support::numbers;
use pullback::direction::{Information, LeastSquares, Local, information_matrix};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::metric::{FaceMean, FisherRao, L2, Sobolev, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Cpu, Direction, Grid, Linearisation, Loss, Metric};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/mixture_a.json")).unwrap()
}

/// Case `a`: μ₁ free, starting from [4.2, 4].
struct CaseA {
    mixture: GaussianMixture,
    loss: L2Misfit,
    theta: Vec<f64>,
    rho: Vec<f64>,
}

fn case_a() -> CaseA {
    let grid = Grid::new(&[(-4.0, 10.0, 56), (-4.0, 10.0, 56)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(&[Parameter::Mean(0, 0), Parameter::Mean(0, 1)])
        .unwrap();
    let loss = L2Misfit::new(&grid, mixture.density(&[1.0, 3.0]).unwrap()).unwrap();
    let theta = vec![4.2, 4.0];
    let rho = mixture.density(&theta).unwrap();
    CaseA {
        mixture,
        loss,
        theta,
        rho,
    }
}

/// G, and η by both exact directions, with the covector projected.
fn geometry(case: &CaseA, metric: &dyn Metric) -> (Mat<f64>, [Vec<f64>; 2]) {
    let cpu = Cpu::default();
    let z = Linearisation::new(&case.mixture, &case.rho, &case.theta, &cpu).unwrap();
    let root = metric.at(&case.rho, &cpu).unwrap();
    let y = root.lift(z.matrix().unwrap().as_ref()).unwrap();
    let g = y.transpose() * &y;
    let mut u = vec![0.0; case.rho.len()];
    case.loss.gradient(&case.rho, &mut u);
    root.project(&mut u);
    let grad = z.pull_back(&u).unwrap();
    let local = Local {
        z: &z,
        root: Some(root.as_ref()),
        covector: &u,
        grad: &grad,
        full_gradient: &grad,
        prior: None,
        theta: &case.theta,
        coordinates: &case.theta,
        widest: &[],
        iteration: 0,
        last_scale: None,
        progress: 1.0,
        backend: &cpu,
        second_order: None,
    };
    let eta = |d: &dyn Direction| {
        let mut finder = d.begin();
        finder.prepare(&local).unwrap().at(0.0).unwrap().eta
    };
    let both = [eta(&LeastSquares::default()), eta(&Information::default())];
    (g, both)
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    let size = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= tolerance * size,
            "{found:?} differs from {expected:?}"
        );
    }
}

fn flat(g: &Mat<f64>) -> Vec<f64> {
    (0..g.nrows())
        .flat_map(|i| (0..g.ncols()).map(move |j| g[(i, j)]))
        .collect()
}

fn wasserstein(face_mean: FaceMean) -> Wasserstein2 {
    let grid = Grid::new(&[(-4.0, 10.0, 56), (-4.0, 10.0, 56)]).unwrap();
    let mut metric = Wasserstein2::new(&grid);
    metric.face_mean = face_mean;
    metric
}

#[test]
fn loss_and_gradient_at_the_start() {
    let case = case_a();
    assert!((case.loss.value(&case.rho) - 0.00673078594292).abs() < 1e-14);
    let cpu = Cpu::default();
    let z = Linearisation::new(&case.mixture, &case.rho, &case.theta, &cpu).unwrap();
    let mut u = vec![0.0; case.rho.len()];
    case.loss.gradient(&case.rho, &mut u);
    let grad = z.pull_back(&u).unwrap();
    close(&grad, &[6.89898393940e-4, 2.15593248106e-4], 1e-11);
}

#[test]
fn information_matrices_of_every_metric() {
    let case = case_a();
    let grid = case.mixture.grid().clone();
    let table: Vec<(&str, Box<dyn Metric>)> = vec![
        ("L2", Box::new(L2::new(&grid))),
        ("FR", Box::new(FisherRao::new(&grid).with_free_mass())),
        ("W2", Box::new(wasserstein(FaceMean::Arithmetic))),
        ("W2_geom", Box::new(wasserstein(FaceMean::Geometric))),
        ("W2_log", Box::new(wasserstein(FaceMean::Logarithmic))),
        ("W2_harm", Box::new(wasserstein(FaceMean::Harmonic))),
        ("H1", Box::new(Sobolev::new(&grid, 1.0).unwrap())),
        ("Hm1", Box::new(Sobolev::new(&grid, -1.0).unwrap())),
        ("H1dot", Box::new(Sobolev::homogeneous(&grid, 1.0).unwrap())),
        (
            "Hm1dot",
            Box::new(Sobolev::homogeneous(&grid, -1.0).unwrap()),
        ),
    ];
    let reference = reference();
    for (name, metric) in &table {
        let expected = numbers(&reference["A_start"]["G"][*name]);
        let (g, _) = geometry(&case, metric.as_ref());
        println!("{name}: {:?} {:?}", flat(&g), expected);
        close(&flat(&g), &expected, 1e-9);
    }
}

#[test]
fn directions_at_the_start() {
    let case = case_a();
    let grid = case.mixture.grid();
    let (_, etas) = geometry(&case, &L2::new(grid));
    for eta in &etas {
        close(eta, &[-0.192655975656, -0.060204992392], 1e-11);
    }
    let (_, etas) = geometry(&case, &wasserstein(FaceMean::Arithmetic));
    for eta in &etas {
        close(eta, &[-0.0035459328921, -0.0007073351928], 1e-8);
    }
}

/// G of the isotropic Gaussian family (μ₁, μ₂, s) at s = 1, by W₂ on [−8, 8]².
fn gaussian_information(cells: usize) -> Mat<f64> {
    let grid = Grid::new(&[(-8.0, 8.0, cells), (-8.0, 8.0, cells)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(1.0, &[0.0, 0.0], 1.0)
        .free(&[
            Parameter::Mean(0, 0),
            Parameter::Mean(0, 1),
            Parameter::Variance(0),
        ])
        .unwrap();
    let theta = mixture.parameters();
    let rho = mixture.density(&theta).unwrap();
    let cpu = Cpu::default();
    let z = Linearisation::new(&mixture, &rho, &theta, &cpu).unwrap();
    let metric = Wasserstein2::new(&grid);
    let y = metric.at(&rho, &cpu).unwrap();
    // d(s²) = 2 s ds: the column of the deviation is twice that of the variance.
    let z = z.matrix().unwrap();
    let z = Mat::from_fn(z.nrows(), 3, |i, j| {
        z[(i, j)] * if j == 2 { 2.0 } else { 1.0 }
    });
    let y = y.lift(z.as_ref()).unwrap();
    y.transpose() * &y
}

#[test]
fn wasserstein_of_gaussians_converges_to_the_closed_form() {
    let reference = &reference()["gauss2D_mu_s_exact_diag(1,1,2)"];
    let error = |g: &Mat<f64>| {
        let exact = [1.0, 1.0, 2.0];
        (0..3)
            .map(|i| (g[(i, i)] - exact[i]).abs())
            .collect::<Vec<_>>()
    };
    let (coarse, fine) = (gaussian_information(32), gaussian_information(64));
    close(&flat(&coarse), &numbers(&reference["n32"]["arith"]), 1e-9);
    close(&flat(&fine), &numbers(&reference["n64"]["arith"]), 1e-9);
    let (finest, ultimate) = (gaussian_information(128), gaussian_information(256));
    let grids = [&coarse, &fine, &finest, &ultimate];
    let orders = |i: usize| -> Vec<f64> {
        let errors: Vec<f64> = grids.iter().map(|g| error(g)[i]).collect();
        errors.windows(2).map(|e| (e[0] / e[1]).log2()).collect()
    };
    println!("orders: {:?} {:?} {:?}", orders(0), orders(1), orders(2));
    for i in 0..2 {
        assert!(
            orders(i)[1] > 3.8,
            "the means' entries happen to be of fourth order"
        );
    }
    // The deviation's order comes from below, its distance from 2 falling fourfold a refinement; so the limit is
    // extrapolated from the two finest.
    let [.., before, last] = orders(2)[..] else {
        panic!("three orders")
    };
    let limit = (4.0 * last - before) / 3.0;
    assert!(
        last > 1.98 && limit > 1.999,
        "orders {:?}, in the limit {limit}",
        orders(2)
    );
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        assert!(fine[(i, j)].abs() < 1e-10);
    }
}

#[test]
fn wasserstein_in_one_dimension_is_the_integral_of_distribution_functions() {
    let reference = &reference()["oneD"];
    let exact = numbers(&reference["exact"]);
    let mut errors = Vec::new();
    for cells in [95, 190, 380] {
        let grid = Grid::new(&[(-9.0, 10.0, cells)]).unwrap();
        let mixture = GaussianMixture::new(&grid)
            .component(0.3, &[-1.0], 1.0)
            .component(0.7, &[2.0], 1.0)
            .free(&[
                Parameter::Mean(0, 0),
                Parameter::Mean(1, 0),
                Parameter::Weight(0),
            ])
            .unwrap();
        let theta = mixture.parameters();
        let rho = mixture.density(&theta).unwrap();
        let cpu = Cpu::default();
        let z = Linearisation::new(&mixture, &rho, &theta, &cpu).unwrap();
        let metric = Wasserstein2::new(&grid);
        let root = metric.at(&rho, &cpu).unwrap();
        let y = root.lift(z.matrix().unwrap().as_ref()).unwrap();
        let g = flat(&(y.transpose() * &y));
        close(&g, &numbers(&reference[format!("n{cells}")]), 1e-8);
        let off = g.iter().zip(&exact).map(|(a, b)| (a - b).abs());
        errors.push(off.fold(0.0, f64::max));
    }
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!(order > 1.9, "order {order}");
    }
}

#[test]
fn any_pinned_cell_and_any_tiny_floor_give_the_same_geometry() {
    let case = case_a();
    let (g, _) = geometry(&case, &wasserstein(FaceMean::Arithmetic));
    let mut lower = wasserstein(FaceMean::Arithmetic);
    lower.floor = 1e-30;
    let (deep, _) = geometry(&case, &lower);
    // A projection with the uniform mean gives 0.2967, or 7e13, here.
    close(&flat(&deep), &flat(&g), 1e-7);
}

/// Tangents that carry mass into near-vacuum, where a constant pinned anywhere but in the bulk costs accuracy
/// (8.6e16 instead of 4.96e17 for the last cell). The values are from a dense computation with 80-bit numbers.
#[test]
fn information_of_cell_values_is_right_in_near_vacuum() {
    let grid = Grid::new(&[(-4.0, 10.0, 30), (-4.0, 10.0, 30)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(&[])
        .unwrap();
    let rho = mixture.density(&[]).unwrap();
    let z = Mat::from_fn(900, 899, |i, j| match i {
        899 => -1.0,
        _ if i == j => 1.0,
        _ => 0.0,
    });
    let (metric, cpu) = (Wasserstein2::new(&grid), Cpu::default());
    let root = metric.at(&rho, &cpu).unwrap();
    let g = information_matrix(root.as_ref(), z.as_ref()).unwrap();
    let trace: f64 = (0..899).map(|i| g[(i, i)]).sum();
    close(
        &[trace, g.norm_l2()],
        &[4.9592907725149e17, 4.9033207145910e17],
        1e-12,
    );
}
