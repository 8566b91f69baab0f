//! Fit of the equations of Lotka and Volterra to twin data.

use pullback::evolution::Evolution;
use pullback::loss::L2Misfit;
use pullback::models::dynamics::LotkaVolterra;
use pullback::{Cpu, Descent, Model, Result};

use crate::{Repeat, Row};

/// Fits four rates to both numbers at 40 times.
pub fn lotka_volterra(repeat: Repeat) -> Result<Vec<Row>> {
    let times: Vec<f64> = (1..=40).map(|k| 0.25 * f64::from(k)).collect();
    let model = Evolution::new(LotkaVolterra::new([1.0, 1.0])?, times)?;
    let mut data = vec![0.0; model.state_dim()];
    model.solve(&[1.5, 1.0, 1.0, 3.0], &mut data, &Cpu::default())?;
    let loss = L2Misfit::euclidean(data)?;
    let descent = Descent::new(&model, &loss);
    let (seconds, report) = repeat.shortest(|| descent.run(&[1.4, 1.1, 0.9, 2.8], |_| ()))?;
    Ok(vec![Row::new("fit", seconds).of(&report)])
}
