//! BiCGSTAB (van der Vorst 1992), preconditioned from the right, in lock step over interleaved columns.
//!
//! Every column has its own scalars. A converged column stays unchanged while the iteration continues for the
//! others. The arguments of the preconditioner are scaled to a size near 1 by powers of two. Its results are
//! scaled back where they are used.

use super::iteration::Iteration;
use super::lanes::{PerLane, add_products, copy_lanes, first, lanes, rounded, scale};
use super::progress::Progress;
use super::system::{Sides, Solution, System};
use super::workspace::{Parts, WIDEST, Workspace, select_lanes};
use crate::error::Result;
use crate::linalg::operator::{Real, vectorised};

/// Modulus of the cosine between two vectors up to which they count as orthogonal, which is a breakdown.
// An inner product of n terms typically carries an error of √n ε ‖a‖‖b‖. For 10⁷ cells that is of the order
// of this threshold, below which not even the sign of ρ is certain.
const BREAKDOWN: f64 = 1e-12;

/// Number of vectors of the method, in its usual letters: x, r, the shadow residual r̂, p, v and t.
const VECTORS: usize = 6;

/// Argument of the preconditioner: scale factors s, one per column, and a buffer for the scaled vector.
struct Argument<'v, T, const W: usize> {
    scale: [f64; W],
    vector: &'v mut [[T; W]],
}

/// Coefficients of the next direction: p ← r + β (p − ω v), or p ← r in the columns marked `steepest`.
struct Direction<const W: usize> {
    beta: [f64; W],
    omega: [f64; W],
    steepest: [bool; W],
}

/// Scalars of BiCGSTAB, one per column, in the usual letters of the method.
pub(crate) struct BiCgStab {
    /// Inner products ρ = ⟨r̂, r⟩ of the columns.
    rho: PerLane,
    /// Inner products ρ₋ = ⟨r̂, r⟩ of the previous step.
    last: PerLane,
    alpha: PerLane,
    omega: PerLane,
    /// Norms ‖r‖₂ of the residuals.
    size: PerLane,
    /// Norms ‖r̂‖₂ of the shadow residuals.
    shadow_size: PerLane,
    /// Marks the columns that restart from their residual in the next step.
    restart: [bool; WIDEST],
}

impl Iteration for BiCgStab {
    const VECTORS: usize = VECTORS;
    const PRODUCTS: usize = 2;

    fn new(residual: PerLane) -> Self {
        Self {
            // The first β is not used, because all columns restart. Ones keep it finite.
            rho: [1.0; WIDEST],
            last: [1.0; WIDEST],
            alpha: [1.0; WIDEST],
            omega: [1.0; WIDEST],
            size: residual,
            shadow_size: residual,
            restart: [true; WIDEST],
        }
    }

    // With a preconditioner K and the scale s ≈ 1/‖r‖ of every column, one step is
    //   β = ρ/ρ₋ · α/ω,   p ← r + β (p − ω v),
    //   y = K⁻¹ (s p),    v = A y/s,    α = ρ/⟨r̂, v⟩,    r ← r − α v,
    //   z = K⁻¹ (s r),    t = A z/s,    ω = ⟨t, r⟩/‖t‖²,
    //   x ← x + (α y + ω z)/s,   r ← r − ω t,   ρ = ⟨r̂, r⟩.
    // ω minimises ‖r − ω t‖. Both updates keep r = b − A x, since A (α y + ω z)/s = α v + ω t.
    fn step<T: Real, const W: usize>(
        &mut self,
        (system, b): (&System<'_, T>, Sides<'_>),
        workspace: &mut Workspace<T>,
        progress: &mut Progress,
    ) -> Result<()> {
        let Parts {
            exact: [x, r, shadow, p, v, t],
            output: [y, z],
            input,
            coarse,
        } = workspace.parts::<W, VECTORS>();
        let s = self.size.map(scale);
        let active = progress.active;
        self.renew_shadows(&active, r, shadow);
        // t is computed last. Until then its memory can serve as buffer for the argument of the
        // preconditioner.
        let mut argument = Argument {
            scale: first::<W>(&s),
            vector: T::in_place(t).unwrap_or(input),
        };
        self.direction(&active).update(r, v, p, &mut argument);
        system.precondition(argument.vector, y, coarse);
        let (shadow_v, vv) = apply(system, (y, v), &s, shadow);
        let orthogonal = self.update_alpha(&active, &shadow_v, &vv);
        subtract_v(&self.alpha, v, r, &mut argument);
        system.precondition(argument.vector, z, coarse);
        let (tr, tt) = apply(system, (z, t), &s, r);
        self.omega = lanes::<W>(|l| match active[l] && tt[l] > 0.0 {
            true => tr[l] / tt[l],
            false => 0.0,
        });
        self.update_solution(&s, y, z, x);
        self.update_residual(t, shadow, r);
        let mut solution = Solution {
            system,
            b,
            x,
            r,
            work: t,
        };
        self.restart = progress.judge(&system.criteria, &mut self.size, &mut solution)?;
        // Restart where the next β would divide by ω = 0, and where α = 0, since the step made no progress
        // along p.
        for (l, restart) in self.restart.iter_mut().enumerate() {
            *restart |= orthogonal[l] || self.omega[l] == 0.0;
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
            *numbers = select_lanes(*numbers, keep, 0.0);
        }
        self.restart = select_lanes(self.restart, keep, true);
    }
}

impl BiCgStab {
    /// Sets r̂ ← r in the columns that restart, and in those whose r̂ has become orthogonal to r.
    fn renew_shadows<const W: usize>(
        &mut self,
        active: &[bool; WIDEST],
        r: &[[f64; W]],
        shadow: &mut [[f64; W]],
    ) {
        for (l, &active) in active.iter().enumerate() {
            // |⟨r̂, r⟩| = |cos ∠(r̂, r)| ‖r̂‖ ‖r‖. If r̂ ⊥ r, then ρ = 0, so that α and the next β vanish and
            // x no longer moves along p (breakdown of the Lanczos process). The comparison is false for NaN,
            // so that such a column restarts as well.
            let size = self.shadow_size[l] * self.size[l];
            let sound = self.rho[l].abs() > BREAKDOWN * size;
            self.restart[l] = active && (self.restart[l] || !sound);
            if self.restart[l] {
                // r̂ = r gives ρ = ‖r‖².
                self.shadow_size[l] = self.size[l];
                self.rho[l] = self.size[l] * self.size[l];
            }
        }
        copy_lanes(shadow, r, &self.restart);
    }

    /// Computes the coefficients of the next direction. The direction is r in columns that restart or have converged.
    fn direction<const W: usize>(&mut self, active: &[bool; WIDEST]) -> Direction<W> {
        // After a restart β and ω of the previous step are meaningless, or even NaN. Neither enters p = r.
        let beta = lanes::<W>(|l| self.rho[l] / self.last[l] * (self.alpha[l] / self.omega[l]));
        self.last = self.rho;
        Direction {
            beta: first::<W>(&beta),
            omega: first::<W>(&self.omega),
            steepest: std::array::from_fn(|l| self.restart[l] || !active[l]),
        }
    }

    /// Computes α = ρ/⟨r̂, v⟩ from ⟨r̂, v⟩ and ‖v‖².
    ///
    /// Returns flags of the columns whose r̂ is orthogonal to v. These columns get α = 0.
    fn update_alpha(
        &mut self,
        active: &[bool; WIDEST],
        shadow_v: &PerLane,
        vv: &PerLane,
    ) -> [bool; WIDEST] {
        // α makes the next residual r − α v orthogonal to r̂, which is impossible if v ⊥ r̂.
        let orthogonal: [bool; WIDEST] = std::array::from_fn(|l| {
            let sound = shadow_v[l].abs() > BREAKDOWN * self.shadow_size[l] * vv[l].sqrt();
            !sound
        });
        self.alpha = std::array::from_fn(|l| match active[l] && !orthogonal[l] {
            true => self.rho[l] / shadow_v[l],
            false => 0.0,
        });
        orthogonal
    }

    /// Computes x ← x + (α y + ω z)/s.
    fn update_solution<T: Real, const W: usize>(
        &self,
        s: &PerLane,
        y: &[[T; W]],
        z: &[[T; W]],
        x: &mut [[f64; W]],
    ) {
        let alpha = first::<W>(&lanes::<W>(|l| self.alpha[l] / s[l]));
        let omega = first::<W>(&lanes::<W>(|l| self.omega[l] / s[l]));
        vectorised(|| {
            for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
                for l in 0..W {
                    x[l] += alpha[l] * y[l].into() + omega[l] * z[l].into();
                }
            }
        });
    }

    /// Computes r ← r − ω t, then ‖r‖ and ρ = ⟨r̂, r⟩.
    fn update_residual<const W: usize>(
        &mut self,
        t: &[[f64; W]],
        shadow: &[[f64; W]],
        r: &mut [[f64; W]],
    ) {
        let omega = first::<W>(&self.omega);
        let (mut rr, mut shadow_r) = ([0.0; W], [0.0; W]);
        vectorised(|| {
            for ((r, t), shadow) in r.iter_mut().zip(t).zip(shadow) {
                for l in 0..W {
                    r[l] -= omega[l] * t[l];
                }
                add_products(&mut rr, r, r);
                add_products(&mut shadow_r, shadow, r);
            }
        });
        self.size = lanes::<W>(|l| rr[l].sqrt());
        self.rho = lanes::<W>(|l| shadow_r[l]);
    }
}

impl<const W: usize> Direction<W> {
    /// Computes p ← r + β (p − ω v), or p ← r where `steepest`, and the argument s p of the preconditioner.
    fn update<T: Real>(
        &self,
        r: &[[f64; W]],
        v: &[[f64; W]],
        p: &mut [[f64; W]],
        argument: &mut Argument<'_, T, W>,
    ) {
        let Self {
            beta,
            omega,
            steepest,
        } = *self;
        let (scale, vector) = (argument.scale, &mut *argument.vector);
        vectorised(|| {
            for (((p, r), v), scaled) in p.iter_mut().zip(r).zip(v).zip(vector) {
                for l in 0..W {
                    // The value is selected instead of multiplied by 0, because β may be NaN in columns that
                    // restart.
                    let updated = r[l] + beta[l] * (p[l] - omega[l] * v[l]);
                    p[l] = if steepest[l] { r[l] } else { updated };
                }
                *scaled = rounded(&scale, p);
            }
        });
    }
}

/// Computes out ← A y/s. Returns ⟨with, out⟩ and ‖out‖².
fn apply<T: Real, const W: usize>(
    system: &System<'_, T>,
    (y, out): (&[[T; W]], &mut [[f64; W]]),
    s: &PerLane,
    with: &[[f64; W]],
) -> (PerLane, PerLane) {
    let unscale = first::<W>(&s.map(f64::recip));
    let (mut inner, mut square) = ([0.0; W], [0.0; W]);
    system.stencil.product(system.side, (y, out), |cells, out| {
        for (out, with) in out.iter_mut().zip(&with[cells]) {
            (0..W).for_each(|l| out[l] *= unscale[l]);
            add_products(&mut inner, with, out);
            add_products(&mut square, out, out);
        }
    });
    (lanes::<W>(|l| inner[l]), lanes::<W>(|l| square[l]))
}

/// Computes r ← r − α v, and the argument s r of the preconditioner.
fn subtract_v<T: Real, const W: usize>(
    alpha: &PerLane,
    v: &[[f64; W]],
    r: &mut [[f64; W]],
    argument: &mut Argument<'_, T, W>,
) {
    let alpha = first::<W>(alpha);
    let (scale, vector) = (argument.scale, &mut *argument.vector);
    vectorised(|| {
        for ((r, v), scaled) in r.iter_mut().zip(v).zip(vector) {
            for l in 0..W {
                r[l] -= alpha[l] * v[l];
            }
            *scaled = rounded(&scale, r);
        }
    });
}
