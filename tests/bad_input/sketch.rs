//! Input that makes no sense is an error that names the argument and the remedy: sketches.

use crate::support::Reaction;
use crate::support::bad::{check, row};
use pullback::faer::Mat;
use pullback::metric::L2;
use pullback::sketch::{Hutchinson, Length, ProbeKind, Probes, Sketch};
use pullback::{Cpu, Linearisation, Metric, Result, random};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn former(value: f64) -> Mat<f64> {
    let mut y = random::normal_matrix(6, 2, 1);
    y[(3, 1)] = value;
    y
}

#[test]
fn probes_that_cannot_be() {
    use ProbeKind::{Gaussian, Orthonormal, Signs};
    let spanning = |value, kind, extra| Probes::spanning(former(value).as_ref(), kind, extra, 1);
    check(vec![
        row("no probes", "Option", "at least one", || {
            Probes::new(Signs, 6, 0, 1)
        }),
        row("no length", "Option", "lifted_dim", || {
            Probes::new(Gaussian, 0, 2, 1)
        }),
        row("all of nothing", "Option", "lifted_dim", || Probes::all(0)),
        row("too many", "Option", "take fewer, or signs", || {
            Probes::new(Orthonormal, 6, 7, 1)
        }),
        row("NaN", "NotFinite", "previous lifted Jacobian", || {
            spanning(NAN, Signs, 2)
        }),
        row("∞", "NotFinite", "at index 9", || spanning(INF, Signs, 2)),
        row("no extra", "Option", "at least one", || {
            spanning(1.0, Signs, 0)
        }),
        row("too many extra", "Option", "take fewer", || {
            spanning(1.0, Orthonormal, 5)
        }),
        row("empty", "Option", "lifted_dim", || {
            Probes::spanning(Mat::new().as_ref(), Signs, 1, 1)
        }),
    ]);
    assert!(spanning(1.0, Orthonormal, 4).is_ok());
}

/// A sketch of six states and two parameters.
fn sketched<T>(probes: &Probes, then: impl Fn(&Sketch<'_>) -> Result<T>) -> Result<T> {
    let (model, rho, theta, cpu) = (Reaction::new(6, 2, 1), [0.5; 6], [0.1; 2], Cpu::default());
    let z = Linearisation::new(&model, &rho, &theta, &cpu)?;
    then(&Sketch::of_state(&z, probes)?)
}

#[test]
fn probes_of_another_length() {
    let long = Probes::new(ProbeKind::Signs, 7, 3, 1).unwrap();
    let metric = L2::default();
    let lifted = || {
        let (model, rho, theta, cpu) = (Reaction::new(6, 2, 1), [0.5; 6], [0.1; 2], Cpu::default());
        let z = Linearisation::new(&model, &rho, &theta, &cpu)?;
        let root = metric.at(&rho, &cpu)?;
        Sketch::new(&z, root.as_ref(), &long).map(drop)
    };
    check(vec![
        row("state", "Dimension", "a probe", || {
            sketched(&long, |_| Ok(()))
        }),
        row("lifted", "Dimension", "a probe", lifted),
    ]);
}

#[test]
fn vectors_given_to_sketches() {
    let probes = Probes::new(ProbeKind::Signs, 6, 5, 1).unwrap();
    let solve = |dual: &[f64]| sketched(&probes, |s| s.solve(dual));
    let natural = |grad: &[f64]| sketched(&probes, |s| s.natural(grad));
    let published = |dual: &[f64]| {
        sketched(&probes, |s| {
            Hutchinson::new(s).direction(dual, Length::Literal)
        })
    };
    check(vec![
        row("short", "Dimension", "dual(u)", || solve(&[1.0; 2])),
        row("NaN", "NotFinite", "dual(u)", || solve(&[NAN; 6])),
        row("long", "Dimension", "∇f", || natural(&[1.0; 6])),
        row("∞", "NotFinite", "∇f", || natural(&[INF, 0.0])),
        row("short", "Dimension", "dual(u)", || published(&[1.0; 2])),
        row("NaN", "NotFinite", "dual(u)", || published(&[NAN; 6])),
    ]);
}

#[test]
fn too_few_probes_for_what_is_asked() {
    let plain = |m| Probes::new(ProbeKind::Signs, 6, m, 1).unwrap();
    let natural = |probes: &Probes| sketched(probes, |s| s.natural(&[1.0, 1.0]));
    let one = random::normal_matrix(6, 1, 1);
    let beside = |extra| Probes::spanning(one.as_ref(), ProbeKind::Signs, extra, 1).unwrap();
    let published = |probes: &Probes| {
        sketched(probes, |s| {
            Hutchinson::new(s).direction(&[1.0; 6], Length::Corrected)
        })
    };
    check(vec![
        row(
            "p + 1",
            "Option",
            "two random probes more than there are parameters",
            || natural(&plain(3)),
        ),
        row("1", "Option", "Sketch::solve", || natural(&plain(1))),
        row("one beside", "Option", "random probes", || {
            natural(&beside(1))
        }),
        row("partly exact", "Option", "Probes::new", || {
            published(&beside(4))
        }),
    ]);
    assert!(natural(&plain(4)).is_ok() && natural(&beside(3)).is_ok());
}

/// Two Gaussian probes of length two: the inverse has no mean.
#[test]
fn published_directions_without_a_mean_length() {
    let (model, rho, theta, cpu) = (Reaction::new(2, 2, 1), [0.5; 2], [0.1; 2], Cpu::default());
    let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
    let probes = Probes::new(ProbeKind::Gaussian, 2, 3, 1).unwrap();
    let sketch = Sketch::of_state(&z, &probes).unwrap();
    let direction = |length| Hutchinson::new(&sketch).direction(&[1.0; 2], length);
    check(vec![row("corrected", "Option", "Probes::all", || {
        direction(Length::Corrected)
    })]);
    assert!(direction(Length::Literal).is_ok());
}
