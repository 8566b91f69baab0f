//! What flows through faces and sides, and whether it adds up.

use super::{Boundary, Darcy};

/// 2/(1/a + 1/b), which neither overflows nor vanishes where a and b do not.
fn harmonic_mean(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    // The second factor is in [1/2, 1]. Unlike `min` and `max` it keeps a NaN.
    2.0 * small * (large / (a + b))
}

impl Darcy {
    /// h² T_f, the volume of a cell times the harmonic mean of e^θ, for every face.
    pub(super) fn conductances(&self, permeability: &[f64]) -> Vec<f64> {
        let volume = self.grid.volume();
        let mut weights = Vec::with_capacity(self.grid.faces());
        self.grid.visit_runs(|run| {
            let pairs = permeability[run.below()]
                .iter()
                .zip(&permeability[run.above()]);
            weights.extend(pairs.map(|(a, b)| volume * harmonic_mean(*a, *b)));
        });
        weights
    }

    /// Σ T_b and Σ T_b v over the sides of fixed pressure, for every cell.
    pub(super) fn fixed(&self, permeability: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut fixed = vec![0.0; permeability.len()];
        let mut driven = fixed.clone();
        let volume = self.grid.volume();
        self.visit_sides(|cell, h, boundary| {
            if let Boundary::Pressure(value) = boundary {
                let t = 2.0 * volume * permeability[cell] / (h * h);
                fixed[cell] += t;
                driven[cell] += t * value;
            }
        });
        (fixed, driven)
    }

    /// g(u, θ) for all experiments.
    pub(super) fn balances(&self, permeability: &[f64], u: &[f64], out: &mut [f64]) {
        let (cells, volume) = (self.grid.cells(), self.grid.volume());
        let weights = self.conductances(permeability);
        let states = u.chunks(cells).zip(out.chunks_mut(cells));
        for (experiment, (u, g)) in states.enumerate() {
            match self.sources.get(experiment) {
                Some(f) => g.iter_mut().zip(f).for_each(|(g, f)| *g = -volume * f),
                None => g.fill(0.0),
            }
            self.add_faces(&weights, u, g);
            self.add_sides(permeability, u, g);
        }
    }

    /// g ← g + Σ_faces T_f (uᵢ − uⱼ).
    fn add_faces(&self, weights: &[f64], u: &[f64], g: &mut [f64]) {
        let h = self.grid.spacings();
        self.grid.visit_runs(|run| {
            let square = h[run.axis] * h[run.axis];
            let pairs = run.below().zip(run.above());
            for ((lower, upper), w) in pairs.zip(&weights[run.faces.clone()]) {
                let flow = w / square * (u[lower] - u[upper]);
                g[lower] += flow;
                g[upper] -= flow;
            }
        });
    }

    /// The same for the sides of the box.
    fn add_sides(&self, permeability: &[f64], u: &[f64], g: &mut [f64]) {
        let volume = self.grid.volume();
        self.visit_sides(|cell, h, boundary| {
            g[cell] += match boundary {
                Boundary::Pressure(value) => {
                    2.0 * volume * permeability[cell] / (h * h) * (u[cell] - value)
                }
                Boundary::Inflow(flux) => -volume / h * flux,
            };
        });
    }

    /// Calls `f(cell, h, boundary)` for every face on a side of the box, whose area is vol/h.
    fn visit_sides(&self, mut f: impl FnMut(usize, f64, Boundary)) {
        for (axis, (ends, h)) in self.sides.iter().zip(self.grid.spacings()).enumerate() {
            for (boundary, upper) in ends.iter().zip([false, true]) {
                let cells = self.grid.end_cells(axis, upper).flatten();
                cells.for_each(|cell| f(cell, h, *boundary));
            }
        }
    }
}
