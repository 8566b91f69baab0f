//! Fluxes through faces and sides, and their balance in every cell.

use super::{Boundary, Darcy};

/// Returns the harmonic mean 2/(1/a + 1/b) without spurious overflow or underflow.
fn harmonic_mean(a: f64, b: f64) -> f64 {
    // The flux between two cells meets the resistances (h/2)/a and (h/2)/b in series, which gives the harmonic mean.
    // 2ab/(a + b) = 2·min·(max/(a + b)), and the last factor is in [1/2, 1]. Unlike `min` and `max` this form keeps a
    // NaN.
    let (small, large) = (a.min(b), a.max(b));
    2.0 * small * (large / (a + b))
}

impl Darcy {
    /// Returns h² T_f for every face: the volume of a cell times the harmonic mean of e^θ.
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

    /// Returns Σ T_b and Σ T_b v for every cell, over its faces of fixed pressure v.
    ///
    /// T_b is the conductance between the face and the centre of the cell.
    pub(super) fn fixed(&self, permeability: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut fixed = vec![0.0; permeability.len()];
        let mut driven = fixed.clone();
        let volume = self.grid.volume();
        self.visit_sides(|cell, h, boundary| {
            if let Boundary::Pressure(value) = boundary {
                // T_b = (A/h) 2e^θ with A = vol/h: the boundary is h/2 from the cell centre.
                let t = 2.0 * volume * permeability[cell] / (h * h);
                fixed[cell] += t;
                driven[cell] += t * value;
            }
        });
        (fixed, driven)
    }

    /// Computes g(u, θ) for all experiments.
    pub(super) fn balances(&self, permeability: &[f64], u: &[f64], out: &mut [f64]) {
        let (cells, volume) = (self.grid.cells(), self.grid.volume());
        let weights = self.conductances(permeability);
        let states = u.chunks(cells).zip(out.chunks_mut(cells));
        // The scheme is conservative: Σᵢ gᵢ is the net outflow through the sides minus the sources, because
        // every interior flow occurs twice with opposite signs. The balances are per cell, not per volume,
        // which makes ∂g/∂u symmetric.
        for (experiment, (u, g)) in states.enumerate() {
            match self.sources.get(experiment) {
                Some(f) => g.iter_mut().zip(f).for_each(|(g, f)| *g = -volume * f),
                None => g.fill(0.0),
            }
            self.add_faces(&weights, u, g);
            self.add_sides(permeability, u, g);
        }
    }

    /// Adds the flow through faces: gᵢ ← gᵢ + Σ_faces T_f (uᵢ − uⱼ).
    fn add_faces(&self, weights: &[f64], u: &[f64], g: &mut [f64]) {
        let h = self.grid.spacings();
        self.grid.visit_runs(|run| {
            // `weights` holds h² T_f.
            let square = h[run.axis] * h[run.axis];
            let pairs = run.below().zip(run.above());
            for ((lower, upper), w) in pairs.zip(&weights[run.faces.clone()]) {
                let flow = w / square * (u[lower] - u[upper]);
                g[lower] += flow;
                g[upper] -= flow;
            }
        });
    }

    /// Adds the flow through the sides of the box: gᵢ ← gᵢ + Σ_fixed T_b (uᵢ − v) − Σ_inflow A_f q.
    ///
    /// The first sum is over the faces of fixed pressure v, with the conductance T_b between the face and the centre of
    /// the cell. The second sum is over the faces of given inflow q per unit of area, with the area A_f of the face.
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

    /// Calls `f(cell, h, boundary)` for every face on a side of the box. The face has the area vol/h.
    fn visit_sides(&self, mut f: impl FnMut(usize, f64, Boundary)) {
        for (axis, (ends, h)) in self.sides.iter().zip(self.grid.spacings()).enumerate() {
            for (boundary, upper) in ends.iter().zip([false, true]) {
                let cells = self.grid.end_cells(axis, upper).flatten();
                cells.for_each(|cell| f(cell, h, *boundary));
            }
        }
    }
}
