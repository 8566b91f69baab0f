//! Steady flow through a porous medium whose log-permeability is sought.

mod balance;
mod sensitivity;

use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::Operator;
use crate::linalg::{Backend, Cpu, improve};
use crate::model::Model;

/// The pressure u of −∇·(e^θ ∇u) = f on a box, with the log-permeability θ of every cell as parameters.
///
/// Finite volumes with the pressure at cell centres. For every cell i, with faces of area A_f, centres h_f apart, to
/// the cells j, and sides of fixed pressure v or given inflow q,
///
/// ```text
/// gᵢ = Σ_faces T_f (uᵢ − uⱼ) + Σ_fixed T_b (uᵢ − v) − Σ_inflow A_f q − vol fᵢ
/// T_f = (A_f/h_f) 2/(e^−θᵢ + e^−θⱼ),   T_b = (A_f/h_f) 2 e^θᵢ
/// ```
///
/// which is exact for layers across a line, of second order for smooth θ, and loses no mass. The matrix is symmetric
/// positive definite as soon as one side has a fixed pressure; the others are closed unless something flows in.
///
/// Several experiments, one for each [`source`](Darcy::source), share θ and the boundary, so that one factorisation
/// serves them all. The state is their pressures, experiment after experiment.
///
/// ```
/// use pullback::models::{Darcy, End};
/// use pullback::{Grid, Side};
/// let grid = Grid::new(&[(0.0, 1.0, 16), (0.0, 1.0, 16)])?;
/// let darcy = Darcy::new(&grid)?
///     .pressure(0, End::Lower, 1.0)?
///     .pressure(0, End::Upper, 0.0)?;
/// let u = darcy.pressures(&[0.0; 256])?;
/// let wells = darcy.observe(&[[0.25, 0.5], [0.9, 0.1]])?;
/// let seen = wells.apply_to(Side::Plain, &u)?;
/// assert!((seen[0] - 0.75).abs() < 1e-12 && (seen[1] - 0.1).abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Darcy {
    grid: Grid,
    /// For every axis, its lower and upper side.
    sides: Vec<[Boundary; 2]>,
    sources: Vec<Vec<f64>>,
}

/// One of the two ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where the coordinate is smallest.
    Lower,
    /// Where it is largest.
    Upper,
}

/// What is known on a side of the box.
#[derive(Clone, Copy, Debug)]
enum Boundary {
    /// What flows in, per area and time.
    Inflow(f64),
    Pressure(f64),
}

/// Largest |θ|: e^θ, its reciprocal and what they are multiplied with must be numbers.
const LARGEST: f64 = 600.0;

impl Darcy {
    /// Flow in a box that is closed on all sides, without sources.
    ///
    /// # Errors
    /// A grid with one cell along an axis.
    pub fn new(grid: &Grid) -> Result<Self> {
        grid.check_faces("Darcy flow")?;
        Ok(Self {
            grid: grid.clone(),
            sides: vec![[Boundary::Inflow(0.0); 2]; grid.dim()],
            sources: Vec::new(),
        })
    }

    /// Holds a side at a pressure, in place of what was said of it before.
    ///
    /// # Errors
    /// An axis that the grid does not have, a pressure that is not finite.
    pub fn pressure(self, axis: usize, end: End, value: f64) -> Result<Self> {
        check::finite("the pressure on a side", &[value])?;
        self.side(axis, end, Boundary::Pressure(value))
    }

    /// Lets a flux into the box through a side, per area and time; out of it where negative; in place of what was said
    /// of the side before.
    ///
    /// # Errors
    /// An axis that the grid does not have, a flux that is not finite.
    pub fn inflow(self, axis: usize, end: End, flux: f64) -> Result<Self> {
        check::finite("the inflow through a side", &[flux])?;
        self.side(axis, end, Boundary::Inflow(flux))
    }

    /// Adds an experiment with this source f, per volume and time, in every cell. A model without any has one experiment,
    /// with f = 0.
    ///
    /// # Errors
    /// A source without one number a cell, or with one that is not finite.
    pub fn source(mut self, f: Vec<f64>) -> Result<Self> {
        check::length("a source on the grid", f.len(), self.grid.cells())?;
        check::finite("a source on the grid", &f)?;
        self.sources.push(f);
        Ok(self)
    }

    fn side(mut self, axis: usize, end: End, boundary: Boundary) -> Result<Self> {
        check::option(
            "the axis of a side",
            axis as f64,
            axis < self.grid.dim(),
            "axes count from 0 and end with the grid's",
        )?;
        self.sides[axis][usize::from(end == End::Upper)] = boundary;
        Ok(self)
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Number of experiments, at least one.
    pub fn experiments(&self) -> usize {
        self.sources.len().max(1)
    }

    /// u(θ), experiment after experiment, by [`Cpu::shared`].
    ///
    /// # Errors
    /// A θ without one number a cell or beyond ±600, a box with no side of fixed pressure, and what solvers report.
    pub fn pressures(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut u = vec![0.0; self.state_dim()];
        self.solve(theta, &mut u, Cpu::shared())?;
        Ok(u)
    }

    /// The pressures at these points, for every experiment: [`Grid::interpolation`], repeated.
    ///
    /// # Errors
    /// As for [`Grid::interpolation`].
    pub fn observe<P: AsRef<[f64]>>(&self, points: &[P]) -> Result<Operator<'static>> {
        let points = self.grid.interpolation(points)?;
        Ok(Operator::repeated(points, self.experiments()))
    }

    /// All pressures: the identity.
    pub fn observe_all(&self) -> Operator<'static> {
        Operator::identity(self.state_dim())
    }

    /// e^θ.
    fn permeability(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let what = "the log-permeability θ";
        check::length(what, theta.len(), self.grid.cells())?;
        check::finite(what, theta)?;
        match theta.iter().position(|t| t.abs() > LARGEST) {
            None => Ok(theta.iter().map(|t| t.exp()).collect()),
            Some(index) => Err(Error::OutOfRange {
                what,
                index,
                value: theta[index],
                lower: -LARGEST,
                upper: LARGEST,
            }),
        }
    }

    /// The same, and NaN where there is nobody to tell.
    fn permeability_or_nan(&self, theta: &[f64]) -> Vec<f64> {
        self.permeability(theta)
            .unwrap_or_else(|_| vec![f64::NAN; self.grid.cells()])
    }

    /// Number of sides that are held at a pressure; with none, u is known up to a constant.
    fn fixed_sides(&self) -> usize {
        let sides = self.sides.iter().flatten();
        sides.filter(|s| matches!(s, Boundary::Pressure(_))).count()
    }

    /// K(θ), of one experiment.
    fn matrix(&self, permeability: &[f64]) -> Operator<'static> {
        let weights = self.conductances(permeability);
        let (fixed, _) = self.fixed(permeability);
        let matrix = Operator::stencil(self.grid.weighted_laplacian(&weights, &fixed));
        match self.fixed_sides() {
            0 => matrix,
            _ => matrix.definite_by_construction(),
        }
    }
}

impl Model for Darcy {
    fn state_dim(&self) -> usize {
        self.experiments() * self.grid.cells()
    }

    fn param_dim(&self) -> usize {
        self.grid.cells()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.balances(&self.permeability_or_nan(theta), rho, out);
    }

    /// K(θ), repeated for every experiment.
    fn state_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let matrix = self.matrix(&self.permeability_or_nan(theta));
        Operator::repeated(matrix, self.experiments())
    }

    /// Sparse: cell j in the equations of itself and its neighbours, in every experiment.
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.sensitivities(&self.permeability_or_nan(theta), rho)
    }

    /// g is affine in u, so that u = −K⁻¹ g(0, θ): one factorisation, and all experiments in one batch.
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        let state = self.state_dim();
        check::length("the state of a Darcy flow", rho.len(), state)?;
        check::option(
            "the number of sides with fixed pressure",
            self.fixed_sides() as f64,
            self.fixed_sides() > 0,
            "hold at least one with `pressure`, or u is known up to a constant only",
        )?;
        let permeability = self.permeability(theta)?;
        let mut b = vec![0.0; state];
        self.balances(&permeability, &vec![0.0; state], &mut b);
        b.iter_mut().for_each(|b| *b = -*b);
        let factor = backend.factor(self.matrix(&permeability))?;
        improve(factor.as_ref(), self.experiments(), b, rho)?;
        Ok(())
    }
}
