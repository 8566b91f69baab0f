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
use crate::linalg::operator::{Real, each_block, sum_blocks, vectorised};

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

/// Approximate solution and its residual.
struct Iterates<'i, const W: usize> {
    x: &'i mut [[f64; W]],
    r: &'i mut [[f64; W]],
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
    //   y = K⁻¹ (s p),    v = A y/s,    α = ρ/⟨r̂, v⟩,    r ← r − α v,   x ← x + α y/s,
    //   z = K⁻¹ (s r),    t = A z/s,    ω = ⟨t, r⟩/‖t‖²,   r ← r − ω t,   x ← x + ω z/s,   ρ = ⟨r̂, r⟩.
    // ω minimises ‖r − ω t‖. All updates keep r = b − A x. Nothing needs y once x has it, so that z takes its memory.
    fn step<T: Real, const W: usize>(
        &mut self,
        (system, b): (&System<'_, T>, Sides<'_>),
        workspace: &mut Workspace<T>,
        progress: &mut Progress,
    ) -> Result<()> {
        let Parts {
            exact: [x, r, shadow, p, v, t],
            output,
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
        system.precondition(argument.vector, output, coarse);
        let (shadow_v, vv) = apply(system, (output, v), &s, shadow);
        let orthogonal = self.update_alpha(&active, &shadow_v, &vv);
        let mut iterates = Iterates { x, r };
        self.advance((v, output), &mut iterates, &mut argument);
        system.precondition(argument.vector, output, coarse);
        let (tr, tt) = apply(system, (output, t), &s, iterates.r);
        self.omega = lanes::<W>(|l| match active[l] && tt[l] > 0.0 {
            true => tr[l] / tt[l],
            false => 0.0,
        });
        self.update((t, output), shadow, &mut iterates);
        let Iterates { x, r } = iterates;
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

    /// Computes r ← r − α v and x ← x + α y/s, and the argument s r of the preconditioner.
    fn advance<T: Real, const W: usize>(
        &self,
        (v, y): (&[[f64; W]], &[[T; W]]),
        iterates: &mut Iterates<'_, W>,
        argument: &mut Argument<'_, T, W>,
    ) {
        let alpha = first::<W>(&self.alpha);
        let (scale, vector) = (argument.scale, &mut *argument.vector);
        let along: [f64; W] = std::array::from_fn(|l| alpha[l] / scale[l]);
        let (r, x) = (&mut *iterates.r, &mut *iterates.x);
        each_block(((r, v), (vector, (x, y))), &|((r, v), (scaled, (x, y)))| {
            vectorised(
                #[inline(always)]
                || {
                    for (((r, v), scaled), (x, y)) in
                        r.iter_mut().zip(v).zip(scaled).zip(x.iter_mut().zip(y))
                    {
                        for l in 0..W {
                            r[l] -= alpha[l] * v[l];
                            x[l] += along[l] * y[l].into();
                        }
                        *scaled = rounded(&scale, r);
                    }
                },
            );
        });
    }

    /// Computes r ← r − ω t and x ← x + ω z/s, then ‖r‖ and ρ = ⟨r̂, r⟩.
    fn update<T: Real, const W: usize>(
        &mut self,
        (t, z): (&[[f64; W]], &[[T; W]]),
        shadow: &[[f64; W]],
        iterates: &mut Iterates<'_, W>,
    ) {
        let (r, x) = (&mut *iterates.r, &mut *iterates.x);
        let omega = first::<W>(&self.omega);
        // z is the preconditioned r times s, which is a function of ‖r‖ before this step.
        let along = first::<W>(&lanes::<W>(|l| self.omega[l] / scale(self.size[l])));
        let [rr, shadow_r] =
            sum_blocks(((r, t), (shadow, (x, z))), &|((r, t), (shadow, (x, z)))| {
                let mut sums = [[0.0; W]; 2];
                vectorised(
                    #[inline(always)]
                    || {
                        for (((r, t), shadow), (x, z)) in
                            r.iter_mut().zip(t).zip(shadow).zip(x.iter_mut().zip(z))
                        {
                            for l in 0..W {
                                r[l] -= omega[l] * t[l];
                                x[l] += along[l] * z[l].into();
                            }
                            add_products(&mut sums[0], r, r);
                            add_products(&mut sums[1], shadow, r);
                        }
                    },
                );
                sums
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
        each_block(((p, r), (v, vector)), &|((p, r), (v, scaled))| {
            vectorised(
                #[inline(always)]
                || {
                    for (((p, r), v), scaled) in p.iter_mut().zip(r).zip(v).zip(scaled) {
                        for l in 0..W {
                            // The value is selected instead of multiplied by 0, because β may be NaN in columns
                            // that restart.
                            let updated = r[l] + beta[l] * (p[l] - omega[l] * v[l]);
                            p[l] = if steepest[l] { r[l] } else { updated };
                        }
                        *scaled = rounded(&scale, p);
                    }
                },
            );
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
    let [inner, square] = system.stencil.product_with_sums(
        system.side,
        (y, out),
        #[inline(always)]
        |cells, out, sums| {
            for (out, with) in out.iter_mut().zip(&with[cells]) {
                (0..W).for_each(|l| out[l] *= unscale[l]);
                add_products(&mut sums[0], with, out);
                add_products(&mut sums[1], out, out);
            }
        },
    );
    (lanes::<W>(|l| inner[l]), lanes::<W>(|l| square[l]))
}
