//! Darcy flows that make no sense are errors that name what is wrong.

use crate::support;
use crate::support::bad::{check, row};
use pullback::models::{Darcy, End};
use pullback::{Cpu, Grid, Linearisation, Model};

const NAN: f64 = f64::NAN;

fn plane() -> Grid {
    Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 3)]).unwrap()
}

fn closed() -> Darcy {
    Darcy::new(&plane()).unwrap()
}

fn held() -> Darcy {
    closed().pressure(0, End::Lower, 1.0).unwrap()
}

#[test]
fn boxes_sides_and_sources() {
    let (lower, upper) = (End::Lower, End::Upper);
    check(vec![
        row("one cell", "GridTooCoarse", "Darcy flow", || {
            Darcy::new(&Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]).unwrap())
        }),
        row("axis", "Option", "an axis of the grid", move || {
            closed().pressure(2, lower, 0.0)
        }),
        row("axis", "Option", "an axis of the grid", move || {
            closed().inflow(7, upper, 0.0)
        }),
        row("NaN pressure", "NotFinite", "pressure", move || {
            closed().pressure(0, lower, NAN)
        }),
        row("∞ inflow", "NotFinite", "inflow", move || {
            closed().inflow(0, upper, f64::INFINITY)
        }),
        row("short source", "Dimension", "source", || {
            held().source(vec![1.0; 11])
        }),
        row("NaN source", "NotFinite", "source", || {
            held().source(vec![NAN; 12])
        }),
        row(
            "nothing held",
            "Option",
            "at least one with `pressure`",
            || closed().pressures(&[0.0; 12]),
        ),
        row(
            "nothing held",
            "Option",
            "at least one with `pressure`",
            move || held().inflow(0, lower, 1.0)?.pressures(&[0.0; 12]),
        ),
        row("a point outside", "OutOfRange", "index 1", || {
            held().observe(&[[0.5, 0.5], [0.5, 1.5]])
        }),
        row("a point on a line", "Dimension", "a point", || {
            held().observe(&[[0.5]])
        }),
    ]);
}

#[test]
fn parameters_and_states() {
    let with = |index: usize, value: f64| {
        let mut theta = vec![0.0; 12];
        theta[index] = value;
        held().pressures(&theta)
    };
    check(vec![
        row("θ long", "Dimension", "log-permeability", || {
            held().pressures(&[0.0; 13])
        }),
        row("θ NaN", "NotFinite", "index 3", move || with(3, NAN)),
        row("θ ∞", "NotFinite", "log-permeability", move || {
            with(0, f64::INFINITY)
        }),
        row("e^θ overflows", "OutOfRange", "index 5", move || {
            with(5, 710.0)
        }),
        row("e^θ vanishes", "OutOfRange", "[-600, 600]", move || {
            with(11, -750.0)
        }),
        row("state", "Dimension", "state of a Darcy flow", || {
            held().solve(&[0.0; 12], &mut [0.0; 24], &Cpu::default())
        }),
    ]);
}

/// Where nothing can be reported, there are no numbers either.
#[test]
fn jacobians_and_residuals_of_what_overflows_are_not_numbers() {
    let (darcy, cpu) = (held(), Cpu::default());
    let (u, theta) = ([0.5; 12], [710.0; 12]);
    let mut g = [0.0; 12];
    darcy.residual(&u, &theta, &mut g);
    assert!(g.iter().all(|g| g.is_nan()));
    check(vec![row("∂g/∂ρ", "NotFinite", "∂g/∂ρ", || {
        Linearisation::new(&darcy, &u, &theta, &cpu).map(drop)
    })]);
}

/// A closed box has a matrix, but no inverse.
#[test]
fn a_closed_box_is_singular() {
    let (darcy, cpu) = (closed(), Cpu::default());
    let (u, theta) = ([0.5; 12], [0.0; 12]);
    let a = darcy.state_jacobian(&u, &theta);
    assert!(!a.is_positive_definite());
    let z = Linearisation::new(&darcy, &u, &theta, &cpu).unwrap();
    let error = z.pull_back(&[1.0; 12]).unwrap_err();
    assert!(support::singular::means_singular(&error), "{error}");
}

/// Contrasts beyond those of any rock: right or an error, never a wrong number.
#[test]
fn extreme_contrasts_do_not_overflow() {
    let grid = Grid::new(&[(0.0, 1.0, 4)]).unwrap();
    let line = Darcy::new(&grid).unwrap();
    let line = line.pressure(0, End::Lower, 1.0).unwrap();
    let line = line.pressure(0, End::Upper, 0.0).unwrap();
    for level in [-590.0, 590.0] {
        let u = line.pressures(&[level; 4]).unwrap();
        let exact = [0.875, 0.625, 0.375, 0.125];
        assert!(support::gap(&u, &exact) < 1e-14, "{u:?}");
    }
    let u = line.pressures(&[590.0, -590.0, 590.0, 590.0]);
    // The middle of the impermeable cell; either side takes the pressure of its end.
    let u = u.unwrap();
    assert!(support::gap(&u, &[1.0, 0.5, 0.0, 0.0]) < 1e-12, "{u:?}");
}
