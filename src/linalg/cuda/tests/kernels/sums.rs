//! Tests of sums and maxima over cells, with fewer and with more numbers than a kernel has threads.

use super::{
    Bench, Held, LARGE, Number, assert_sums, device, in_double, in_every_precision, numbers, wide,
};
use crate::linalg::cuda::args::{Arg, Shape};
use crate::linalg::cuda::passes::{Scalar, THREADS};

fn sizes<const W: usize>() -> Vec<usize> {
    let large = LARGE.iter().product();
    let all = [1, 2, 63, 257, 3000].into_iter();
    all.chain((W == 64).then_some(large)).collect()
}

fn check_totals<T: Number, const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let bench = Bench::new(held, cells, W);
        let x = numbers::<T>(cells * W, 1);
        let on = bench.store(&x);
        for moduli in [false, true] {
            bench.forget_sums();
            let factor = if moduli { 0.3 } else { -0.3 };
            let on_factor = bench.store(&[factor]);
            let (passes, vector) = (&bench.passes, (on.address, T::WIDTH));
            passes.gauge(on_factor.address, vector, moduli).unwrap();
            let terms = x
                .iter()
                .map(|&x| if moduli { x.into().abs() } else { x.into() });
            let terms: Vec<f64> = terms.collect();
            let place = format!("{cells} cells, {W} lanes, moduli: {moduli}");
            assert_sums::<W>(&bench.scalar(Scalar::Gauge), &terms, factor, &place);
        }
    }
}

fn check_squares<const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let bench = Bench::new(held, cells, W);
        let x = numbers::<f64>(cells * W, 1);
        bench.passes.squares(bench.store(&x).address).unwrap();
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        let place = format!("squares of {cells} cells, {W} lanes");
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &squares, 1.0, &place);
    }
}

fn check_largest<const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let bench = Bench::new(held, cells, W);
        let mut x = numbers::<f64>(cells * W, 1);
        // The last cell of the last lane must count, and the NaN of one lane must not reach others.
        x[cells * W - 1] = -1e3;
        let on = bench.store(&x);
        bench.passes.largest(on.address).unwrap();
        let expected: [f64; W] = std::array::from_fn(|l| {
            let lane = wide::<_, W>(&x).iter().map(|x| x[l].abs());
            lane.fold(0.0, f64::max)
        });
        let place = format!("{cells} cells, {W} lanes");
        assert_eq!(bench.scalar::<W>(Scalar::FirstSum), expected, "{place}");
        let (cell, lane) = (cells / 2, W / 2);
        x[cell * W + lane] = f64::NAN;
        bench.forget_sums();
        bench.passes.largest(bench.store(&x).address).unwrap();
        let found = bench.scalar::<W>(Scalar::FirstSum).map(f64::is_nan);
        assert_eq!(found, std::array::from_fn(|l| l == lane), "{place}");
    }
}

#[test]
fn totals_are_those_of_the_processor_up_to_rounding() {
    let Some(held) = device() else { return };
    in_every_precision!(check_totals(&held));
}

#[test]
fn squares_are_those_of_the_processor_up_to_rounding() {
    let Some(held) = device() else { return };
    in_double!(check_squares(&held));
}

#[test]
fn the_largest_numbers_are_those_of_the_processor() {
    let Some(held) = device() else { return };
    in_double!(check_largest(&held));
}

#[test]
fn parts_of_sums_are_added_block_by_block() {
    let Some(held) = device() else { return };
    for (blocks, shift) in [(1, 0), (3, 2), (300, 0), (1024, 6), (1000, 3)] {
        let bench = Bench::new(&held, 1, 1 << shift);
        // Sums of small integers are exact in any order.
        let parts: Vec<f64> = (0..(2 * blocks) << shift)
            .map(|i| f64::from(i % 1009 * (i % 1009) % 17 - 8))
            .collect();
        let device = &bench.passes.device;
        device.upload(&parts, &bench.partial, 0).unwrap();
        let shape = Shape {
            blocks: (2, 1),
            threads: (THREADS, 1),
        };
        let factor = bench.store(&[2.0]);
        let args = [
            Arg::Pointer(bench.passes.partial),
            Arg::Pointer(bench.passes.scalars),
            Arg::Pointer(factor.address),
            Arg::Count(blocks as u32),
            Arg::Count(shift),
        ];
        // SAFETY: the arguments are those of `collect`, and `partial` holds one sum per block, lane and quantity.
        unsafe { device.launch("collect", shape, &args) }.unwrap();
        let found = bench.all_scalars();
        for (l, quantity) in (0..1_usize << shift).flat_map(|l| [(l, 0), (l, 1)]) {
            let half = &parts[quantity * (parts.len() / 2)..][..parts.len() / 2];
            let sum: f64 = half.iter().skip(l).step_by(1 << shift).sum();
            assert_eq!(
                found[quantity * 64 + l],
                2.0 * sum,
                "{blocks} blocks, lane {l}, quantity {quantity}"
            );
        }
    }
}
