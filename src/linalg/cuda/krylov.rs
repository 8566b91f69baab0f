//! Steps of preconditioned BiCGSTAB (van der Vorst 1992) and conjugate gradients (Hestenes & Stiefel 1952),
//! submitted kernel by kernel. They perform the operations of the iterations on the CPU in the same order.

use super::args::Pointer;
use super::equations::{Equations, Form, Operand, Vectors};
use super::passes::{Passes, Width};
use super::plan::Plan;
use crate::error::Result;
use crate::linalg::sweep_order::Order;

/// Krylov method for general or for symmetric positive definite matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    BiCgStab,
    ConjugateGradients,
}

impl Method {
    /// Returns the number of vectors in double precision, of which the first three are b, x and r.
    pub(super) fn vectors(self) -> usize {
        match self {
            Self::BiCgStab => 7,
            Self::ConjugateGradients => 5,
        }
    }

    /// Returns the number of vectors in the precision of the preconditioner.
    pub(super) fn rough(self) -> usize {
        match self {
            Self::BiCgStab => 3,
            Self::ConjugateGradients => 2,
        }
    }

    /// Returns the number of products with A per step.
    pub(super) fn products(self) -> usize {
        match self {
            Self::BiCgStab => 2,
            Self::ConjugateGradients => 1,
        }
    }

    /// Returns the number of kernels of one step with a stencil on 2^shift lanes.
    pub(super) fn launches(self, plan: &Plan, order: Order, shift: u32) -> usize {
        // BiCGSTAB has four kernels on scalars, two on vectors and one with sums; conjugate gradients have four, two
        // and two. Products and other sums take two kernels each, and the sum of a gauge two more.
        let (others, products) = match self {
            Self::BiCgStab => (4 + 2 + 2, 2),
            Self::ConjugateGradients => (4 + 2 + 2 + 2, 1),
        };
        let product = if plan.gauged { 4 } else { 2 };
        others + products * (product + plan.launches(order, shift))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BiCgStab => "BiCGSTAB on the device",
            Self::ConjugateGradients => "PCG on the device",
        }
    }
}

/// Kernels, matrix and form of a step.
type System<'s> = (&'s Passes, &'s dyn Equations, Form);

/// Submits one step of BiCGSTAB for r = b − A x and its shadow r̂, with the preconditioner K ≈ A.
pub(super) fn bicgstab(
    (passes, equations, form): System<'_>,
    [_, x, r, shadow, p, v, t]: [Pointer; 7],
    [to_y, to_z]: [Vectors<'_>; 2],
) -> Result<()> {
    let (width, rough) = (equations.width(), to_y.b);
    let (y, z) = (to_y.x, to_z.x);
    let scaled = |address| Operand {
        address,
        width,
        scaled: true,
    };
    // β = (ρ/ρ')(α/ω) with ρ = ⟨r̂, r⟩ and ρ' from the previous step. After a breakdown, restart with r̂ = r.
    // p ← r + β (p − ω v), and p, scaled by a power of two s, is the input of the preconditioner.
    passes.scalar("bicgstab_begin")?;
    passes.vectors(width.of(["turn_f", "turn_d"]), &[r, v, p, shadow, rough])?;
    equations.precondition(passes, form, to_y)?;
    equations.image(passes, form.side, scaled(y), [shadow, v])?;
    // y = K⁻¹ s p and v = A y/s have been computed; α = ρ/⟨r̂, v⟩ and r ← r − α v. The scalars are computed
    // on the device, since reading them back would stall the queue of kernels twice per step.
    passes.scalar("bicgstab_aim")?;
    passes.vectors(width.of(["descend_f", "descend_d"]), &[v, r, rough])?;
    equations.precondition(passes, form, to_z)?;
    equations.image(passes, form.side, scaled(z), [r, t])?;
    // z = K⁻¹ s r and t = A z/s have been computed; ω = ⟨r, t⟩/‖t‖² minimises ‖r − ω t‖.
    // x ← x + (α y + ω z)/s and r ← r − ω t, with the sums ‖r‖² and ⟨r̂, r⟩ for the next step.
    passes.scalar("bicgstab_damp")?;
    let advance = width.of(["advance_f", "advance_d"]);
    passes.vector_sums(advance, &[x, r, y, z, t, shadow], 2)?;
    passes.scalar("bicgstab_end")
}

/// Submits one step of conjugate gradients for r = b − A x, with the preconditioner K ≈ A.
pub(super) fn conjugate_gradients(
    (passes, equations, form): System<'_>,
    [_, x, r, p, q]: [Pointer; 5],
    to_z: Vectors<'_>,
) -> Result<()> {
    let (width, rough, z) = (equations.width(), to_z.b, to_z.x);
    // z = K⁻¹ s r with a power of two s, which brings r into the range of the preconditioner's precision.
    passes.scalar("gradients_begin")?;
    passes.vectors(width.of(["round_f", "round_d"]), &[r, rough])?;
    equations.precondition(passes, form, to_z)?;
    // The sum is computed in double precision, even if z is in single precision: rounding of z is part of the
    // preconditioner, but rounding of the sum would be an error of α and β.
    passes.along(width.of(["along_f", "along_d"]), [r, z])?;
    // ρ = ⟨r, z⟩/s, β = ρ/ρ' with the previous ρ' (β = 0 after a restart), p ← z/s + β p, q = A p.
    passes.scalar("gradients_turn")?;
    passes.vectors(width.of(["conjugate_f", "conjugate_d"]), &[z, p])?;
    let direction = Operand {
        address: p,
        width: Width::Double,
        scaled: false,
    };
    equations.image(passes, form.side, direction, [p, q])?;
    // α = ρ/⟨p, q⟩ minimises the energy norm of the error along p; x ← x + α p, r ← r − α q.
    passes.scalar("gradients_aim")?;
    passes.vector_sums("gradients_advance", &[x, r, p, q], 1)?;
    passes.scalar("gradients_end")
}
