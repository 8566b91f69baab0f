//! Plain gradient descent, for comparison.

use super::{Direction, Finder, Local, Path, Proposal};
use crate::error::Result;
use crate::vector::dot;

/// Direction η = −∇f of plain gradient descent, by one adjoint solve and without a metric.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gradient;

impl Direction for Gradient {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn needs_metric(&self) -> bool {
        false
    }

    fn needs_rate(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "gradient"
    }
}

impl Finder for &Gradient {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        Ok(Box::new(GradientPath(at.grad)))
    }
}

struct GradientPath<'a>(&'a [f64]);

impl Path for GradientPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        // With G = I the direction is −t∇f, t = 1/(1 + λ), with the predicted decrease t‖∇f‖² − ½ t²‖∇f‖².
        let t = 1.0 / (1.0 + damping);
        let square = dot(self.0, self.0);
        Ok(Proposal {
            eta: self.0.iter().map(|g| -t * g).collect(),
            predicted: t * (1.0 - 0.5 * t) * square,
            rank: self.0.len(),
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }
}
