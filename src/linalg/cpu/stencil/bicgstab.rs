//! BiCGSTAB (van der Vorst 1992), preconditioned from the right, in lock step over interleaved columns.
//!
//! Every column has scalars of its own; one that is done stays as it is while the others go on. The preconditioner
//! works on vectors scaled to a size near 1, by powers of two, and what it returns is scaled back where it is used.

use super::iteration::Iteration;
use super::lanes::{PerLane, add_products, copy_lanes, first, lanes, rounded, scale};
use super::progress::Progress;
use super::system::{Sides, Solution, System};
use super::workspace::{Parts, Room, WIDEST, kept};
use crate::error::Result;
use crate::linalg::operator::{Real, vectorised};

/// Two vectors this close to orthogonal are a breakdown.
const BREAKDOWN: f64 = 1e-12;

/// Vectors of the method, in its usual letters: x, r, the shadow of r, p, v and t.
const VECTORS: usize = 6;

/// Two vectors to read.
type Pair<'v, const W: usize> = (&'v [[f64; W]], &'v [[f64; W]]);

/// The scalars of the method, in its usual letters.
pub(crate) struct BiCgStab {
    /// ⟨shadow, r⟩.
    rho: PerLane,
    /// That of the last iteration.
    last: PerLane,
    alpha: PerLane,
    omega: PerLane,
    /// ‖r‖₂ and ‖shadow‖₂.
    size: PerLane,
    shadow_size: PerLane,
    /// Columns that begin anew from their residual.
    fresh: [bool; WIDEST],
}

impl Iteration for BiCgStab {
    const VECTORS: usize = VECTORS;
    const PRODUCTS: usize = 2;

    fn new(residual: PerLane) -> Self {
        Self {
            rho: [1.0; WIDEST],
            last: [1.0; WIDEST],
            alpha: [1.0; WIDEST],
            omega: [1.0; WIDEST],
            size: residual,
            shadow_size: residual,
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
            exact: [x, r, shadow, p, v, t],
            output: [y, z],
            input,
            coarse,
        } = room.parts::<W, VECTORS>();
        let s = self.size.map(scale);
        let active = progress.active;
        self.begin_anew(&active, r, shadow);
        // t is computed last, and lends its place before that.
        let rough = T::in_place(t).unwrap_or(input);
        self.turn::<T, W>(&active, (r, v), p, (&s, rough));
        system.precondition(rough, y, coarse);
        let (along, length) = image(system, (y, v), &s, shadow);
        let blind = self.aim(&active, &along, &length);
        descend(&self.alpha, v, r, (&s, rough));
        system.precondition(rough, z, coarse);
        let (tr, tt) = image(system, (z, t), &s, r);
        self.omega = lanes::<W>(|l| match active[l] && tt[l] > 0.0 {
            true => tr[l] / tt[l],
            false => 0.0,
        });
        self.advance((&s, y, z), x, r, (shadow, t));
        let mut solution = Solution {
            system,
            b,
            x,
            r,
            work: t,
        };
        self.fresh = progress.judge(&system.criteria, &mut self.size, &mut solution)?;
        for (l, fresh) in self.fresh.iter_mut().enumerate() {
            *fresh |= blind[l] || self.omega[l] == 0.0;
        }
        Ok(())
    }

    fn narrow(&mut self, keep: &[usize]) {
        let all = [
            &mut self.rho,
            &mut self.last,
            &mut self.alpha,
            &mut self.omega,
            &mut self.size,
            &mut self.shadow_size,
        ];
        for numbers in all {
            *numbers = kept(*numbers, keep, 0.0);
        }
        self.fresh = kept(self.fresh, keep, true);
    }
}

impl BiCgStab {
    /// Gives a new shadow to columns whose shadow sees nothing of r, or that begin anew.
    fn begin_anew<const W: usize>(
        &mut self,
        active: &[bool; WIDEST],
        r: &[[f64; W]],
        shadow: &mut [[f64; W]],
    ) {
        for (l, &active) in active.iter().enumerate() {
            let size = self.shadow_size[l] * self.size[l];
            let sound = self.rho[l].abs() > BREAKDOWN * size;
            self.fresh[l] = active && (self.fresh[l] || !sound);
            if self.fresh[l] {
                self.shadow_size[l] = self.size[l];
                self.rho[l] = self.size[l] * self.size[l];
            }
        }
        copy_lanes(shadow, r, &self.fresh);
    }

    /// p ← r + β(p − ωv), or r for columns that begin anew or are done; rough ← s p.
    fn turn<T: Real, const W: usize>(
        &mut self,
        active: &[bool; WIDEST],
        (r, v): Pair<'_, W>,
        p: &mut [[f64; W]],
        (s, rough): (&PerLane, &mut [[T; W]]),
    ) {
        let beta = lanes::<W>(|l| self.rho[l] / self.last[l] * (self.alpha[l] / self.omega[l]));
        self.last = self.rho;
        let anew: [bool; W] = std::array::from_fn(|l| self.fresh[l] || !active[l]);
        let omega = first::<W>(&self.omega);
        let (beta, s) = (first::<W>(&beta), first::<W>(s));
        vectorised(|| {
            for (((p, r), v), rough) in p.iter_mut().zip(r).zip(v).zip(rough) {
                for l in 0..W {
                    let turned = r[l] + beta[l] * (p[l] - omega[l] * v[l]);
                    p[l] = if anew[l] { r[l] } else { turned };
                }
                *rough = rounded(&s, p);
            }
        });
    }

    /// α from ⟨shadow, v⟩ and ‖v‖²; returns the columns whose shadow sees nothing of v, which stay.
    fn aim(
        &mut self,
        active: &[bool; WIDEST],
        along: &PerLane,
        length: &PerLane,
    ) -> [bool; WIDEST] {
        let blind: [bool; WIDEST] = std::array::from_fn(|l| {
            let seen = along[l].abs() > BREAKDOWN * self.shadow_size[l] * length[l].sqrt();
            !seen
        });
        self.alpha = std::array::from_fn(|l| match active[l] && !blind[l] {
            true => self.rho[l] / along[l],
            false => 0.0,
        });
        blind
    }

    /// x ← x + (αy + ωz)/s, r ← r − ωt; ‖r‖ and ⟨shadow, r⟩ of that.
    fn advance<T: Real, const W: usize>(
        &mut self,
        (s, y, z): (&PerLane, &[[T; W]], &[[T; W]]),
        x: &mut [[f64; W]],
        r: &mut [[f64; W]],
        (shadow, t): Pair<'_, W>,
    ) {
        let alpha = first::<W>(&lanes::<W>(|l| self.alpha[l] / s[l]));
        let along = first::<W>(&lanes::<W>(|l| self.omega[l] / s[l]));
        let omega = first::<W>(&self.omega);
        let (mut square, mut seen) = ([0.0; W], [0.0; W]);
        vectorised(|| {
            for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
                for l in 0..W {
                    x[l] += alpha[l] * y[l].into() + along[l] * z[l].into();
                }
            }
            for ((r, t), shadow) in r.iter_mut().zip(t).zip(shadow) {
                for l in 0..W {
                    r[l] -= omega[l] * t[l];
                }
                add_products(&mut square, r, r);
                add_products(&mut seen, shadow, r);
            }
        });
        self.size = lanes::<W>(|l| square[l].sqrt());
        self.rho = lanes::<W>(|l| seen[l]);
    }
}

/// out ← A y/s; ⟨with, out⟩ and ‖out‖².
fn image<T: Real, const W: usize>(
    system: &System<'_, T>,
    (y, out): (&[[T; W]], &mut [[f64; W]]),
    s: &PerLane,
    with: &[[f64; W]],
) -> (PerLane, PerLane) {
    let back = first::<W>(&s.map(f64::recip));
    let (mut along, mut square) = ([0.0; W], [0.0; W]);
    system.stencil.product(system.side, (y, out), |cells, out| {
        for (out, with) in out.iter_mut().zip(&with[cells]) {
            (0..W).for_each(|l| out[l] *= back[l]);
            add_products(&mut along, with, out);
            add_products(&mut square, out, out);
        }
    });
    (lanes::<W>(|l| along[l]), lanes::<W>(|l| square[l]))
}

/// r ← r − αv; rough ← s r.
fn descend<T: Real, const W: usize>(
    alpha: &PerLane,
    v: &[[f64; W]],
    r: &mut [[f64; W]],
    (s, rough): (&PerLane, &mut [[T; W]]),
) {
    let (alpha, s) = (first::<W>(alpha), first::<W>(s));
    vectorised(|| {
        for ((r, v), rough) in r.iter_mut().zip(v).zip(rough) {
            for l in 0..W {
                r[l] -= alpha[l] * v[l];
            }
            *rough = rounded(&s, r);
        }
    });
}
