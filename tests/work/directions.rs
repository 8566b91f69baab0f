//! What a step costs in each direction that forms no information matrix, counted exactly.

use pullback::descent::{Counts, Tolerances};
use pullback::direction::{
    ConjugateGradient, DataSpace, Dual, Forcing, Nystrom, Preconditioner, Sketched,
};
use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::prior::{Matern, Quadratic};
use pullback::step::{Fixed, Judge, Trial, Verdict};
use pullback::{Descent, Direction, Grid, Noise, Prior, Report, Result, StepRule};

const OBSERVED: usize = 6;
const STEPS: usize = 3;

struct Problem {
    model: Darcy,
    loss: Observations,
    prior: Factorised,
}

/// A field whose precision is a matrix to factorise, so that solves with it are counted.
struct Factorised(Matern);

impl Prior for Factorised {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        self.0.at(theta)
    }

    fn is_affine(&self) -> bool {
        true
    }
}

fn problem() -> Problem {
    let grid = Grid::new(&[(0.0, 1.0, 8), (0.0, 1.0, 8)]).unwrap();
    let model = Darcy::new(&grid).unwrap();
    let model = model.pressure(0, End::Lower, 1.0).unwrap();
    let model = model.pressure(0, End::Upper, 0.0).unwrap();
    let place = |i: usize| [0.2 + 0.3 * (i / 2) as f64, 0.3 + 0.4 * (i % 2) as f64];
    let points: Vec<[f64; 2]> = (0..OBSERVED).map(place).collect();
    let noise = Noise::uniform(OBSERVED, 0.02).unwrap();
    let data = vec![0.85, 0.8, 0.6, 0.4, 0.3, 0.1];
    let loss = Observations::new(model.observe(&points).unwrap(), data, noise);
    Problem {
        loss: loss.unwrap(),
        prior: Factorised(Matern::new(&grid, 1.0, 0.5).unwrap()),
        model,
    }
}

impl Problem {
    fn descent(&self) -> Descent<'_> {
        Descent::new(&self.model, &self.loss).prior(&self.prior)
    }

    fn run(&self, direction: &dyn Direction, rule: &mut dyn StepRule) -> Report {
        let tolerances = Tolerances {
            gradient: 0.0,
            decrease: 0.0,
            step: 0.0,
            loss: 0.0,
            target: None,
            iterations: STEPS,
        };
        let descent = Descent::new(&self.model, &self.loss)
            .prior(&self.prior)
            .direction(direction)
            .step(rule)
            .tolerances(tolerances);
        let report = descent.run(&[0.0; 64], |_| ()).unwrap();
        assert_eq!(report.iterations(), STEPS, "{report}");
        report
    }
}

/// Damps the first trial of every step, whatever it brought, and takes the second.
struct DampOnce;

impl StepRule for DampOnce {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Self)
    }
}

impl Judge for DampOnce {
    fn first(&self) -> (f64, f64) {
        (0.3, 0.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        match trial.attempt {
            0 => Verdict::Damp(1.0),
            _ => Verdict::Accept,
        }
    }
}

/// Model, tangent and adjoint solves, factorisations of systems, solves with those.
fn numbers(c: &Counts) -> [usize; 5] {
    [
        c.model_solves,
        c.tangent_solves,
        c.adjoint_solves,
        c.system_factorisations,
        c.system_solves,
    ]
}

/// What every step cost.
fn steps(report: &Report) -> Vec<[usize; 5]> {
    let all: Vec<_> = report
        .history
        .iter()
        .map(|it| numbers(&it.counts))
        .collect();
    assert_eq!(all[0], [1, 0, 1, 0, 0], "the start");
    let cost = |w: &[[usize; 5]]| std::array::from_fn(|i| w[1][i] - w[0][i]);
    all.windows(2).map(cost).collect()
}

/// The precision is factorised in the first step alone.
fn once(step: usize) -> usize {
    usize::from(step == 0)
}

fn iterative(preconditioner: Preconditioner) -> ConjugateGradient {
    ConjugateGradient {
        forcing: Forcing::Fixed(1e-4),
        preconditioner,
        ..ConjugateGradient::default()
    }
}

/// Iterations from a point: the rank of the Krylov space.
fn iterations(problem: &Problem, direction: &dyn Direction, theta: &[f64]) -> usize {
    let descent = problem.descent().direction(direction);
    descent.propose(theta, 0.0).unwrap().rank
}

#[test]
fn conjugate_gradients_cost_a_tangent_and_an_adjoint_an_iteration() {
    let (problem, direction) = (problem(), iterative(Preconditioner::Prior));
    let whole = problem.run(&direction, &mut Fixed { scale: 0.3 });
    // Rejected trials cost a model solve each, and nothing else.
    let damped = problem.run(&direction, &mut DampOnce);
    for (report, trials) in [(whole, 1), (damped, 2)] {
        for (n, found) in steps(&report).into_iter().enumerate() {
            let i = iterations(&problem, &direction, &report.history[n].theta);
            assert!(i > 1 && i <= OBSERVED + 1, "{i}");
            // There is one solve with the prior more than iterations, and a probe of what may be free.
            let expected = [trials, i, i + 1, once(n), i + 1 + once(n)];
            assert_eq!(found, expected, "step {n}, {trials} trials");
            assert_eq!(report.history[n + 1].step.unwrap().trials, trials);
        }
        assert_eq!(report.counts.system_factorisations, 1);
        assert_eq!(report.counts.metric_solves, 0);
    }
}

/// A field on a box is solved with by cosine transforms: there is no system at all.
#[test]
fn fields_on_boxes_take_no_factorisation() {
    let problem = problem();
    let descent = Descent::new(&problem.model, &problem.loss).prior(&problem.prior.0);
    let direction = iterative(Preconditioner::Prior);
    let report = descent
        .direction(&direction)
        .run(&[0.0; 64], |_| ())
        .unwrap();
    assert!(report.converged() && report.counts.tangent_solves > 0);
    assert_eq!(report.counts.system_factorisations, 0);
    assert_eq!(report.counts.system_solves, 0);
}

#[test]
fn directions_by_rows_cost_an_adjoint_a_row() {
    let problem = problem();
    let sketched = Sketched {
        probes: 9,
        ..Sketched::default()
    };
    let rows: [(&dyn Direction, usize); 2] = [(&DataSpace, OBSERVED), (&sketched, 9)];
    for (direction, m) in rows {
        let name = direction.name();
        let whole = problem.run(direction, &mut Fixed { scale: 0.3 });
        let damped = problem.run(direction, &mut DampOnce);
        for (report, trials) in [(whole, 1), (damped, 2)] {
            for (n, found) in steps(&report).into_iter().enumerate() {
                // The rows and the gradient are solved for, and a probe of what may be free.
                let expected = [trials, 0, m + 1, once(n), m + 1 + once(n)];
                assert_eq!(found, expected, "{name}, step {n}");
            }
        }
    }
}

#[test]
fn the_dual_direction_costs_a_factorisation_a_trial() {
    let problem = problem();
    let whole = problem.run(&Dual, &mut Fixed { scale: 0.3 });
    let damped = problem.run(&Dual, &mut DampOnce);
    for (report, trials) in [(whole, 1), (damped, 2)] {
        for (n, found) in steps(&report).into_iter().enumerate() {
            let expected = [trials, 0, 1, trials, found[4]];
            assert_eq!(found, expected, "step {n}, {trials} trials");
        }
    }
}

#[test]
fn a_nystrom_sketch_is_paid_for_until_iterations_have_doubled() {
    let problem = problem();
    let direction = iterative(Preconditioner::Nystrom(Nystrom {
        rank: 4,
        oversampling: 2,
        seed: 3,
    }));
    // A column of the sketch is drawn and smoothed, a solve each; there is one a residual of the iteration, and a probe.
    let first = |i| [1, i + 6, i + 7, 1, 6 + 6 + i + 1 + 1];
    let kept = |i| [1, i, i + 1, 0, i + 1];
    let near = problem.run(&direction, &mut Fixed { scale: 1e-3 });
    let found = steps(&near);
    let i = iterations(&problem, &direction, &near.history[0].theta);
    assert_eq!(found[0], first(i));
    for step in &found[1..] {
        assert!(step[1] > 0 && step[1] <= 2 * i, "{found:?}");
        assert_eq!(*step, kept(step[1]));
    }
    // A long step from a uniform field changes the curvature, and the sketch is made anew after it: the 4 vectors
    // that are kept, with 2 fresh ones beside them.
    let found = steps(&problem.run(&direction, &mut Fixed { scale: 0.3 }));
    assert_eq!(found[0], first(i));
    assert!(found[1][1] > 2 * i, "{found:?}");
    assert_eq!(found[1], kept(found[1][1]));
    let j = found[2][1] - 6;
    assert_eq!(found[2], [1, j + 6, j + 7, 0, 2 + 6 + j + 1]);
}

#[test]
fn iterations_that_are_cut_short_are_remarked_upon() {
    let problem = problem();
    let cut = ConjugateGradient {
        iterations: 1,
        ..iterative(Preconditioner::Prior)
    };
    let report = problem.run(&cut, &mut Fixed { scale: 0.3 });
    let text = "reached their iteration limit";
    assert_eq!(report.remarks.len(), 1, "{:?}", report.remarks);
    let remark = &report.remarks[0];
    assert!(remark.iteration == 0 && remark.text.contains(text));
    let printed = report.to_string();
    assert!(
        printed.contains("from step 1: conjugate gradients"),
        "{printed}"
    );
    assert!(printed.contains(text), "{printed}");
    let free = problem.run(&iterative(Preconditioner::Prior), &mut Fixed { scale: 0.3 });
    assert!(free.remarks.is_empty() && !free.to_string().contains(text));
}
