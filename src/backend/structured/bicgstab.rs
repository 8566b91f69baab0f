//! BiCGSTAB (van der Vorst 1992), preconditioned from the right, in lock step over interleaved columns.
//!
//! Every column has scalars of its own; one that is done stays as it is while the others go on.

use super::lanes::{Lanes, add_scaled, copy_lanes, dot, lanes, norm};
use super::system::{Progress, System};
use crate::backend::SolveStats;
use crate::error::Result;

/// A shadow residual this close to orthogonal to the residual is replaced.
const BREAKDOWN: f64 = 1e-12;

/// x ← A⁻¹ b for every column.
pub(super) fn solve<const W: usize>(
    system: &System<'_>,
    b: &[Lanes<W>],
) -> Result<(Vec<Lanes<W>>, SolveStats)> {
    let zeros = vec![[0.0; W]; b.len()];
    let (mut x, mut r, mut shadow) = (zeros.clone(), b.to_vec(), b.to_vec());
    let (mut p, mut v, mut y, mut t) = (zeros.clone(), zeros.clone(), zeros.clone(), zeros);
    let (mut rho, mut alpha, mut omega) = ([1.0; W], [1.0; W], [1.0; W]);
    let mut room = system.room();
    let mut progress = Progress::new(b);
    let mut fresh = [true; W];
    let mut size = norm(&r);
    while !progress.done() {
        progress.count(system, 2)?;
        let last = rho;
        rho = dot(&shadow, &r);
        let shadow_size = norm(&shadow);
        for l in 0..W {
            let sound = rho[l].abs() > BREAKDOWN * shadow_size[l] * size[l];
            fresh[l] |= !(sound && progress.active[l]);
        }
        copy_lanes(&mut shadow, &r, fresh);
        rho = lanes(|l| if fresh[l] { size[l] * size[l] } else { rho[l] });
        let beta: Lanes<W> = lanes(|l| rho[l] / last[l] * (alpha[l] / omega[l]));
        for ((p, r), v) in p.iter_mut().zip(&r).zip(&v) {
            for l in 0..W {
                p[l] = if fresh[l] {
                    r[l]
                } else {
                    r[l] + beta[l] * (p[l] - omega[l] * v[l])
                };
            }
        }
        let step = |value: f64, l: usize| if progress.active[l] { value } else { 0.0 };

        system.precondition(&p, &mut y, &mut room);
        system.apply(&y, &mut v);
        let (along, length) = (dot(&shadow, &v), norm(&v));
        // A shadow that sees nothing of v is another breakdown: no step, and a fresh start.
        let blind: [bool; W] = std::array::from_fn(|l| {
            let seen = along[l].abs() > BREAKDOWN * shadow_size[l] * length[l];
            !seen
        });
        alpha = lanes(|l| {
            if blind[l] {
                0.0
            } else {
                step(rho[l] / along[l], l)
            }
        });
        add_scaled(&mut x, alpha, &y);
        add_scaled(&mut r, alpha.map(|a| -a), &v);

        system.precondition(&r, &mut y, &mut room);
        system.apply(&y, &mut t);
        let (tr, tt) = (dot(&t, &r), dot(&t, &t));
        omega = lanes(|l| step(if tt[l] > 0.0 { tr[l] / tt[l] } else { 0.0 }, l));
        add_scaled(&mut x, omega, &y);
        add_scaled(&mut r, omega.map(|o| -o), &t);

        size = norm(&r);
        fresh = progress.judge(system, size, (b, &x), (&mut r, &mut t))?;
        if fresh != [false; W] {
            size = norm(&r);
        }
        for l in 0..W {
            fresh[l] |= blind[l] || omega[l] == 0.0;
        }
    }
    Ok((x, progress.stats()))
}
