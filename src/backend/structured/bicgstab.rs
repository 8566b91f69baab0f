//! BiCGSTAB (van der Vorst 1992), preconditioned from the right, in lock step over interleaved columns.
//!
//! Every column has scalars of its own; one that is done stays as it is while the others go on.

use super::lanes::{Lanes, add_scaled, copy_lanes, dot, lanes, norm};
use super::system::{Progress, System};
use crate::backend::SolveStats;
use crate::error::Result;

/// Two vectors this close to orthogonal are a breakdown.
const BREAKDOWN: f64 = 1e-12;

/// x ← A⁻¹ b for every column.
pub(super) fn solve<const W: usize>(
    system: &System<'_>,
    b: &[Lanes<W>],
) -> Result<(Vec<Lanes<W>>, SolveStats)> {
    let mut now = State::new(b);
    let (mut y, mut t) = (vec![[0.0; W]; b.len()], vec![[0.0; W]; b.len()]);
    let mut room = system.room();
    let mut progress = Progress::new(b);
    while !progress.done() {
        progress.count(system, 2)?;
        now.turn(progress.active);
        system.precondition(&now.p, &mut y, &mut room);
        system.apply(&y, &mut now.v);
        let blind = now.step_along(&y, progress.active);
        system.precondition(&now.r, &mut y, &mut room);
        system.apply(&y, &mut t);
        now.smooth(&y, &t, progress.active);
        let size = norm(&now.r);
        now.fresh = progress.judge(system, size, (b, &now.x), (&mut now.r, &mut t))?;
        for (l, fresh) in now.fresh.iter_mut().enumerate() {
            *fresh |= blind[l] || now.omega[l] == 0.0;
        }
    }
    Ok((now.x, progress.stats()))
}

/// The vectors and scalars of the method, in its usual letters.
struct State<const W: usize> {
    x: Vec<Lanes<W>>,
    r: Vec<Lanes<W>>,
    shadow: Vec<Lanes<W>>,
    p: Vec<Lanes<W>>,
    v: Vec<Lanes<W>>,
    rho: Lanes<W>,
    alpha: Lanes<W>,
    omega: Lanes<W>,
    /// Columns that begin anew from their residual.
    fresh: [bool; W],
}

impl<const W: usize> State<W> {
    fn new(b: &[Lanes<W>]) -> Self {
        let zeros = vec![[0.0; W]; b.len()];
        Self {
            x: zeros.clone(),
            r: b.to_vec(),
            shadow: b.to_vec(),
            p: zeros.clone(),
            v: zeros,
            rho: [1.0; W],
            alpha: [1.0; W],
            omega: [1.0; W],
            fresh: [true; W],
        }
    }

    /// p ← r + β(p − ωv), or r where the shadow residual sees nothing of r, or a column begins anew or is done.
    fn turn(&mut self, active: [bool; W]) {
        let last = self.rho;
        let (size, shadow_size) = (norm(&self.r), norm(&self.shadow));
        self.rho = dot(&self.shadow, &self.r);
        for l in 0..W {
            let sound = self.rho[l].abs() > BREAKDOWN * shadow_size[l] * size[l];
            self.fresh[l] |= !(sound && active[l]);
        }
        copy_lanes(&mut self.shadow, &self.r, self.fresh);
        let (fresh, omega) = (self.fresh, self.omega);
        self.rho = lanes(|l| {
            if fresh[l] {
                size[l] * size[l]
            } else {
                self.rho[l]
            }
        });
        let beta: Lanes<W> = lanes(|l| self.rho[l] / last[l] * (self.alpha[l] / omega[l]));
        for ((p, r), v) in self.p.iter_mut().zip(&self.r).zip(&self.v) {
            for l in 0..W {
                p[l] = if fresh[l] {
                    r[l]
                } else {
                    r[l] + beta[l] * (p[l] - omega[l] * v[l])
                };
            }
        }
    }

    /// x ← x + αy, r ← r − αv with v = A y; returns the columns whose shadow sees nothing of v, which stay.
    fn step_along(&mut self, y: &[Lanes<W>], active: [bool; W]) -> [bool; W] {
        let along = dot(&self.shadow, &self.v);
        let (length, shadow_size) = (norm(&self.v), norm(&self.shadow));
        let blind: [bool; W] = std::array::from_fn(|l| {
            let seen = along[l].abs() > BREAKDOWN * shadow_size[l] * length[l];
            !seen
        });
        self.alpha = lanes(|l| match active[l] && !blind[l] {
            true => self.rho[l] / along[l],
            false => 0.0,
        });
        add_scaled(&mut self.x, self.alpha, y);
        add_scaled(&mut self.r, self.alpha.map(|a| -a), &self.v);
        blind
    }

    /// x ← x + ωy, r ← r − ωt with t = A y and the ω that makes r smallest.
    fn smooth(&mut self, y: &[Lanes<W>], t: &[Lanes<W>], active: [bool; W]) {
        let (tr, tt) = (dot(t, &self.r), dot(t, t));
        self.omega = lanes(|l| match active[l] && tt[l] > 0.0 {
            true => tr[l] / tt[l],
            false => 0.0,
        });
        add_scaled(&mut self.x, self.omega, y);
        add_scaled(&mut self.r, self.omega.map(|o| -o), t);
    }
}
