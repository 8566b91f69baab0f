//! Tests of the vector kernels of the iterations with given scalars.

use super::{
    Bench, Held, LARGE, Number, assert_same, assert_sums, device, in_double, in_every_precision,
    numbers, pointers,
};
use crate::linalg::cuda::MAX_LANES;
use crate::linalg::cuda::passes::Scalar;

/// Returns the numbers of cells to test: 1, fewer than a block has threads, and more than a block has threads.
///
/// With 64 lanes, a large box is added that has more entries than a kernel has threads.
fn sizes<const W: usize>() -> Vec<usize> {
    let large = LARGE.iter().product();
    [1, 7, 300]
        .into_iter()
        .chain((W == 64).then_some(large))
        .collect()
}

/// Scalars on the device, and their copy for the comparison.
struct Scalars(Vec<f64>);

impl Scalars {
    /// Marks some lanes as inactive and some as fresh. Their β is NaN, since no kernel may use it.
    fn new(bench: &Bench) -> Self {
        let mut all = bench.all_scalars();
        for l in 0..MAX_LANES {
            all[Scalar::Active.start() + l] = f64::from(l % 5 != 3);
            all[Scalar::Fresh.start() + l] = f64::from(l % 4 == 1);
            if l % 5 == 3 || l % 4 == 1 {
                all[Scalar::Beta.start() + l] = f64::NAN;
            }
        }
        bench.set_scalars(&all);
        Self(all)
    }

    fn of(&self, scalar: Scalar, lane: usize) -> f64 {
        self.0[scalar.start() + lane]
    }
}

fn check_turn<T: Number, const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let (bench, n) = (Bench::new(held, cells, W), cells * W);
        let [r, v, mut p, mut shadow] = [1, 2, 3, 4].map(|k| numbers::<f64>(n, k));
        let mut rough = numbers::<T>(n, 5);
        let on = [
            bench.store(&r),
            bench.store(&v),
            bench.store(&p),
            bench.store(&shadow),
            bench.store(&rough),
        ];
        let s = Scalars::new(&bench);
        let kernel = T::WIDTH.of(["turn_f", "turn_d"]);
        bench.passes.vectors(kernel, &pointers(&on)).unwrap();
        for i in 0..n {
            let of = |scalar| s.of(scalar, i % W);
            let fresh = of(Scalar::Fresh) != 0.0;
            if fresh {
                shadow[i] = r[i];
            }
            p[i] = if fresh || of(Scalar::Active) == 0.0 {
                r[i]
            } else {
                r[i] + of(Scalar::Beta) * (p[i] - of(Scalar::Omega) * v[i])
            };
            rough[i] = T::nearest(of(Scalar::Scale) * p[i]);
        }
        let place = format!("turn, {cells} cells, {W} lanes, {:?}", T::WIDTH);
        assert_same(&bench.load::<f64>(&on[2]), &p, &place);
        assert_same(&bench.load::<f64>(&on[3]), &shadow, &place);
        assert_same(&bench.load::<T>(&on[4]), &rough, &place);
    }
}

fn check_descend<T: Number, const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let (bench, n) = (Bench::new(held, cells, W), cells * W);
        let [v, mut r] = [1, 2].map(|k| numbers::<f64>(n, k));
        let on = [
            bench.store(&v),
            bench.store(&r),
            bench.store(&numbers::<T>(n, 3)),
        ];
        let s = Scalars::new(&bench);
        let (descend, round) = (
            T::WIDTH.of(["descend_f", "descend_d"]),
            T::WIDTH.of(["round_f", "round_d"]),
        );
        bench.passes.vectors(descend, &pointers(&on)).unwrap();
        (0..n).for_each(|i| r[i] -= s.of(Scalar::Alpha, i % W) * v[i]);
        let rounded = |x: &[f64]| -> Vec<T> {
            let each = x.iter().enumerate();
            each.map(|(i, x)| T::nearest(s.of(Scalar::Scale, i % W) * x))
                .collect()
        };
        let place = format!("descend, {cells} cells, {W} lanes, {:?}", T::WIDTH);
        assert_same(&bench.load::<f64>(&on[1]), &r, &place);
        assert_same(&bench.load::<T>(&on[2]), &rounded(&r), &place);
        bench
            .passes
            .vectors(round, &[on[0].address, on[2].address])
            .unwrap();
        assert_same(
            &bench.load::<T>(&on[2]),
            &rounded(&v),
            &format!("{place}, rounded"),
        );
    }
}

fn check_advance<T: Number, const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let (bench, n) = (Bench::new(held, cells, W), cells * W);
        let [mut x, mut r, t, shadow] = [1, 2, 3, 4].map(|k| numbers::<f64>(n, k));
        let [y, z] = [5, 6].map(|k| numbers::<T>(n, k));
        let on = [
            bench.store(&x),
            bench.store(&r),
            bench.store(&y),
            bench.store(&z),
            bench.store(&t),
            bench.store(&shadow),
        ];
        let s = Scalars::new(&bench);
        let kernel = T::WIDTH.of(["advance_f", "advance_d"]);
        bench.passes.vector_sums(kernel, &pointers(&on), 2).unwrap();
        for i in 0..n {
            let of = |scalar| s.of(scalar, i % W);
            let (alpha, omega) = (
                of(Scalar::Alpha) / of(Scalar::Scale),
                of(Scalar::Omega) / of(Scalar::Scale),
            );
            x[i] += alpha * y[i].into() + omega * z[i].into();
            r[i] -= of(Scalar::Omega) * t[i];
        }
        let place = format!("advance, {cells} cells, {W} lanes, {:?}", T::WIDTH);
        assert_same(&bench.load::<f64>(&on[0]), &x, &place);
        assert_same(&bench.load::<f64>(&on[1]), &r, &place);
        let products = |a: &[f64]| -> Vec<f64> { a.iter().zip(&r).map(|(a, r)| a * r).collect() };
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &products(&r), 1.0, &place);
        assert_sums::<W>(
            &bench.scalar(Scalar::SecondSum),
            &products(&shadow),
            1.0,
            &place,
        );
    }
}

fn check_conjugate<T: Number, const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let (bench, n) = (Bench::new(held, cells, W), cells * W);
        let (mut p, r, z) = (
            numbers::<f64>(n, 1),
            numbers::<f64>(n, 2),
            numbers::<T>(n, 3),
        );
        let on = [bench.store(&z), bench.store(&p), bench.store(&r)];
        let s = Scalars::new(&bench);
        let kernel = T::WIDTH.of(["along_f", "along_d"]);
        bench
            .passes
            .along(kernel, [on[2].address, on[0].address])
            .unwrap();
        let terms: Vec<f64> = r.iter().zip(&z).map(|(r, &z)| r * z.into()).collect();
        let place = format!("conjugate, {cells} cells, {W} lanes, {:?}", T::WIDTH);
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &terms, 1.0, &place);
        let kernel = T::WIDTH.of(["conjugate_f", "conjugate_d"]);
        bench
            .passes
            .vectors(kernel, &[on[0].address, on[1].address])
            .unwrap();
        for i in 0..n {
            let of = |scalar| s.of(scalar, i % W);
            p[i] = of(Scalar::Scale).recip() * z[i].into() + of(Scalar::Beta) * p[i];
        }
        assert_same(&bench.load::<f64>(&on[1]), &p, &place);
    }
}

fn check_gradients_advance<const W: usize>(held: &Held) {
    for cells in sizes::<W>() {
        let (bench, n) = (Bench::new(held, cells, W), cells * W);
        let [mut x, mut r, p, q] = [1, 2, 3, 4].map(|k| numbers::<f64>(n, k));
        let on = [
            bench.store(&x),
            bench.store(&r),
            bench.store(&p),
            bench.store(&q),
        ];
        let s = Scalars::new(&bench);
        bench
            .passes
            .vector_sums("gradients_advance", &pointers(&on), 1)
            .unwrap();
        for i in 0..n {
            x[i] += s.of(Scalar::Alpha, i % W) * p[i];
            r[i] -= s.of(Scalar::Alpha, i % W) * q[i];
        }
        let place = format!("gradients_advance, {cells} cells, {W} lanes");
        assert_same(&bench.load::<f64>(&on[0]), &x, &place);
        assert_same(&bench.load::<f64>(&on[1]), &r, &place);
        let squares: Vec<f64> = r.iter().map(|r| r * r).collect();
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &squares, 1.0, &place);
    }
}

#[test]
fn vectors_of_the_iterations_have_the_bits_of_the_processor() {
    let Some(held) = device() else { return };
    in_every_precision!(check_turn(&held));
    in_every_precision!(check_descend(&held));
    in_every_precision!(check_advance(&held));
    in_every_precision!(check_conjugate(&held));
    in_double!(check_gradients_advance(&held));
}
