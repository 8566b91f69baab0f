//! Tests of the kernels that interleave, separate and move columns.

use super::{Bench, Held, assert_same, device, in_double, numbers};
use crate::linalg::cuda::MAX_LANES;
use crate::linalg::cuda::args::Places;
use crate::linalg::cuda::passes::Scalar;

const SIZES: [usize; 5] = [1, 31, 32, 33, 210];

fn check_columns<const W: usize>(held: &Held) {
    for cells in SIZES {
        for count in [1, W.div_ceil(2), W] {
            let bench = Bench::new(held, cells, W);
            let columns = numbers::<f64>(cells * count, 1);
            let on = [
                bench.store(&columns),
                bench.store(&numbers::<f64>(cells * W, 2)),
            ];
            bench
                .passes
                .interleave(on[0].address, on[1].address, count as u32)
                .unwrap();
            let lane = |i: usize| {
                if i % W < count {
                    columns[i % W * cells + i / W]
                } else {
                    0.0
                }
            };
            let mut expected: Vec<f64> = (0..cells * W).map(lane).collect();
            let place = format!("{count} columns of {cells} cells, {W} lanes");
            assert_same(&bench.load::<f64>(&on[1]), &expected, &place);

            bench.passes.vectors("rescale", &[on[1].address]).unwrap();
            let factors = bench.scalar::<W>(Scalar::Factor);
            expected
                .iter_mut()
                .enumerate()
                .for_each(|(i, x)| *x *= factors[i % W]);
            assert_same(
                &bench.load::<f64>(&on[1]),
                &expected,
                &format!("{place}, rescaled"),
            );
            check_separation::<W>(&bench, &expected, &place);
        }
    }
}

/// Copies every other lane to a column, in reversed order.
fn check_separation<const W: usize>(bench: &Bench, x: &[f64], place: &str) {
    let cells = x.len() / W;
    let factors = bench.scalar::<W>(Scalar::Factor);
    let mut places = [u32::MAX; MAX_LANES];
    (0..W)
        .step_by(2)
        .for_each(|l| places[l] = (W - 1 - l) as u32);
    let mut expected = numbers::<f64>(x.len(), 3);
    let on = [bench.store(x), bench.store(&expected)];
    bench
        .passes
        .separate(on[0].address, on[1].address, Places(places))
        .unwrap();
    for l in (0..W).step_by(2) {
        for cell in 0..cells {
            expected[(W - 1 - l) * cells + cell] = factors[l].recip() * x[cell * W + l];
        }
    }
    assert_same(
        &bench.load::<f64>(&on[1]),
        &expected,
        &format!("{place}, separated"),
    );
}

fn check_narrowing<const W: usize>(held: &Held) {
    for (cells, shift) in SIZES
        .into_iter()
        .flat_map(|cells| [0, 1, 4].map(|s| (cells, s)))
    {
        let lanes = 1 << shift;
        if lanes > W {
            continue;
        }
        let mut bench = Bench::new(held, cells, W);
        let x = numbers::<f64>(cells * W, 1);
        let on = [
            bench.store(&x),
            bench.store(&numbers::<f64>(cells * lanes, 2)),
        ];
        let wide = std::mem::replace(&mut bench.passes.shift, shift);
        let mut from = [u32::MAX; MAX_LANES];
        let chosen: Vec<usize> = (0..lanes).map(|l| (W - 1) - l * (W / lanes)).collect();
        // The last of several lanes remains unused.
        let used = if lanes > 1 { lanes - 1 } else { 1 };
        from.iter_mut()
            .zip(&chosen[..used])
            .for_each(|(f, &l)| *f = l as u32);
        bench
            .passes
            .narrow(on[0].address, on[1].address, Places(from), wide)
            .unwrap();
        let lane = |i: usize| {
            if i % lanes < used {
                x[i / lanes * W + chosen[i % lanes]]
            } else {
                0.0
            }
        };
        let expected: Vec<f64> = (0..cells * lanes).map(lane).collect();
        let place = format!("{cells} cells, {W} lanes become {lanes}");
        assert_same(&bench.load::<f64>(&on[1]), &expected, &place);
    }
}

fn check_copies<const W: usize>(held: &Held) {
    for cells in SIZES {
        let bench = Bench::new(held, cells, W);
        let [x, mut y] = [1, 2].map(|k| numbers::<f64>(cells * W, k));
        let on = [bench.store(&x), bench.store(&y)];
        // Marks beyond the lanes must be ignored.
        let copied: [bool; MAX_LANES] = std::array::from_fn(|l| l % 3 != 1);
        let cleared: [bool; MAX_LANES] = std::array::from_fn(|l| l % 7 == 5 || l == 63);
        bench
            .passes
            .copy_lanes(Some(on[0].address), on[1].address, &copied)
            .unwrap();
        (0..y.len())
            .filter(|i| copied[i % W])
            .for_each(|i| y[i] = x[i]);
        assert_same(
            &bench.load::<f64>(&on[1]),
            &y,
            &format!("{cells} cells, {W} lanes copied"),
        );
        bench
            .passes
            .copy_lanes(None, on[1].address, &cleared)
            .unwrap();
        (0..y.len())
            .filter(|i| cleared[i % W])
            .for_each(|i| y[i] = 0.0);
        assert_same(
            &bench.load::<f64>(&on[1]),
            &y,
            &format!("{cells} cells, {W} lanes cleared"),
        );
    }
}

#[test]
fn columns_are_interleaved_and_separated_as_they_stand() {
    let Some(held) = device() else { return };
    in_double!(check_columns(&held));
}

#[test]
fn lanes_are_narrowed_as_they_are_numbered() {
    let Some(held) = device() else { return };
    in_double!(check_narrowing(&held));
}

#[test]
fn lanes_are_copied_where_they_are_marked() {
    let Some(held) = device() else { return };
    in_double!(check_copies(&held));
}
