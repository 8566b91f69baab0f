//! Input that makes no sense is an error that names the argument and the remedy: flows, trajectories, histograms.

use crate::support::bad::{check, row};
use pullback::models::flow::{ArctanLorenz, Flow, Lorenz, VanDerPol};
use pullback::models::trajectory::{Histogram, Occupation, Sampling, Trajectory, weak_start};
use pullback::{Grid, Result, models};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// x′ = θ f(x) in every direction, in a space of this dimension.
struct Along(usize, fn(f64) -> f64);

impl Flow for Along {
    fn dim(&self) -> usize {
        self.0
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        x.map(|x| theta[0] * self.1(x))
    }
    fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out[0] = x.map(self.1);
    }
}

fn short() -> Sampling {
    Sampling {
        duration: 5.0,
        burn_in: 0.0,
        interval: 0.01,
        start: [1.0; 3],
        spread: 0.0,
        ..Sampling::default()
    }
}

fn lorenz(sampling: Sampling) -> Result<Trajectory> {
    sampling.run(&Lorenz, &Lorenz::CLASSIC, |_| ())
}

fn grid(upper: f64) -> Grid {
    Grid::new(&[(-upper, upper, 4); 3]).unwrap()
}

/// A run with one setting changed.
fn with(change: fn(&mut Sampling)) -> Result<Trajectory> {
    let mut sampling = short();
    change(&mut sampling);
    lorenz(sampling)
}

#[test]
fn settings() {
    check(vec![
        row("interval", "Option", "the interval", || {
            with(|s| s.interval = 0.0)
        }),
        row("interval NaN", "Option", "positive", || {
            with(|s| s.interval = NAN)
        }),
        row("duration", "Option", "the duration", || {
            with(|s| s.duration = -1.0)
        }),
        row("endless", "Option", "the duration", || {
            with(|s| s.duration = INF)
        }),
        row("short", "Option", "at least one", || {
            with(|s| s.duration = 1e-9)
        }),
        row(
            "shorter than its interval",
            "Option",
            "the duration, in intervals, is 0.25;",
            || with(|s| (s.duration, s.interval, s.burn_in) = (0.001, 0.004, 40.0)),
        ),
        row(
            "long burn-in",
            "Option",
            "the burn-in, in intervals, is 1e20;",
            || with(|s| (s.burn_in, s.interval) = (1e18, 0.01)),
        ),
        row("too fine", "Option", "10¹⁵", || {
            with(|s| s.interval = 1e-300)
        }),
        row("too many", "Option", "::occupation", || {
            with(|s| s.duration = 1e12)
        }),
        row("burn-in", "Option", "the burn-in", || {
            with(|s| s.burn_in = -1.0)
        }),
        row("tolerance", "Option", "1e-14", || {
            with(|s| s.tolerance = 0.0)
        }),
        row("NaN tolerance", "Option", "1e-14", || {
            with(|s| s.tolerance = NAN)
        }),
        row("noise", "Option", "the noise", || with(|s| s.noise = -1.0)),
        row("NaN noise", "Option", "deviation", || {
            with(|s| s.noise = NAN)
        }),
        row("spread", "Option", "the spread", || {
            with(|s| s.spread = INF)
        }),
        row("start", "NotFinite", "the start", || {
            with(|s| s.start[1] = NAN)
        }),
    ]);
}

#[test]
fn flows_and_parameters() {
    let run = |flow: &dyn Flow, theta: &[f64]| short().run(flow, theta, |_| ());
    let square = |x: f64| x * x;
    let lost = |x: f64| if x > 1.5 { NAN } else { x };
    check(vec![
        row("two parameters", "Dimension", "the parameters", || {
            run(&Lorenz, &[1.0, 2.0])
        }),
        row("NaN parameter", "NotFinite", "the parameters", || {
            run(&Lorenz, &[1.0, NAN, 2.0])
        }),
        row("four dimensions", "Option", "two or three", || {
            run(&Along(4, square), &[1.0])
        }),
        row("on a line", "Option", "two or three", || {
            run(&Along(1, square), &[1.0])
        }),
        row("finite-time blow-up", "BlowUp", "check θ", || {
            run(&Along(3, square), &[1.0])
        }),
        row("exponential growth", "BlowUp", "10⁶", || {
            run(&Along(3, |x| x), &[10.0])
        }),
        row("stiff", "BlowUp", "loosen", || {
            let sampling = Sampling {
                duration: 1e5,
                interval: 100.0,
                tolerance: 1e-4,
                ..short()
            };
            sampling.run(&VanDerPol, &[1e4], |_| ())
        }),
        row("NaN velocity", "Velocity", "Flow::velocity", || {
            run(&Along(3, lost), &[1.0])
        }),
        row("NaN at once", "Velocity", "(1, 1, 1)", || {
            run(&Along(3, |_| NAN), &[1.0])
        }),
    ]);
}

/// x′ = x² from 1 runs to infinity at t = 1, whatever the interval; before that all is well.
#[test]
fn a_blow_up_is_told_with_its_time() {
    let flow = Along(2, |x| x * x);
    for interval in [0.01, 0.3, 5.0] {
        let sampling = Sampling {
            interval,
            ..short()
        };
        let error = sampling.run(&flow, &[1.0], |_| ()).unwrap_err();
        let time = match error.of() {
            Some(models::Error::BlowUp { time, .. }) => *time,
            _ => NAN,
        };
        assert!((time - 1.0).abs() < 0.011, "{interval}: {error}");
    }
    let early = Sampling {
        duration: 0.99,
        ..short()
    };
    assert!(early.run(&flow, &[1.0], |_| ()).is_ok());
}

#[test]
fn histograms() {
    let of = |points: Vec<[f64; 3]>, dim| Trajectory {
        points,
        dim,
        interval: None,
    };
    let some = || vec![[1.0, 2.0, 3.0]; 9];
    let plane = Grid::new(&[(0.0, 1.0, 4); 2]).unwrap();
    let nan = || of(vec![[0.0; 3], [0.0, NAN, 0.0]], 3);
    check(vec![
        row("no points", "Option", "at least one", || {
            of(vec![], 3).histogram(&grid(1.0), None)
        }),
        row(
            "NaN",
            "NotFinite",
            "a sample of the trajectory is NaN at index 1",
            || nan().histogram(&grid(1.0), None),
        ),
        row("∞", "NotFinite", "inf at index 0", || {
            of(vec![[INF; 3]], 3).histogram(&grid(1.0), None)
        }),
        row("plane", "Dimension", "the grid", || {
            of(some(), 3).histogram(&plane, None)
        }),
        row("no dimension", "Option", "two or three", || {
            of(some(), 0).histogram(&plane, None)
        }),
        row("outside", "OutsideBox", "100.0 % of the samples", || {
            of(some(), 3).histogram(&grid(2.5), None)
        }),
        row(
            "ranges",
            "OutsideBox",
            "[1.0000, 1.0000] × [2.0000, 2.0000] × [3.0000, 3.0000]",
            || of(some(), 3).histogram(&grid(2.5), None),
        ),
        row("images", "OutsideBox", "[-1.0000, 1.0000] ×", || {
            let far = Grid::new(&[(0.0, 3.0, 4); 3])?;
            of(some(), 3).histogram(&far, Some([-1.0, -1.0, 1.0]))
        }),
        row("on the way", "Dimension", "the grid", || {
            short().occupation(&Lorenz, &Lorenz::CLASSIC, &plane, |_| ())
        }),
        row(
            "small box",
            "OutsideBox",
            "a box that contains them",
            || short().occupation(&Lorenz, &Lorenz::CLASSIC, &grid(5.0), |_| ()),
        ),
        row("nothing added", "Option", "at least one", || {
            Histogram::new(&grid(1.0), None).finish()
        }),
    ]);
}

#[test]
fn signs_of_symmetries() {
    let of = |signs| {
        let inside = Trajectory {
            points: vec![[1.0, 2.0, 0.5]],
            dim: 3,
            interval: None,
        };
        inside.histogram(&Grid::new(&[(-3.0, 3.0, 4); 3])?, Some(signs))
    };
    check(vec![
        row("0", "Option", "a sign of the symmetry is 0", move || {
            of([1.0, 0.0, 1.0])
        }),
        row("2", "Option", "give 1", move || of([2.0, 1.0, 1.0])),
        row(
            "NaN",
            "Option",
            "a sign of the symmetry is NaN",
            move || of([NAN; 3]),
        ),
        row(
            "∞",
            "Option",
            "a sign of the symmetry is inf",
            move || of([INF; 3]),
        ),
    ]);
    assert!(of([-1.0, 1.0, -1.0]).is_ok());
}

#[test]
fn weak_starts() {
    let sound = lorenz(short()).unwrap();
    let (points, ones) = (sound.points.clone(), vec![1.0; sound.points.len()]);
    let occupation = |density| Occupation {
        density,
        outside: 0.0,
        samples: 1,
    };
    let with = |interval| Trajectory {
        interval,
        ..sound.clone()
    };
    check(vec![
        row("arctan", "NotLinear", "start the fit from a guess", || {
            sound.weak_start(&ArctanLorenz)
        }),
        row("plane", "Dimension", "a point of the trajectory", || {
            sound.weak_start(&VanDerPol)
        }),
        row("interval 0", "NotPositive", "the interval", || {
            with(Some(0.0)).weak_start(&Lorenz)
        }),
        row("interval NaN", "NotFinite", "the interval", || {
            with(Some(NAN)).weak_start(&Lorenz)
        }),
        row("one weight", "Dimension", "the weights", || {
            weak_start(&Lorenz, &points, &[1.0])
        }),
        row("NaN weight", "NotFinite", "the weights", || {
            weak_start(&Lorenz, &points, &vec![NAN; ones.len()])
        }),
        row("no weight", "NotPositive", "the weights", || {
            weak_start(&Lorenz, &points, &vec![0.0; ones.len()])
        }),
        row("no points", "Option", "the number of points", || {
            weak_start(&Lorenz, &[], &[])
        }),
        row("NaN point", "NotFinite", "the points", || {
            weak_start(&Lorenz, &[[NAN; 3]], &[1.0])
        }),
        row("one point", "NotPositive", "the standard deviation", || {
            weak_start(&Lorenz, &[[1.0; 3]], &[1.0])
        }),
        row("still", "Undetermined", "only 0 of 1", || {
            weak_start(&Along(3, |_| 0.0), &points, &ones)
        }),
        row("NaN velocity", "Velocity", "Flow::velocity", || {
            weak_start(&Along(3, |_| NAN), &points, &ones)
        }),
        row("other grid", "Dimension", "the occupation", || {
            occupation(vec![1.0; 3]).weak_start(&Lorenz, &grid(1.0))
        }),
        row("negative", "Negative", "the occupation", || {
            occupation(vec![-1.0; 64]).weak_start(&Lorenz, &grid(1.0))
        }),
    ]);
}
