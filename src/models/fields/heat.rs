//! Heat equation with unknown conductivity.

use super::super::End;
use super::sensors::Sensors;
use crate::automatic::Scalar;
use crate::check;
use crate::error::Result;
use crate::evolution::Dynamics;
use crate::grid::Grid;

/// Heat equation ẋ = ∇·(e^κ ∇x) + f on a box, with the log-conductivity κ of every cell as parameters.
///
/// The temperatures x are those of the cell centres. Cell i of volume vol exchanges heat through its faces of area A_f with the
/// cells j at distance h_f, and through its sides with a fixed temperature c:
///
/// ```text
/// vol ẋᵢ = Σ_faces T_f (xⱼ − xᵢ) + Σ_fixed T_b (c − xᵢ) + vol fᵢ
/// T_f = (A_f/h_f) 2/(e^−κᵢ + e^−κⱼ),   T_b = (A_f/h_f) 2 e^κᵢ
/// ```
///
/// The scheme is exact for the steady state of layers in one dimension, of second order for smooth κ, and conserves heat. A side
/// without a fixed temperature is insulated. The page of the [module](super) has an example.
#[derive(Clone, Debug)]
pub struct Heat {
    grid: Grid,
    initial: Vec<f64>,
    source: Vec<f64>,
    /// Temperatures of the lower and the upper side of every axis. None stands for no flux.
    sides: Vec<[Option<f64>; 2]>,
    sensors: Sensors,
}

impl Heat {
    /// Creates the dynamics of an insulated box with this temperature of every cell at the start, without sources.
    ///
    /// # Errors
    /// Fails if the grid has only one cell along an axis, and if there is not one finite temperature per cell.
    pub fn new(grid: &Grid, initial: Vec<f64>) -> Result<Self> {
        grid.check_faces("a heat equation")?;
        let what = "the initial temperatures";
        check::length(what, initial.len(), grid.cells())?;
        check::finite(what, &initial)?;
        Ok(Self {
            source: vec![0.0; grid.cells()],
            sides: vec![[None; 2]; grid.dim()],
            sensors: Sensors::default(),
            grid: grid.clone(),
            initial,
        })
    }

    /// Fixes the temperature of a side, which is insulated otherwise.
    ///
    /// # Errors
    /// Fails if the grid does not have the axis, or if the temperature is not finite.
    pub fn fixed(mut self, axis: usize, end: End, value: f64) -> Result<Self> {
        check::finite("the temperature of a side", &[value])?;
        check::option(
            "the axis of a side",
            axis as f64,
            axis < self.grid.dim(),
            "give an axis of the grid, counted from 0",
        )?;
        self.sides[axis][usize::from(end == End::Upper)] = Some(value);
        Ok(self)
    }

    /// Sets the source f of every cell, in units of temperature per time.
    ///
    /// # Errors
    /// Fails if there is not one finite value per cell.
    pub fn source(mut self, f: Vec<f64>) -> Result<Self> {
        check::length("a source on the grid", f.len(), self.grid.cells())?;
        check::finite("a source on the grid", &f)?;
        self.source = f;
        Ok(self)
    }

    /// Observes the temperatures at these points, by [`Grid::interpolation`], instead of those of all cells.
    ///
    /// # Errors
    /// Fails as [`Grid::interpolation`] does.
    pub fn sensors<P: AsRef<[f64]>>(mut self, points: &[P]) -> Result<Self> {
        self.sensors = Sensors::at(&self.grid, points)?;
        Ok(self)
    }

    /// Returns the grid of the box.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Adds the heat that flows in through sides with a fixed temperature, per volume.
    fn add_sides<S: Scalar>(&self, x: &[S], resistance: &[S], out: &mut [S]) {
        for (axis, ends) in self.sides.iter().enumerate() {
            let factor = 2.0 / self.grid.axes()[axis].spacing().powi(2);
            for (value, upper) in ends.iter().zip([false, true]) {
                let Some(value) = value else { continue };
                for cell in self.grid.end_cells(axis, upper).flatten() {
                    out[cell] += (-x[cell] + *value) * factor / resistance[cell];
                }
            }
        }
    }
}

impl Dynamics for Heat {
    fn dims(&self) -> (usize, usize) {
        (self.grid.cells(), self.grid.cells())
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], kappa: &[S], out: &mut [S]) {
        // The heat between two centres passes the resistances (h/2) e^−κ of two half cells in series.
        let resistance: Vec<S> = kappa.iter().map(|k| (-*k).exp()).collect();
        let sources = out.iter_mut().zip(&self.source);
        sources.for_each(|(out, f)| *out = S::from(*f));
        self.grid.visit_runs(|run| {
            let factor = 2.0 / self.grid.axes()[run.axis].spacing().powi(2);
            for (lower, upper) in run.below().zip(run.above()) {
                let both = resistance[lower] + resistance[upper];
                let flow = (x[upper] - x[lower]) * factor / both;
                out[lower] += flow;
                out[upper] -= flow;
            }
        });
        self.add_sides(x, &resistance, out);
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        let pairs = out.iter_mut().zip(&self.initial);
        pairs.for_each(|(out, x)| *out = S::from(*x));
    }

    fn outputs(&self) -> usize {
        self.sensors.count(self.grid.cells())
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        self.sensors.read(x, out);
    }
}
