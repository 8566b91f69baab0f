//! Preconditioned conjugate gradients (Hestenes & Stiefel 1952) in lock step over interleaved columns, for
//! symmetric positive definite stencils.

use super::iteration::Iteration;
use super::lanes::{PerLane, add_products, first, lanes, rounded, scale};
use super::progress::Progress;
use super::system::{Sides, Solution, System};
use super::workspace::{Parts, WIDEST, Workspace, select_lanes};
use crate::error::Result;
use crate::linalg::operator::{Real, vectorised};

/// Number of vectors of the method, in its usual letters: x, r, p and q.
const VECTORS: usize = 4;

/// Scalars of conjugate gradients, one per column.
pub(crate) struct ConjugateGradients {
    /// Inner products ρ = ⟨r, z⟩/s of the columns.
    rho: PerLane,
    /// Norms ‖r‖₂ of the residuals.
    size: PerLane,
    /// Marks the columns that restart from their residual in the next step.
    restart: [bool; WIDEST],
}

impl Iteration for ConjugateGradients {
    const VECTORS: usize = VECTORS;
    const PRODUCTS: usize = 1;

    fn new(residual: PerLane) -> Self {
        Self {
            rho: [1.0; WIDEST],
            size: residual,
            restart: [true; WIDEST],
        }
    }

    // With a preconditioner K and the scale s ≈ 1/‖r‖ of every column, one step is
    //   z = K⁻¹ (s r),   ρ = ⟨r, z⟩/s,   β = ρ/ρ₋,   p ← z/s + β p,
    //   q = A p,   α = ρ/⟨p, q⟩,   x ← x + α p,   r ← r − α q.
    // α minimises the error in the norm (xᵀAx)^½ along p: α is ⟨r, p⟩/⟨p, A p⟩, and ⟨r, p⟩ = ⟨r, z/s⟩ because r is
    // orthogonal to the previous p. β makes the new p conjugate to the previous one, ⟨p, A p₋⟩ = 0.
    fn step<T: Real, const W: usize>(
        &mut self,
        (system, b): (&System<'_, T>, Sides<'_>),
        workspace: &mut Workspace<T>,
        progress: &mut Progress,
    ) -> Result<()> {
        let Parts {
            exact: [x, r, p, q],
            output: z,
            input,
            coarse,
        } = workspace.parts::<W, VECTORS>();
        let (active, s) = (progress.active, self.size.map(scale));
        // q is computed last. Until then its memory can serve as buffer for the argument of the
        // preconditioner.
        let scaled = T::in_place(q).unwrap_or(input);
        round(&s, r, scaled);
        system.precondition(scaled, z, coarse);
        let beta = self.update_beta(&s, r, z, &active);
        update_direction(&beta, &s, z, p);
        let mut curvature = [0.0; W];
        system.stencil.product(system.side, (&*p, q), |cells, q| {
            for (p, q) in p[cells].iter().zip(q) {
                add_products(&mut curvature, p, q);
            }
        });
        // α = 0 leaves x and r of a converged column unchanged. A curvature ≤ 0 would show that A is not
        // positive definite, but is not tested for. Such a column ends as stagnated, either with NaN or when
        // it has used up its products.
        let alpha = lanes::<W>(|l| match active[l] {
            true => self.rho[l] / curvature[l],
            false => 0.0,
        });
        self.size = update_solution(&alpha, p, q, x, r);
        let mut solution = Solution {
            system,
            b,
            x,
            r,
            work: q,
        };
        self.restart = progress.judge(&system.criteria, &mut self.size, &mut solution)?;
        Ok(())
    }

    fn narrow(&mut self, keep: &[usize]) {
        self.rho = select_lanes(self.rho, keep, 0.0);
        self.size = select_lanes(self.size, keep, 0.0);
        self.restart = select_lanes(self.restart, keep, true);
    }
}

impl ConjugateGradients {
    /// Computes ρ = ⟨r, z⟩/s. Returns β = ρ/ρ₋, or 0 in columns that restart or have converged.
    fn update_beta<T: Real, const W: usize>(
        &mut self,
        s: &PerLane,
        r: &[[f64; W]],
        z: &[[T; W]],
        active: &[bool; WIDEST],
    ) -> PerLane {
        let (last, unscale) = (self.rho, first::<W>(&s.map(f64::recip)));
        let mut rz = [0.0; W];
        vectorised(
            #[inline(always)]
            || {
                for (r, z) in r.iter().zip(z) {
                    add_products(&mut rz, r, &z.map(Into::into));
                }
            },
        );
        self.rho = lanes::<W>(|l| unscale[l] * rz[l]);
        // β = ⟨r, z⟩/⟨r₋, z₋⟩ assumes ⟨r, z₋⟩ = 0, which requires a symmetric preconditioner. The multigrid
        // cycles are symmetric by the order of their sweeps, and DILU by its form.
        let steepest = |l: usize| self.restart[l] || !active[l];
        lanes::<W>(|l| match steepest(l) {
            true => 0.0,
            false => self.rho[l] / last[l],
        })
    }
}

/// Computes p ← z/s + β p.
fn update_direction<T: Real, const W: usize>(
    beta: &PerLane,
    s: &PerLane,
    z: &[[T; W]],
    p: &mut [[f64; W]],
) {
    let (beta, unscale) = (first::<W>(beta), first::<W>(&s.map(f64::recip)));
    vectorised(
        #[inline(always)]
        || {
            for (p, z) in p.iter_mut().zip(z) {
                for l in 0..W {
                    p[l] = unscale[l] * z[l].into() + beta[l] * p[l];
                }
            }
        },
    );
}

/// Computes x ← x + α p and r ← r − α q. Returns ‖r‖.
fn update_solution<const W: usize>(
    alpha: &PerLane,
    p: &[[f64; W]],
    q: &[[f64; W]],
    x: &mut [[f64; W]],
    r: &mut [[f64; W]],
) -> PerLane {
    let (alpha, mut rr) = (first::<W>(alpha), [0.0; W]);
    vectorised(
        #[inline(always)]
        || {
            for (((x, p), r), q) in x.iter_mut().zip(p).zip(r).zip(q) {
                for l in 0..W {
                    x[l] += alpha[l] * p[l];
                    r[l] -= alpha[l] * q[l];
                }
                add_products(&mut rr, r, r);
            }
        },
    );
    lanes::<W>(|l| rr[l].sqrt())
}

/// Computes scaled ← s r in the precision of the preconditioner.
fn round<T: Real, const W: usize>(s: &PerLane, r: &[[f64; W]], scaled: &mut [[T; W]]) {
    let s = first::<W>(s);
    vectorised(
        #[inline(always)]
        || {
            for (scaled, r) in scaled.iter_mut().zip(r) {
                *scaled = rounded(&s, r);
            }
        },
    );
}
