//! Darcy inversions by conjugate gradients, and Cholesky factors of a weighted Laplacian.

use std::time::Instant;

use pullback::direction::ConjugateGradient;
use pullback::linalg::StencilSolver;
use pullback::{Backend, Cpu, Operator, Result, Side, random};

use crate::darcy::Problem;
use crate::laplacian::weighted_laplacian;
use crate::{Repeat, Row};

/// Inverts n² log-permeabilities from 200 wells. The seconds are those until the objective is one per cent above its minimum.
pub fn darcy(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let (problem, cpu) = (Problem::new(n, 200)?, Cpu::default());
    let direction = ConjugateGradient::default();
    let mut least = f64::INFINITY;
    let (_, report) = repeat.shortest(|| {
        let report = problem.run(&direction, &cpu)?;
        let near = report.history.iter().find(|i| i.loss <= 1.01 * report.loss);
        least = near.map_or(least, |near| least.min(near.seconds));
        Ok(report)
    })?;
    Ok(vec![Row::new("to 1 %", least).of(&report)])
}

/// Factorises a weighted Laplacian of n² cells whose pattern is known, and solves for one column and for 64.
pub fn laplacian(n: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let a = Operator::stencil(weighted_laplacian(&[(0.0, 1.0, n); 2], 1.0)?).positive_definite();
    let mut cpu = Cpu::default();
    cpu.stencils = StencilSolver::Direct;
    let (one, many) = (
        random::normal_matrix(a.nrows(), 1, 3),
        random::normal_matrix(a.nrows(), 64, 4),
    );
    let mut x = one.clone();
    // Analyses the pattern.
    cpu.factor(a.clone())?
        .solve(Side::Plain, None, x.as_mut())?;
    let (mut factorising, mut single) = (f64::INFINITY, f64::INFINITY);
    repeat.shortest(|| {
        let factor = cpu.factor(a.clone())?;
        // The first solve makes the factor.
        let mut seconds = [0.0; 2];
        for seconds in &mut seconds {
            x.copy_from(&one);
            let clock = Instant::now();
            factor.solve(Side::Plain, None, x.as_mut())?;
            *seconds = clock.elapsed().as_secs_f64();
        }
        single = single.min(seconds[1]);
        factorising = factorising.min(seconds[0] - seconds[1]);
        Ok(())
    })?;
    let factor = cpu.factor(a.clone())?;
    let mut x = many.clone();
    let (batch, _) = repeat.shortest(|| {
        x.copy_from(&many);
        factor.solve(Side::Plain, None, x.as_mut())
    })?;
    Ok(vec![
        Row::new("factor", factorising),
        Row::new("one column", single),
        Row::new("64 columns", batch),
    ])
}
