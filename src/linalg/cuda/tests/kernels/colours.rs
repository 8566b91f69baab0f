//! Tests of red-black sweeps, of cycles with them, and of the number of launches of a step.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{
    Bench, Held, Number, SHAPES, SIDES, assert_same, device, in_every_precision, laplacian,
    numbers, stencil,
};
use crate::linalg::cpu::stencil::iterative::unit;
use crate::linalg::cpu::stencil::level::{Level, reciprocals};
use crate::linalg::cuda::device::Buffer;
use crate::linalg::cuda::equations::{Equations, Form, Vectors};
use crate::linalg::cuda::hierarchy::Hierarchy;
use crate::linalg::cuda::krylov::Method;
use crate::linalg::cuda::passes::Width;
use crate::linalg::cuda::plan::Plan;
use crate::linalg::cuda::workspace::Workspace;
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::sweep_order::Order;

/// Relaxes the cells of one colour, one after another.
fn relax<T: Number>(a: &Stencil, side: Side, (b, x): (&[T], &mut [T]), colour: usize) {
    let unit = unit(a);
    let reciprocals = reciprocals(a);
    let level = Level::<T>::new(&Arc::new(a.clone()), &reciprocals, unit);
    let rows = level.rows(side);
    let lanes = x.len() / a.cells();
    let strides = [rows.shape[1] * rows.shape[2], rows.shape[2], 1];
    for cell in 0..a.cells() {
        let at: [usize; 3] = std::array::from_fn(|d| cell / strides[d] % rows.shape[d]);
        if at.iter().sum::<usize>() % 2 != colour {
            continue;
        }
        let inverse = T::nearest(unit.recip() * reciprocals[cell]);
        // Along the last axis, the kernel subtracts the upper neighbour first.
        let neighbours = [
            (0, false),
            (0, true),
            (1, false),
            (1, true),
            (2, true),
            (2, false),
        ];
        for lane in 0..lanes {
            let mut sum = b[cell * lanes + lane];
            for (axis, upper) in neighbours {
                let (c, neighbour) = match upper {
                    true if at[axis] + 1 < rows.shape[axis] => {
                        (rows.upper[axis][cell], cell + strides[axis])
                    }
                    false if at[axis] > 0 => {
                        let neighbour = cell - strides[axis];
                        (rows.lower[axis][neighbour], neighbour)
                    }
                    _ => continue,
                };
                sum = sum - c * x[neighbour * lanes + lane];
            }
            x[cell * lanes + lane] = sum * inverse;
        }
    }
}

fn check_colours<T: Number, const W: usize>(held: &Held, shape: &[usize], side: Side) {
    let a = stencil(shape, 0.0);
    let plan = Plan {
        coarsest: a.cells() - 1,
        ..Plan::of(&a, false, T::WIDTH)
    };
    let hierarchy = Hierarchy::new(held.device, &a, plan).unwrap();
    let bench = Bench::new(held, a.cells(), W);
    let [b, mut x] = [1, 2].map(|stream| numbers::<T>(a.cells() * W, stream));
    let [on_b, on_x] = [&b, &x].map(|v| bench.store(v));
    let v = Vectors {
        b: on_b.address,
        x: on_x.address,
        workspace: &[],
    };
    let rows = hierarchy.levels[0].rows(side);
    for colour in [0, 1, 0] {
        hierarchy
            .relax_colour(&bench.passes, rows, v, colour)
            .unwrap();
        relax(&a, side, (&b, &mut x), colour as usize);
        let place = format!(
            "colour {colour} of {shape:?}, {side:?}, {W} lanes, {:?}",
            T::WIDTH
        );
        assert_same(&bench.load::<T>(&on_x), &x, &place);
    }
}

#[test]
fn colours_have_the_bits_of_a_loop_over_their_cells() {
    let Some(held) = device() else { return };
    let shapes = SHAPES.into_iter().filter(|shape| shape != &[1]);
    for (shape, side) in shapes.flat_map(|s| SIDES.map(|side| (s, side))) {
        in_every_precision!(check_colours(&held, shape, side));
    }
}

/// Applies a red-black cycle to b.
fn cycle(hierarchy: &Hierarchy, bench: &Bench, side: Side, b: &[f64]) -> Vec<f64> {
    let [on_b, on_x] = [b, &numbers::<f64>(b.len(), 9)].map(|v| bench.store(v));
    let workspace: Vec<Buffer> = hierarchy
        .workspace_lengths()
        .iter()
        .map(|&n| bench.store(&numbers::<f64>(n, 8)))
        .collect();
    let places: Vec<u64> = workspace.iter().map(|b| b.address).collect();
    let vectors = Vectors {
        b: on_b.address,
        x: on_x.address,
        workspace: &places,
    };
    let order = Order::RedBlack;
    hierarchy
        .precondition(&bench.passes, Form { side, order }, vectors)
        .unwrap();
    bench.load(&on_x)
}

#[test]
fn the_cycle_of_the_transpose_is_the_transposed_cycle() {
    let Some(held) = device() else { return };
    // Odd, even and single lengths, with up to three levels above the coarsest one.
    let shapes: [&[usize]; 5] = [&[700], &[31, 20], &[1, 33, 8], &[16, 16, 16], &[19, 22, 17]];
    for (shape, definite) in shapes.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let a = if definite {
            laplacian(shape)
        } else {
            stencil(shape, 0.3)
        };
        let plan = Plan::of(&a, definite, Width::Double);
        let hierarchy = Hierarchy::new(held.device, &a, plan).unwrap();
        let bench = Bench::new(&held, a.cells(), 1);
        let [b, c] = [1, 2].map(|stream| numbers::<f64>(a.cells(), stream));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let left = dot(&cycle(&hierarchy, &bench, Side::Plain, &b), &c);
        let right = dot(&b, &cycle(&hierarchy, &bench, Side::Transpose, &c));
        let off = (left - right).abs();
        let size = dot(&b, &b).sqrt() * dot(&c, &c).sqrt();
        assert!(off <= 1e-13 * size, "{shape:?}, {definite}: {left} {right}");
        // The diagonal is at most 7, and the cycle of a Laplacian is positive definite.
        if definite {
            let along = dot(&cycle(&hierarchy, &bench, Side::Plain, &b), &b);
            assert!(along > 0.1 * dot(&b, &b), "{shape:?}: {along}");
        }
    }
}

#[test]
fn steps_launch_as_many_kernels_as_their_plan_says() {
    let Some(held) = device() else { return };
    let shapes: [&[usize]; 3] = [&[300], &[12, 1, 13], &[11, 12, 9]];
    let orders = [Order::Corners, Order::RedBlack];
    for (shape, order) in shapes
        .into_iter()
        .flat_map(|s| orders.map(|order| (s, order)))
    {
        for (a, method) in [
            (laplacian(shape), Method::ConjugateGradients),
            (stencil(shape, 0.0), Method::BiCgStab),
            (stencil(shape, 0.3), Method::BiCgStab),
        ] {
            let definite = method == Method::ConjugateGradients;
            let plan = Plan::of(&a, definite, Width::Double);
            let hierarchy = Hierarchy::new(held.device, &a, plan).unwrap();
            let side = Side::Plain;
            let mut workspace = Workspace::new(held.device, &hierarchy, method, 6).unwrap();
            for shift in [0, 6] {
                let before = held.device.launched.load(Ordering::Relaxed);
                workspace
                    .step(method, &hierarchy, (Form { side, order }, shift))
                    .unwrap();
                let launched = held.device.launched.load(Ordering::Relaxed) - before;
                let expected = method.launches(&plan, order, shift);
                assert_eq!(
                    launched, expected,
                    "{shape:?}, {order:?}, {method:?}, 2^{shift}"
                );
            }
        }
    }
}
