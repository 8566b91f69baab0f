//! Transport metrics of densities whose parts have next to nothing between them, against closed forms and solves with
//! twice the digits.

use crate::support;
use crate::support::column;
use crate::support::twice::{Laplacian, Twice};
use pullback::faer::Mat;
use pullback::linalg::StencilSolver;
use pullback::metric::{FaceMean, HellingerKantorovich, Wasserstein2};
use pullback::{Cpu, Grid, Metric, random};

/// What is asked for: a factorisation that keeps the row sums gives 10⁻¹³, and one that does not gives no digit.
const CLOSE: f64 = 1e-6;

/// The default floor.
const FLOOR: f64 = 1e-15;

fn floored(rho: &[f64]) -> Vec<f64> {
    let most = rho.iter().fold(0.0_f64, |m, r| m.max(*r));
    rho.iter().map(|r| r.max(FLOOR * most)).collect()
}

/// ζ − ρ Σζ/Σρ.
fn projected(z: &[f64], r: &[f64]) -> Vec<f64> {
    let share = z.iter().sum::<f64>() / r.iter().sum::<f64>();
    z.iter().zip(r).map(|(z, r)| z - share * r).collect()
}

/// Σ h F²/ρ with F the mass that passes each face.
fn closed_form(grid: &Grid, z: &[f64], r: &[f64], mean: FaceMean) -> f64 {
    let (h, z) = (grid.volume(), projected(z, r));
    let (mut passed, mut sum) = (0.0, 0.0);
    for i in 0..z.len() - 1 {
        passed += h * z[i];
        sum += h * passed * passed / mean.of(r[i], r[i + 1]);
    }
    sum
}

/// Two parts of 40 cells with 2 to 10 empty ones between them, a random density, and a random tangent.
fn instance(seed: u64) -> (Vec<f64>, Vec<f64>) {
    let dice = random::uniform(42, (0.0, 1.0), seed);
    let empty = 2 + (9.0 * dice[40]) as usize;
    let first = 5 + (dice[41] * (30 - empty) as f64) as usize;
    let rho = (0..40).map(|i| match (first..first + empty).contains(&i) {
        true => 0.0,
        false => 0.1 + dice[i],
    });
    (rho.collect(), random::normal(40, seed, 1))
}

#[test]
fn mass_that_passes_a_gap_costs_what_the_closed_form_says() {
    let grid = Grid::new(&[(-1.0, 2.0, 40)]).unwrap();
    let cpu = Cpu::default();
    for mean in [FaceMean::Arithmetic, FaceMean::Harmonic] {
        let metric = Wasserstein2 {
            face_mean: mean,
            ..Wasserstein2::new(&grid)
        };
        assert_eq!(metric.floor, FLOOR);
        let mut worst = 0.0_f64;
        for seed in 0..60 {
            let (rho, z) = instance(seed);
            let root = metric.at(&rho, &cpu).unwrap();
            let lifted = root.lift(column(&z)).unwrap();
            let applied = root.apply(column(&z)).unwrap();
            let exact = closed_form(&grid, &z, &floored(&rho), mean);
            let by_product = support::dot(&z, applied.col_as_slice(0));
            for cost in [lifted.squared_norm_l2(), by_product] {
                worst = worst.max((cost / exact - 1.0).abs());
            }
        }
        println!("{mean:?}: off by {worst:.1e} at most");
        assert!(worst <= CLOSE, "{mean:?}: off by {worst:e}");
    }
}

/// The cells of two parts, of which the second and third are an L with a gap of three cells across the box.
fn parts(grid: &Grid, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let dice = random::uniform(grid.cells(), (0.1, 1.1), seed);
    let axes = grid.axes();
    let bounds = axes[0].lower + 0.45 * (axes[0].upper - axes[0].lower);
    let empty = 1.5 * axes[0].spacing();
    let rho = (0..grid.cells()).map(|i| {
        let x = grid.centre(i);
        match (x[0] - bounds - 0.3 * x[1]).abs() < empty + 0.1 {
            true => 0.0,
            false => dice[i],
        }
    });
    (rho.collect(), random::normal(grid.cells(), seed, 1))
}

/// The Gram matrix of tangents by a dense solve: vol ZᵀA⁻¹Z, with A = α B Bᵀ + diag(e), pinned where e says, and
/// arithmetic means on the faces.
fn gram(grid: &Grid, alpha: f64, (r, e): (&[f64], &[f64]), z: &[Vec<f64>]) -> Mat<f64> {
    let mut a = Laplacian::new(grid.cells());
    e.iter().enumerate().for_each(|(i, e)| a.ground(i, *e));
    let axes = grid.axes();
    let strides: Vec<usize> = (0..axes.len())
        .map(|d| axes[d + 1..].iter().map(|a| a.cells).product())
        .collect();
    for i in 0..grid.cells() {
        for (axis, stride) in axes.iter().zip(&strides) {
            if i / stride % axis.cells + 1 < axis.cells {
                let mean = FaceMean::Arithmetic.of(r[i], r[i + stride]);
                let w = alpha * mean / axis.spacing().powi(2);
                a.couple(i, i + stride, w);
            }
        }
    }
    let twice: Vec<Vec<Twice>> = z
        .iter()
        .map(|z| z.iter().map(|z| Twice(*z, 0.0)).collect())
        .collect();
    let phi = a.solve(&twice);
    let product = |i: usize, j: usize| {
        let pairs = twice[i].iter().zip(&phi[j]);
        pairs.fold(Twice::ZERO, |sum, (z, p)| sum.plus(z.times(*p)))
    };
    Mat::from_fn(z.len(), z.len(), |i, j| grid.volume() * product(i, j).0)
}

fn off(found: &Mat<f64>, exact: &Mat<f64>) -> f64 {
    let size = |i: usize, j: usize| (exact[(i, i)] * exact[(j, j)]).sqrt();
    let error = |i: usize, j: usize| (found[(i, j)] - exact[(i, j)]).abs() / size(i, j);
    let n = exact.nrows();
    (0..n * n).map(|k| error(k / n, k % n)).fold(0.0, f64::max)
}

/// A metric and what it adds to the diagonal of its matrix.
type Case = (Box<dyn Metric>, f64, Vec<f64>);

fn cases(grid: &Grid, r: &[f64]) -> Vec<Case> {
    let densest = (0..r.len()).max_by(|&i, &j| r[i].total_cmp(&r[j])).unwrap();
    let pin = |i: usize| f64::from(u8::from(i == densest));
    let hk = HellingerKantorovich {
        alpha: 2.0,
        beta: 1e-14,
        ..HellingerKantorovich::new(grid)
    };
    let growth = r.iter().map(|r| hk.beta * r).collect();
    vec![
        (
            Box::new(Wasserstein2::new(grid)),
            1.0,
            (0..r.len()).map(pin).collect(),
        ),
        (Box::new(hk), 2.0, growth),
        (Box::new(HellingerKantorovich::new(grid)), 1.0, r.to_vec()),
    ]
}

#[test]
fn gaps_across_a_plane_and_a_box_are_as_a_solve_with_twice_the_digits_says() {
    let grids = [
        Grid::new(&[(0.0, 1.0, 13), (-1.0, 1.0, 11)]).unwrap(),
        Grid::new(&[(0.0, 1.0, 7), (-1.0, 1.0, 4), (0.0, 2.0, 5)]).unwrap(),
    ];
    let cpu = Cpu::default();
    for (grid, seed) in grids.iter().zip(7..) {
        let (rho, across) = parts(grid, seed);
        let r = floored(&rho);
        for (metric, alpha, e) in cases(grid, &r) {
            let project = |z: &[f64]| match metric.name() {
                "W2" => projected(z, &r),
                _ => z.to_vec(),
            };
            let z = [across.clone(), random::normal(grid.cells(), seed, 2)].map(|z| project(&z));
            let exact = gram(grid, alpha, (&r, &e), &z);
            let batch = Mat::from_fn(r.len(), 2, |i, j| z[j][i]);
            let root = metric.at(&rho, &cpu).unwrap();
            let lifted = root.lift(batch.as_ref()).unwrap();
            let errors = [
                off(&(lifted.transpose() * &lifted), &exact),
                off(
                    &(batch.transpose() * root.apply(batch.as_ref()).unwrap()),
                    &exact,
                ),
                off(
                    &(batch.transpose() * root.lower(lifted.as_ref()).unwrap()),
                    &exact,
                ),
            ];
            println!(
                "{} in {}-D: off by {:.1e}",
                metric.name(),
                grid.dim(),
                errors[0].max(errors[1]).max(errors[2])
            );
            assert!(
                errors.iter().all(|e| *e <= CLOSE),
                "{}: {errors:?}",
                metric.name()
            );
        }
    }
}

/// Two balls in a box, with nothing between them.
fn balls(grid: &Grid) -> Vec<f64> {
    grid.sample(|x| {
        let ball = |c: f64| {
            let r: f64 = x.iter().map(|x| (x - c) * (x - c)).sum();
            if r < 2.0 { (-r).exp() } else { 0.0 }
        };
        ball(-1.5) + ball(1.5)
    })
}

#[test]
fn iteration_says_what_it_cannot_resolve_and_is_right_elsewhere() {
    let grid = Grid::new(&[(-3.5, 3.5, 18), (-3.5, 3.5, 17), (-3.5, 3.5, 16)]).unwrap();
    let rho = balls(&grid);
    let z = random::normal_matrix(grid.cells(), 2, 5);
    let solver = |stencils| {
        let mut cpu = Cpu::default();
        cpu.stencils = stencils;
        cpu
    };
    let by = |cpu: &Cpu, floor: f64| {
        let metric = Wasserstein2 {
            floor,
            ..Wasserstein2::new(&grid)
        };
        let product = metric.at(&rho, cpu)?.apply(z.as_ref())?;
        Ok::<_, pullback::Error>(z.transpose() * product)
    };
    let [auto, direct, iterated] = [
        StencilSolver::Auto,
        StencilSolver::Direct,
        StencilSolver::Multigrid,
    ]
    .map(solver);
    // By default a few columns in space are iterated, and here they may not.
    let exact = by(&direct, FLOOR).unwrap();
    assert_eq!(off(&by(&auto, FLOOR).unwrap(), &exact), 0.0);
    for stencils in [StencilSolver::Multigrid, StencilSolver::Dilu] {
        let error = by(&solver(stencils), FLOOR).unwrap_err();
        assert_eq!(error.kind(), "Parts");
        let text = error.to_string();
        assert!(
            text.contains("density") && text.contains("`floor`"),
            "{text}"
        );
    }
    // The floor that the message advises.
    let (exact, found) = (by(&direct, 1e-6).unwrap(), by(&iterated, 1e-6).unwrap());
    println!("iterated: off by {:.1e}", off(&found, &exact));
    assert!(off(&found, &exact) <= CLOSE);
}

/// M⁻¹ of a constant density maps constants to β/vol times themselves, however weak the growth.
#[test]
fn a_weak_growth_of_an_even_density_is_not_lost() {
    let grid = Grid::new(&[(0.0, 1.0, 16)]).unwrap();
    let (cpu, rho) = (Cpu::default(), [1.0; 16]);
    for beta in [1.0, 1e-6, 1e-9, 1e-12, 1e-15] {
        let metric = HellingerKantorovich {
            beta,
            ..HellingerKantorovich::new(&grid)
        };
        let root = metric.at(&rho, &cpu).unwrap();
        let product = root.apply(column(&[1.0; 16])).unwrap();
        let scaled = product
            .col_as_slice(0)
            .iter()
            .map(|m| m * beta / grid.volume());
        for one in scaled {
            assert!((one - 1.0).abs() < 1e-8, "β = {beta:e}: {one}");
        }
    }
}
