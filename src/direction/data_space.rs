//! Natural direction from one adjoint solve per observation.

use super::low_rank::LowRank;
use super::{Direction, Finder, Local, Path};
use crate::error::Result;
use crate::sketch::{Probes, Sketch};

/// Direction η = −((1 + λ)C + G)⁻¹ ∇f for few observations of many parameters, with the precision C of the
/// priors.
///
/// All rows of LZ come from one batch of adjoint solves, one per entry of the lifted state. The Woodbury
/// formula then needs only solves with C. The step is exact, as is that of
/// [`LeastSquares`](super::LeastSquares), which costs one solve per parameter instead. Without priors the
/// matrix is G + λ diag G, and undamped steps have least norm.
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
        // With the identity as probes, the rows of the sketch are those of L Z. With r rows, a step costs r
        // adjoint solves in one batch, r solves with C, and one decomposition. Further dampings cost no
        // solves.
        let all = Probes::all(root.lifted_dim())?;
        let geometry = LowRank::new(Sketch::new(at.z, root, &all)?.rows(), at.prior)?;
        Ok(Box::new(geometry.path(at.grad, at.prior)?))
    }
}
