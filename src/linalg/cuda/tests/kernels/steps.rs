//! Comparison of whole steps of the iterations with those of the CPU.

use std::sync::Arc;

use faer::MatRef;

use super::{Held, Number, SHAPES, SIDES, assert_same, device, laplacian, numbers, stencil, wide};
use crate::linalg::cpu::stencil::bicgstab::BiCgStab;
use crate::linalg::cpu::stencil::conjugate_gradients::ConjugateGradients;
use crate::linalg::cpu::stencil::iteration::Iteration;
use crate::linalg::cpu::stencil::iterative::unit;
use crate::linalg::cpu::stencil::multigrid::Multigrid;
use crate::linalg::cpu::stencil::progress::{Criteria, Progress};
use crate::linalg::cpu::stencil::system::{Precondition, Sides, System};
use crate::linalg::cpu::stencil::workspace;
use crate::linalg::cpu::stencil::workspace::Extent;
use crate::linalg::cuda::MAX_LANES;
use crate::linalg::cuda::equations::Equations;
use crate::linalg::cuda::hierarchy::Hierarchy;
use crate::linalg::cuda::krylov::Method;
use crate::linalg::cuda::passes::{Scalar, Width};
use crate::linalg::cuda::plan::Plan;
use crate::linalg::cuda::solve::shift_for;
use crate::linalg::cuda::workspace::Workspace;
use crate::linalg::operator::{Side, Stencil};

/// Returns the number of steps to compare. On a single level, up to 130 cells, the preconditioner is the inverse: a
/// second step would only process the rounding errors of the first one.
fn steps(cells: usize) -> usize {
    if cells > 130 { 2 } else { 1 }
}

/// A zero tolerance, with which no lane is judged.
const CRITERIA: Criteria = Criteria {
    tolerance: 0.0,
    products: usize::MAX,
    regular: true,
    name: "a test",
};

/// Returns right-hand sides, of which one is zero and one is small.
fn right_hand_side<const W: usize>(cells: usize) -> Vec<f64> {
    let mut b = numbers::<f64>(cells * W, 1);
    b.iter_mut().enumerate().for_each(|(i, b)| match i % W {
        2 => *b = 0.0,
        3 => *b *= 1e-30,
        _ => {}
    });
    b
}

fn norms<const W: usize>(x: &[f64]) -> [f64; W] {
    std::array::from_fn(|l| {
        wide::<_, W>(x)
            .iter()
            .map(|x| x[l] * x[l])
            .sum::<f64>()
            .sqrt()
    })
}

fn padded<const W: usize, const N: usize>(numbers: [f64; W]) -> [f64; N] {
    std::array::from_fn(|l| numbers.get(l).copied().unwrap_or(0.0))
}

/// Returns x and r after the steps on the CPU.
fn on_processor<I: Iteration, T: Number, const W: usize>(
    stencil: &Stencil,
    side: Side,
    multigrid: Multigrid<T>,
) -> [Vec<f64>; 2] {
    let cells = stencil.cells();
    let extent = Extent {
        levels: multigrid.cells(),
        row: 8 * cells,
        vectors: I::VECTORS,
    };
    let mut workspace = workspace::Workspace::<T>::new(&extent, W);
    let b = right_hand_side::<W>(cells);
    workspace.exact[1].copy_from_slice(&b);
    let columns: [usize; W] = std::array::from_fn(|l| l);
    let sides = Sides {
        batch: MatRef::from_row_major_slice(&b, cells, W),
        columns: &columns,
        factors: &padded([1.0; W]),
    };
    let size = padded(norms::<W>(&b));
    let (mut iteration, mut progress) = (I::new(size), Progress::new(size));
    let precondition = Precondition::Multigrid(multigrid);
    let system = System {
        stencil,
        side,
        precondition: &precondition,
        criteria: CRITERIA,
    };
    for _ in 0..steps(cells) {
        iteration
            .step::<T, W>((&system, sides), &mut workspace, &mut progress)
            .unwrap();
    }
    [0, 1].map(|k| std::mem::take(&mut workspace.exact[k]))
}

/// Returns a workspace on the device before the first step from x = 0, with the given active lanes.
fn prepare<const W: usize>(
    held: &Held,
    equations: &dyn Equations,
    method: Method,
    active: &[bool; W],
) -> Workspace {
    let workspace = Workspace::new(held.device, equations, method, shift_for(W)).unwrap();
    let b = right_hand_side::<W>(equations.cells());
    let zeros = vec![0.0; b.len()];
    for (k, vector) in workspace.exact.iter().enumerate() {
        let numbers = if k == 0 || k == 2 { &b } else { &zeros };
        held.device.upload(numbers, vector, 0).unwrap();
    }
    let sizes: [f64; MAX_LANES] = padded(norms::<W>(&b));
    let mut scalars = vec![0.0; Scalar::COUNT * MAX_LANES];
    let mut set = |scalar: Scalar, numbers: [f64; MAX_LANES]| {
        scalars[scalar.start()..][..MAX_LANES].copy_from_slice(&numbers);
    };
    for ones in [
        Scalar::Fresh,
        Scalar::Rho,
        Scalar::Last,
        Scalar::Alpha,
        Scalar::Omega,
    ] {
        set(ones, [1.0; MAX_LANES]);
    }
    set(Scalar::Active, padded(active.map(f64::from)));
    set(Scalar::Size, sizes);
    set(Scalar::ShadowSize, sizes);
    held.device.upload(&scalars, &workspace.scalars, 0).unwrap();
    workspace
}

/// Copies x and r from the device.
fn x_and_r(held: &Held, workspace: &Workspace, numbers: usize) -> [Vec<f64>; 2] {
    [1, 2].map(|k| {
        let mut x = vec![0.0; numbers];
        held.device
            .download(&workspace.exact[k], 0, &mut x)
            .unwrap();
        x
    })
}

fn check<I: Iteration, T: Number, const W: usize>(
    held: &Held,
    (stencil, definite): (&Stencil, bool),
    side: Side,
) {
    let method = if definite {
        Method::ConjugateGradients
    } else {
        Method::BiCgStab
    };
    let multigrid = Multigrid::<T>::new(&Arc::new(stencil.clone()), definite, unit(stencil));
    let plan = Plan::of(stencil, definite, T::WIDTH);
    let hierarchy = Hierarchy::new(held.device, stencil, plan).unwrap();
    let cells = stencil.cells();
    let active = norms::<W>(&right_hand_side::<W>(cells)).map(|size| size > 0.0);
    let mut workspace = prepare::<W>(held, &hierarchy, method, &active);
    for _ in 0..steps(cells) {
        workspace
            .step(method, &hierarchy, (side, shift_for(W)))
            .unwrap();
    }
    let found = x_and_r(held, &workspace, cells * W);
    let expected = on_processor::<I, T, W>(stencil, side, multigrid);
    let tolerance = if size_of::<T>() == 4 { 1e-5 } else { 1e-11 };
    // Residuals can consist of rounding errors. Their tolerance is therefore relative to b.
    let sizes = [
        norms::<W>(&expected[0]),
        norms::<W>(&right_hand_side::<W>(cells)),
    ];
    for (k, what) in ["x", "r"].into_iter().enumerate() {
        for (i, (f, e)) in found[k].iter().zip(&expected[k]).enumerate() {
            let off = (f - e).abs();
            let place = format!(
                "{method:?}, {cells} cells, {W} lanes, {:?}, {side:?}",
                T::WIDTH
            );
            assert!(
                off <= tolerance * sizes[k][i % W],
                "{place}: {what} of {i} is {f:e}, not {e:e}"
            );
        }
    }
}

#[test]
fn steps_are_those_of_the_processor_up_to_rounding() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        let (flow, walk) = ((&stencil(shape, 0.1), false), (&laplacian(shape), true));
        check::<BiCgStab, f32, 4>(&held, flow, side);
        check::<BiCgStab, f64, 1>(&held, flow, side);
        check::<BiCgStab, f64, 16>(&held, flow, side);
        check::<ConjugateGradients, f32, 4>(&held, walk, side);
        check::<ConjugateGradients, f64, 1>(&held, walk, side);
        check::<ConjugateGradients, f64, 16>(&held, walk, side);
    }
}

#[test]
fn steps_leave_lanes_that_are_done_as_they_are() {
    const LANES: usize = 64;
    let Some(held) = device() else { return };
    for (definite, method) in [
        (false, Method::BiCgStab),
        (true, Method::ConjugateGradients),
    ] {
        let shape = [5, 7, 6];
        let a = if definite {
            laplacian(&shape)
        } else {
            stencil(&shape, 0.1)
        };
        let plan = Plan::of(&a, definite, Width::Single);
        let hierarchy = Hierarchy::new(held.device, &a, plan).unwrap();
        let active = std::array::from_fn(|l| l != 2 && l % 4 == 3);
        let mut workspace = prepare::<LANES>(&held, &hierarchy, method, &active);
        let numbers = a.cells() * LANES;
        let before = x_and_r(&held, &workspace, numbers);
        for step in 0..12 {
            workspace
                .step(method, &hierarchy, (Side::Plain, shift_for(LANES)))
                .unwrap();
            let after = x_and_r(&held, &workspace, numbers);
            for (before, after) in before.iter().zip(&after) {
                for l in 0..LANES {
                    let lane = |x: &[f64]| -> Vec<f64> {
                        wide::<_, LANES>(x).iter().map(|x| x[l]).collect()
                    };
                    let place = format!("{method:?}, lane {l} after step {step}");
                    if !active[l] {
                        assert_same(&lane(after), &lane(before), &place);
                    }
                }
            }
        }
        let sizes = norms::<LANES>(&x_and_r(&held, &workspace, numbers)[1]);
        let begun = norms::<LANES>(&before[1]);
        for l in (0..LANES).filter(|&l| active[l]) {
            assert!(
                sizes[l] < 1e-6 * begun[l],
                "{method:?}: lane {l} is at {:e}",
                sizes[l]
            );
        }
    }
}
