//! Transport by a given velocity, with an unknown initial field.

use super::sensors::Sensors;
use crate::automatic::Scalar;
use crate::check;
use crate::error::Result;
use crate::evolution::Dynamics;
use crate::grid::Grid;

/// Discretisation of the flux v x through a face between the cells l (lower) and u (upper).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// max(v, 0) x_l + min(v, 0) x_u: first order, keeps x non-negative, adds the diffusion |v|h/2.
    #[default]
    Upwind,
    /// v (x_l + x_u)/2: second order, oscillates where |v|h > 2D.
    Central,
}

/// Transport ẋ = −∇·(v x) + D Δx in a closed box, with the initial value of every cell as parameters.
///
/// The solution is linear in the parameters. Mass is conserved, since no flux leaves the box.
///
/// ```
/// use pullback::Grid;
/// use pullback::evolution::Evolution;
/// use pullback::models::fields::AdvectionDiffusion;
///
/// // A cloud turns about the centre of the box.
/// let grid = Grid::new(&[(-1.0, 1.0, 12), (-1.0, 1.0, 12)])?;
/// let cloud = AdvectionDiffusion::new(&grid, 0.01)?.velocity(|x| [-x[1], x[0], 0.0])?;
/// let start = grid.sample(|x| (-20.0 * ((x[0] - 0.5).powi(2) + x[1].powi(2))).exp());
/// let seen = Evolution::new(cloud, vec![0.5, 1.0])?.predict(&start)?;
/// let (mass, later) = (grid.integrate(&start)?, grid.integrate(&seen[144..])?);
/// assert!((mass - later).abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdvectionDiffusion {
    grid: Grid,
    /// Velocity normal to every face.
    velocities: Vec<f64>,
    diffusion: f64,
    scheme: Scheme,
    sensors: Sensors,
}

impl AdvectionDiffusion {
    /// Creates the dynamics with the diffusion D ≥ 0 and no velocity.
    ///
    /// # Errors
    /// Fails if the grid has only one cell along an axis, and if D is negative or not finite.
    pub fn new(grid: &Grid, diffusion: f64) -> Result<Self> {
        grid.check_faces("transport")?;
        let sound = diffusion >= 0.0 && diffusion.is_finite();
        let remedy = "give a non-negative number";
        check::option("the diffusion", diffusion, sound, remedy)?;
        Ok(Self {
            velocities: vec![0.0; grid.faces()],
            diffusion,
            scheme: Scheme::default(),
            sensors: Sensors::default(),
            grid: grid.clone(),
        })
    }

    /// Sets the velocity to a function of x, evaluated at the centres of the faces.
    ///
    /// # Errors
    /// Fails if a velocity is not finite.
    pub fn velocity(self, v: impl Fn(&[f64; 3]) -> [f64; 3]) -> Result<Self> {
        let mut normal = Vec::with_capacity(self.grid.faces());
        self.grid.visit_faces(|axis, lower, upper| {
            let face = self.grid.face(axis, lower, upper);
            normal.push(v(&face.centre)[axis]);
        });
        self.face_velocities(normal)
    }

    /// Sets the velocity normal to every face, in the order of [`Grid::gradient`].
    ///
    /// # Errors
    /// Fails if there is not one finite velocity per face.
    pub fn face_velocities(mut self, normal: Vec<f64>) -> Result<Self> {
        let what = "the velocities at faces";
        check::length(what, normal.len(), self.grid.faces())?;
        check::finite(what, &normal)?;
        self.velocities = normal;
        Ok(self)
    }

    /// Sets the discretisation of the flux, upwind by default.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Observes x at these points, by [`Grid::interpolation`], instead of in all cells.
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
}

impl Dynamics for AdvectionDiffusion {
    fn dims(&self) -> (usize, usize) {
        (self.grid.cells(), self.grid.cells())
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        self.grid.visit_runs(|run| {
            let per_length = self.grid.axes()[run.axis].spacing().recip();
            let spread = self.diffusion * per_length * per_length;
            let cells = run.below().zip(run.above());
            for ((lower, upper), v) in cells.zip(&self.velocities[run.faces.clone()]) {
                // The flux a x_l + b x_u leaves the lower cell, of which it takes away flux/h per volume, and enters the upper.
                let [a, b] = match self.scheme {
                    Scheme::Upwind => [v.max(0.0), v.min(0.0)],
                    Scheme::Central => [0.5 * v, 0.5 * v],
                };
                let flow =
                    x[lower] * (a * per_length + spread) + x[upper] * (b * per_length - spread);
                out[lower] -= flow;
                out[upper] += flow;
            }
        });
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.copy_from_slice(theta);
    }

    fn outputs(&self) -> usize {
        self.sensors.count(self.grid.cells())
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        self.sensors.read(x, out);
    }
}
