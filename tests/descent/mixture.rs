//! Gaussian mixtures are found again from data they made, by every loss in its own metric.

use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Descent, Grid, Loss};

const TRUTH: [f64; 5] = [0.3, 1.0, 3.0, 4.0, 1.2];

fn mixture() -> GaussianMixture {
    GaussianMixture::new(&Grid::new(&[(-4.0, 10.0, 42), (-4.0, 9.0, 39)]).unwrap())
        .component(TRUTH[0], &[1.0, 3.0], 1.0)
        .component(1.0 - TRUTH[0], &[4.0, 2.0], 1.2)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Mean(0, 1),
            Parameter::Mean(1, 0),
            Parameter::Variance(1),
        ])
        .unwrap()
}

#[test]
fn five_parameters_are_recovered_by_every_matched_loss() {
    let mixture = mixture();
    assert_eq!(mixture.parameters(), TRUTH);
    let grid = mixture.grid();
    let q = || mixture.density(&TRUTH).unwrap();
    let losses: [(&str, Box<dyn Loss>); 5] = [
        ("L2", Box::new(L2Misfit::new(grid, q()).unwrap())),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(grid, q()).unwrap()),
        ),
        (
            "Hellinger",
            Box::new(Divergence::hellinger(grid, q()).unwrap()),
        ),
        (
            "H-1",
            Box::new(SobolevMisfit::new(grid, -1.0, q()).unwrap()),
        ),
        (
            "chi2",
            Box::new(Divergence::chi_squared(grid, q()).unwrap()),
        ),
    ];
    let mut broken = Vec::new();
    for (name, loss) in losses {
        for start in [[0.4, 1.4, 2.6, 3.7, 1.0], [0.25, 0.7, 3.3, 4.3, 1.1]] {
            let report = Descent::new(&mixture, loss.as_ref())
                .run(&start, |_| ())
                .unwrap();
            let errors = report.theta.iter().zip(&TRUTH).map(|(a, b)| (a - b).abs());
            let off = errors.fold(0.0, f64::max);
            if off > 1e-6 || report.iterations() > 20 || !report.converged() {
                broken.push(format!("{name} from {start:?} off by {off:e}: {report}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
