//! Red-black multigrid and textbook iterations on matrices that are assembled entry by entry.
//!
//! The functions serve as reference for numbers of iterations, and favour clarity over speed.

use pullback::faer::Mat;
use pullback::faer::linalg::solvers::{PartialPivLu, Solve};
use pullback::linalg::Stencil;
use pullback::{Operator, Side};

use crate::support::dot;

/// Rows of a sparse matrix as pairs of column and value.
type Rows = Vec<Vec<(usize, f64)>>;

/// Number of cells up to which a level is the coarsest.
const COARSEST: usize = 130;

/// Number of steps after which an iteration is abandoned.
const MOST: usize = 300;

/// Matrix A or Aᵀ on a box of cells.
pub(crate) struct System<'s> {
    pub(crate) stencil: &'s Stencil,
    pub(crate) shape: [usize; 3],
    pub(crate) side: Side,
    pub(crate) definite: bool,
}

struct Level {
    rows: Rows,
    /// Cells whose indices have an even sum, and the others.
    colours: [Vec<usize>; 2],
    /// Index of the aggregate of every cell.
    parents: Vec<usize>,
}

struct Multigrid {
    levels: Vec<Level>,
    coarsest: PartialPivLu<f64>,
    /// Number of sweeps before a coarse correction, and after it.
    sweeps: usize,
}

/// Returns A or Aᵀ without its gauge.
fn rows(stencil: &Stencil, side: Side) -> Rows {
    let a = Operator::stencil(stencil.clone().with_gauge(0.0));
    let a = a.to_sparse().unwrap();
    let mut rows = vec![Vec::new(); a.ncols()];
    for j in 0..a.ncols() {
        for (&i, &value) in a.row_idx_of_col_raw(j).iter().zip(a.val_of_col(j)) {
            match side {
                Side::Plain => rows[i].push((j, value)),
                Side::Transpose => rows[j].push((i, value)),
            }
        }
    }
    rows
}

fn times(rows: &Rows, x: &[f64]) -> Vec<f64> {
    let row = |row: &Vec<(usize, f64)>| row.iter().map(|&(j, value)| value * x[j]).sum();
    rows.iter().map(row).collect()
}

/// Returns Pᵀ A P for the aggregation P, where a coupling between aggregates keeps its share and the diagonal takes the rest.
fn coarsen(
    rows: &Rows,
    parents: &[usize],
    count: usize,
    share: impl Fn(usize, usize) -> f64,
) -> Rows {
    let mut coarse: Rows = vec![Vec::new(); count];
    for (i, row) in rows.iter().enumerate() {
        let mut add = |column, value| {
            let row = &mut coarse[parents[i]];
            match row.iter_mut().find(|entry| entry.0 == column) {
                Some(entry) => entry.1 += value,
                None => row.push((column, value)),
            }
        };
        for &(j, value) in row {
            let kept = match parents[i] == parents[j] {
                true => 1.0,
                false => share(i, j),
            };
            add(parents[j], kept * value);
            add(parents[i], (1.0 - kept) * value);
        }
    }
    coarse
}

/// Returns the share that the coupling of two cells keeps: that of three resistors in series, the coupling and half of those
/// beside it in both aggregates, but at least one half.
fn share(rows: &Rows, shape: [usize; 3], i: usize, j: usize) -> f64 {
    let (lower, upper) = (i.min(j), i.max(j));
    let stride = upper - lower;
    let axis = [shape[1] * shape[2], shape[2], 1]
        .iter()
        .position(|s| *s == stride)
        .unwrap();
    let between = |a: usize, b: usize| rows[a].iter().find(|e| e.0 == b).map_or(0.0, |e| e.1);
    let coupling = between(lower, upper);
    let mut resistance = 1.0 + 0.5 * coupling / between(lower - stride, lower);
    if upper / stride % shape[axis] + 1 < shape[axis] {
        resistance += 0.5 * coupling / between(upper, upper + stride);
    }
    resistance.recip().clamp(0.5, 1.0)
}

impl Multigrid {
    fn new(system: &System<'_>) -> Self {
        let mut shape = system.shape;
        let (mut last, mut levels) = (rows(system.stencil, system.side), Vec::new());
        let mut sizes = vec![1.0; last.len()];
        while last.len() > COARSEST {
            let coarse = shape.map(|n| n.div_ceil(2));
            let at = |cell: usize| {
                let line = cell / shape[2];
                [line / shape[1], line % shape[1], cell % shape[2]]
            };
            let index = |[x, y, z]: [usize; 3]| (x * coarse[1] + y) * coarse[2] + z;
            let parents: Vec<usize> = (0..last.len())
                .map(|cell| index(at(cell).map(|i| i / 2)))
                .collect();
            let count = coarse.iter().product();
            let next = coarsen(&last, &parents, count, |i, j| match system.definite {
                true => share(&last, shape, i, j),
                false => 1.0,
            });
            let mut sums = vec![0.0; count];
            sizes.iter().zip(&parents).for_each(|(s, &p)| sums[p] += s);
            let of_colour = |colour| {
                let cells = 0..last.len();
                cells
                    .filter(|&cell| at(cell).iter().sum::<usize>() % 2 == colour)
                    .collect()
            };
            let colours = [of_colour(0), of_colour(1)];
            let rows = std::mem::replace(&mut last, next);
            levels.push(Level {
                rows,
                colours,
                parents,
            });
            (sizes, shape) = (sums, coarse);
        }
        let (n, gauge) = (last.len(), system.stencil.gauge());
        let mut dense = Mat::from_fn(n, n, |i, j| gauge * sizes[i] * sizes[j]);
        for (i, row) in last.iter().enumerate() {
            row.iter().for_each(|&(j, value)| dense[(i, j)] += value);
        }
        Self {
            levels,
            coarsest: dense.partial_piv_lu(),
            sweeps: if system.definite { 2 } else { 4 },
        }
    }

    /// Applies one V-cycle from level `l` on to b.
    fn cycle(&self, l: usize, b: &[f64]) -> Vec<f64> {
        let Some(level) = self.levels.get(l) else {
            let x = self.coarsest.solve(Mat::from_fn(b.len(), 1, |i, _| b[i]));
            return x.col_as_slice(0).to_vec();
        };
        let mut x = vec![0.0; b.len()];
        for _ in 0..self.sweeps {
            level.relax(0, b, &mut x);
            level.relax(1, b, &mut x);
        }
        let mut coarse = vec![0.0; level.parents.iter().max().unwrap() + 1];
        let image = times(&level.rows, &x);
        for (i, &parent) in level.parents.iter().enumerate() {
            coarse[parent] += b[i] - image[i];
        }
        let correction = self.cycle(l + 1, &coarse);
        for (x, &parent) in x.iter_mut().zip(&level.parents) {
            *x += correction[parent];
        }
        for _ in 0..self.sweeps {
            level.relax(1, b, &mut x);
            level.relax(0, b, &mut x);
        }
        x
    }
}

impl Level {
    fn relax(&self, colour: usize, b: &[f64], x: &mut [f64]) {
        for &i in &self.colours[colour] {
            let (mut sum, mut diagonal) = (b[i], 0.0);
            for &(j, value) in &self.rows[i] {
                if j == i {
                    diagonal = value;
                } else {
                    sum -= value * x[j];
                }
            }
            x[i] = sum / diagonal;
        }
    }
}

/// Returns the number of iterations from x = 0 until the residual is `tolerance` times b.
pub(crate) fn iterations(system: &System<'_>, b: &[f64], tolerance: f64) -> usize {
    let multigrid = Multigrid::new(system);
    let (rows, gauge) = (rows(system.stencil, system.side), system.stencil.gauge());
    let apply = |x: &[f64]| {
        let sum: f64 = x.iter().sum();
        let mut image = times(&rows, x);
        image.iter_mut().for_each(|y| *y += gauge * sum);
        image
    };
    let precondition = |r: &[f64]| multigrid.cycle(0, r);
    let small = tolerance * dot(b, b).sqrt();
    if system.definite {
        conjugate_gradients(apply, precondition, (b, small))
    } else {
        bicgstab(apply, precondition, (b, small))
    }
}

/// Returns a + s b.
fn plus(a: &[f64], s: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + s * b).collect()
}

fn conjugate_gradients(
    apply: impl Fn(&[f64]) -> Vec<f64>,
    precondition: impl Fn(&[f64]) -> Vec<f64>,
    (b, small): (&[f64], f64),
) -> usize {
    let mut r = b.to_vec();
    let mut p = precondition(&r);
    let mut rho = dot(&r, &p);
    for step in 1..MOST {
        let q = apply(&p);
        r = plus(&r, -rho / dot(&p, &q), &q);
        if dot(&r, &r).sqrt() <= small {
            return step;
        }
        let z = precondition(&r);
        let last = std::mem::replace(&mut rho, dot(&r, &z));
        p = plus(&z, rho / last, &p);
    }
    MOST
}

fn bicgstab(
    apply: impl Fn(&[f64]) -> Vec<f64>,
    precondition: impl Fn(&[f64]) -> Vec<f64>,
    (b, small): (&[f64], f64),
) -> usize {
    let (mut r, mut p) = (b.to_vec(), b.to_vec());
    let mut rho = dot(b, &r);
    for step in 1..MOST {
        let v = apply(&precondition(&p));
        let alpha = rho / dot(b, &v);
        let s = plus(&r, -alpha, &v);
        let t = apply(&precondition(&s));
        let omega = dot(&t, &s) / dot(&t, &t);
        r = plus(&s, -omega, &t);
        if dot(&r, &r).sqrt() <= small {
            return step;
        }
        let last = std::mem::replace(&mut rho, dot(b, &r));
        p = plus(&r, rho / last * alpha / omega, &plus(&p, -omega, &v));
    }
    MOST
}
