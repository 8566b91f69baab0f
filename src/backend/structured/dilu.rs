//! DILU: the incomplete factorisation (D + L) D⁻¹ (D + U) whose diagonal is exact (Pommerell 1992).

use crate::operator::{Side, Stencil};

use super::sweep::Sweeps;

/// The reciprocals of D, the only thing to store. They are the same for Aᵀ.
pub(super) struct Dilu(Vec<f64>);

/// Pivots this small beside the diagonal are what rounding leaves of zero.
const VANISHED: f64 = 1e-12;

impl Dilu {
    /// dᵢ = aᵢᵢ − Σ_{j before i} aᵢⱼ aⱼᵢ / dⱼ. Where that vanishes, as at the end of a singular chain, it is aᵢᵢ; and
    /// where that is nothing either, what the gauge adds to it.
    pub(super) fn new(stencil: &Stencil) -> Self {
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
        Self(inverse)
    }

    /// x ← (D + U)⁻¹ D (D + L)⁻¹ b.
    pub(super) fn solve<const W: usize>(
        &self,
        (stencil, side): (&Stencil, Side),
        b: &[[f64; W]],
        x: &mut [[f64; W]],
    ) {
        let sweeps = Sweeps::new(stencil, side, &self.0);
        sweeps.forward(b, x);
        sweeps.backward(x);
    }
}
