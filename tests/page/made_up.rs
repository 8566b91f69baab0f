//! Pages of summaries that are made up: extreme sizes, missing numbers and hostile texts.

use pullback::faer::Mat;
use pullback::page::{Accuracy, Page, Step, Summary};

use crate::runs::Written;

/// Text that would be markup if it were not escaped.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script> & \"q\" \u{0}]]>";

/// Returns a step of a run that takes 0.1 seconds a step.
fn step(theta: &[f64], k: usize) -> Step<'_> {
    let known = |x: f64| if k == 0 { f64::NAN } else { x };
    let fall = 0.9_f64.powi(k as i32);
    Step {
        theta,
        loss: 2.0 + 100.0 * fall,
        gradient: 50.0 * fall,
        step: known(0.3 * fall),
        damping: known(0.0),
        trials: known(1.0),
        seconds: 0.1 * k as f64,
    }
}

pub(crate) fn summary(iterates: &[Vec<f64>], converged: bool) -> Summary<'_> {
    let theta = iterates.last().unwrap();
    let word = if converged {
        "converged"
    } else {
        "not converged"
    };
    Summary {
        outcome: format!("{word}: made up"),
        converged,
        theta,
        loss: 2.0,
        iterates: iterates
            .iter()
            .enumerate()
            .map(|(k, theta)| step(theta, k))
            .collect(),
        tests: vec![["steps".into(), iterates.len().to_string(), "1000".into()]],
        counts: vec![("model_solves".into(), iterates.len())],
        solvers: vec!["12 by dense LU".into()],
        remarks: Vec::new(),
    }
}

/// Returns standard errors of 0.1, of which some parameters are undetermined, and neighbours are correlated.
pub(crate) fn accuracy(theta: &[f64], open: &[usize], held: &[usize]) -> Accuracy {
    let p = theta.len();
    let error = |i: usize| match i {
        i if open.contains(&i) => f64::INFINITY,
        i if held.contains(&i) => 0.0,
        _ => 0.1,
    };
    let ends = |i: usize| (theta[i] - 2.0 * error(i), theta[i] + 2.0 * error(i));
    let share = (open.len() as f64).sqrt().recip();
    Accuracy {
        errors: (0..p).map(error).collect(),
        intervals: (0..p).map(ends).collect(),
        level: 0.95,
        covariance: Mat::from_fn(p, p, |i, j| 0.01 * (-0.6_f64).powi(i.abs_diff(j) as i32)),
        null_space: Mat::from_fn(p, usize::from(!open.is_empty()), |i, _| {
            match open.contains(&i) {
                true => share,
                false => 0.0,
            }
        }),
        held: held.to_vec(),
        variance: 4.0,
        notes: vec!["residual standard deviation 2 on 70 degrees of freedom".into()],
    }
}

/// One parameter, no step, nothing but NaN, and texts with markup everywhere.
pub(crate) fn hostile() -> Page<'static> {
    let theta: &[f64] = &[f64::NAN];
    let summary = Summary {
        outcome: HOSTILE.into(),
        converged: false,
        theta,
        loss: f64::NAN,
        iterates: vec![Step {
            theta,
            loss: f64::NAN,
            gradient: f64::INFINITY,
            step: f64::NAN,
            damping: f64::NAN,
            trials: f64::NAN,
            seconds: f64::NAN,
        }],
        tests: vec![[HOSTILE.into(), HOSTILE.into(), HOSTILE.into()]],
        counts: vec![(HOSTILE.into(), 1)],
        solvers: vec![HOSTILE.into()],
        remarks: vec![HOSTILE.into()],
    };
    Page::new(summary)
        .title(HOSTILE)
        .names(&[HOSTILE])
        .unwrap()
        .accuracy(Err(HOSTILE.into()))
        .residuals(vec![f64::NAN, 1.0, f64::INFINITY, -0.5])
        .against(HOSTILE, vec![0.0, 1.0, f64::NAN, 3.0])
        .picture(
            HOSTILE,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        )
        .setting(HOSTILE, HOSTILE)
}

/// Thirty parameters, 300 iterates, an undetermined combination and a bound.
pub(crate) fn thirty() -> Written {
    let at = |k: usize, i: usize| 1.0 + (i as f64).sin() * (1.0 - 0.97_f64.powi(k as i32));
    let iterates: Vec<Vec<f64>> = (0..300)
        .map(|k| (0..30).map(|i| at(k, i)).collect())
        .collect();
    let accuracy = accuracy(&iterates[299], &[4, 9, 17], &[2]);
    let residuals = pullback::random::normal(500, 3, 0)
        .iter()
        .map(|r| 2.0 * r)
        .collect();
    let page = Page::new(summary(&iterates, true)).title("Thirty parameters");
    let page = page.accuracy(Ok(accuracy)).residuals(residuals);
    ("thirty", page.html().unwrap())
}

/// A field of 512 × 512 parameters.
pub(crate) fn field() -> Written {
    let n = 512;
    let at = |k: f64, i: usize| {
        let (x, y) = ((i / n) as f64 / n as f64, (i % n) as f64 / n as f64);
        k * (9.0 * x + 3.0 * y * y).sin() * (7.0 * y).cos()
    };
    let iterates: Vec<Vec<f64>> = (0..3)
        .map(|k| (0..n * n).map(|i| at(f64::from(k), i)).collect())
        .collect();
    let page = Page::new(summary(&iterates, false)).title("A field");
    ("field", page.field(&[n, n]).html().unwrap())
}
