//! Pipelined passes give the bits of plain ones, one value after another, on any number of threads.

use std::sync::Arc;

use rayon::ThreadPoolBuilder;

use super::{LINES, MOST_THREADS, Pipeline, Stage};
use crate::linalg::cpu::stencil::level::{Level, reciprocals};
use crate::linalg::operator::{Real, Side, Stencil};

type Shape = [usize; 3];

/// Ends of the second and third axis at which the sweeps of a group start.
const ENDS: [[bool; 2]; 4] = [[false, false], [true, true], [false, true], [true, false]];

/// Numbers between −1 and 1 that repeat after long.
fn number(at: usize) -> f64 {
    let digits = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    digits as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A stencil with different entries everywhere.
fn stencil(shape: Shape) -> Stencil {
    let mut a = Stencil::new(&shape);
    for cell in 0..shape.iter().product() {
        a.centre[cell] = 3.0 + number(cell);
        for axis in (0..3).filter(|&axis| shape[axis] > 1) {
            let stride: usize = shape[axis + 1..].iter().product();
            if cell / stride % shape[axis] + 1 < shape[axis] {
                a.up[axis][cell] = number(7 * cell + axis);
                a.down[axis][cell] = number(9 * cell + axis);
            }
        }
    }
    a
}

/// Passes over one column in the order of their definition.
struct Plain<'p, T> {
    a: &'p Stencil,
    inverse: &'p [f64],
    b: &'p [T],
    x: Vec<T>,
}

impl<T: Real> Plain<'_, T> {
    /// Neighbours of a cell of A, (below, above) along every axis: their coefficients in its row, and their indices.
    fn neighbours(&self, cell: usize) -> [[Option<(T, usize)>; 2]; 3] {
        let shape = self.a.shape;
        [0, 1, 2].map(|axis| {
            let stride: usize = shape[axis + 1..].iter().product();
            let at = cell / stride % shape[axis];
            let below = (at > 0).then(|| (self.a.up[axis][cell - stride], cell - stride));
            let above = (at + 1 < shape[axis]).then(|| (self.a.down[axis][cell], cell + stride));
            [below, above].map(|n| n.map(|(a, cell)| (T::nearest(a), cell)))
        })
    }

    fn sweep(&mut self, [x, y, z]: [bool; 3]) {
        let shape = self.a.shape;
        let order = |n: usize, upper: bool| (0..n).map(move |i| if upper { n - 1 - i } else { i });
        for i in order(shape[0], x) {
            for j in order(shape[1], y) {
                for k in order(shape[2], z) {
                    let cell = (i * shape[1] + j) * shape[2] + k;
                    let [planes, lines, [below, above]] = self.neighbours(cell);
                    let (next, previous) = if z { (below, above) } else { (above, below) };
                    let mut sum = self.b[cell];
                    let terms = planes.into_iter().chain(lines).chain([next, previous]);
                    for (a, other) in terms.flatten() {
                        sum = sum - a * self.x[other];
                    }
                    self.x[cell] = sum * T::nearest(self.inverse[cell]);
                }
            }
        }
    }

    /// Coarse cell of a cell.
    fn parent(&self, cell: usize) -> usize {
        let [_, ny, nz] = self.a.shape;
        let [i, j, k] = [cell / nz / ny, cell / nz % ny, cell % nz].map(|at| at / 2);
        (i * ny.div_ceil(2) + j) * nz.div_ceil(2) + k
    }

    fn restrict(&self, coarse: &mut [T]) {
        for cell in 0..self.x.len() {
            let [planes, lines, row] = self.neighbours(cell);
            let mut sum = T::ZERO + T::nearest(self.a.centre[cell]) * self.x[cell];
            for (a, other) in planes.into_iter().chain(lines).chain(row).flatten() {
                sum = sum + a * self.x[other];
            }
            let parent = self.parent(cell);
            coarse[parent] = coarse[parent] + (self.b[cell] - sum);
        }
    }

    fn prolong(&mut self, coarse: &[T]) {
        for cell in 0..self.x.len() {
            self.x[cell] = self.x[cell] + coarse[self.parent(cell)];
        }
    }
}

fn lane<T: Real, const W: usize>(numbers: &[[T; W]], l: usize) -> Vec<T> {
    numbers.iter().map(|x| x[l]).collect()
}

fn assert_bits<T: Real, const W: usize>(found: &[[T; W]], plain: &[Vec<T>], what: &str) {
    for (l, plain) in plain.iter().enumerate() {
        let found = lane(found, l);
        let differing = found.iter().zip(plain).filter(|(a, b)| {
            let [a, b] = [**a, **b].map(Into::<f64>::into);
            a.to_bits() != b.to_bits()
        });
        assert_eq!(differing.count(), 0, "{what}, lane {l}");
    }
}

/// Both halves of a cycle, with some number of sweeps.
fn check<T: Real, const W: usize>(shape: Shape, threads: usize, sweeps: usize) {
    let a = Arc::new(stencil(shape));
    let inverse = reciprocals(&a);
    let level = Level::<T>::new(&a, &inverse, 1.0);
    let cells = a.centre.len();
    let column = |stream: usize| -> Vec<[T; W]> {
        let value = |cell, l| T::nearest(number(cell * W + l + stream * 1_000_003));
        (0..cells)
            .map(|cell| std::array::from_fn(|l| value(cell, l)))
            .collect()
    };
    let (b, correction) = (column(1), column(2));
    let mut x = column(3);
    let aggregates = shape.map(|n| n.div_ceil(2)).iter().product();
    let mut coarse = vec![[T::ZERO; W]; aggregates];
    let mut row = vec![[T::ZERO; W]; LINES * shape[2] * threads];
    let name = format!("{shape:?}, {W} lanes, {sweeps} sweeps, {threads} threads");

    let columns: Vec<Vec<T>> = (0..W).map(|l| lane(&b, l)).collect();
    let mut plain: Vec<Plain<'_, T>> = columns
        .iter()
        .map(|b| Plain {
            a: &a,
            inverse: &inverse,
            b,
            x: vec![T::ZERO; cells],
        })
        .collect();
    let ends = &ENDS[..sweeps];
    let mut sums = vec![vec![T::ZERO; aggregates]; W];
    for (plain, sums) in plain.iter_mut().zip(&mut sums) {
        ends.iter().for_each(|&[y, z]| plain.sweep([false, y, z]));
        plain.restrict(sums);
    }
    let mut stages = vec![Stage::Clear];
    stages.extend(ends.iter().map(|&ends| Stage::Sweep(ends)));
    stages.push(Stage::Restrict(&mut coarse));
    Pipeline::new(&level, Side::Plain, (&b, &mut x), &mut row).run(false, &mut stages);
    let bits = |plain: &[Plain<'_, T>]| plain.iter().map(|p| p.x.clone()).collect::<Vec<_>>();
    assert_bits(&x, &bits(&plain), &format!("x on the way down, {name}"));
    assert_bits(&coarse, &sums, &format!("restriction, {name}"));

    for (l, plain) in plain.iter_mut().enumerate() {
        plain.prolong(&lane(&correction[..aggregates], l));
        ends.iter()
            .rev()
            .for_each(|&[y, z]| plain.sweep([true, !y, !z]));
    }
    let mut stages = vec![Stage::Prolong(&correction[..aggregates])];
    stages.extend(
        ends.iter()
            .rev()
            .map(|ends| Stage::Sweep(ends.map(|end| !end))),
    );
    Pipeline::new(&level, Side::Plain, (&b, &mut x), &mut row).run(true, &mut stages);
    assert_bits(&x, &bits(&plain), &format!("x on the way up, {name}"));
}

#[test]
fn passes_give_the_bits_of_plain_passes() {
    // Planes of more than a thousand values are shared by threads. Odd and even numbers of planes, fewer planes than
    // stages, lines of one cell, planes and lines alone.
    let large = [
        [9, 33, 35],
        [12, 32, 34],
        [3, 40, 31],
        [2, 31, 34],
        [1, 33, 36],
    ];
    let small = [
        [7, 5, 6],
        [6, 4, 1],
        [5, 1, 7],
        [1, 1, 9],
        [4, 1, 1],
        [1, 1, 1],
    ];
    // Groups of stages run one after another, with the help of one thread, and all at once.
    for processors in [1, 2, MOST_THREADS] {
        let pool = ThreadPoolBuilder::new().num_threads(processors).build();
        pool.unwrap().install(|| {
            for threads in 1..=MOST_THREADS {
                for shape in large {
                    check_large(shape, threads);
                }
                for shape in small.into_iter().filter(|&shape| plain_axes(shape)) {
                    check::<f64, 1>(shape, threads, 4);
                    check::<f64, 16>(shape, threads, 4);
                    check::<f32, 4>(shape, threads, 4);
                }
            }
        });
    }
}

fn check_large(shape: Shape, threads: usize) {
    for sweeps in [1, 2, 4] {
        check::<f64, 1>(shape, threads, sweeps);
        check::<f32, 1>(shape, threads, sweeps);
        check::<f64, 2>(shape, threads, sweeps);
        check::<f64, 4>(shape, threads, sweeps);
    }
    check::<f64, 8>(shape, threads, 4);
}

/// Whether axes of one cell come first, as a level stores them.
fn plain_axes(shape: Shape) -> bool {
    shape.map(|n| n > 1).is_sorted()
}
