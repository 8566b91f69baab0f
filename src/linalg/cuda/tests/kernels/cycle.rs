//! Tests of the components of a V-cycle, and of whole V-cycles.

use std::sync::Arc;

use super::{
    Bench, Held, Number, SHAPES, SIDES, assert_same, device, in_every_precision, laplacian,
    numbers, stencil, wide, wide_mut,
};
use crate::linalg::cpu::stencil::iterative::unit;
use crate::linalg::cpu::stencil::multigrid::{COARSEST, Multigrid};
use crate::linalg::cpu::stencil::pipeline::{LINES, Pipeline, Stage};
use crate::linalg::cpu::stencil::workspace::Coarse;
use crate::linalg::cuda::device::Buffer;
use crate::linalg::cuda::equations::{Equations, Form, Vectors};
use crate::linalg::cuda::hierarchy::Hierarchy;
use crate::linalg::cuda::plan::Plan;
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::sweep_order::Order;

/// Returns the number of cells after `depth` coarsenings.
fn cells(shape: &[usize], depth: u32) -> usize {
    shape.iter().map(|n| n.div_ceil(1 << depth)).product()
}

/// Multigrid on the CPU and on the device, with vectors of the finest level.
struct Case<T, const W: usize> {
    multigrid: Multigrid<T>,
    hierarchy: Hierarchy,
    bench: Bench,
    b: Vec<T>,
    x: Vec<T>,
    on_b: Buffer,
    on_x: Buffer,
    name: String,
}

impl<T: Number, const W: usize> Case<T, W> {
    /// Builds both hierarchies with at most `coarsest` cells on the coarsest level.
    fn new(held: &Held, a: &Stencil, (coarsest, definite): (usize, bool)) -> Self {
        let multigrid = Multigrid::down_to(coarsest, &Arc::new(a.clone()), definite, unit(a));
        let plan = Plan {
            coarsest,
            ..Plan::of(a, definite, T::WIDTH)
        };
        let cells = multigrid.cells()[0];
        let bench = Bench::new(held, cells, W);
        let [b, x] = [1, 2].map(|stream| numbers::<T>(cells * W, stream));
        Self {
            hierarchy: Hierarchy::new(held.device, a, plan).unwrap(),
            on_b: bench.store(&b),
            on_x: bench.store(&x),
            name: format!("{:?}, {W} lanes, {:?}", multigrid.cells(), T::WIDTH),
            multigrid,
            bench,
            b,
            x,
        }
    }

    fn vectors(&self) -> Vectors<'static> {
        Vectors {
            b: self.on_b.address,
            x: self.on_x.address,
            workspace: &[],
        }
    }

    /// Returns the workspace of lines that the CPU needs.
    fn row(&self) -> Vec<[T; W]> {
        vec![[T::ZERO; W]; LINES * self.multigrid.levels[0].rows(Side::Plain).shape[2]]
    }

    fn check_sweeps(&mut self, side: Side) {
        let rows = self.hierarchy.levels[0].rows(side);
        let mut row = self.row();
        // Consecutive sweeps from all corners.
        for corner in 0..8_u32 {
            let [x, y, z] = [0, 1, 2].map(|axis| corner >> axis & 1 == 1);
            let vectors = (wide::<_, W>(&self.b), wide_mut(&mut self.x));
            Pipeline::new(&self.multigrid.levels[0], side, vectors, &mut row)
                .run(x, &mut [Stage::Sweep([y, z])]);
            let v = self.vectors();
            self.hierarchy
                .sweep(&self.bench.passes, rows, v, corner)
                .unwrap();
            let place = format!("a {side:?} sweep from corner {corner} of {}", self.name);
            assert_same(&self.bench.load::<T>(&self.on_x), &self.x, &place);
        }
    }

    fn check_restriction(&mut self, side: Side) {
        let cells = self.multigrid.cells()[1];
        let mut expected = vec![T::ZERO; cells * W];
        let out = self.bench.store(&numbers::<T>(cells * W, 3));
        let mut row = self.row();
        let stage = Stage::Restrict(wide_mut::<_, W>(&mut expected));
        let vectors = (wide::<_, W>(&self.b), wide_mut(&mut self.x));
        Pipeline::new(&self.multigrid.levels[0], side, vectors, &mut row).run(false, &mut [stage]);
        let (passes, rows) = (&self.bench.passes, self.hierarchy.levels[0].rows(side));
        self.hierarchy
            .restrict(passes, rows, self.vectors(), out.address)
            .unwrap();
        let place = format!("the {side:?} restriction on {}", self.name);
        assert_same(&self.bench.load::<T>(&out), &expected, &place);
    }

    fn check_prolongation(&mut self, side: Side) {
        let coarse = numbers::<T>(self.multigrid.cells()[1] * W, 3);
        let on_coarse = self.bench.store(&coarse);
        let mut row = self.row();
        let stage = Stage::Prolong(wide::<_, W>(&coarse));
        let vectors = (wide::<_, W>(&self.b), wide_mut(&mut self.x));
        Pipeline::new(&self.multigrid.levels[0], side, vectors, &mut row).run(true, &mut [stage]);
        let (passes, rows) = (&self.bench.passes, self.hierarchy.levels[0].rows(side));
        self.hierarchy
            .prolong(passes, rows, on_coarse.address, self.on_x.address)
            .unwrap();
        let place = format!("the prolongation on {}", self.name);
        assert_same(&self.bench.load::<T>(&self.on_x), &self.x, &place);
    }

    fn check_cycle(&mut self, side: Side) {
        let cells = self.multigrid.cells();
        let zeros = |n: &usize| vec![T::ZERO; n * W];
        let mut coarse = Coarse {
            levels: cells[1..].iter().map(|n| [zeros(n), zeros(n)]).collect(),
            row: zeros(&(LINES * cells[0])),
            threads: 1,
        };
        let vectors = (wide::<_, W>(&self.b), wide_mut(&mut self.x));
        self.multigrid.cycle(side, vectors, &mut coarse);
        // The initial contents of the workspace must not matter.
        let workspace: Vec<Buffer> = self
            .hierarchy
            .workspace_lengths()
            .iter()
            .map(|n| self.bench.store(&numbers::<T>(n * W, 8)))
            .collect();
        let places: Vec<u64> = workspace.iter().map(|b| b.address).collect();
        let vectors = Vectors {
            workspace: &places,
            ..self.vectors()
        };
        let order = Order::Corners;
        let form = Form { side, order };
        self.hierarchy
            .precondition(&self.bench.passes, form, vectors)
            .unwrap();
        let place = format!("a {side:?} cycle on {}", self.name);
        assert_same(&self.bench.load::<T>(&self.on_x), &self.x, &place);
        let coarse = workspace.iter().zip(coarse.levels.as_flattened());
        for (level, (found, expected)) in coarse.enumerate() {
            let place = format!("{place}, coarse vector {level}");
            assert_same(&self.bench.load::<T>(found), expected, &place);
        }
    }
}

fn check_pieces<T: Number, const W: usize>(held: &Held, shape: &[usize], side: Side) {
    let coarsest = cells(shape, 1);
    if cells(shape, 0) == coarsest {
        return;
    }
    for definite in [false, true] {
        let any = stencil(shape, 0.0);
        let mut case = Case::<T, W>::new(held, &any, (coarsest, definite));
        case.check_restriction(side);
        case.check_prolongation(side);
        if !definite {
            case.check_sweeps(side);
        }
    }
}

fn check_deep<T: Number, const W: usize>(held: &Held, shape: &[usize], side: Side) {
    for (depth, definite) in [(0, false), (1, true), (2, false)] {
        let coarsest = cells(shape, depth);
        if depth > 0 || coarsest < 100 {
            let any = stencil(shape, 0.0);
            Case::<T, W>::new(held, &any, (coarsest, definite)).check_cycle(side);
        }
    }
}

fn check_whole<T: Number, const W: usize>(held: &Held, shape: &[usize], side: Side) {
    for definite in [false, true] {
        let a = if definite {
            laplacian(shape)
        } else {
            stencil(shape, 0.3)
        };
        Case::<T, W>::new(held, &a, (COARSEST, definite)).check_cycle(side);
    }
}

#[test]
fn sweeps_restrictions_and_prolongations_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        in_every_precision!(check_pieces(&held, shape, side));
    }
}

#[test]
fn cycles_on_levels_of_any_shape_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        in_every_precision!(check_deep(&held, shape, side));
    }
}

#[test]
fn cycles_of_stencils_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        in_every_precision!(check_whole(&held, shape, side));
    }
}
