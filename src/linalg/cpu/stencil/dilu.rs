//! DILU: the incomplete factorisation (D + L) D⁻¹ (D + U) whose diagonal is exact (Pommerell 1992).

use std::sync::Arc;

use super::level::{Level, subtract};
use crate::linalg::operator::{Line, Real, Rows, Side, Stencil, vectorised, with_sides};

/// Pivots this small beside the diagonal are what rounding leaves of zero.
const VANISHED: f64 = 1e-12;

/// The reciprocals of D, which are the same for Aᵀ.
///
/// dᵢ = aᵢᵢ − Σ_{j before i} aᵢⱼ aⱼᵢ / dⱼ. Where that vanishes, as at the end of a singular chain, it is aᵢᵢ; and
/// where that is nothing either, what the gauge adds to it.
fn pivots(stencil: &Stencil) -> Vec<f64> {
    let mut d = stencil.diagonal().to_vec();
    let mut inverse = Vec::with_capacity(d.len());
    for cell in 0..d.len() {
        let diagonal = stencil.diagonal()[cell];
        let sound = |pivot: &f64| pivot.is_normal() && pivot.abs() > VANISHED * diagonal.abs();
        let pivot = [d[cell], diagonal, stencil.gauge()].into_iter().find(sound);
        inverse.push(pivot.map_or(0.0, f64::recip));
        for axis in (0..3).filter(|&a| stencil.shape[a] > 1) {
            let stride = stencil.stride(axis);
            if cell / stride % stencil.shape[axis] + 1 < stencil.shape[axis] {
                let product = stencil.up[axis][cell] * stencil.down[axis][cell];
                d[cell + stride] -= product * inverse[cell];
            }
        }
    }
    inverse
}

/// The factorisation: the stencil with the pivots' reciprocals in place of its own diagonal's.
pub(crate) struct Dilu<T>(Level<T>);

impl<T: Real> Dilu<T> {
    /// That of a stencil times `unit`.
    pub(super) fn new(stencil: &Arc<Stencil>, unit: f64) -> Self {
        Self(Level::new(stencil, &pivots(stencil), unit))
    }

    /// x ← (D + U)⁻¹ D (D + L)⁻¹ b; `row` has room for a line.
    pub(super) fn solve<const W: usize>(
        &self,
        side: Side,
        (b, x): (&[[T; W]], &mut [[T; W]]),
        row: &mut [[T; W]],
    ) {
        let rows = self.0.rows(side);
        let level = &self.0;
        vectorised(|| with_sides!(rows, triangles::<T, W>((level, rows), (b, x), row)));
    }
}

#[inline(always)]
fn triangles<T: Real, const W: usize, const N: usize>(
    (level, rows): (&Level<T>, Rows<'_, T>),
    (b, x): (&[[T; W]], &mut [[T; W]]),
    row: &mut [[T; W]],
) {
    let [nx, ny, _] = rows.shape;
    for i in 0..nx * ny {
        let line = rows.line([i / ny, i % ny]);
        forward::<T, W, N>((level, rows, line), b, x, row);
    }
    for i in (0..nx * ny).rev() {
        let line = rows.line([i / ny, i % ny]);
        backward::<T, W, N>((level, rows, line), x, row);
    }
}

/// x ← (D + L)⁻¹ b on a line, L being what couples cells to those before them.
#[inline(always)]
fn forward<T: Real, const W: usize, const N: usize>(
    (level, rows, line): (&Level<T>, Rows<'_, T>, Line),
    b: &[[T; W]],
    x: &mut [[T; W]],
    row: &mut [[T; W]],
) {
    let n = line.len;
    let (before, rest) = x.split_at_mut(line.start);
    let b = &b[line.cells()][..n];
    let beside = rows.beside::<N>(line);
    let beside = beside.map(|(c, start)| (c, before.get(start..start + n).map(|x| &x[..n])));
    let row = &mut row[..n];
    for k in 0..n {
        let mut sum = b[k];
        for (c, x) in beside.iter().step_by(2) {
            if let Some(x) = x {
                subtract(&mut sum, c[k], &x[k]);
            }
        }
        row[k] = sum;
    }
    level.recur((rows, line, false), row, &mut rest[..n]);
}

/// x ← x − D⁻¹ U x on a line, from its end.
#[inline(always)]
fn backward<T: Real, const W: usize, const N: usize>(
    (level, rows, line): (&Level<T>, Rows<'_, T>, Line),
    x: &mut [[T; W]],
    row: &mut [[T; W]],
) {
    let n = line.len;
    let (rest, after) = x.split_at_mut(line.start + n);
    let x = &mut rest[line.start..][..n];
    let beside = rows.beside::<N>(line).map(|(c, start)| {
        let place = start.checked_sub(line.start + n);
        (c, place.map(|place| &after[place..][..n]))
    });
    let row = &mut row[..n];
    for k in 0..n {
        let mut sum = [T::ZERO; W];
        for (c, x) in beside.iter().skip(1).step_by(2) {
            if let Some(x) = x {
                subtract(&mut sum, c[k], &x[k]);
            }
        }
        row[k] = sum;
    }
    level.recur_onto((rows, line), row, x);
}
