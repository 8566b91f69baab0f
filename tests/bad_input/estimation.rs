//! Windows of time and designs that make no sense are refused.

use crate::support::bad::{check, row};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::continuation::GrowingWindow;
use pullback::design::{Candidates, Criterion, Error};
use pullback::evolution::Evolution;
use pullback::faer::{Mat, mat};
use pullback::models::dynamics::LotkaVolterra;
use pullback::{Error as Failure, Noise};

const NAN: f64 = f64::NAN;

fn model() -> Evolution<LotkaVolterra> {
    let dynamics = LotkaVolterra::new([1.0, 1.0]).unwrap();
    Evolution::new(dynamics, vec![1.0, 2.0]).unwrap()
}

#[test]
fn windows() {
    let model = model();
    let window = model.until(1.5).unwrap();
    let of = |ends: &[f64]| GrowingWindow::new(&model, ends);
    check(vec![
        row("too early", "Option", "at least one time", || {
            model.until(0.5)
        }),
        row("NaN end", "Option", "at least one time", || {
            model.until(NAN)
        }),
        row("short data", "Dimension", "the whole state", || {
            window.part(&[1.0; 2])
        }),
        row("falling ends", "Option", "in increasing order", || {
            of(&[1.5, 1.2])
        }),
        row("NaN ends", "Option", "in increasing order", || {
            of(&[1.5, NAN])
        }),
        row("empty first", "Option", "at least one time", || {
            of(&[0.5, 1.5])
        }),
        row("NaN start", "NotFinite", "the start θ", || {
            let refused = |_: &_, _: &[f64]| Err(Failure::custom("never called"));
            of(&[1.0]).and_then(|windows| windows.run(&[NAN; 4], refused, |_| ()))
        }),
    ]);
}

/// y = θ₀ + θ₁ at three places.
struct Sum;

impl Formula for Sum {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.fill(theta[0] + theta[1]);
    }
}

fn line(deviations: &[f64]) -> pullback::Result<Candidates> {
    let jacobian = mat![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]];
    Candidates::new(jacobian.as_ref(), deviations)
}

fn sound() -> Candidates {
    line(&[1.0; 3]).unwrap()
}

#[test]
fn candidates() {
    let holes = mat![[1.0, NAN], [1.0, 1.0]];
    let (few, full) = (
        Noise::uniform(2, 1.0).unwrap(),
        Noise::full(Mat::identity(3, 3)).unwrap(),
    );
    let curve = Curve::new(Sum);
    let of = |noise: &Noise| Candidates::of(&curve, &[1.0, 1.0], noise);
    check(vec![
        row("no rows", "Option", "at least one row", || {
            Candidates::new(Mat::zeros(0, 2).as_ref(), &[])
        }),
        row("NaN", "NotFinite", "a column of the Jacobian", || {
            Candidates::new(holes.as_ref(), &[1.0; 2])
        }),
        row("few deviations", "Dimension", "the deviations", || {
            line(&[1.0])
        }),
        row("no deviation", "NotPositive", "the deviations", || {
            line(&[1.0, 0.0, 1.0])
        }),
        row("small noise", "Dimension", "the noise", || of(&few)),
        row("correlated", "Option", "independent noise", || of(&full)),
        row("odd groups", "Option", "divides the number", || {
            sound().grouped(2)
        }),
        row("empty groups", "Option", "the size of a group", || {
            sound().grouped(0)
        }),
        row("no groups", "Option", "at least one candidate", || {
            sound().groups(vec![])
        }),
        row("no such row", "Option", "indices of rows", || {
            sound().groups(vec![vec![3]])
        }),
    ]);
}

#[test]
fn designs() {
    let curve = Curve::new(Sum);
    check(vec![
        row("small prior", "Dimension", "the precision", || {
            sound().prior(Mat::identity(1, 1).as_ref())
        }),
        row("NaN prior", "NotFinite", "the precision", || {
            sound().prior(mat![[NAN, 0.0], [0.0, 1.0]].as_ref())
        }),
        row("zero unit", "NotPositive", "the units", || {
            sound().units(&[1.0, 0.0])
        }),
        row("no observations", "Option", "positive number", || {
            sound().observations(0.0)
        }),
        row("short weights", "Dimension", "the numbers of", || {
            sound().information(&[1.0])
        }),
        row("none chosen", "Option", "from 1", || {
            sound().choose(0, Criterion::D)
        }),
        row("too many", "Option", "from 1", || {
            sound().choose(4, Criterion::D)
        }),
        row("hidden", "Undetermined", "+0.707 θ0 -0.707 θ1", || {
            let noise = Noise::uniform(3, 1.0)?;
            Candidates::of(&curve, &[1.0, 1.0], &noise)?.weights(Criterion::A)
        }),
        row("few chosen", "TooFew", "no choice of 1", || {
            sound().choose(1, Criterion::A)
        }),
    ]);
    let found = sound().choose(1, Criterion::E).unwrap_err();
    let expected = Error::TooFew {
        count: 1,
        parameters: 2,
    };
    assert_eq!(found.of(), Some(&expected));
}
