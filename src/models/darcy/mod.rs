//! Steady flow through a porous medium with unknown log-permeability.

mod balance;
mod second_order;
mod sensitivity;

use faer::Mat;

use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, Cpu, Operator, improve};
use crate::model::{Model, Variation};

/// Pressure u of the Darcy flow −∇·(e^θ ∇u) = f on a box, with the log-permeability θ of every cell as parameters.
///
/// The discretisation is by finite volumes with the pressure at cell centres. The balance of cell i runs over its faces
/// of area A_f to the cells j at distance h_f, its sides of fixed pressure v, and its sides of given inflow q:
///
/// ```text
/// gᵢ = Σ_faces T_f (uᵢ − uⱼ) + Σ_fixed T_b (uᵢ − v) − Σ_inflow A_f q − vol fᵢ
/// T_f = (A_f/h_f) 2/(e^−θᵢ + e^−θⱼ),   T_b = (A_f/h_f) 2 e^θᵢ
/// ```
///
/// The scheme is exact for one-dimensional flow through layers, of second order for smooth θ, and conserves mass. The
/// matrix is symmetric positive definite if at least one side has a fixed pressure. The other sides are closed unless
/// an inflow is given.
///
/// Several experiments, one for each [`source`](Darcy::source), share θ and the boundary, so that one factorisation
/// serves them all. The state holds their pressures, experiment after experiment.
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
    /// Boundary conditions on the lower and upper side of every axis.
    sides: Vec<[Boundary; 2]>,
    /// Source f of every experiment.
    sources: Vec<Vec<f64>>,
}

/// One of the two ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// End with the smallest coordinate.
    Lower,
    /// End with the largest coordinate.
    Upper,
}

/// Boundary condition on a side of the box.
#[derive(Clone, Copy, Debug)]
enum Boundary {
    /// Given inflow per area and time through the side.
    Inflow(f64),
    /// Fixed pressure on the side.
    Pressure(f64),
}

/// Largest |θᵢ| that the model accepts. `f64` holds e^±709; the margin keeps products of e^θ or e^−θ with volumes and
/// pressures finite.
// e^±600 is 10^±260, and f64 reaches from 10⁻³⁰⁸ to 10³⁰⁸: at least 47 decades are left on either side.
const LARGEST: f64 = 600.0;

impl Darcy {
    /// Creates a model of a box that is closed on all sides, without sources.
    ///
    /// # Errors
    /// Fails if the grid has only one cell along an axis.
    pub fn new(grid: &Grid) -> Result<Self> {
        grid.check_faces("Darcy flow")?;
        Ok(Self {
            grid: grid.clone(),
            sides: vec![[Boundary::Inflow(0.0); 2]; grid.dim()],
            sources: Vec::new(),
        })
    }

    /// Fixes the pressure on a side, in place of its previous boundary condition.
    ///
    /// # Errors
    /// Fails if the grid does not have the axis, or if the pressure is not finite.
    pub fn pressure(self, axis: usize, end: End, value: f64) -> Result<Self> {
        check::finite("the pressure on a side", &[value])?;
        self.side(axis, end, Boundary::Pressure(value))
    }

    /// Prescribes the inflow per area and time through a side, in place of its previous boundary condition.
    ///
    /// A negative flux is an outflow.
    ///
    /// # Errors
    /// Fails if the grid does not have the axis, or if the flux is not finite.
    pub fn inflow(self, axis: usize, end: End, flux: f64) -> Result<Self> {
        check::finite("the inflow through a side", &[flux])?;
        self.side(axis, end, Boundary::Inflow(flux))
    }

    /// Adds an experiment with the source f, given by one value per cell in units per volume and time.
    ///
    /// A model without sources has one experiment, with f = 0.
    ///
    /// # Errors
    /// Fails if the source does not have one value per cell, or if a value is not finite.
    pub fn source(mut self, f: Vec<f64>) -> Result<Self> {
        check::length("a source on the grid", f.len(), self.grid.cells())?;
        check::finite("a source on the grid", &f)?;
        self.sources.push(f);
        Ok(self)
    }

    /// Sets the boundary condition on a side.
    fn side(mut self, axis: usize, end: End, boundary: Boundary) -> Result<Self> {
        check::option(
            "the axis of a side",
            axis as f64,
            axis < self.grid.dim(),
            "give an axis of the grid, counted from 0",
        )?;
        self.sides[axis][usize::from(end == End::Upper)] = boundary;
        Ok(self)
    }

    /// Returns the grid of the box.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the number of experiments, at least 1.
    pub fn experiments(&self) -> usize {
        self.sources.len().max(1)
    }

    /// Returns the pressures u(θ), experiment after experiment, computed by [`Cpu::shared`].
    ///
    /// # Errors
    /// Fails if θ does not have one entry per cell, if an entry is beyond ±600, if no side has a fixed
    /// pressure, or if the solver fails.
    pub fn pressures(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut u = vec![0.0; self.state_dim()];
        self.solve(theta, &mut u, Cpu::shared())?;
        Ok(u)
    }

    /// Returns the observation operator of the pressures at these points: [`Grid::interpolation`] for every experiment.
    ///
    /// # Errors
    /// Fails as [`Grid::interpolation`] does.
    pub fn observe<P: AsRef<[f64]>>(&self, points: &[P]) -> Result<Operator<'static>> {
        let points = self.grid.interpolation(points)?;
        Ok(Operator::repeated(points, self.experiments()))
    }

    /// Returns the observation operator of all pressures: the identity.
    pub fn observe_all(&self) -> Operator<'static> {
        Operator::identity(self.state_dim())
    }

    /// Returns e^θ. Fails if θ has the wrong length or an entry beyond ±600.
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

    /// Returns e^θ, or NaN for an invalid θ, for methods that cannot return an error.
    fn permeability_or_nan(&self, theta: &[f64]) -> Vec<f64> {
        self.permeability(theta)
            .unwrap_or_else(|_| vec![f64::NAN; self.grid.cells()])
    }

    /// Returns the number of sides with fixed pressure. Without such a side, u is determined only up to a
    /// constant.
    fn fixed_sides(&self) -> usize {
        let sides = self.sides.iter().flatten();
        sides.filter(|s| matches!(s, Boundary::Pressure(_))).count()
    }

    /// Returns the matrix K(θ) of one experiment.
    fn matrix(&self, permeability: &[f64]) -> Operator<'static> {
        let weights = self.conductances(permeability);
        let (fixed, _) = self.fixed(permeability);
        // uᵀKu = Σ_faces T_f (uᵢ − uⱼ)² + Σ_fixed T_b uᵢ². This form vanishes only for constant u, and with a
        // fixed side only for u = 0: K is then positive definite.
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

    /// Returns K(θ), repeated for every experiment. Since g is affine in u, K depends on neither u nor f.
    fn state_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        // K is symmetric: one Cholesky factor serves pressures, tangents and adjoints of all experiments.
        let matrix = self.matrix(&self.permeability_or_nan(theta));
        Operator::repeated(matrix, self.experiments())
    }

    /// Returns a sparse matrix: θⱼ occurs in the balances of cell j and of its neighbours, in every experiment.
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.sensitivities(&self.permeability_or_nan(theta), rho)
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        self.bend(&self.permeability_or_nan(theta), rho, along).ok()
    }

    /// Solves for all experiments in one batch with one factorisation. Since g is affine in u, u = −K⁻¹ g(0, θ).
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        let state = self.state_dim();
        check::length("the state of a Darcy flow", rho.len(), state)?;
        check::option(
            "the number of sides with fixed pressure",
            self.fixed_sides() as f64,
            self.fixed_sides() > 0,
            "fix at least one with `pressure`, since otherwise u is determined only up to a constant",
        )?;
        // The right-hand side is b = −g(0, θ).
        let permeability = self.permeability(theta)?;
        let mut b = vec![0.0; state];
        self.balances(&permeability, &vec![0.0; state], &mut b);
        b.iter_mut().for_each(|b| *b = -*b);
        // One factorisation of a matrix of N cells serves all experiments. The contents of `rho` are the
        // guess of an iterative solver: along a descent the pressures of the previous θ.
        let factor = backend.factor(self.matrix(&permeability))?;
        improve(factor.as_ref(), self.experiments(), b, rho)?;
        Ok(())
    }
}
