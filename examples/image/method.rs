//! Ways of fitting a network, and what each of them costs and reaches.

use pullback::Loss as _;
use pullback::direction::{
    Adam, ConjugateGradient, Damping, Direction, Forcing, Gradient, Information, Kfac,
};
use pullback::loss::Softmax;
use pullback::metric::{Kernels, SampledWasserstein};
use pullback::models::{Labelled, Network};
use pullback::step::{Decaying, Fixed, Judge, Remembered, StepRule, Trial, Verdict};
use pullback::stochastic::{Items, MiniBatch, Stochastic};

use crate::data::CLASSES;
use crate::support::command::Failure;

/// Direction and step rule, with the size of the batches.
pub struct Method {
    pub name: &'static str,
    pub direction: Box<dyn Direction>,
    pub step: Box<dyn StepRule>,
    /// Number of samples in a batch; None for all of them.
    pub batch: Option<usize>,
    /// Number of epochs, in each of which every sample is used once.
    pub epochs: usize,
    /// Whether the metric is that of the cloud of all logits, by kernels.
    pub kernels: bool,
}

/// Largest number of parameters for which the matrix G is formed.
pub const FORMED: usize = 5000;

impl Method {
    /// All methods, for networks with so many parameters: methods on batches for so many epochs, and those on all data for so many
    /// steps.
    pub fn all(parameters: usize, [epochs, steps]: [usize; 2]) -> Vec<Self> {
        let on_batches = |name, direction: Box<dyn Direction>, (scale, batch)| Self {
            name,
            direction,
            step: Box::new(Fixed { scale }),
            batch: Some(batch),
            epochs,
            kernels: false,
        };
        let on_all = |name, direction: Box<dyn Direction>| Self {
            name,
            direction,
            step: Box::new(Levenberg),
            batch: None,
            epochs: steps,
            kernels: false,
        };
        let kfac = Kfac {
            damping: 1e-2,
            ..Kfac::default()
        };
        let rate = Decaying {
            scale: 0.01,
            steps: 500.0,
            power: 1.0,
        };
        let mut all = vec![
            // Methods on batches, one line each.
            on_batches("SGD", Box::new(Gradient), (0.3, 32)),
            Self {
                step: Box::new(rate),
                ..on_batches("Adam", Box::<Adam>::default(), (1.0, 32))
            },
            on_batches("K-FAC", Box::new(kfac), (0.3, 128)),
        ];
        if parameters <= FORMED {
            for (name, damping) in [
                ("GGN + λI", Damping::Identity),
                ("GGN + λ diag G", Damping::Diagonal),
            ] {
                all.push(on_all(name, Box::new(Information { damping })));
            }
            let damping = Damping::Identity;
            all.push(Self {
                kernels: true,
                ..on_all("KWNG + λI", Box::new(Information { damping }))
            });
        } else {
            let direction = ConjugateGradient {
                forcing: Forcing::Fixed(0.1),
                iterations: 30,
                ..ConjugateGradient::default()
            };
            all.push(on_all("GGN + λI, by products", Box::new(direction)));
        }
        all
    }
}

/// Fit by one method.
pub struct Fit {
    pub method: &'static str,
    pub steps: usize,
    /// Passes with samples, as multiples of a pass with all of them: values, tangents and adjoints.
    pub passes: f64,
    pub seconds: f64,
    pub loss: f64,
    /// Shares of right answers among the samples of the fit, and among those held out.
    pub accuracy: [f64; 2],
    /// Mean cross entropy of all samples after every epoch, with the number of passes.
    pub path: Vec<[f64; 2]>,
}

/// Network and labels for a fit, and the same network for samples held out.
pub struct Problem<'d> {
    pub network: Network,
    pub labels: &'d [usize],
    pub held_out: Network,
    pub held_out_labels: &'d [usize],
}

impl Problem<'_> {
    /// Fits the network by a method. `tick` is called after every epoch.
    pub fn fit(&self, method: &Method, seed: u64, tick: &dyn Fn()) -> Result<Fit, Failure> {
        let items = Labelled::new(&self.network, self.labels.to_vec())?;
        let count = self.labels.len();
        let size = method.batch.unwrap_or(count).min(count);
        let clouds = Clouds(items.clone());
        let fitted: &dyn Items = if method.kernels { &clouds } else { &items };
        let descent = Stochastic::new(fitted, size)
            .direction(method.direction.as_ref())
            .step(method.step.as_ref())
            .epochs(method.epochs)
            .seed(seed)
            .evaluate();
        let start = self.network.initial(seed);
        let first = items.loss().value(&self.network.predict(&start)?);
        let mut path = vec![[0.0, first]];
        let report = descent.run(&start, |epoch| {
            let counts = epoch.counts;
            let passes = counts.model_solves + counts.tangent_solves + counts.adjoint_solves;
            // The batches of an epoch are equal to within a sample, and together hold all of them.
            let share = 1.0 / count.div_ceil(size) as f64;
            path.push([passes as f64 * share, epoch.objective.unwrap_or(f64::NAN)]);
            tick();
        })?;
        let seconds = report.history.last().map_or(0.0, |epoch| epoch.seconds);
        let held_out = Softmax::new(self.network.outputs(), self.held_out_labels.to_vec())?;
        let last = path[path.len() - 1];
        Ok(Fit {
            method: method.name,
            steps: report.history.last().map_or(0, |epoch| epoch.steps),
            passes: last[0],
            seconds,
            loss: last[1],
            accuracy: [
                items
                    .loss()
                    .accuracy(&self.network.predict(&report.theta)?)?,
                held_out.accuracy(&self.held_out.predict(&report.theta)?)?,
            ],
            path,
        })
    }
}

/// Labelled samples whose logits are a cloud of points, one for every sample, with the metric of the kernelised Wasserstein natural
/// gradient.
struct Clouds<'n>(Labelled<'n>);

impl Items for Clouds<'_> {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> pullback::Result<MiniBatch<'a>> {
        let metric = SampledWasserstein::kwng(CLASSES, Kernels::default());
        Ok(self.0.batch(chosen)?.metric(metric))
    }
}

/// Damping by Levenberg's rule: a tenth after a step that lowers the loss, ten times as much after one that does not.
///
/// Steps are stretched where the loss falls by more than predicted. Cross entropies of samples that can all be told apart fall like
/// exponentials, by 1 − 1/e in a step of Newton's method, which predicts ½.
struct Levenberg;

/// Factor by which a step is stretched after one that was too short.
const STRETCH: f64 = 2.0;

/// Largest length of a step, as a multiple of Newton's.
const LONGEST: f64 = 4.0;

struct Level {
    scale: f64,
    damping: f64,
}

impl StepRule for Levenberg {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Level {
            scale: 1.0,
            damping: 1e-2,
        })
    }

    fn name(&self) -> &'static str {
        "Levenberg"
    }
}

impl Judge for Level {
    fn first(&self) -> (f64, f64) {
        (self.scale, self.damping)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        let decrease = trial.loss - trial.trial_loss;
        if decrease > 0.0 {
            self.damping = (0.1 * trial.damping).max(1e-12);
            self.scale = match decrease > trial.predicted {
                true => (STRETCH * trial.scale).min(LONGEST),
                false => 1.0,
            };
            return Verdict::Accept;
        }
        if self.scale > 1.0 {
            self.scale = 1.0;
            return Verdict::Scale(self.scale);
        }
        self.damping = 10.0 * trial.damping;
        match trial.attempt < 20 {
            true => Verdict::Damp(self.damping),
            false => Verdict::GiveUp,
        }
    }

    fn memory(&self) -> pullback::Result<Remembered> {
        Remembered::new(&[self.scale, self.damping])
    }

    fn recall(&mut self, memory: &Remembered) -> pullback::Result<()> {
        [self.scale, self.damping] = memory.get()?;
        Ok(())
    }
}
