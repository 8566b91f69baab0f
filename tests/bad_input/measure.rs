//! What invariant measures say to flows, grids and options that make no sense.

use pullback::models::flow::{Flow, Lorenz, VanDerPol};
use pullback::models::{Flux, InvariantMeasure};
use pullback::{Cpu, Grid, Model, Result, models};

fn lorenz(n: usize) -> Grid {
    Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, n))).unwrap()
}

/// Velocities with a hole.
struct Broken(f64);

impl Flow for Broken {
    fn param_dim(&self) -> usize {
        1
    }
    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        let hole = x[0] > 0.0 && x[1] > 0.0 && x[2] > 30.0;
        [
            if hole { self.0 } else { -theta[0] * x[0] },
            -x[1],
            30.0 - x[2],
        ]
    }
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out[0] = [-x[0], 0.0, 0.0];
    }
}

/// Two valleys, x′ = x − x³ in every direction: mass ends in one or the other.
struct Valleys;

impl Flow for Valleys {
    fn dim(&self) -> usize {
        2
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        [theta[0] * x[0] - x[0].powi(3), -x[1], 0.0]
    }
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out[0] = [x[0], 0.0, 0.0];
    }
}

fn plane(n: usize) -> Grid {
    Grid::new(&[(-2.0, 2.0, n), (-1.0, 1.0, n)]).unwrap()
}

fn density(model: Result<InvariantMeasure<'_>>, theta: &[f64]) -> Result<Vec<f64>> {
    model?.density(theta, &Cpu::default())
}

/// An outcome, the kind of error it should be, and words that the message should have.
type Row = (Result<Vec<f64>>, &'static str, &'static str);

fn judge(table: Vec<Row>) {
    for (row, (outcome, kind, words)) in table.into_iter().enumerate() {
        let error = outcome
            .err()
            .unwrap_or_else(|| panic!("row {row} was accepted"));
        assert_eq!(error.kind(), kind, "row {row}: {error}");
        assert!(error.to_string().contains(words), "row {row}: {error}");
    }
}

#[test]
fn options_that_make_no_sense_are_named() {
    let truth = Lorenz::CLASSIC;
    let with = |set: fn(InvariantMeasure<'static>) -> Result<InvariantMeasure<'static>>| {
        density(
            InvariantMeasure::new(&lorenz(8), Lorenz).and_then(set),
            &truth,
        )
    };
    let smooth = |m: InvariantMeasure<'static>| m.flux(Flux::Smooth { width: 0.0 });
    judge(vec![
        (with(|m| m.teleportation(-1e-9)), "Option", "non-negative"),
        (
            with(|m| m.teleportation(f64::NAN)),
            "Option",
            "non-negative",
        ),
        (with(|m| m.diffusion(-1.0)), "Option", "non-negative"),
        (with(|m| m.gauge(0.0)), "NotPositive", "the gauge"),
        (with(smooth), "Option", "positive speed"),
    ]);
}

#[test]
fn grids_flows_and_parameters_that_do_not_fit_are_named() {
    let truth = Lorenz::CLASSIC;
    let good = || InvariantMeasure::new(&lorenz(8), Lorenz);
    let broken = |v: f64| density(InvariantMeasure::new(&lorenz(8), Broken(v)), &[1.0]);
    let coarse = InvariantMeasure::new(&lorenz(3), Lorenz);
    let flat = InvariantMeasure::new(&plane(8), Lorenz);
    let deep = InvariantMeasure::new(&lorenz(8), VanDerPol);
    let valleys = InvariantMeasure::new(&plane(16), Valleys);
    judge(vec![
        (density(coarse, &truth), "GridTooCoarse", "4"),
        (density(flat, &truth), "Dimension", "axes"),
        (density(deep, &[1.0]), "Dimension", "axes"),
        (density(good(), &[1.0, 2.0]), "Dimension", "θ"),
        (density(good(), &[10.0, f64::NAN, 1.0]), "NotFinite", "θ"),
        (broken(f64::NAN), "Velocity", "velocity"),
        (broken(f64::INFINITY), "Velocity", "velocity"),
        (density(valleys, &[1.0]), "Trapped", "diffusion"),
    ]);
}

/// Rates between the valleys that double precision loses leave the shares of the valleys undetermined.
#[test]
fn sets_that_only_rounding_connects_are_named() {
    let valleys = || InvariantMeasure::new(&plane(16), Valleys).unwrap();
    let smooth = |width: f64| valleys().flux(Flux::Smooth { width });
    judge(vec![
        (
            density(smooth(1e-12), &[1.0]),
            "Trapped",
            "lost to rounding",
        ),
        (
            density(Ok(valleys().diffusion(1e-25).unwrap()), &[1.0]),
            "Trapped",
            "lost to rounding",
        ),
    ]);
    assert!(density(smooth(1e-2), &[1.0]).is_ok());
}

#[test]
fn cells_that_absorb_all_mass_are_named() {
    let model = InvariantMeasure::new(&lorenz(16), Lorenz).unwrap();
    let model = model.flux(Flux::Point).unwrap();
    let error = model
        .density(&[8.56, 25.0, 2.1], &Cpu::default())
        .unwrap_err();
    let Some(models::Error::Trapped {
        classes, places, ..
    }) = error.of()
    else {
        panic!("{error}");
    };
    // The cells around the two fixed points x = y = ±√(β(ρ − 1)), z = ρ − 1.
    assert_eq!(*classes, 2);
    assert!(places.contains("7.81, 6.56, 24.38") && places.contains("-7.81, -6.56, 24.38"));
    assert!(error.to_string().contains("Flux::FaceAveraged"));
    // What the message advises works.
    for cured in [
        InvariantMeasure::new(&lorenz(16), Lorenz),
        InvariantMeasure::new(&lorenz(16), Lorenz)
            .unwrap()
            .flux(Flux::Point)
            .unwrap()
            .diffusion(0.5),
        InvariantMeasure::new(&lorenz(16), Lorenz)
            .unwrap()
            .flux(Flux::Point)
            .unwrap()
            .teleportation(0.01),
    ] {
        let rho = density(cured, &[8.56, 25.0, 2.1]).unwrap();
        assert!(rho.iter().all(|r| r.is_finite() && *r >= 0.0));
    }
}

#[test]
fn a_single_sink_is_no_mistake() {
    // Everything flows to the cell in the middle, with either flux.
    for flux in [Flux::FaceAveraged, Flux::Point] {
        let grid = Grid::new(&[(-2.0, 2.0, 9), (-1.0, 1.0, 9)]).unwrap();
        let model = InvariantMeasure::new(&grid, Valleys)
            .unwrap()
            .flux(flux)
            .unwrap();
        let rho = model.density(&[-1.0], &Cpu::default()).unwrap();
        let mass = rho[40] * grid.volume();
        assert!((mass - 1.0).abs() < 1e-9, "{flux:?}: {mass}");
    }
}

#[test]
fn a_state_of_the_wrong_length_is_refused() {
    let model = InvariantMeasure::new(&lorenz(8), Lorenz).unwrap();
    let error = model.solve(&Lorenz::CLASSIC, &mut [0.0; 5], &Cpu::default());
    assert_eq!(error.unwrap_err().kind(), "Dimension");
}
