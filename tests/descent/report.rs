//! What a descent hands back and prints: its best point, a table of iterates, and why it ended.

use crate::support::Explicit;
use crate::support::runs::{line, only, run};
use pullback::descent::{Iterate, Tolerances};
use pullback::loss::L2Misfit;
use pullback::step::{Judge, Trial, Verdict};
use pullback::{Descent, Loss, StepRule, random};

/// Good steps first, then ever worse ones.
struct Overshoot;

impl StepRule for Overshoot {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Overshooting(0))
    }
}

struct Overshooting(usize);

impl Judge for Overshooting {
    fn first(&self) -> (f64, f64) {
        (if self.0 < 2 { 0.9 } else { 2.5 }, 0.0)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        self.0 += 1;
        Verdict::Accept
    }
}

#[test]
fn the_best_point_is_handed_back() {
    let model = Explicit(random::normal_matrix(6, 2, 1));
    let loss = L2Misfit::new(&line(6), vec![1.0; 6]).unwrap();
    let rule = Overshoot;
    let descent = Descent::new(&model, &loss).step(&rule).tolerances(only(16));
    let report = descent.run(&[3.0, 3.0], |_| ()).unwrap();
    let best = &report.history[2];
    assert!(report.history.iter().all(|it| it.loss >= best.loss));
    assert!(report.history[16].loss > report.history[0].loss);
    assert_eq!((&report.theta, report.loss), (&best.theta, best.loss));
    assert_eq!(report.loss, loss.value(&report.rho));
}

#[test]
fn iterates_print_as_a_table() {
    let report = run(only(3));
    let rows: Vec<String> = report.history.iter().map(Iterate::to_string).collect();
    let (head, first) = rows[0].split_once('\n').unwrap();
    assert!(head.contains("loss") && head.contains("damping"));
    for row in [first, &rows[1], &rows[2], &rows[3]] {
        assert_eq!(row.chars().count(), head.chars().count(), "{head}\n{row}");
        assert!(!row.contains("loss"));
    }
    // Numbers of any size keep the columns.
    let mut extreme = report.history[1].clone();
    (extreme.loss, extreme.gradient) = (-1.234_567_8e-30, 1e-300);
    if let Some(step) = &mut extreme.step {
        (step.relative_step, step.scale, step.damping) = (1e-200, 1e-90, 1e-300);
    }
    assert_eq!(
        extreme.to_string().chars().count(),
        head.chars().count(),
        "{head}\n{extreme}"
    );
}

#[test]
fn a_report_prints_every_test_with_its_number_and_limit() {
    let text = run(Tolerances {
        target: Some(1e-9),
        ..Tolerances::default()
    })
    .to_string();
    for part in [
        "converged",
        "gradient",
        "step",
        "decrease",
        "limit 1.00e-9",
        "adjoint solves",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}
