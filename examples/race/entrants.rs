//! Who takes part: natural gradients in every metric, and the optimisers that know no metric.

use pullback::direction::{
    Adam, Auto, ConjugateGradient, Damping, Gradient, Lbfgs, LeastSquares, Momentum, Newton,
    NonlinearCg,
};
use pullback::step::{self, Armijo, Decaying, Fixed, StrongWolfe, TrustRatio};
use pullback::{Direction, Result, StepRule};

use crate::heat::Heat;

/// Method with its step rules, of which the best counts.
pub struct Entrant<'p> {
    pub method: &'static str,
    pub direction: Box<dyn Direction + 'p>,
    pub rules: Vec<Rule>,
    /// Metric in place of that of the loss, by its index.
    pub metric: Option<usize>,
    /// Whether the method uses a metric at all.
    natural: bool,
}

/// Step rule, with its rate if it has one.
pub struct Rule {
    pub rate: Option<f64>,
    pub step: Box<dyn StepRule>,
}

impl Entrant<'_> {
    /// Creates a natural gradient in the metric of the loss, or in another one.
    fn natural(
        method: &'static str,
        direction: impl Direction + 'static,
        metric: Option<usize>,
    ) -> Self {
        Self {
            method,
            direction: Box::new(direction),
            rules: searched(TrustRatio::default()),
            metric,
            natural: true,
        }
    }

    /// Creates a method that uses no metric.
    fn plain(method: &'static str, direction: impl Direction + 'static, rules: Vec<Rule>) -> Self {
        Self {
            method,
            direction: Box::new(direction),
            rules,
            metric: None,
            natural: false,
        }
    }

    /// Name of the metric; a dash for a method without one.
    pub fn metric_name(&self, heat: &Heat<'_>) -> &'static str {
        match self.metric {
            Some(metric) => heat.problem.metrics[metric].0,
            None if self.method == NATURAL_GRADIENT => heat.own_metric_label(),
            None if self.natural => "own",
            None => "—",
        }
    }
}

/// A rule that finds the length of a step itself.
fn searched(step: impl StepRule + 'static) -> Vec<Rule> {
    vec![Rule {
        rate: None,
        step: Box::new(step),
    }]
}

/// Returns the entrants for one loss of a problem.
pub fn of<'p>(heat: &Heat<'p>) -> Result<Vec<Entrant<'p>>> {
    let mut all = natural(heat);
    all.extend(classical(heat)?);
    Ok(all)
}

/// Natural gradients with the metric of the loss, and with every other one.
fn natural<'p>(heat: &Heat<'p>) -> Vec<Entrant<'p>> {
    let problem = heat.problem;
    if problem.field {
        let mut all = vec![Entrant::natural(
            "Gauss-Newton by choice",
            Auto::default(),
            None,
        )];
        let metrics = std::iter::once(None).chain((0..problem.metrics.len()).map(Some));
        let by_cg =
            |metric| Entrant::natural("Gauss-Newton by CG", ConjugateGradient::default(), metric);
        all.extend(metrics.map(by_cg));
        return all;
    }
    let own = heat.own_metric();
    let others = (0..problem.metrics.len()).filter(|&k| own != Some(problem.metrics[k].1.name()));
    let others = others.map(Some);
    let all = std::iter::once(None).chain(others);
    let natural = |metric| Entrant::natural(NATURAL_GRADIENT, NATURAL, metric);
    let mut all: Vec<Entrant<'_>> = all.map(natural).collect();
    let truncated = LeastSquares {
        cutoff: 1e-6,
        ..NATURAL
    };
    all.push(Entrant {
        rules: searched(step::Grid::default()),
        ..Entrant::natural("truncated, step grid", truncated, None)
    });
    let momentum = Momentum {
        beta: 0.5,
        ..Momentum::new(&NATURAL)
    };
    all.push(Entrant {
        rules: fixed(&NATURAL_RATES),
        ..Entrant::natural("natural, momentum", momentum, None)
    });
    all
}

/// Method that runs in every metric, each of which is named.
const NATURAL_GRADIENT: &str = "natural gradient";

/// Least squares with default options.
const NATURAL: LeastSquares<'static> = LeastSquares {
    rank_tolerance: 1e-12,
    cutoff: 0.0,
    damping: Damping::Diagonal,
};

/// Rates of methods with fixed steps, as fractions of the largest scale of a line search.
const RATES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.0];

/// Rates of natural gradients with momentum, for which 1 is a whole Gauss-Newton step.
const NATURAL_RATES: [f64; 3] = [0.1, 0.3, 1.0];

/// First rates of Adam, whose steps change every parameter by about this much. They decay, or it would not settle.
const ADAM_RATES: [f64; 3] = [1e-3, 1e-2, 1e-1];

/// Optimisers that use the gradient alone, and Newton's method.
fn classical<'p>(heat: &Heat<'p>) -> Result<Vec<Entrant<'p>>> {
    let unit = heat.rate()?;
    let rates = RATES.map(|rate| rate * unit);
    let momentum = Momentum {
        nesterov: false,
        ..Momentum::default()
    };
    let nesterov = Momentum {
        nesterov: true,
        ..momentum
    };
    let lbfgs = |by_prior| Lbfgs {
        by_prior,
        ..Lbfgs::default()
    };
    let mut all = vec![
        Entrant::plain("Newton", Newton::default(), searched(TrustRatio::default())),
        Entrant::plain("L-BFGS", lbfgs(false), searched(StrongWolfe::default())),
        Entrant::plain(
            "nonlinear CG",
            NonlinearCg::default(),
            searched(StrongWolfe::close()),
        ),
        Entrant::plain("gradient", Gradient, searched(Armijo::growing(1e-3, 10.0))),
        Entrant::plain("momentum", momentum, fixed(&rates)),
        Entrant::plain("Nesterov", nesterov, fixed(&rates)),
        Entrant::plain("Adam", Adam::default(), decaying()),
    ];
    if heat.problem.prior.is_some() {
        let by_prior = lbfgs(true);
        let rule = searched(StrongWolfe::default());
        all.insert(2, Entrant::plain("L-BFGS by prior", by_prior, rule));
    }
    Ok(all)
}

/// Steps of fixed rates.
fn fixed(rates: &[f64]) -> Vec<Rule> {
    let rule = |rate: &f64| Rule {
        rate: Some(*rate),
        step: Box::new(Fixed { scale: *rate }),
    };
    rates.iter().map(rule).collect()
}

/// Steps of rates that decay.
fn decaying() -> Vec<Rule> {
    let rule = |scale: f64| Rule {
        rate: Some(scale),
        step: Box::new(Decaying {
            scale,
            ..Decaying::default()
        }),
    };
    ADAM_RATES.map(rule).into()
}
