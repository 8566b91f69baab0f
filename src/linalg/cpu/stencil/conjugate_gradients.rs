//! Preconditioned conjugate gradients in lock step over interleaved columns, for stencils that are positive definite.

use super::iteration::Iteration;
use super::lanes::{PerLane, add_products, first, lanes, rounded, scale};
use super::progress::Progress;
use super::system::{Sides, Solution, System};
use super::workspace::{Parts, Room, WIDEST, kept};
use crate::error::Result;
use crate::linalg::operator::{Real, vectorised};

/// Vectors of the method, in its usual letters: x, r, p and q.
const VECTORS: usize = 4;

/// The scalars of the method.
pub(crate) struct ConjugateGradients {
    /// ⟨r, z⟩.
    rho: PerLane,
    /// ‖r‖₂.
    size: PerLane,
    /// Columns that begin anew from their residual.
    fresh: [bool; WIDEST],
}

impl Iteration for ConjugateGradients {
    const VECTORS: usize = VECTORS;
    const PRODUCTS: usize = 1;

    fn new(residual: PerLane) -> Self {
        Self {
            rho: [1.0; WIDEST],
            size: residual,
            fresh: [true; WIDEST],
        }
    }

    fn step<T: Real, const W: usize>(
        &mut self,
        (system, b): (&System<'_, T>, Sides<'_>),
        room: &mut Room<T>,
        progress: &mut Progress,
    ) -> Result<()> {
        let Parts {
            exact: [x, r, p, q],
            output: [z, _],
            input,
            coarse,
        } = room.parts::<W, VECTORS>();
        let (active, s) = (progress.active, self.size.map(scale));
        // q is computed later, and lends its place.
        let rough = T::in_place(q).unwrap_or(input);
        round(&s, r, rough);
        system.precondition(rough, z, coarse);
        self.turn((&s, z), r, p, &active);
        let mut curvature = [0.0; W];
        system.stencil.product(system.side, (&*p, q), |cells, q| {
            for (p, q) in p[cells].iter().zip(q) {
                add_products(&mut curvature, p, q);
            }
        });
        let alpha = lanes::<W>(|l| match active[l] {
            true => self.rho[l] / curvature[l],
            false => 0.0,
        });
        self.advance(&alpha, (p, q), x, r);
        let mut solution = Solution {
            system,
            b,
            x,
            r,
            work: q,
        };
        self.fresh = progress.judge(&system.criteria, &mut self.size, &mut solution)?;
        Ok(())
    }

    fn narrow(&mut self, keep: &[usize]) {
        self.rho = kept(self.rho, keep, 0.0);
        self.size = kept(self.size, keep, 0.0);
        self.fresh = kept(self.fresh, keep, true);
    }
}

impl ConjugateGradients {
    /// p ← z/s + βp, with ⟨r, z⟩/s for the next β.
    fn turn<T: Real, const W: usize>(
        &mut self,
        (s, z): (&PerLane, &[[T; W]]),
        r: &[[f64; W]],
        p: &mut [[f64; W]],
        active: &[bool; WIDEST],
    ) {
        let (last, back) = (self.rho, first::<W>(&s.map(f64::recip)));
        let mut along = [0.0; W];
        vectorised(|| {
            for (r, z) in r.iter().zip(z) {
                add_products(&mut along, r, &z.map(Into::into));
            }
        });
        self.rho = lanes::<W>(|l| back[l] * along[l]);
        let anew = |l: usize| self.fresh[l] || !active[l];
        let beta = lanes::<W>(|l| if anew(l) { 0.0 } else { self.rho[l] / last[l] });
        let beta = first::<W>(&beta);
        vectorised(|| {
            for (p, z) in p.iter_mut().zip(z) {
                for l in 0..W {
                    p[l] = back[l] * z[l].into() + beta[l] * p[l];
                }
            }
        });
    }

    /// x ← x + αp, r ← r − αq, and ‖r‖ of that.
    fn advance<const W: usize>(
        &mut self,
        alpha: &PerLane,
        (p, q): (&[[f64; W]], &[[f64; W]]),
        x: &mut [[f64; W]],
        r: &mut [[f64; W]],
    ) {
        let (alpha, mut square) = (first::<W>(alpha), [0.0; W]);
        vectorised(|| {
            for (((x, p), r), q) in x.iter_mut().zip(p).zip(r).zip(q) {
                for l in 0..W {
                    x[l] += alpha[l] * p[l];
                    r[l] -= alpha[l] * q[l];
                }
                add_products(&mut square, r, r);
            }
        });
        self.size = lanes::<W>(|l| square[l].sqrt());
    }
}

/// rough ← s r.
fn round<T: Real, const W: usize>(s: &PerLane, r: &[[f64; W]], rough: &mut [[T; W]]) {
    let s = first::<W>(s);
    vectorised(|| {
        for (rough, r) in rough.iter_mut().zip(r) {
            *rough = rounded(&s, r);
        }
    });
}
