//! Input that makes no sense is an error that names the argument and the remedy: directions that learn from steps, their step
//! rules, truncation, and damping by priors.

use pullback::direction::{
    Adam, ConjugateGradient, Damping, Information, Lbfgs, LeastSquares, Momentum, NonlinearCg,
    Preconditioner,
};
use pullback::prior::{Smoothness, Tikhonov};
use pullback::step::{Decaying, Fixed, Grid, Judge, StrongWolfe, Trial, Verdict};
use pullback::{Descent, Direction, Noise, Prior, Report, Result, StepRule};

use crate::support::bad::{check, row};
use crate::support::runs::{line, misfit};

const NAN: f64 = f64::NAN;

fn along(direction: &dyn Direction) -> Result<Report> {
    let (model, loss, start) = misfit();
    let descent = Descent::new(&model, &loss).direction(direction);
    descent.run(&start, |_| ())
}

fn scheduled(direction: &dyn Direction) -> Result<Report> {
    let (model, loss, start) = misfit();
    let (descent, rate) = (Descent::new(&model, &loss), Fixed { scale: 0.1 });
    descent.direction(direction).step(&rate).run(&start, |_| ())
}

fn by(rule: &dyn StepRule) -> Result<Report> {
    let (model, loss, start) = misfit();
    Descent::new(&model, &loss).step(rule).run(&start, |_| ())
}

#[test]
fn options_of_directions() {
    let lbfgs = |memory| {
        along(&Lbfgs {
            memory,
            ..Lbfgs::default()
        })
    };
    let momentum = |beta| {
        scheduled(&Momentum {
            beta,
            ..Momentum::default()
        })
    };
    let cutoff = |cutoff| {
        along(&LeastSquares {
            cutoff,
            ..LeastSquares::default()
        })
    };
    assert!(lbfgs(1).is_ok() && momentum(0.0).is_ok() && cutoff(0.5).is_ok());
    let forgetful = Lbfgs {
        memory: 0,
        ..Lbfgs::default()
    };
    let (below, memory) = ("from 0 to below 1", "the memory of L-BFGS");
    check(vec![
        row("no memory", "Option", memory, || lbfgs(0)),
        row("by a prior there is not", "Option", "there is none", || {
            along(&Lbfgs {
                by_prior: true,
                ..Lbfgs::default()
            })
        }),
        row("no memory inside", "Option", memory, || {
            along(&NonlinearCg::new(&forgetful))
        }),
        row("no memory in motion", "Option", memory, || {
            along(&Momentum::new(&forgetful))
        }),
        row("no friction", "Option", below, || momentum(1.0)),
        row("negative β", "Option", below, || momentum(-0.1)),
        row("NaN β", "Option", below, || momentum(NAN)),
        row("momentum in a search", "Option", "take `Fixed`", || {
            along(&Momentum::default())
        }),
        row("cut-off 1", "Option", "the cut-off", || cutoff(1.0)),
        row("negative cut-off", "Option", "the cut-off", || {
            cutoff(-1e-3)
        }),
        row("NaN cut-off", "Option", "the cut-off", || cutoff(NAN)),
    ]);
}

#[test]
fn options_of_adam() {
    let adam = |beta1, beta2, epsilon| {
        scheduled(&Adam {
            beta1,
            beta2,
            epsilon,
        })
    };
    assert!(adam(0.0, 0.0, 1e-3).is_ok());
    let below = "from 0 to below 1";
    check(vec![
        row("β₁ of 1", "Option", below, || adam(1.0, 0.9, 1e-8)),
        row("β₂ of 1", "Option", "the β₂ of Adam", || {
            adam(0.9, 1.0, 1e-8)
        }),
        row("NaN β₂", "Option", "the β₂ of Adam", || {
            adam(0.9, NAN, 1e-8)
        }),
        row("ε of 0", "Option", "the ε of Adam", || {
            adam(0.9, 0.9, 0.0)
        }),
        row("infinite ε", "Option", "the ε of Adam", || {
            adam(0.9, 0.9, f64::INFINITY)
        }),
        row("Adam in a search", "Option", "take `Fixed`", || {
            along(&Adam::default())
        }),
    ]);
}

#[test]
fn options_of_step_rules() {
    let wolfe = |decrease, curvature, trials| {
        by(&StrongWolfe {
            decrease,
            curvature,
            trials,
        })
    };
    assert!(wolfe(1e-3, 0.5, 1).is_ok());
    let (decrease, curvature) = (
        "the decrease of strong Wolfe",
        "the curvature of strong Wolfe",
    );
    check(vec![
        row("c₁ of 0", "Option", decrease, || wolfe(0.0, 0.9, 20)),
        row("c₁ of ½", "Option", decrease, || wolfe(0.5, 0.9, 20)),
        row("NaN c₁", "Option", decrease, || wolfe(NAN, 0.9, 20)),
        row("c₂ of 1", "Option", curvature, || wolfe(1e-4, 1.0, 20)),
        row("c₂ below c₁", "Option", curvature, || {
            wolfe(0.2, 0.1, 20)
        }),
        row("NaN c₂", "Option", curvature, || wolfe(1e-4, NAN, 20)),
        row("no trials", "Option", "allow at least one", || {
            wolfe(1e-4, 0.9, 0)
        }),
        row("too many trials", "Option", "at most 40", || {
            wolfe(1e-4, 0.9, 41)
        }),
    ]);
}

#[test]
fn options_of_grids_and_rates() {
    let grid = |first, ratio, count| {
        by(&Grid {
            first,
            ratio,
            count,
        })
    };
    let decaying = |scale, steps, power| {
        by(&Decaying {
            scale,
            steps,
            power,
        })
    };
    assert!(grid(1.0, 0.3, 1).is_ok() && decaying(0.5, 3.0, 0.7).is_ok());
    let (ratio, count) = ("the ratio of a grid", "the number of scales");
    check(vec![
        row("first 0", "Option", "the first scale of a grid", || {
            grid(0.0, 0.5, 3)
        }),
        row("ratio 1", "Option", ratio, || grid(1.0, 1.0, 3)),
        row("ratio 0", "Option", ratio, || grid(1.0, 0.0, 3)),
        row("NaN ratio", "Option", ratio, || grid(1.0, NAN, 3)),
        row("no scales", "Option", count, || grid(1.0, 0.5, 0)),
        row("underflow", "Option", count, || grid(1.0, 1e-10, 100)),
        row("too many scales", "Option", count, || {
            grid(1.0, 0.999, 1001)
        }),
        row("rate 0", "Option", "decaying steps", || {
            decaying(0.0, 1.0, 1.0)
        }),
        row("no steps", "Option", "a decay", || decaying(1.0, 0.0, 1.0)),
        row("growth", "Option", "the exponent", || {
            decaying(1.0, 1.0, -1.0)
        }),
        row("a finite way", "Option", "at most 1", || {
            decaying(1.0, 1.0, 1.1)
        }),
    ]);
}

#[test]
fn priors_that_damp() {
    let short = Tikhonov::new(vec![0.0; 2], Noise::uniform(2, 1.0).unwrap()).unwrap();
    let flat = Smoothness::new(&line(3), 1.0).unwrap();
    let squares = |prior: &dyn Prior| {
        along(&LeastSquares {
            damping: Damping::Prior(prior),
            ..LeastSquares::default()
        })
    };
    let information = |prior: &dyn Prior| {
        along(&Information {
            damping: Damping::Prior(prior),
        })
    };
    let krylov = |prior: &dyn Prior| {
        along(&ConjugateGradient {
            preconditioner: Preconditioner::By(prior),
            ..ConjugateGradient::default()
        })
    };
    let (length, free) = ("expected", "leaves constants free");
    check(vec![
        row("rows", "Dimension", length, || squares(&short)),
        row("matrix", "Dimension", length, || information(&short)),
        row("products", "Dimension", length, || krylov(&short)),
        row("flat rows", "NotPositiveDefinite", free, || squares(&flat)),
        row("flat products", "NotPositiveDefinite", free, || {
            krylov(&flat)
        }),
        row("flat matrix", "NotPositiveDefinite", free, || {
            information(&flat)
        }),
    ]);
}

/// Asks for what it has been given, or accepts what it has not kept.
struct Confused(Verdict);

impl StepRule for Confused {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Self(self.0))
    }
}

impl Judge for Confused {
    fn first(&self) -> (f64, f64) {
        (1.0, 0.0)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        self.0
    }
}

#[test]
fn rules_that_ask_in_vain_stall() {
    for verdict in [Verdict::Slope, Verdict::AcceptKept] {
        let report = by(&Confused(verdict)).unwrap();
        assert!(!report.converged() && report.iterations() == 0, "{report}");
    }
    let what = "the scale of a step rule";
    check(vec![row("kept for nothing", "Option", what, || {
        by(&Confused(Verdict::Keep(NAN)))
    })]);
}
