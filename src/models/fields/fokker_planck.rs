//! Densities that a flow carries along.

use super::super::InvariantMeasure;
use crate::automatic::{Expansion, Scalar};
use crate::check;
use crate::error::Result;
use crate::evolution::Dynamics;
use crate::grid::Face;

/// Fokker-Planck equation ρ̇ = −∇·(v(x; θ) ρ) + D Δρ of a flow, with the parameters of the flow.
///
/// The fluxes are those of an [`InvariantMeasure`], which is the density after a long time. Its teleportation is kept, too. Mass
/// is conserved.
///
/// ```
/// use pullback::Grid;
/// use pullback::evolution::{Evolution, Method};
/// use pullback::models::{InvariantMeasure, fields::FokkerPlanck, flow::VanDerPol};
///
/// let grid = Grid::new(&[(-3.0, 3.0, 8), (-4.0, 4.0, 8)])?;
/// let measure = InvariantMeasure::new(&grid, VanDerPol)?.diffusion(0.1)?;
/// let start = grid.sample(|x| (-x[0] * x[0] - x[1] * x[1]).exp());
/// let density = FokkerPlanck::new(measure, start)?;
/// let times = vec![0.5, 1.0, 2.0];
/// let model = Evolution::new(density, times)?.method(Method::Implicit);
/// let rho = model.predict(&[1.0])?; // three densities, one after the other
/// assert!((grid.integrate(&rho[128..])? - 1.0).abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// The rates of the flux through faces have kinks where velocities vanish, as for the invariant measure: use
/// [`Flux::Smooth`](super::super::Flux::Smooth) for second derivatives, which also need those of the flow.
pub struct FokkerPlanck<'f> {
    measure: InvariantMeasure<'f>,
    initial: Vec<f64>,
    faces: Vec<Face>,
}

impl<'f> FokkerPlanck<'f> {
    /// Creates the dynamics with the fluxes of an invariant measure, from a density that is scaled to mass 1.
    ///
    /// # Errors
    /// Fails if there is not one value per cell, if a value is negative or not finite, and if all are 0.
    pub fn new(measure: InvariantMeasure<'f>, initial: Vec<f64>) -> Result<Self> {
        let what = "the initial density";
        check::length(what, initial.len(), measure.grid().cells())?;
        check::density(what, &initial)?;
        let mass = measure.grid().integrate(&initial)?;
        let remedy = "give a density with a positive mass";
        let sound = mass > 0.0 && mass.is_finite();
        check::option("the mass of the initial density", mass, sound, remedy)?;
        let initial = initial.iter().map(|r| r / mass).collect();
        let mut faces = Vec::with_capacity(measure.grid().faces());
        measure.grid().visit_faces(|axis, lower, upper| {
            faces.push(measure.grid().face(axis, lower, upper));
        });
        Ok(Self {
            measure,
            initial,
            faces,
        })
    }

    /// Returns the invariant measure, to which the densities tend.
    pub fn measure(&self) -> &InvariantMeasure<'f> {
        &self.measure
    }
}

impl Dynamics for FokkerPlanck<'_> {
    fn dims(&self) -> (usize, usize) {
        (self.initial.len(), self.measure.flow().param_dim())
    }

    fn rate<S: Scalar>(&self, _: f64, rho: &[S], theta: &[S], out: &mut [S]) {
        let alpha = self.measure.teleports();
        let source = alpha * self.measure.uniform();
        for (out, r) in out.iter_mut().zip(rho) {
            *out = *r * -alpha + source;
        }
        let (theta, mut slopes) = (Expansion::new(theta), Vec::new());
        for face in &self.faces {
            let [up, down] = self.measure.rates(face, &theta, &mut slopes);
            let flow = (up * rho[face.lower] - down * rho[face.upper]) / face.spacing;
            out[face.lower] -= flow;
            out[face.upper] += flow;
        }
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        let pairs = out.iter_mut().zip(&self.initial);
        pairs.for_each(|(out, r)| *out = S::from(*r));
    }
}
