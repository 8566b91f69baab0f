//! DILU preconditioner: the incomplete factorisation (D + L) D⁻¹ (D + U) of A = L + diag(A) + U, which
//! reproduces the diagonal of A (Pommerell 1992).

use std::sync::Arc;

use super::level::{Level, LineSweep, subtract};
use crate::linalg::operator::{Line, Real, Rows, Side, Stencil, vectorised, with_sides};

/// Largest ratio of a pivot to its diagonal entry for which the pivot counts as zero up to rounding.
// A pivot is a difference of values of the size |aᵢᵢ|, with errors of a few ε |aᵢᵢ|.
const VANISHED: f64 = 1e-12;

/// Computes the reciprocals of D, with dᵢ = aᵢᵢ − Σ_{j<i} aᵢⱼ aⱼᵢ / dⱼ.
///
/// A and Aᵀ have the same D. If dᵢ vanishes, as at the end of a singular chain, aᵢᵢ is the pivot. If aᵢᵢ
/// vanishes too, the pivot is c, which the gauge c 11ᵀ adds to the diagonal.
fn pivots(stencil: &Stencil) -> Vec<f64> {
    // (D + L) D⁻¹ (D + U) = D + L + U + L D⁻¹ U. Entry i of its diagonal, dᵢ + Σ_{j<i} aᵢⱼ aⱼᵢ / dⱼ, must
    // equal aᵢᵢ. The product aᵢⱼ aⱼᵢ is the same for Aᵀ.
    let mut d = stencil.diagonal().to_vec();
    let mut inverse = Vec::with_capacity(d.len());
    for cell in 0..d.len() {
        let diagonal = stencil.diagonal()[cell];
        let sound = |pivot: &f64| pivot.is_normal() && pivot.abs() > VANISHED * diagonal.abs();
        let pivot = [d[cell], diagonal, stencil.gauge()].into_iter().find(sound);
        inverse.push(pivot.map_or(0.0, f64::recip));
        // This cell is j in the formula: subtract its term from dᵢ of the next cell i along every axis.
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

/// DILU factorisation, stored as a level whose reciprocals are those of D instead of diag(A).
pub(crate) struct Dilu<T>(Level<T>);

impl<T: Real> Dilu<T> {
    /// Factorises the stencil after multiplication by `unit`.
    pub(super) fn new(stencil: &Arc<Stencil>, unit: f64) -> Self {
        Self(Level::new(stencil, &pivots(stencil), unit))
    }

    /// Computes x ← (D + U)⁻¹ D (D + L)⁻¹ b. `row` is workspace for one line of cells.
    pub(super) fn solve<const W: usize>(
        &self,
        side: Side,
        (b, x): (&[[T; W]], &mut [[T; W]]),
        row: &mut [[T; W]],
    ) {
        let rows = self.0.rows(side);
        let triangles = Triangles {
            level: &self.0,
            rows,
        };
        vectorised(
            #[inline(always)]
            || with_sides!(rows, solve::<T, W>(triangles, (b, x), row)),
        );
    }
}

/// Triangles D + L and D + U of A, or of Aᵀ.
#[derive(Clone, Copy)]
struct Triangles<'t, T> {
    level: &'t Level<T>,
    rows: Rows<'t, T>,
}

/// Computes x ← (D + U)⁻¹ D (D + L)⁻¹ b, line by line.
#[inline(always)]
fn solve<T: Real, const W: usize, const N: usize>(
    triangles: Triangles<'_, T>,
    (b, x): (&[[T; W]], &mut [[T; W]]),
    row: &mut [[T; W]],
) {
    // One application costs as much as one product with A, and D is all that is stored in addition to A. For
    // a stencil, LD⁻¹U has off-diagonal entries only where A has none, so that DILU equals ILU(0). With
    // x₁ = (D + L)⁻¹ b, the backward solve (D + U) x = D x₁ is x = x₁ − D⁻¹ U x. It overwrites x₁, starting
    // from the last cell.
    let [nx, ny, _] = triangles.rows.shape;
    for i in 0..nx * ny {
        let line = triangles.rows.line([i / ny, i % ny]);
        triangles.forward::<W, N>(line, b, x, row);
    }
    for i in (0..nx * ny).rev() {
        let line = triangles.rows.line([i / ny, i % ny]);
        triangles.backward::<W, N>(line, x, row);
    }
}

impl<T: Real> Triangles<'_, T> {
    /// Computes x ← (D + L)⁻¹ b on a line. L holds the couplings of cells to previous cells.
    #[inline(always)]
    fn forward<const W: usize, const N: usize>(
        self,
        line: Line,
        b: &[[T; W]],
        x: &mut [[T; W]],
        row: &mut [[T; W]],
    ) {
        let Self { level, rows } = self;
        let n = line.len;
        let (before, rest) = x.split_at_mut(line.start);
        let b = &b[line.cells()][..n];
        let beside = rows.beside::<N>(line);
        let beside = beside.map(|(c, start)| (c, before.get(start..start + n).map(|x| &x[..n])));
        let row = &mut row[..n];
        // The neighbouring lines come in pairs (below, above). Those below have been solved and belong to L.
        for k in 0..n {
            let mut sum = b[k];
            for (c, x) in beside.iter().step_by(2) {
                if let Some(x) = x {
                    subtract(&mut sum, c[k], &x[k]);
                }
            }
            row[k] = sum;
        }
        let sweep = LineSweep {
            rows,
            line,
            descending: false,
        };
        level.recur([sweep], [row], [&mut rest[..n]]);
    }

    /// Computes x ← x − D⁻¹ U x on a line, from its end. U holds the couplings of cells to later cells.
    #[inline(always)]
    fn backward<const W: usize, const N: usize>(
        self,
        line: Line,
        x: &mut [[T; W]],
        row: &mut [[T; W]],
    ) {
        let Self { level, rows } = self;
        let n = line.len;
        let (rest, after) = x.split_at_mut(line.start + n);
        let x = &mut rest[line.start..][..n];
        let beside = rows.beside::<N>(line).map(|(c, start)| {
            let offset = start.checked_sub(line.start + n);
            (c, offset.map(|offset| &after[offset..][..n]))
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
}
