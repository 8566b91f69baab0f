//! Input that makes no sense is an error that names the argument and the remedy: transport losses.

use crate::support::bad::{check, row};
use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport, value_of};
use pullback::{Grid, Loss};

const NAN: f64 = f64::NAN;

fn plane() -> Grid {
    Grid::new(&[(0.0, 1.0, 4), (0.0, 2.0, 4)]).unwrap()
}

#[test]
fn masses_that_differ() {
    let line = Grid::new(&[(0.0, 1.0, 4)]).unwrap();
    for loss in [
        Transport::new(&line, vec![1.0; 4]).unwrap(),
        Transport::sinkhorn(&line, vec![1.0; 4], &Sinkhorn::default()).unwrap(),
    ] {
        let loss = &loss;
        let state = |r: f64| move || loss.check(&[r; 4]);
        let at = |r: f64| move || loss.at(&[r; 4], pullback::Cpu::shared()).map(|_| ());
        check(vec![
            row(
                "twice the mass",
                "Masses",
                "divide both by their masses",
                state(2.0),
            ),
            row("twice the mass", "Masses", "widen the grid", at(2.0)),
            row("a little less", "Masses", "the mass 0.98", state(0.98)),
            row("overflow", "Masses", "divide both", state(1e308)),
            row("narrow", "Masses", "refine it", state(1.025)),
            row(
                "short",
                "Dimension",
                "the state given to a transport loss: expected 4, got 3",
                || loss.check(&[1.0; 3]),
            ),
        ]);
        assert!(value_of(loss, &[2.0; 4]).is_nan());
        assert!(loss.check(&[0.995; 4]).is_ok());
    }
    check(vec![row(
        "overflow",
        "NotFinite",
        "the mass of the target",
        || Transport::new(&Grid::new(&[(0.0, 100.0, 4)])?, vec![1e308; 4]),
    )]);
}

#[test]
fn grids_with_one_cell_along_an_axis() {
    let flat = || Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]);
    check(vec![
        row("entropic", "GridTooCoarse", "remove it", move || {
            Transport::new(&flat()?, vec![1.0; 4])
        }),
        row("marginals", "GridTooCoarse", "remove it", move || {
            Transport::marginals(&flat()?, vec![1.0; 4])
        }),
        row("slices", "GridTooCoarse", "remove it", move || {
            Transport::sliced(&flat()?, vec![1.0; 4], 2)
        }),
    ]);
}

#[test]
fn slices_without_frames() {
    let with =
        |target: f64, frames: usize| move || Transport::sliced(&plane(), vec![target; 16], frames);
    check(vec![
        row("none", "Option", "such as 8 in the plane", with(0.5, 0)),
        row("many", "Option", "not thousands", with(0.5, 100_000)),
        row("empty", "NoMass", "positive mass", with(0.0, 4)),
        row("negative", "Negative", "clip", with(-0.5, 4)),
        row("NaN", "NotFinite", "target", with(NAN, 4)),
    ]);
    let loss = Transport::sliced(&plane(), vec![0.5; 16], 4).unwrap();
    check(vec![row("twice the mass", "Masses", "divide both", || {
        loss.check(&[1.0; 16])
    })]);
}

#[test]
fn options_of_sinkhorn() {
    let with = |change: fn(&mut Sinkhorn)| {
        move || {
            let mut options = Sinkhorn::default();
            change(&mut options);
            Transport::sinkhorn(&plane(), vec![0.5; 16], &options)
        }
    };
    check(vec![
        row(
            "ε = 0",
            "NotPositive",
            "ε of Sinkhorn",
            with(|o| o.epsilon = Some(0.0)),
        ),
        row(
            "ε < 0",
            "NotPositive",
            "ε of Sinkhorn",
            with(|o| o.epsilon = Some(-1.0)),
        ),
        row(
            "ε NaN",
            "NotFinite",
            "ε of Sinkhorn",
            with(|o| o.epsilon = Some(NAN)),
        ),
        // Cells are ½ wide along the second axis.
        row(
            "ε tiny",
            "Blur",
            "finer grid",
            with(|o| o.epsilon = Some(0.24)),
        ),
        row("tolerance", "Option", "1e-10", with(|o| o.tolerance = 0.0)),
        row(
            "tolerance",
            "Option",
            "1e-12 at least",
            with(|o| o.tolerance = NAN),
        ),
        row(
            "iterations",
            "Option",
            "allow some",
            with(|o| o.iterations = 0),
        ),
        row(
            "self",
            "Unconverged",
            "allow more iterations, of which some 20",
            with(|o| o.iterations = 1),
        ),
    ]);
    assert!(with(|o| o.epsilon = Some(0.26))().is_ok());
}

/// An iteration that does not converge is an error of the state, and a value that a line search rejects.
#[test]
fn too_few_iterations() {
    let grid = Grid::new(&[(-6.0, 6.0, 48)]).unwrap();
    let bump = |centres: [f64; 2]| {
        let part = |x: f64, c: f64| (-2.0 * (x - c) * (x - c)).exp();
        let rho = grid.sample(|x| part(x[0], centres[0]) + 0.2 * part(x[0], centres[1]));
        let mass = grid.integrate(&rho).unwrap();
        rho.iter().map(|r| r / mass).collect::<Vec<_>>()
    };
    let options = Sinkhorn {
        epsilon: Some(0.07),
        iterations: 30,
        ..Sinkhorn::default()
    };
    let loss = Transport::sinkhorn(&grid, bump([-2.0, 2.0]), &options).unwrap();
    let far = bump([3.0, -3.0]);
    let at = || loss.at(&far, pullback::Cpu::shared()).map(|_| ());
    check(vec![
        row("30 iterations", "Unconverged", "raise ε", at),
        row(
            "30 iterations",
            "Unconverged",
            "accept a larger tolerance",
            at,
        ),
    ]);
    assert!(loss.value(&far).is_nan());
}

#[test]
fn unbalanced_losses() {
    let with = |target: f64, lambda: f64, options: Sinkhorn| {
        move || UnbalancedTransport::new(&plane(), vec![target; 16], lambda, &options)
    };
    let plain = Sinkhorn::default;
    let extrapolated = Sinkhorn {
        extrapolate: true,
        ..plain()
    };
    let fine = Sinkhorn {
        epsilon: Some(0.1),
        ..plain()
    };
    let loss = UnbalancedTransport::new(&plane(), vec![1.0; 16], 1.0, &plain()).unwrap();
    let state = |r: f64| {
        let loss = &loss;
        move || loss.at(&[r; 16], pullback::Cpu::shared()).map(|_| ())
    };
    check(vec![
        row(
            "λ = 0",
            "NotPositive",
            "λ of an unbalanced",
            with(1.0, 0.0, plain()),
        ),
        row(
            "λ NaN",
            "NotFinite",
            "λ of an unbalanced",
            with(1.0, NAN, plain()),
        ),
        row(
            "extrapolated",
            "Option",
            "leave `extrapolate` false",
            with(1.0, 1.0, extrapolated),
        ),
        row("ε tiny", "Blur", "finer grid", with(1.0, 1.0, fine)),
        row("empty", "NoMass", "positive mass", with(0.0, 1.0, plain())),
        row("negative", "Negative", "clip", with(-1.0, 1.0, plain())),
        row("empty state", "NoMass", "positive mass", state(0.0)),
        row("NaN state", "NotFinite", "state", state(NAN)),
        row(
            "short state",
            "Dimension",
            "state given to a transport loss: expected 16, got 15",
            || loss.check(&[1.0; 15]),
        ),
    ]);
    assert!(state(7.0)().is_ok());
}

#[test]
fn blurs_that_do_not_fit_the_grid_or_the_cost_of_mass() {
    let blurred = |epsilon: f64| Sinkhorn {
        epsilon: Some(epsilon),
        ..Sinkhorn::default()
    };
    let unbalanced = |lambda: f64, options: Sinkhorn| {
        move || UnbalancedTransport::new(&plane(), vec![0.5; 16], lambda, &options)
    };
    let balanced =
        |options: Sinkhorn| move || Transport::sinkhorn(&plane(), vec![0.5; 16], &options);
    // The cells are ½ wide along the second axis, and the diagonal has the square 5.
    check(vec![
        row(
            "cells too wide for λ",
            "CellsOfMass",
            "refine the grid, or take λ of 0.5 at least",
            unbalanced(0.3, Sinkhorn::default()),
        ),
        row(
            "ε above λ",
            "BlurOfMass",
            "λ/16",
            unbalanced(1.0, blurred(2.0)),
        ),
        row(
            "ε beyond the grid",
            "Blurred",
            "lost to rounding",
            unbalanced(1e12, blurred(1e8)),
        ),
        row(
            "ε beyond the grid",
            "Blurred",
            "the square 5",
            balanced(blurred(1e16)),
        ),
    ]);
    assert!(balanced(blurred(1e6))().is_ok());
}
