//! Fields in time that make no sense are errors that name what is wrong.

use crate::support::bad::{check, row};
use pullback::evolution::Evolution;
use pullback::metric::{Blocks, Sobolev};
use pullback::models::fields::{AdvectionDiffusion, FokkerPlanck, GrayScott, Heat};
use pullback::models::flow::VanDerPol;
use pullback::models::{End, InvariantMeasure};
use pullback::{Cpu, Grid, Metric};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn plane() -> Grid {
    Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 5)]).unwrap()
}

/// Grid with a single cell along its second axis.
fn flat() -> Grid {
    Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]).unwrap()
}

fn heat() -> Heat {
    Heat::new(&plane(), vec![0.0; 20]).unwrap()
}

fn transport() -> AdvectionDiffusion {
    AdvectionDiffusion::new(&plane(), 0.1).unwrap()
}

#[test]
fn heat_equations() {
    check(vec![
        row("one cell", "GridTooCoarse", "a heat equation", || {
            Heat::new(&flat(), vec![0.0; 4])
        }),
        row(
            "short start",
            "Dimension",
            "the initial temperatures",
            || Heat::new(&plane(), vec![0.0; 19]),
        ),
        row("NaN start", "NotFinite", "the initial temperatures", || {
            Heat::new(&plane(), vec![NAN; 20])
        }),
        row("axis", "Option", "an axis of the grid", || {
            heat().fixed(2, End::Lower, 0.0)
        }),
        row(
            "infinite side",
            "NotFinite",
            "the temperature of a side",
            || heat().fixed(0, End::Lower, INF),
        ),
        row("short source", "Dimension", "a source", || {
            heat().source(vec![0.0; 3])
        }),
        row("NaN source", "NotFinite", "a source", || {
            heat().source(vec![NAN; 20])
        }),
        row("no sensors", "Option", "at least one", || {
            heat().sensors::<[f64; 2]>(&[])
        }),
        row("sensor outside", "OutOfRange", "second coordinate", || {
            heat().sensors(&[[0.5, 0.5], [0.5, 1.5]])
        }),
        row(
            "conductivity beyond numbers",
            "NotFinite",
            "the rate of x[0]",
            || {
                let start = (0..20).map(f64::from).collect();
                let heat = Heat::new(&plane(), start)?;
                Evolution::new(heat, vec![1.0])?.predict(&[800.0; 20])
            },
        ),
        row("short conductivity", "Dimension", "θ", || {
            Evolution::new(heat(), vec![1.0])?.predict(&[0.0; 19])
        }),
    ]);
}

#[test]
fn transport_and_reactions() {
    check(vec![
        row("one cell", "GridTooCoarse", "transport", || {
            AdvectionDiffusion::new(&flat(), 0.1)
        }),
        row("negative diffusion", "Option", "non-negative", || {
            AdvectionDiffusion::new(&plane(), -0.1)
        }),
        row("NaN diffusion", "Option", "the diffusion", || {
            AdvectionDiffusion::new(&plane(), NAN)
        }),
        row(
            "NaN velocity",
            "NotFinite",
            "the velocities at faces",
            || transport().velocity(|x| [x[0].ln() - INF, 0.0, 0.0]),
        ),
        row(
            "short velocities",
            "Dimension",
            "the velocities at faces",
            || transport().face_velocities(vec![0.0; 20]),
        ),
        row("sensor outside", "OutOfRange", "first coordinate", || {
            transport().sensors(&[[-0.5, 0.5]])
        }),
        row("a line", "Dimension", "the axes of a plane grid", || {
            GrayScott::square(&Grid::new(&[(0.0, 1.0, 8)]).unwrap())
        }),
        row(
            "one cell",
            "GridTooCoarse",
            "a reaction with diffusion",
            || GrayScott::square(&flat()),
        ),
        row("one species", "Dimension", "both species", || {
            GrayScott::new(&plane(), vec![0.0; 20])
        }),
        row("NaN start", "NotFinite", "both species", || {
            GrayScott::new(&plane(), vec![NAN; 40])
        }),
    ]);
}

#[test]
fn densities() {
    let measure = || InvariantMeasure::new(&plane(), VanDerPol).unwrap();
    check(vec![
        row("short start", "Dimension", "the initial density", || {
            FokkerPlanck::new(measure(), vec![1.0; 19])
        }),
        row("negative start", "", "the initial density", || {
            FokkerPlanck::new(measure(), vec![-1.0; 20])
        }),
        row("NaN start", "", "the initial density", || {
            FokkerPlanck::new(measure(), vec![NAN; 20])
        }),
        row("nothing", "", "the initial density", || {
            FokkerPlanck::new(measure(), vec![0.0; 20])
        }),
    ]);
}

#[test]
fn metrics_of_several_states() {
    let at = |count: usize, length: usize| {
        let metric = Blocks::new(Sobolev::new(&plane(), -1.0)?, count);
        metric.at(&vec![1.0; length], &Cpu::default()).map(drop)
    };
    check(vec![
        row("none", "Option", "the number of states", move || at(0, 20)),
        row("uneven", "Dimension", "the states of a metric", move || {
            at(3, 61)
        }),
        row(
            "too few",
            "Dimension",
            "the states of a metric",
            move || at(3, 2),
        ),
        row("too long", "Dimension", "expected 20, got 30", move || {
            at(2, 60)
        }),
    ]);
}
