//! Invariant measures of the Lorenz equations.

use pullback::loss::Divergence;
use pullback::models::flow::Lorenz;
use pullback::{Cpu, Descent, Linearisation, Result};

use crate::invariant::{START, model};
use crate::{Repeat, Row};

/// Recovers the three parameters from a density on n³ cells, by KL with Fisher-Rao, to rounding.
pub fn recovery(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let (model, cpu) = (model([n; 3])?, Cpu::default());
    let data = model.density(&Lorenz::CLASSIC, &cpu)?;
    let loss = Divergence::kullback_leibler(model.grid(), data)?;
    let descent = Descent::new(&model, &loss).backend(&cpu);
    let (seconds, report) = repeat.shortest(|| descent.run(&START, |_| ()))?;
    Ok(vec![Row::new("recovery", seconds).of(&report)])
}

/// Computes a density on n³ cells and its three sensitivities.
pub fn solves(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let (model, cpu) = (model([n; 3])?, Cpu::default());
    let (density, rho) = repeat.shortest(|| model.density(&Lorenz::CLASSIC, &cpu))?;
    let (sensitivities, ()) = repeat.shortest(|| {
        let z = Linearisation::new(&model, &rho, &Lorenz::CLASSIC, &cpu)?;
        z.matrix().map(|_| ())
    })?;
    Ok(vec![
        Row::new("density", density),
        Row::new("three sensitivities", sensitivities),
    ])
}
