//! Two species that diffuse and react.

use super::sensors::Sensors;
use crate::automatic::Scalar;
use crate::check;
use crate::error::Result;
use crate::evolution::{Covectors, Dynamics};
use crate::grid::Grid;
use crate::vector::dot;

/// Reaction and diffusion of two species in the plane (Gray and Scott 1984, Pearson 1993), with θ = (D_u, D_v, F, k).
///
/// ```text
/// u̇ = D_u Δu − u v² + F (1 − u)
/// v̇ = D_v Δv + u v² − (F + k) v
/// ```
///
/// The state holds u in all cells, then v in all cells. The sides of the box are periodic, or closed.
///
/// ```
/// use pullback::Grid;
/// use pullback::evolution::Evolution;
/// use pullback::models::fields::GrayScott;
///
/// let grid = Grid::new(&[(0.0, 0.3, 16), (0.0, 0.3, 16)])?;
/// let spots = GrayScott::square(&grid)?.closed();
/// let seen = Evolution::new(spots, vec![20.0])?.predict(&[2e-5, 1e-5, 0.04, 0.06])?;
/// let (u, v) = seen.split_at(256);
/// assert!(u.iter().all(|u| (0.0..1.0).contains(u)) && v.iter().all(|v| (0.0..1.0).contains(v)));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GrayScott {
    grid: Grid,
    periodic: bool,
    /// u, then v.
    initial: Vec<f64>,
    sensors: Sensors,
}

impl GrayScott {
    /// Creates the dynamics of a periodic box from both concentrations of every cell at the start, first u and then v.
    ///
    /// # Errors
    /// Fails if the grid does not have two axes with at least two cells each, and if there are not two finite values per cell.
    pub fn new(grid: &Grid, initial: Vec<f64>) -> Result<Self> {
        check::length("the axes of a plane grid", grid.dim(), 2)?;
        grid.check_faces("a reaction with diffusion")?;
        let what = "the initial concentrations of both species";
        check::length(what, initial.len(), 2 * grid.cells())?;
        check::finite(what, &initial)?;
        Ok(Self {
            grid: grid.clone(),
            periodic: true,
            initial,
            sensors: Sensors::default(),
        })
    }

    /// Creates the dynamics of a periodic box from u = 1 and v = 0, with u = ½ and v = ¼ in a square around the centre.
    ///
    /// The square takes a quarter of every axis. A slight slope of v across it breaks the symmetry.
    ///
    /// # Errors
    /// Fails if the grid does not have two axes with at least two cells each.
    pub fn square(grid: &Grid) -> Result<Self> {
        check::length("the axes of a plane grid", grid.dim(), 2)?;
        // Distances from the centre in units of the axes.
        let place = |x: &[f64], d: usize| {
            let axis = grid.axes()[d];
            (x[d] - axis.lower) / (axis.upper - axis.lower) - 0.5
        };
        let inside = |x: &[f64]| (0..2).all(|d| place(x, d).abs() < 0.125);
        let mut initial = grid.sample(|x| if inside(x) { 0.5 } else { 1.0 });
        initial.extend(grid.sample(|x| match inside(x) {
            true => 0.25 + 0.1 * place(x, 0) + 0.05 * place(x, 1),
            false => 0.0,
        }));
        Self::new(grid, initial)
    }

    /// Closes the sides of the box, instead of joining opposite ones.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.periodic = false;
        self
    }

    /// Observes both species at these points, by [`Grid::interpolation`], instead of in all cells.
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

    /// Returns the neighbours of place i of n. A closed end is its own neighbour, so that no flux passes it.
    #[inline]
    fn neighbours(&self, i: usize, n: usize) -> [usize; 2] {
        let ends = if self.periodic {
            [n - 1, 0]
        } else {
            [0, n - 1]
        };
        [
            if i > 0 { i - 1 } else { ends[0] },
            if i + 1 < n { i + 1 } else { ends[1] },
        ]
    }

    /// Writes D Δx to `out`, row by row.
    #[inline]
    fn diffuse<S: Scalar>(&self, diffusivity: S, x: &[S], out: &mut [S]) {
        let [down, along] = [0, 1].map(|d| self.grid.axes()[d]);
        let n = along.cells;
        let [vertical, horizontal] =
            [down, along].map(|axis| diffusivity / (axis.spacing() * axis.spacing()));
        let weights = [vertical, horizontal, -(vertical + horizontal) * 2.0];
        let ends = [0, n - 1].map(|j| self.neighbours(j, n));
        for (i, out) in out.chunks_exact_mut(n).enumerate() {
            let [above, below] = self.neighbours(i, down.cells);
            let rows = [above, i, below].map(|i| &x[i * n..(i + 1) * n]);
            diffuse_row(weights, rows, out);
            let [above, here, below] = rows;
            for (j, [left, right]) in [0, n - 1].into_iter().zip(ends) {
                out[j] = (above[j] + below[j]) * weights[0]
                    + (here[left] + here[right]) * weights[1]
                    + here[j] * weights[2];
            }
        }
    }
}

/// Writes D Δx to the cells of a row between its ends, given the row above, the row itself and the row below.
#[inline]
fn diffuse_row<S: Scalar>(weights: [S; 3], [above, here, below]: [&[S]; 3], out: &mut [S]) {
    // Without the ends the loop has no branch, so that it runs on several cells at once.
    let inner = 1..out.len() - 1;
    let (left, right) = (&here[..inner.len()], &here[2..]);
    let vertical = above[inner.clone()].iter().zip(&below[inner.clone()]);
    let horizontal = left.iter().zip(right).zip(&here[inner.clone()]);
    let cells = vertical.zip(horizontal).zip(&mut out[inner]);
    for (((above, below), ((left, right), here)), out) in cells {
        *out = (*above + *below) * weights[0] + (*left + *right) * weights[1] + *here * weights[2];
    }
}

impl Dynamics for GrayScott {
    fn dims(&self) -> (usize, usize) {
        (self.initial.len(), 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let cells = self.grid.cells();
        let (u, v) = x.split_at(cells);
        let (u_rate, v_rate) = out.split_at_mut(cells);
        self.diffuse(theta[0], u, u_rate);
        self.diffuse(theta[1], v, v_rate);
        let (feed, removal) = (theta[2], theta[2] + theta[3]);
        let rates = u_rate.iter_mut().zip(v_rate);
        for ((u, v), (u_rate, v_rate)) in u.iter().zip(v).zip(rates) {
            let reaction = *u * *v * *v;
            *u_rate += feed * (-*u + 1.0) - reaction;
            *v_rate += reaction - removal * *v;
        }
    }

    fn pull_back(&self, from: Covectors<'_>, x: &mut [f64], theta: &mut [f64]) -> bool {
        let cells = self.grid.cells();
        let [(u, v), (u_w, v_w)] = [from.x, from.w].map(|z| z.split_at(cells));
        let (feed, removal) = (from.theta[2], from.theta[2] + from.theta[3]);
        let (u_out, v_out) = x.split_at_mut(cells);
        let mut spread = vec![0.0; cells];
        // The discrete Laplacian is symmetric: wᵀΔx = xᵀΔw.
        for (species, (z, w, out)) in [(u, u_w, &mut *u_out), (v, v_w, &mut *v_out)]
            .into_iter()
            .enumerate()
        {
            self.diffuse(1.0, w, &mut spread);
            theta[species] += dot(z, &spread);
            let pairs = out.iter_mut().zip(&spread);
            pairs.for_each(|(out, s)| *out += from.theta[species] * s);
        }
        let (mut by_feed, mut by_removal) = (0.0, 0.0);
        let outs = u_out.iter_mut().zip(v_out);
        for (((u, v), (u_w, v_w)), (u_out, v_out)) in
            u.iter().zip(v).zip(u_w.iter().zip(v_w)).zip(outs)
        {
            let gain = v_w - u_w;
            *u_out += v * v * gain - feed * u_w;
            *v_out += 2.0 * u * v * gain - removal * v_w;
            by_feed += (1.0 - u) * u_w;
            by_removal -= v * v_w;
        }
        theta[2] += by_feed + by_removal;
        theta[3] += by_removal;
        true
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        let pairs = out.iter_mut().zip(&self.initial);
        pairs.for_each(|(out, x)| *out = S::from(*x));
    }

    fn outputs(&self) -> usize {
        2 * self.sensors.count(self.grid.cells())
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        let (u, v) = x.split_at(self.grid.cells());
        let (first, second) = out.split_at_mut(out.len() / 2);
        self.sensors.read(u, first);
        self.sensors.read(v, second);
    }
}
