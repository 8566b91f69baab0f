//! Order in which stages pass over the planes of a box.

use crate::linalg::cpu::stencil::passes::Planes;

/// Turns of stages: runs of `width` planes, of which a stage takes one at every step, one step after the stage before it.
///
/// A stage passes over its planes when its predecessor has left them and those of the turn after.
#[derive(Clone, Copy)]
pub(super) struct Schedule {
    /// Number of planes.
    pub(super) count: usize,
    /// Number of planes in a turn. The last turn may have fewer.
    pub(super) width: usize,
    pub(super) descending: bool,
}

impl Schedule {
    /// Returns the number of turns of a stage.
    pub(super) fn turns(self) -> usize {
        self.count.div_ceil(self.width)
    }

    /// Returns the number of steps of this many stages.
    pub(super) fn steps(self, stages: usize) -> usize {
        (self.turns() + stages).saturating_sub(1)
    }

    /// Returns the turn that a stage takes at a step, if any.
    pub(super) fn turn(self, step: usize, stage: usize) -> Option<usize> {
        step.checked_sub(stage).filter(|&turn| turn < self.turns())
    }

    /// Returns the planes of a turn.
    pub(super) fn planes(self, turn: usize) -> Planes {
        let start = turn * self.width;
        let end = (start + self.width).min(self.count);
        Planes {
            range: match self.descending {
                true => self.count - end..self.count - start,
                false => start..end,
            },
            descending: self.descending,
        }
    }
}
