//! Wasserstein steps of a mixture.

use pullback::loss::L2Misfit;
use pullback::metric::Wasserstein2;
use pullback::{Cpu, Result};

use crate::mixture::{mixture, step as propose};
use crate::{Repeat, Row};

/// Takes one W₂ step with an L² loss on n×n cells.
pub fn step(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let (model, cpu) = (mixture(n)?, Cpu::default());
    let loss = L2Misfit::new(model.grid(), model.density(&model.parameters())?)?;
    let metric = Wasserstein2::new(model.grid());
    let (seconds, _) = repeat.shortest(|| propose(&model, &loss, &metric, &cpu))?;
    Ok(vec![Row::new("a step", seconds)])
}
