//! Preconditioned conjugate gradients in lock step over interleaved columns, for stencils that are positive definite.

use super::lanes::{Lanes, add_scaled, dot, lanes, norm};
use super::system::{Progress, System};
use crate::backend::SolveStats;
use crate::error::Result;

/// x ← A⁻¹ b for every column.
pub(super) fn solve<const W: usize>(
    system: &System<'_>,
    b: &[Lanes<W>],
) -> Result<(Vec<Lanes<W>>, SolveStats)> {
    let zeros = vec![[0.0; W]; b.len()];
    let (mut x, mut r, mut p) = (zeros.clone(), b.to_vec(), zeros.clone());
    let (mut z, mut q) = (zeros.clone(), zeros);
    let mut room = system.room();
    let mut progress = Progress::new(b);
    let (mut rho, mut fresh) = ([1.0; W], [true; W]);
    while !progress.done() {
        progress.count(system, 1)?;
        system.precondition(&r, &mut z, &mut room);
        let last = rho;
        rho = dot(&r, &z);
        let restart = |l: usize| fresh[l] || !progress.active[l];
        let beta: Lanes<W> = lanes(|l| if restart(l) { 0.0 } else { rho[l] / last[l] });
        for (p, z) in p.iter_mut().zip(&z) {
            (0..W).for_each(|l| p[l] = z[l] + beta[l] * p[l]);
        }
        system.apply(&p, &mut q);
        let curvature = dot(&p, &q);
        let alpha = lanes(|l| {
            if progress.active[l] {
                rho[l] / curvature[l]
            } else {
                0.0
            }
        });
        add_scaled(&mut x, alpha, &p);
        add_scaled(&mut r, alpha.map(|a| -a), &q);
        let size = norm(&r);
        fresh = progress.judge(system, size, (b, &x), (&mut r, &mut q))?;
    }
    Ok((x, progress.stats()))
}
