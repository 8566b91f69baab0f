//! The natural direction by adjoints of everything that is observed.

use super::low_rank::LowRank;
use super::{Direction, Finder, Local, Path};
use crate::error::Result;
use crate::sketch::{Probes, Sketch};

/// η = −((1 + λ)C + G)⁻¹ ∇f for few observations of many parameters: LZ by its rows, one adjoint solve each, all in one
/// batch; then the formula of Woodbury, which needs only solves with C, the precision of the priors.
///
/// Exact like [`LeastSquares`](super::LeastSquares), whose cost is a solve a parameter where it is one an entry of the
/// lifted state here. Without priors C = diag G, and undamped steps are those of least norm.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataSpace;

impl Direction for DataSpace {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn needs_precision(&self, _: usize) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "data space"
    }
}

impl Finder for &DataSpace {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let all = Probes::all(root.lifted_dim())?;
        let geometry = LowRank::new(Sketch::new(at.z, root, &all)?.rows(), at.prior)?;
        Ok(Box::new(geometry.path(at.grad, at.prior)?))
    }
}
