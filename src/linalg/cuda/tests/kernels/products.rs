//! Tests of products with a stencil and their sums.

use super::{
    Bench, Held, LARGE, Number, SHAPES, SIDES, assert_same, assert_sums, device, in_double,
    in_every_precision, numbers, stencil, wide, wide_mut,
};
use crate::linalg::cuda::equations::{Equations, Operand};
use crate::linalg::cuda::hierarchy::Hierarchy;
use crate::linalg::cuda::passes::{Scalar, Width};
use crate::linalg::cuda::plan::Plan;
use crate::linalg::operator::{Side, Stencil};

/// Stencil on the CPU and on the device.
struct Case {
    stencil: Stencil,
    hierarchy: Hierarchy,
    name: String,
}

impl Case {
    fn new(held: &Held, shape: &[usize], gauge: f64) -> Self {
        let stencil = stencil(shape, gauge);
        let plan = Plan::of(&stencil, false, Width::Double);
        Self {
            hierarchy: Hierarchy::new(held.device, &stencil, plan).unwrap(),
            stencil,
            name: format!("{shape:?} with gauge {gauge}"),
        }
    }

    /// Returns A x on the CPU, without the gauge, or |A||x| for `moduli`.
    fn product<T: Number, const W: usize>(&self, side: Side, x: &[T], moduli: bool) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        let plain = self.stencil.clone().with_gauge(0.0);
        if moduli {
            let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
            plain.magnitude::<W>(side, (wide(&x), wide_mut(&mut out)));
        } else {
            plain.product::<T, W>(side, (wide(x), wide_mut(&mut out)), |_, _| ());
        }
        out
    }

    /// Returns the gauge term that the device computed, after a check against its definition.
    fn shift<T: Number, const W: usize>(&self, bench: &Bench, x: &[T], moduli: bool) -> [f64; W] {
        let c = self.stencil.gauge();
        if c == 0.0 {
            return [0.0; W];
        }
        let size = |x: f64| if moduli { x.abs() } else { x };
        let factor = if moduli { c.abs() } else { c };
        let terms: Vec<f64> = x.iter().map(|&x| size(x.into())).collect();
        let shift = bench.scalar::<W>(Scalar::Gauge);
        assert_sums(
            &shift,
            &terms,
            factor,
            &format!("the gauge of {}", self.name),
        );
        shift
    }
}

fn add<const W: usize>(numbers: &mut [f64], shift: [f64; W]) {
    for (at, x) in numbers.iter_mut().enumerate().filter(|_| shift != [0.0; W]) {
        *x += shift[at % W];
    }
}

fn products(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

fn check_image<T: Number, const W: usize>(held: &Held, case: &Case, side: Side) {
    let cells = case.stencil.cells();
    let bench = Bench::new(held, cells, W);
    let (x, with) = (numbers::<T>(cells * W, 1), numbers::<f64>(cells * W, 2));
    let [on_x, on_with, out] = [
        bench.store(&x),
        bench.store(&with),
        bench.store(&vec![0.0; cells * W]),
    ];
    for scaled in [true, false] {
        bench.forget_sums();
        let operand = Operand {
            address: on_x.address,
            width: T::WIDTH,
            scaled,
        };
        let vectors = [on_with.address, out.address];
        case.hierarchy
            .image(&bench.passes, side, operand, vectors)
            .unwrap();
        let mut expected = case.product::<T, W>(side, &x, false);
        add(&mut expected, case.shift::<T, W>(&bench, &x, false));
        let scale = bench.scalar::<W>(Scalar::Scale);
        if scaled {
            let lanes = expected.iter_mut().enumerate();
            lanes.for_each(|(at, x)| *x *= scale[at % W].recip());
        }
        let place = format!(
            "the {side:?} image on {}, {W} lanes, scaled: {scaled}",
            case.name
        );
        assert_same(&bench.load::<f64>(&out), &expected, &place);
        let (along, square) = (products(&with, &expected), products(&expected, &expected));
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &along, 1.0, &place);
        assert_sums::<W>(&bench.scalar(Scalar::SecondSum), &square, 1.0, &place);
    }
}

fn check_residual<const W: usize>(held: &Held, case: &Case, side: Side) {
    let cells = case.stencil.cells();
    let bench = Bench::new(held, cells, W);
    let (x, b) = (numbers::<f64>(cells * W, 1), numbers::<f64>(cells * W, 2));
    let [on_x, on_b, out] = [
        bench.store(&x),
        bench.store(&b),
        bench.store(&vec![0.0; cells * W]),
    ];
    let vectors = [on_b.address, out.address];
    case.hierarchy
        .residual(&bench.passes, side, on_x.address, vectors)
        .unwrap();
    let mut expected = case.product::<f64, W>(side, &x, false);
    add(&mut expected, case.shift::<f64, W>(&bench, &x, false));
    expected.iter_mut().zip(&b).for_each(|(x, b)| *x = b - *x);
    let place = format!("the {side:?} residual on {}, {W} lanes", case.name);
    assert_same(&bench.load::<f64>(&out), &expected, &place);
    let square = products(&expected, &expected);
    assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &square, 1.0, &place);

    bench.forget_sums();
    case.hierarchy
        .magnitude(&bench.passes, side, on_x.address)
        .unwrap();
    let mut expected = case.product::<f64, W>(side, &x, true);
    add(&mut expected, case.shift::<f64, W>(&bench, &x, true));
    let square = products(&expected, &expected);
    let place = format!("the {side:?} magnitude on {}, {W} lanes", case.name);
    assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &square, 1.0, &place);
}

#[test]
fn images_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        for gauge in [0.0, -0.37] {
            let case = Case::new(&held, shape, gauge);
            in_every_precision!(check_image(&held, &case, side));
        }
    }
    let case = Case::new(&held, LARGE, 0.2);
    check_image::<f32, 64>(&held, &case, Side::Plain);
}

#[test]
fn residuals_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    for (shape, side) in SHAPES.into_iter().flat_map(|s| SIDES.map(|side| (s, side))) {
        for gauge in [0.0, -0.37] {
            let case = Case::new(&held, shape, gauge);
            in_double!(check_residual(&held, &case, side));
        }
    }
    let case = Case::new(&held, LARGE, 0.2);
    check_residual::<64>(&held, &case, Side::Transpose);
}

#[test]
fn gauges_of_no_numbers_are_no_numbers() {
    let Some(held) = device() else { return };
    let bench = Bench::new(&held, 12, 4);
    let mut x = numbers::<f64>(48, 1);
    x[4 * 7 + 2] = f64::NAN;
    let (x, factor) = (bench.store(&x), bench.store(&[0.5]));
    bench
        .passes
        .gauge(factor.address, (x.address, Width::Double), true)
        .unwrap();
    let lanes = bench.scalar::<4>(Scalar::Gauge).map(f64::is_nan);
    assert_eq!(lanes, [false, false, true, false]);
}
