//! Losses between unpaired samples: derivatives, references and closed forms.

use std::sync::Arc;

use crate::support::gaussians::scattered;
use crate::support::{column, gap};
use pullback::automatic::Scalar;
use pullback::faer::MatRef;
use pullback::loss::{Kernel, KernelDiscrepancy, SlicedTransport, Snapshots};
use pullback::models::{Draws, Map, PushForward};
use pullback::{Descent, Loss, random, verify};
use serde_json::Value;

/// All losses of data in ℝᵈ.
fn losses(space: usize, data: &[f64]) -> Vec<(&'static str, Box<dyn Loss>)> {
    let discrepancy = |kernel| {
        let loss = KernelDiscrepancy::new(space, data.to_vec(), kernel).unwrap();
        Box::new(loss) as Box<dyn Loss>
    };
    vec![
        (
            "sliced",
            Box::new(SlicedTransport::new(space, data.to_vec()).unwrap()),
        ),
        ("energy", discrepancy(Kernel::Energy)),
        ("gaussian", discrepancy(Kernel::Gaussian(1.3))),
        (
            "multiquadric",
            discrepancy(Kernel::InverseMultiquadric(1.3)),
        ),
    ]
}

fn moved(points: &[f64], by: f64) -> Vec<f64> {
    points.iter().map(|x| x + by).collect()
}

#[test]
fn gradients_pass_the_checks_of_losses() {
    for (space, particles, points) in [(1, 12, 7), (2, 10, 10), (3, 8, 15)] {
        let data = random::normal(space * points, 3, 0);
        let cloud = random::normal(space * particles, 4, 0);
        for (name, loss) in losses(space, &data) {
            let checks = verify::loss(loss.as_ref(), &cloud, 1).unwrap();
            assert!(checks.passed(), "{name} in {space}-D: {checks}");
        }
    }
}

#[test]
fn values_are_those_of_scipy_numpy_and_pot() {
    let all: Value = serde_json::from_str(include_str!("../reference/samples.json")).unwrap();
    let (x, y) = (scattered(30, 0.1), moved(&scattered(21, 0.6), 0.5));
    let (loss, energy) = (
        SlicedTransport::new(1, y.clone()).unwrap(),
        KernelDiscrepancy::energy(1, y).unwrap(),
    );
    let line = |name: &str| all["line"][name].as_f64().unwrap();
    assert!((loss.value(&x) / line("transport") - 1.0).abs() < 1e-9);
    assert!((energy.value(&x) / line("energy") - 1.0).abs() < 1e-9);

    let (x, y) = (scattered(90, 0.1), moved(&scattered(63, 0.6), 0.5));
    for (name, loss) in losses(3, &y).into_iter().skip(1) {
        let expected = all["space"][name].as_f64().unwrap();
        assert!((loss.value(&x) / expected - 1.0).abs() < 1e-9, "{name}");
    }
    // The reference is a mean over 400 000 random lines, with an error of 0.1 %.
    let many = SlicedTransport::on_lines(3, y, 30_000, 2).unwrap();
    let expected = all["space"]["sliced"].as_f64().unwrap();
    assert!((many.value(&x) / expected - 1.0).abs() < 5e-3);
}

#[test]
fn losses_vanish_at_the_match_in_any_order_and_are_positive_elsewhere() {
    let data = random::normal(3 * 20, 3, 0);
    let mut reversed: Vec<f64> = data.chunks_exact(3).rev().flatten().copied().collect();
    for (name, loss) in losses(3, &data) {
        let mut u = vec![f64::NAN; data.len()];
        loss.gradient(&reversed, &mut u);
        let flat = u.iter().fold(0.0_f64, |m, u| m.max(u.abs()));
        let (there, twice) = (loss.value(&reversed), loss.value(&data.repeat(2)));
        assert!(
            there.abs() < 1e-14 && flat < 1e-14,
            "{name}: {there:e}, {flat:e}"
        );
        assert!(
            twice.abs() < 1e-14,
            "{name}: {twice:e} of every point twice"
        );
    }
    reversed[4] += 0.1;
    for (name, loss) in losses(3, &data) {
        assert!(loss.value(&reversed) > 1e-6, "{name}");
    }
}

/// The cost of a translation by s is ½|s|², whatever the lines.
#[test]
fn sliced_transport_of_a_translation_is_exact() {
    let data = random::normal(5 * 40, 3, 0);
    let loss = SlicedTransport::on_lines(5, data.clone(), 5, 7).unwrap();
    let cloud: Vec<f64> = data
        .iter()
        .enumerate()
        .map(|(i, x)| x + (i % 5) as f64)
        .collect();
    let (mut u, expected) = (vec![0.0; cloud.len()], 0.5 * (1.0 + 4.0 + 9.0 + 16.0));
    loss.gradient(&cloud, &mut u);
    assert!((loss.value(&cloud) / expected - 1.0).abs() < 1e-13);
    let shift: Vec<f64> = (0..200).map(|i| (i % 5) as f64 / 40.0).collect();
    assert!(gap(&u, &shift) < 1e-13);
}

/// Transport feels any distance: the slope grows, where a narrow kernel feels nothing.
#[test]
fn far_clouds_are_felt_by_all_but_narrow_kernels() {
    let data = random::normal(2 * 30, 3, 0);
    let far = moved(&data, 40.0);
    for (name, loss) in losses(2, &data) {
        let mut u = vec![0.0; far.len()];
        loss.gradient(&far, &mut u);
        let pull: f64 = u.iter().sum();
        let felt = pull > 1e-2;
        let narrow = name == "gaussian" || name == "multiquadric";
        assert_eq!(felt, !narrow, "{name}: {pull:e}");
    }
}

#[test]
fn the_pull_between_two_points_is_the_derivative_of_the_kernel() {
    let (distance, width) = (7.0_f64, 1.3_f64);
    let q = (distance / width).powi(2);
    // f = ½ (1 − 2k(r) + 1), and −r for the energy.
    let expected = [
        (Kernel::Energy, 1.0),
        (
            Kernel::Gaussian(width),
            distance / width.powi(2) * (-0.5 * q).exp(),
        ),
        (
            Kernel::InverseMultiquadric(width),
            distance / width.powi(2) * (1.0 + q).powf(-1.5),
        ),
    ];
    for (kernel, pull) in expected {
        let loss = KernelDiscrepancy::new(1, vec![2.0], kernel).unwrap();
        let mut u = [0.0];
        loss.gradient(&[2.0 + distance], &mut u);
        assert!((u[0] / pull - 1.0).abs() < 1e-14, "{kernel:?}: {}", u[0]);
    }
}

#[test]
fn hessians_of_several_changes_are_those_of_each() {
    let (data, cloud) = (random::normal(2 * 9, 3, 0), random::normal(2 * 6, 4, 0));
    let changes = random::normal(3 * cloud.len(), 5, 0);
    let changes = MatRef::from_column_major_slice(&changes, cloud.len(), 3);
    for (name, loss) in losses(2, &data).into_iter().skip(1) {
        let all = loss.hessian(&cloud, changes).unwrap().unwrap();
        for j in 0..3 {
            let one = changes.subcols(j, 1);
            let one = loss.hessian(&cloud, one).unwrap().unwrap();
            assert_eq!(all.col_as_slice(j), one.col_as_slice(0), "{name}");
        }
    }
}

#[test]
fn hessians_are_derivatives_of_gradients() {
    let (data, cloud) = (random::normal(2 * 9, 3, 0), random::normal(2 * 6, 4, 0));
    let v = random::normal(cloud.len(), 5, 0);
    for (name, loss) in losses(2, &data).into_iter().skip(1) {
        let product = loss.hessian(&cloud, column(&v)).unwrap().unwrap();
        let at = |h: f64| {
            let place: Vec<f64> = cloud.iter().zip(&v).map(|(x, v)| x + h * v).collect();
            let mut u = vec![0.0; place.len()];
            loss.gradient(&place, &mut u);
            u
        };
        let best = (2..8).map(|k| {
            let h = 10.0_f64.powi(-k);
            let pairs = at(h).into_iter().zip(at(-h));
            let slope: Vec<f64> = pairs.map(|(a, b)| (a - b) / (2.0 * h)).collect();
            gap(&slope, product.col_as_slice(0))
        });
        let best = best.fold(f64::INFINITY, f64::min);
        assert!(best < 1e-8, "{name}: {best:e}");
    }
}

#[test]
fn snapshots_are_the_sum_of_their_parts() {
    let (early, late) = (random::normal(2 * 9, 3, 0), random::normal(2 * 14, 4, 0));
    let cloud = random::normal(2 * 2 * 10, 5, 0);
    let parts = || [&early, &late].map(|d| KernelDiscrepancy::energy(2, d.clone()).unwrap());
    let loss = Snapshots::new(parts().into());
    let sum: f64 = (parts().iter().zip(cloud.chunks_exact(20)))
        .map(|(loss, cloud)| loss.value(cloud))
        .sum();
    assert_eq!(loss.value(&cloud), sum);
    let checks = verify::loss(&loss, &cloud, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    let checks = verify::metric(loss.metric().unwrap().as_ref(), &cloud, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    let v = random::normal(cloud.len(), 6, 0);
    let whole = loss.hessian(&cloud, column(&v)).unwrap().unwrap();
    let first = parts()[0]
        .hessian(&cloud[..20], column(&v[..20]))
        .unwrap()
        .unwrap();
    assert_eq!(whole.col_as_slice(0)[..20], *first.col_as_slice(0));
}

#[test]
fn a_shared_loss_is_the_loss_itself() {
    let data = random::normal(2 * 9, 3, 0);
    let plain = KernelDiscrepancy::energy(2, data).unwrap();
    let cloud = random::normal(2 * 10, 5, 0);
    let v = random::normal(cloud.len(), 6, 0);
    let answers = |loss: &dyn Loss| {
        let mut gradient = vec![0.0; cloud.len()];
        loss.gradient(&cloud, &mut gradient);
        let hessian = loss.hessian(&cloud, column(&v)).unwrap().unwrap();
        let name = loss.metric().unwrap().name();
        (loss.value(&cloud), gradient, hessian, name, loss.data())
    };
    let exact = answers(&plain);
    let shared: Arc<dyn Loss + Send + Sync> = Arc::new(plain);
    assert_eq!(answers(&shared), exact);
    let checks = verify::loss(&shared, &cloud, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    assert!(shared.check(&cloud[1..]).is_err());
}

/// x = a + b z.
pub(super) struct Affine;

impl Map for Affine {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 2)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x[0] = theta[0] + theta[1] * z[0];
    }
}

#[test]
fn fits_do_not_depend_on_the_units_of_points() {
    let model = PushForward::new(Affine, Draws::normal(300, 1, 1).unwrap()).unwrap();
    let data = random::normal(400, 2, 0);
    for kernel in [
        None,
        Some(Kernel::Energy),
        Some(Kernel::Gaussian(1.0)),
        Some(Kernel::InverseMultiquadric(1.0)),
    ] {
        let fit = |unit: f64| {
            let kernel = kernel.map(|kernel| match kernel {
                Kernel::Gaussian(width) => Kernel::Gaussian(unit * width),
                Kernel::InverseMultiquadric(width) => Kernel::InverseMultiquadric(unit * width),
                Kernel::Energy => Kernel::Energy,
            });
            let data: Vec<f64> = data.iter().map(|y| unit * (10.0 + y)).collect();
            let loss: Box<dyn Loss> = match kernel {
                None => Box::new(SlicedTransport::new(1, data).unwrap()),
                Some(kernel) => Box::new(KernelDiscrepancy::new(1, data, kernel).unwrap()),
            };
            let descent = Descent::new(&model, loss.as_ref());
            let report = descent.run(&[11.0 * unit, 2.0 * unit], |_| ()).unwrap();
            assert!(
                report.converged() && report.iterations() <= 100,
                "{kernel:?} at {unit:e}: {report}"
            );
            report.theta.iter().map(|t| t / unit).collect::<Vec<f64>>()
        };
        let plain = fit(1.0);
        assert!(
            (plain[0] - 10.0).abs() < 0.1 && (plain[1] - 1.0).abs() < 0.15,
            "{kernel:?}: {plain:?}"
        );
        for unit in [1e-6, 1e6] {
            assert!(gap(&fit(unit), &plain) < 1e-6, "{kernel:?} at {unit:e}");
        }
    }
}
