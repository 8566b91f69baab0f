//! One step of BiCGSTAB and of conjugate gradients, as on the processor, sent pass by pass.

use super::args::Pointer;
use super::equations::{Equations, Scaled, Vectors};
use super::passes::{Passes, Width};
use crate::error::Result;
use crate::linalg::operator::Side;

/// How a batch is iterated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    BiCgStab,
    ConjugateGradients,
}

impl Method {
    /// Vectors of full precision, beginning with b, x and r.
    pub(super) fn vectors(self) -> usize {
        match self {
            Self::BiCgStab => 7,
            Self::ConjugateGradients => 5,
        }
    }

    /// Vectors in the precision of the preconditioner.
    pub(super) fn rough(self) -> usize {
        match self {
            Self::BiCgStab => 3,
            Self::ConjugateGradients => 2,
        }
    }

    /// Products with A in a step.
    pub(super) fn products(self) -> usize {
        match self {
            Self::BiCgStab => 2,
            Self::ConjugateGradients => 1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BiCgStab => "BiCGSTAB on the device",
            Self::ConjugateGradients => "PCG on the device",
        }
    }
}

/// What a step is taken with.
type With<'w> = (&'w Passes, &'w dyn Equations, Side);

/// Vectors in the usual letters.
pub(super) fn bicgstab(
    (passes, equations, side): With<'_>,
    [_, x, r, shadow, p, v, t]: [Pointer; 7],
    [to_y, to_z]: [Vectors<'_>; 2],
) -> Result<()> {
    let (width, rough) = (equations.width(), to_y.b);
    let (y, z) = (to_y.x, to_z.x);
    passes.scalar("bicgstab_begin")?;
    passes.vectors(width.of(["turn_f", "turn_d"]), &[r, v, p, shadow, rough])?;
    equations.precondition(passes, side, to_y)?;
    equations.image(passes, side, (y, width, Scaled::Yes), [shadow, v])?;
    passes.scalar("bicgstab_aim")?;
    passes.vectors(width.of(["descend_f", "descend_d"]), &[v, r, rough])?;
    equations.precondition(passes, side, to_z)?;
    equations.image(passes, side, (z, width, Scaled::Yes), [r, t])?;
    passes.scalar("bicgstab_damp")?;
    let advance = width.of(["advance_f", "advance_d"]);
    passes.vector_sums(advance, &[x, r, y, z, t, shadow], 2)?;
    passes.scalar("bicgstab_end")
}

/// Vectors in the usual letters.
pub(super) fn conjugate_gradients(
    (passes, equations, side): With<'_>,
    [_, x, r, p, q]: [Pointer; 5],
    to_z: Vectors<'_>,
) -> Result<()> {
    let (width, rough, z) = (equations.width(), to_z.b, to_z.x);
    passes.scalar("gradients_begin")?;
    passes.vectors(width.of(["round_f", "round_d"]), &[r, rough])?;
    equations.precondition(passes, side, to_z)?;
    passes.along(width.of(["along_f", "along_d"]), [r, z])?;
    passes.scalar("gradients_turn")?;
    passes.vectors(width.of(["conjugate_f", "conjugate_d"]), &[z, p])?;
    equations.image(passes, side, (p, Width::Double, Scaled::No), [p, q])?;
    passes.scalar("gradients_aim")?;
    passes.vector_sums("gradients_advance", &[x, r, p, q], 1)?;
    passes.scalar("gradients_end")
}
