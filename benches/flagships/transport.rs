//! Wasserstein steps of a mixture.

use pullback::loss::L2Misfit;
use pullback::metric::Wasserstein2;
use pullback::{Cpu, Result};

use crate::mixture::{mixture, step as propose};
use crate::{Repeat, Row};

/// Takes W₂ steps with an L² loss on n×n cells. The first one also analyses the pattern of the metric's matrix.
pub fn step(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let (model, cpu) = (mixture(n)?, Cpu::default());
    let loss = L2Misfit::new(model.grid(), model.density(&model.parameters())?)?;
    let metric = Wasserstein2::new(model.grid());
    let step = || propose(&model, &loss, &metric, &cpu);
    let (first, _) = Repeat::Once.shortest(step)?;
    if matches!(repeat, Repeat::Once) {
        return Ok(vec![Row::new("a step", first)]);
    }
    let (next, _) = repeat.shortest(step)?;
    Ok(vec![
        Row::new("the first step", first),
        Row::new("a step", next),
    ])
}
