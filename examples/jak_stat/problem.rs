//! Model, likelihood and bounds.

use pullback::descent::Tolerances;
use pullback::evolution::{Evolution, Method};
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::models::dynamics::JakStat;
use pullback::{Bounds, Descent, Result, Transform};

/// Accuracy of the time steps during the search.
pub const SEARCH: f64 = 1e-6;

/// Accuracy of the time steps for the best fit and its profiles.
pub const FINAL: f64 = 1e-8;

/// Number of observables, each followed by as many noise levels in the state.
pub const OBSERVABLES: usize = 3;

/// Bounds of all parameters, as published.
const BOUNDS: [f64; 2] = [1e-5, 1e5];

/// All parameters are positive.
const TRANSFORMS: [Transform; 9] = [Transform::Log; 9];

/// Likelihood of the parameters, given the measurements.
pub struct Problem {
    model: Evolution<JakStat>,
    loss: Likelihood,
    /// Bounds of the parameters, between which the starting points lie too.
    pub bounds: Bounds,
}

impl Problem {
    /// Creates the problem with time steps of this accuracy.
    pub fn new(accuracy: f64) -> Result<Self> {
        let rows = JakStat::MEASUREMENTS.iter().flatten().enumerate();
        let data = rows.map(|(index, &value)| {
            let (time, observable) = (index / OBSERVABLES, index % OBSERVABLES);
            let mean = 2 * OBSERVABLES * time + observable;
            Datum {
                mean,
                noise: NoiseLevel::Entry(mean + OBSERVABLES),
                value,
                family: Family::Gaussian,
            }
        });
        let [lower, upper] = BOUNDS;
        Ok(Self {
            loss: Likelihood::new(2 * JakStat::MEASUREMENTS.as_flattened().len(), data)?,
            model: model(JakStat::TIMES.to_vec(), accuracy)?,
            bounds: Bounds::new(vec![lower; 9], vec![upper; 9])?,
        })
    }

    /// The descent from one start.
    pub fn descent(&self) -> Descent<'_> {
        let tolerances = Tolerances {
            iterations: 300,
            ..Tolerances::default()
        };
        Descent::new(&self.model, &self.loss)
            .transforms(&TRANSFORMS)
            .bounds(&self.bounds)
            .tolerances(tolerances)
    }
}

/// Creates the model at these times, in minutes.
pub fn model(times: Vec<f64>, accuracy: f64) -> Result<Evolution<JakStat>> {
    let model = Evolution::new(JakStat, times)?.method(Method::Implicit);
    model.accuracy(accuracy, &[accuracy])
}
