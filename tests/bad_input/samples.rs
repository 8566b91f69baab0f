//! Input that makes no sense is an error that names the argument and the remedy: measures known by samples.

use crate::support::bad::{check, row};
use pullback::automatic::Scalar;
use pullback::loss::{Kernel, KernelDiscrepancy, SlicedTransport, Snapshots};
use pullback::metric::{Each, Kernels, L2, Particles, SampledWasserstein};
use pullback::models::{Diffusion, Draws, Ensemble, Map, Paths, PushForward, Scheme};
use pullback::{Cpu, Loss, Metric};

const NAN: f64 = f64::NAN;

#[test]
fn draws() {
    check(vec![
        row("hardly more than entries", "Option", "Draws::raw", || {
            Draws::normal(9, 5, 1)
        }),
        row("none", "Option", "number of whitened draws", || {
            Draws::normal(0, 2, 1)
        }),
        row("no entries", "Option", "the length of a draw", || {
            Draws::normal(9, 0, 1)
        }),
        row("no raw ones", "Option", "the number of draws", || {
            Draws::raw(0, 2, 1)
        }),
        row("odd", "Option", "an even number", || {
            Draws::antithetic(9, 2, 1)
        }),
        row("few pairs", "Option", "twice as many", || {
            Draws::antithetic(18, 5, 1)
        }),
        row("NaN", "NotFinite", "a draw", || {
            Draws::given(2, vec![0.0, NAN])
        }),
        row("half a vector", "Dimension", "draws", || {
            Draws::given(2, vec![0.0; 3])
        }),
        row("nothing", "Option", "the number of draws", || {
            Draws::given(2, vec![])
        }),
    ]);
}

/// x = √θ z, or nothing where θ = 7.
struct Root;

impl Map for Root {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 1)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        if theta[0] != 7.0 {
            x[0] = theta[0].sqrt() * z[0];
        }
    }
}

/// x = θ with the derivative lost.
struct Lost;

impl Map for Lost {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 1)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x[0] = theta[0] + theta[0].value() * z[0];
    }
}

/// The sum of five parameters and z.
struct Five;

impl Map for Five {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 5)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x[0] = theta.iter().fold(S::from(z[0]), |sum, t| sum + *t);
    }
}

#[test]
fn maps() {
    let cpu = Cpu::default();
    let draws = || Draws::normal(9, 1, 1);
    let model = PushForward::new(Root, draws().unwrap()).unwrap();
    let lost = PushForward::new(Lost, draws().unwrap()).unwrap();
    let (model, lost, cpu) = (&model, &lost, &cpu);
    let linearise = move |theta: f64| {
        move || {
            let theta = [theta];
            pullback::Linearisation::new(lost, &[0.0; 9], &theta, cpu).map(drop)
        }
    };
    check(vec![
        row("other draws", "Dimension", "the length of a draw", || {
            PushForward::new(Root, Draws::normal(9, 2, 1)?)
        }),
        row(
            "four draws of five parameters",
            "Option",
            "than the parameters",
            || PushForward::new(Five, Draws::normal(4, 1, 1)?),
        ),
        row("two parameters", "Dimension", "θ", || {
            model.sample(&[1.0, 2.0])
        }),
        row("NaN", "NotFinite", "θ", || model.sample(&[NAN])),
        row(
            "a root of −1",
            "NotFinite",
            "position of a particle",
            || model.sample(&[-1.0]),
        ),
        row("nothing written", "Unwritten", "", || model.sample(&[7.0])),
        row("a lost derivative", "Lost", "", linearise(1.0)),
    ]);
}

/// Noises that act on both components and do not commute.
struct Turning;

impl Diffusion for Turning {
    fn dims(&self) -> (usize, usize, usize) {
        (2, 2, 1)
    }

    fn start<S: Scalar>(&self, z: &[f64], _: &[S], x: &mut [S]) {
        x[0] = z[0].into();
        x[1] = z[1].into();
    }

    fn drift<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) {
        out.fill(theta[0]);
    }

    fn noise<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        out.copy_from_slice(&[S::from(1.0), S::from(0.0), S::from(0.0), x[0]]);
    }
}

#[test]
fn paths() {
    let times = |times: &'static [f64], step| move || Paths::new(Turning, times, step);
    check(vec![
        row("no time", "Option", "number of times", times(&[], 0.1)),
        row(
            "the past",
            "Option",
            "increasing order",
            times(&[-1.0], 0.1),
        ),
        row(
            "twice",
            "Option",
            "increasing order",
            times(&[1.0, 1.0], 0.1),
        ),
        row(
            "NaN",
            "NotFinite",
            "a time of observation",
            times(&[NAN], 0.1),
        ),
        row("no step", "NotPositive", "the step", times(&[1.0], 0.0)),
        row(
            "a tiny step",
            "Option",
            "a longer step",
            times(&[1.0], 1e-9),
        ),
        row("two particles", "Option", "whitened draws", || {
            Ensemble::simulate(Paths::new(Turning, &[1.0], 0.1)?, 2, 1)
        }),
    ]);
}

#[test]
fn starts_and_noises_of_paths() {
    check(vec![
        row("half a start", "Dimension", "the values of draws", || {
            Paths::new(Turning, &[1.0], 0.1)?.draws_from(&[0.0; 7], 1)
        }),
        row("no starts", "Option", "at least one vector", || {
            Paths::new(Turning, &[1.0], 0.1)?.draws_from(&[], 1)
        }),
        row("a start of NaN", "NotFinite", "a draw", || {
            Paths::new(Turning, &[1.0], 0.1)?.draws_from(&[NAN; 8], 1)
        }),
        row("two starts", "Option", "whitened draws", || {
            Paths::new(Turning, &[1.0], 0.1)?.draws_from(&[0.0; 4], 1)
        }),
        row(
            "noises that do not commute",
            "NoncommutingNoise",
            "EulerMaruyama",
            || {
                let paths = Paths::new(Turning, &[1.0], 0.1)?.scheme(Scheme::Milstein);
                Ensemble::simulate(paths, 100, 1)?.sample(&[0.1])
            },
        ),
    ]);
    let paths = Paths::new(Turning, &[1.0], 0.1).unwrap();
    assert!(
        Ensemble::simulate(paths, 100, 1)
            .unwrap()
            .sample(&[0.1])
            .is_ok()
    );
}

/// From x = 0: noises that commute there alone if θ ≠ 0, and tiny ones that commute everywhere if θ = 0.
struct Special;

impl Diffusion for Special {
    fn dims(&self) -> (usize, usize, usize) {
        (2, 2, 1)
    }

    fn start_dim(&self) -> usize {
        0
    }

    fn start<S: Scalar>(&self, _: &[f64], _: &[S], x: &mut [S]) {
        x.fill(0.0.into());
    }

    fn drift<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        out[0] = x[0] * -1.0 + 1e6;
        out[1] = x[1] * -1.0 + 1.0;
    }

    fn noise<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let zero = S::from(0.0);
        out.copy_from_slice(&[x[0] * 1e-9, zero, theta[0] * x[0] * x[0], x[1] * 1e-9]);
    }
}

#[test]
fn noises_are_compared_along_a_path_and_beside_their_rounding() {
    let model = || {
        let paths = Paths::new(Special, &[0.0, 1.0], 0.1)?.scheme(Scheme::Milstein);
        Ensemble::simulate(paths, 100, 1)
    };
    assert!(model().unwrap().sample(&[0.0]).is_ok());
    check(vec![row(
        "noises that commute at the start alone",
        "NoncommutingNoise",
        "EulerMaruyama",
        || model()?.sample(&[1e-6]),
    )]);
}

#[test]
fn metrics_of_clouds() {
    let cpu = &Cpu::default();
    let at = |space: usize, cloud: &'static [f64]| {
        move || SampledWasserstein::new(space).at(cloud, cpu).map(drop)
    };
    let count = "the number of particles";
    let place = "position of a particle";
    check(vec![
        row("an empty cloud", "Option", count, at(2, &[])),
        row(
            "half a particle",
            "Dimension",
            "d numbers",
            at(2, &[0.0; 3]),
        ),
        row(
            "no space",
            "Option",
            "dimension of the space",
            at(0, &[0.0]),
        ),
        row("NaN", "NotFinite", place, at(1, &[NAN])),
        row("labelled", "Option", count, || {
            Particles::new(2).at(&[], cpu).map(drop)
        }),
        row("no metric", "Option", "the number of states", || {
            Each::<L2>::new(Vec::new()).at(&[1.0], cpu).map(drop)
        }),
        row(
            "states of two lengths",
            "Dimension",
            "the states of a metric",
            || {
                let metrics = vec![L2 { volume: 1.0 }, L2 { volume: 1.0 }];
                Each::new(metrics).at(&[1.0; 3], cpu).map(drop)
            },
        ),
        row("a field of NaN", "NotFinite", "a gradient field", || {
            let metric = SampledWasserstein::new(1).field(|_, out| out.fill(NAN));
            metric.at(&[1.0, 2.0], cpu).map(drop)
        }),
    ]);
}

#[test]
fn kernels_of_metrics() {
    let cpu = &Cpu::default();
    let kernels = |count: Option<usize>, width: f64, cloud: &'static [f64]| {
        let kernels = Kernels {
            count,
            width,
            seed: 1,
        };
        move || {
            SampledWasserstein::kwng(1, kernels)
                .at(cloud, cpu)
                .map(drop)
        }
    };
    let three = &[0.0, 1.0, 2.0];
    let (number, width) = ("the number of kernels", "the width of kernels");
    let spread = "the spread of the particles";
    check(vec![
        row("none", "Option", number, kernels(Some(0), 1.0, three)),
        row("many", "Option", number, kernels(Some(4), 1.0, three)),
        row("no width", "NotPositive", width, kernels(None, 0.0, three)),
        row("NaN", "NotFinite", width, kernels(None, NAN, three)),
        row(
            "one place",
            "NotPositive",
            spread,
            kernels(None, 1.0, &[1.0; 3]),
        ),
    ]);
}

#[test]
fn data_of_clouds() {
    let sliced =
        |space: usize, data: &'static [f64]| move || SlicedTransport::new(space, data.to_vec());
    let width = |width: f64| move || KernelDiscrepancy::new(1, vec![1.0], Kernel::Gaussian(width));
    let (points, space) = ("number of points of a sample", "dimension of the space");
    let coordinate = "a coordinate of a sample";
    check(vec![
        row("no data", "Option", points, sliced(2, &[])),
        row(
            "half a point",
            "Dimension",
            "of a sample",
            sliced(2, &[0.0; 3]),
        ),
        row("NaN", "NotFinite", coordinate, sliced(1, &[NAN])),
        row("no space", "Option", space, sliced(0, &[1.0])),
        row("no lines", "Option", "such as 64", || {
            SlicedTransport::on_lines(1, vec![1.0], 0, 1)
        }),
        row("no width", "NotPositive", "width of a kernel", width(0.0)),
        row("NaN", "NotFinite", "width of a kernel", width(NAN)),
        row("no data", "Option", points, || {
            KernelDiscrepancy::energy(1, vec![])
        }),
    ]);
}

#[test]
fn states_of_clouds() {
    let loss = &SlicedTransport::new(2, vec![0.0; 4]).unwrap();
    let energy = &KernelDiscrepancy::energy(2, vec![0.0; 4]).unwrap();
    let none = &Snapshots::<SlicedTransport>::new(Vec::new());
    let count = "the number of particles";
    check(vec![
        row("an empty cloud", "Option", count, || loss.check(&[])),
        row("an empty cloud", "Option", count, || energy.check(&[])),
        row("half a particle", "Dimension", "d numbers", || {
            loss.check(&[0.0; 3])
        }),
        row("NaN", "NotFinite", "position of a particle", || {
            energy.check(&[NAN; 2])
        }),
        row("no snapshots", "Option", "one for each state", || {
            none.check(&[0.0; 4])
        }),
        row("odd snapshots", "Dimension", "of equal length", || {
            let part = || KernelDiscrepancy::energy(1, vec![1.0]);
            Snapshots::new(vec![part()?, part()?]).check(&[0.0; 3])
        }),
    ]);
    assert!(loss.value(&[NAN, 0.0]).is_nan());
}
