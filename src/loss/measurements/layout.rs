//! Places of measurements in the state of a model.

use super::Condition;
use crate::error::{Result, number};
use crate::evolution::{Dynamics, Evolution};
use crate::loss::Error;

/// Places of measurements in the state of a model.
pub(super) struct Layout {
    /// Number of outputs at every time.
    pub(super) outputs: usize,
    /// Length of the state.
    pub(super) entries: usize,
    /// First entry for every condition and time.
    pub(super) firsts: Vec<Vec<usize>>,
}

impl Layout {
    /// Returns the layout of a state that holds the outputs for all times of the first condition, then for those of the second,
    /// and so on.
    pub(super) fn in_order(conditions: &[Condition], outputs: usize) -> Self {
        let mut entries = 0;
        let mut next = |_: &f64| {
            entries += outputs;
            entries - outputs
        };
        let firsts = conditions.iter();
        let firsts = firsts.map(|condition| condition.times.iter().map(&mut next).collect());
        Self {
            outputs,
            firsts: firsts.collect(),
            entries,
        }
    }

    /// Returns the layout of the state of a model whose experiments have the names of the conditions. The model may have further
    /// experiments and times.
    pub(super) fn of<D: Dynamics>(conditions: &[Condition], model: &Evolution<D>) -> Result<Self> {
        let outputs = model.dynamics().outputs();
        let (mut entries, mut begins) = (0, Vec::new());
        for experiment in model.experiments() {
            begins.push(entries);
            entries += outputs * experiment.times().len();
        }
        let places = |condition: &Condition| {
            let name = condition.to_string();
            let index = find(&name, model)?;
            let times = model.experiments()[index].times();
            let place = |time: &f64| {
                let k = times.partition_point(|other| other < time);
                match times.get(k) == Some(time) {
                    true => Ok(begins[index] + outputs * k),
                    false => Err(Error::Unobserved {
                        experiment: quoted(&name),
                        time: number(*time),
                    }
                    .into()),
                }
            };
            condition.times.iter().map(place).collect()
        };
        let firsts = conditions.iter().map(places);
        Ok(Self {
            outputs,
            firsts: firsts.collect::<Result<_>>()?,
            entries,
        })
    }
}

/// Returns the index of the only experiment with this name.
fn find<D: Dynamics>(name: &str, model: &Evolution<D>) -> Result<usize> {
    let experiments = model.experiments();
    let mut found = (0..experiments.len()).filter(|i| experiments[*i].name() == name);
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (Some(_), Some(_)) => Err(Error::SameName {
            experiment: quoted(name),
        }
        .into()),
        (None, _) => {
            let names = experiments.iter().map(|e| quoted(e.name()));
            let mut names: Vec<String> = names.take(SHOWN + 1).collect();
            if names.len() > SHOWN {
                names[SHOWN] = "…".into();
            }
            Err(Error::NoExperiment {
                condition: quoted(name),
                names: names.join(", "),
            }
            .into())
        }
    }
}

/// Largest number of names that an error lists.
const SHOWN: usize = 10;

/// Returns a name in quotes, which an empty name has as well.
fn quoted(name: &str) -> String {
    format!("`{name}`")
}
