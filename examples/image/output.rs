//! Text, CSV and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::data::Data;
use crate::method::{FORMED, Fit};
use crate::options::Options;

/// Fits of all methods to the network as it is, and with its outputs in other units.
pub struct Fits {
    pub parameters: usize,
    pub plain: Vec<Fit>,
    pub scaled: Vec<Fit>,
}

/// What is fitted.
pub fn introduction(data: &Data, options: &Options, parameters: usize) -> String {
    let (train, test) = (data.train.labels.len(), data.test.labels.len());
    let (inputs, hidden) = (data.train.inputs.nrows(), options.hidden);
    let formed = if parameters > FORMED {
        format!(
            "\nWith more than {FORMED} parameters G is not formed: its damping is λI alone, and its systems are solved by products."
        )
    } else {
        String::new()
    };
    format!(
        "Ten classes of {name}: {train} samples to fit, {test} held out. These pictures are small and easy; they are not CIFAR-10.\n\
         Network {inputs}-{hidden}-10 with tanh, {parameters} parameters; the loss is the mean cross entropy.{formed}\n",
        name = data.name
    )
}

const HEADER: &str =
    "method                  steps    passes   seconds        loss   right   right, held out";

/// The table of all fits of one network.
pub fn table(title: &str, fits: &[Fit]) -> String {
    let mut text = format!("{title}\n\n   {HEADER}\n");
    for fit in fits {
        let [right, held_out] = fit.accuracy.map(|share| 100.0 * share);
        let _ = writeln!(
            text,
            "   {:22} {:>6} {:>9.0} {:>9.2}  {:>10.3e} {right:>6.1} %  {held_out:>14.1} %",
            fit.method, fit.steps, fit.passes, fit.seconds, fit.loss
        );
    }
    text
}

pub const VERDICT: &str = "\
What to make of it. The second network can express all that the first one can: a factor of an output is undone by the weights
before it, so that it is a diagonal change of parameters and nothing more. A damping by diag G does not notice it, up to
the weights from which fits start. λI, the gradient and K-FAC notice, because their steps depend on the units of the parameters.
Passes count values, tangents and adjoints with all samples; methods that form G take one tangent for every parameter.
";

/// All fits as a table of comma-separated values.
pub fn csv(fits: &Fits) -> String {
    let mut text = String::from("outputs,method,steps,passes,seconds,loss,right,right_held_out\n");
    for (outputs, all) in [("plain", &fits.plain), ("scaled", &fits.scaled)] {
        for fit in all {
            let [right, held_out] = fit.accuracy;
            let _ = writeln!(
                text,
                "{outputs},\"{}\",{},{},{},{},{right},{held_out}",
                fit.method, fit.steps, fit.passes, fit.seconds, fit.loss
            );
        }
    }
    text
}

/// All results as one JSON object, without times.
pub fn json(fits: &Fits) -> Value {
    let rows = |all: &[Fit]| -> Vec<Value> {
        let row = |fit: &Fit| {
            json!({
                "method": fit.method,
                "steps": fit.steps,
                "passes": fit.passes,
                "loss": fit.loss,
                "right": fit.accuracy[0],
                "right_held_out": fit.accuracy[1],
                "path": fit.path,
            })
        };
        all.iter().map(row).collect()
    };
    json!({
        "parameters": fits.parameters,
        "plain": rows(&fits.plain),
        "scaled": rows(&fits.scaled),
    })
}
