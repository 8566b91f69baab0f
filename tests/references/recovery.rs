//! Parameters of chaotic systems from their invariant measures: twin data to rounding, trajectory data without bias.

use crate::support::gap;
use pullback::correction::{Corrected, Options};
use pullback::descent::{Control, Tolerances};
use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::models::flow::{Flow, Lorenz, VanDerPol};
use pullback::models::trajectory::Sampling;
use pullback::models::{InvariantMeasure, Occupations};
use pullback::{Bounds, Cpu, Descent, Grid, Loss, random};
use rayon::prelude::*;

fn box_of(edges: &[(f64, f64)], n: usize) -> Grid {
    let axes: Vec<_> = edges.iter().map(|&(a, b)| (a, b, n)).collect();
    Grid::new(&axes).unwrap()
}

fn bounds(truth: &[f64]) -> Bounds {
    let times = |f: f64| truth.iter().map(|t| f * t).collect();
    Bounds::new(times(0.1), times(4.0)).unwrap()
}

/// ‖θ − θ*‖/‖θ*‖.
fn error(theta: &[f64], truth: &[f64]) -> f64 {
    let norm = |a: Vec<f64>| a.iter().map(|x| x * x).sum::<f64>().sqrt();
    norm(theta.iter().zip(truth).map(|(a, b)| a - b).collect()) / norm(truth.to_vec())
}

/// Steps until the relative error is 1e-6.
fn steps_to_truth(model: &InvariantMeasure<'_>, loss: &dyn Loss, start: &[f64]) -> Option<usize> {
    let (truth, mut reached) = (Lorenz::CLASSIC, None);
    let cpu = Cpu::default();
    let descent = Descent::new(model, loss).backend(&cpu);
    let bounds = bounds(&truth);
    let run = descent.bounds(&bounds).run(start, |it| {
        if error(&it.theta, &truth) <= 1e-6 {
            reached = reached.or(Some(it.iteration));
            return Control::Stop;
        }
        Control::Continue
    });
    run.ok().and(reached)
}

#[test]
fn every_matched_pair_recovers_twin_data_from_afar() {
    let grid = box_of(&Lorenz::BOX, 16);
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    let data = model.density(&Lorenz::CLASSIC, &Cpu::default()).unwrap();
    let losses: [(&str, Box<dyn Loss>); 3] = [
        ("L2", Box::new(L2Misfit::new(&grid, data.clone()).unwrap())),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(&grid, data.clone()).unwrap()),
        ),
        (
            "H-1",
            Box::new(SobolevMisfit::new(&grid, -1.0, data).unwrap()),
        ),
    ];
    let named = [
        [5.0, 20.0, 1.0],
        [12.0, 35.0, 4.0],
        [8.0, 22.0, 1.5],
        [15.0, 30.0, 2.0],
    ];
    let drawn = |seed: u64| {
        let u = random::uniform(3, (0.0, 1.0), 7000 + seed);
        [5.0 + 10.0 * u[0], 15.0 + 25.0 * u[1], 1.0 + 3.0 * u[2]]
    };
    for (name, loss) in &losses {
        for start in &named {
            let steps = steps_to_truth(&model, loss.as_ref(), start);
            assert!(
                steps.is_some_and(|s| s <= 8),
                "{name} from {start:?}: {steps:?}"
            );
        }
        let reached = (0..20).filter(|&seed| {
            let steps = steps_to_truth(&model, loss.as_ref(), &drawn(seed));
            steps.is_some_and(|s| s <= 8)
        });
        let reached = reached.count();
        println!("{name}: {reached} of 20 random starts in at most 8 steps");
        assert!(reached >= 19, "{name}: {reached} of 20");
    }
}

/// Relative errors of the plain fit and of the corrected one, of Lorenz data on n³ cells.
fn corrected(n: usize, duration: f64, noise: f64, seed: u64) -> (f64, f64) {
    let (grid, truth, cpu) = (box_of(&Lorenz::BOX, n), Lorenz::CLASSIC, Cpu::default());
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    let sampling = Sampling {
        duration,
        noise,
        seed,
        ..Sampling::default()
    };
    let data = sampling
        .occupation(&Lorenz, &truth, &grid, |_| ())
        .unwrap()
        .density;
    let loss = Divergence::kullback_leibler(&grid, data.clone()).unwrap();
    let bounds = bounds(&truth);
    let rough = Tolerances {
        loss: 1e-4,
        iterations: 15,
        ..Tolerances::default()
    };
    let raw = Descent::new(&model, &loss)
        .bounds(&bounds)
        .backend(&cpu)
        .tolerances(rough)
        .run(&[8.0, 22.0, 1.5], |_| ())
        .unwrap();
    let simulator = Occupations::new(&grid, &Lorenz, sampling);
    let metric = simulator.metric();
    let options = Options {
        seed: 1000 * (seed + 1),
        ..Options::default()
    };
    let report = Corrected::new(&model, &simulator, &data, &metric)
        .bounds(&bounds)
        .backend(&cpu)
        .options(options)
        .run(&[&raw.theta], |_| ())
        .unwrap();
    assert!(report.converged() && report.standard_errors.is_some());
    (error(&raw.theta, &truth), error(&report.theta, &truth))
}

#[test]
fn correction_removes_the_bias_of_trajectory_fits() {
    // Duration, noise, seeds; limits of the median and the worst error.
    let table = [
        (2000.0, 0.0, 10, 3e-3, 1e-2),
        (200.0, 0.0, 10, 1e-2, 2e-2),
        (2000.0, 1.0, 4, 1e-2, 1e-2),
    ];
    for (duration, noise, seeds, median, worst) in table {
        let runs: Vec<(f64, f64)> = (0..seeds)
            .into_par_iter()
            .map(|seed| corrected(24, duration, noise, seed))
            .collect();
        let mut errors: Vec<f64> = runs.iter().map(|r| r.1).collect();
        errors.sort_by(f64::total_cmp);
        let (middle, last) = (errors[errors.len() / 2], errors[errors.len() - 1]);
        let raw = runs.iter().map(|r| r.0).fold(f64::INFINITY, f64::min);
        let what = format!("T = {duration}, noise {noise}");
        println!("{what}: plain at least {raw:.3}, corrected median {middle:.5}, worst {last:.5}");
        assert!(middle <= median && last <= worst, "{what}: {errors:?}");
        // The bias is there to be removed.
        assert!(raw > 5.0 * last, "{what}: plain {raw}, corrected {last}");
    }
}

#[test]
fn a_flow_in_the_plane_is_recovered_as_well() {
    let (grid, cpu) = (box_of(&VanDerPol::BOX, 32), Cpu::default());
    let model = InvariantMeasure::new(&grid, VanDerPol).unwrap();
    let truth = VanDerPol::CLASSIC;
    let data = model.density(&truth, &cpu).unwrap();
    let mirrored: Vec<f64> = data.iter().rev().copied().collect();
    assert!(VanDerPol.symmetry().is_some() && gap(&mirrored, &data) < 1e-9);
    let loss = Divergence::kullback_leibler(&grid, data).unwrap();
    let report = Descent::new(&model, &loss)
        .backend(&cpu)
        .run(&[0.6], |_| ())
        .unwrap();
    assert!(error(&report.theta, &truth) < 1e-8, "{report}");
}
