//! Descents of transport losses, which have no plateau where densities do not overlap.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Control;
use pullback::loss::{L2Misfit, Sinkhorn, Transport, UnbalancedTransport};
use pullback::models::flow::Lorenz;
use pullback::models::{GaussianMixture, InvariantMeasure, Parameter};
use pullback::{Bounds, Cpu, Descent, Grid, Loss};

/// Case `a` of `tests/references/mixture.rs`, in a box that holds every start.
fn case_a(cells: usize) -> GaussianMixture {
    GaussianMixture::new(&Grid::new(&[(-6.0, 15.0, cells), (-6.0, 15.0, cells)]).unwrap())
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(&[Parameter::Mean(0, 0), Parameter::Mean(0, 1)])
        .unwrap()
}

/// Distance of θ from the truth after every step.
fn distances(mixture: &GaussianMixture, loss: &dyn Loss, start: &[f64]) -> Vec<f64> {
    let truth = mixture.parameters();
    let mut found = Vec::new();
    let report = Descent::new(mixture, loss).run(start, |step| {
        let squares = step.theta.iter().zip(&truth).map(|(a, b)| (a - b).powi(2));
        found.push(squares.sum::<f64>().sqrt());
    });
    println!("{}", report.unwrap());
    found
}

#[test]
fn a_transport_loss_finds_the_mixture_from_afar_in_a_few_steps() {
    let mixture = case_a(63);
    let data = || mixture.density(&[1.0, 3.0]).unwrap();
    let grid = mixture.grid();
    let transport = Transport::new(grid, data()).unwrap();
    let marginals = Transport::marginals(grid, data()).unwrap();
    let l2 = L2Misfit::new(grid, data()).unwrap();
    for start in [[4.2, 4.0], [8.0, 8.0]] {
        let losses: [(&str, &dyn Loss, usize); 2] =
            [("entropic", &transport, 4), ("marginals", &marginals, 5)];
        for (name, loss, bound) in losses {
            let path = distances(&mixture, loss, &start);
            println!("{name} from {start:?}: {path:?}");
            let steps = path.iter().position(|d| *d < 1e-3).unwrap();
            let end = path.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(
                steps <= bound && end < 1e-7,
                "{name} from {start:?}: {path:?}"
            );
        }
    }
    let path = distances(&mixture, &l2, &[8.0, 8.0]);
    println!("L2: {path:?}");
    assert!(
        path.last().is_none_or(|d| *d > 1.0),
        "L2 has no plateau: {path:?}"
    );
}

/// The Lorenz system from its own density on 16³ cells.
#[test]
fn a_transport_loss_recovers_a_lorenz_twin() {
    let axes: Vec<_> = Lorenz::BOX.iter().map(|&(a, b)| (a, b, 16)).collect();
    let grid = Grid::new(&axes).unwrap();
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    let cpu = Cpu::default();
    let data = model.density(&Lorenz::CLASSIC, &cpu).unwrap();
    let loss = Transport::new(&grid, data).unwrap();
    let truth = Lorenz::CLASSIC;
    let times = |f: f64| truth.iter().map(|t| f * t).collect();
    let bounds = Bounds::new(times(0.1), times(4.0)).unwrap();
    let norm = |a: &[f64]| a.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut errors = Vec::new();
    let descent = Descent::new(&model, &loss).backend(&cpu).bounds(&bounds);
    let report = descent.run(&[8.0, 22.0, 1.5], |step| {
        let off: Vec<f64> = step.theta.iter().zip(&truth).map(|(a, b)| a - b).collect();
        errors.push(norm(&off) / norm(&truth));
        match errors.last().is_some_and(|e| *e < 1e-6) {
            true => Control::Stop,
            false => Control::Continue,
        }
    });
    println!("{errors:?}\n{}", report.unwrap());
    assert!(
        errors.len() <= 8 && errors.last().is_some_and(|e| *e < 1e-6),
        "{errors:?}"
    );
}

/// Bump of unknown mass and place on a line.
struct Bump(Vec<f64>);

impl Formula for Bump {
    fn dims(&self) -> (usize, usize) {
        (self.0.len(), 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (out, x) in out.iter_mut().zip(&self.0) {
            let z = theta[1] - *x;
            *out = theta[0] * (z * z * -0.5).exp();
        }
    }
}

#[test]
fn an_unbalanced_transport_loss_finds_mass_and_place() {
    let grid = Grid::new(&[(-8.0, 12.0, 80)]).unwrap();
    let model = Curve::new(Bump(grid.axes()[0].centres()));
    let data = grid.sample(|x| 2.0 * (-0.5 * (x[0] - 4.0).powi(2)).exp());
    let loss = UnbalancedTransport::new(&grid, data, 30.0, &Sinkhorn::default()).unwrap();
    let report = Descent::new(&model, &loss)
        .run(&[0.7, -2.0], |_| ())
        .unwrap();
    println!("{report}");
    let off = (report.theta[0] - 2.0)
        .abs()
        .max((report.theta[1] - 4.0).abs());
    assert!(
        report.converged() && report.iterations() <= 12 && off < 1e-7,
        "{off:e}: {report}"
    );
}
