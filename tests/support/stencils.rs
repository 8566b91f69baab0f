//! Stencils on boxes of any shape, and the same matrices put together entry by entry.

use pullback::faer::Mat;
use pullback::linalg::{SolveStats, Stencil, StencilSolver};
use pullback::{Backend, Cpu, Operator, Result, Side, random};

pub(crate) const SIDES: [Side; 2] = [Side::Plain, Side::Transpose];

pub(crate) const SOLVERS: [StencilSolver; 4] = [
    StencilSolver::Direct,
    StencilSolver::Dilu,
    StencilSolver::Multigrid,
    StencilSolver::Auto,
];

/// Boxes in one, two and three dimensions, some with one cell along an axis. Multigrid has two levels from 131 cells
/// on, and three on the last box.
pub(crate) const SHAPES: [&[usize]; 13] = [
    &[1],
    &[2],
    &[140],
    &[3, 40],
    &[60, 3],
    &[1, 150],
    &[17, 19],
    &[2, 2, 2],
    &[5, 7, 6],
    &[1, 12, 13],
    &[12, 1, 13],
    &[15, 20, 1],
    &[11, 12, 9],
];

pub(crate) const KINDS: [Kind; 3] = [Kind::Gauged, Kind::Killed, Kind::Pinned];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A generator, singular, with a gauge.
    Gauged,
    /// A generator plus a positive diagonal.
    Killed,
    /// A Laplacian with weights over eight decades, pinned where they are largest.
    Pinned,
}

impl Kind {
    /// The diagonal and the gauge that make it regular.
    pub(crate) fn closure(self, shape: &[usize]) -> (Vec<f64>, f64) {
        let cells = shape.iter().product();
        let (mut diagonal, mut gauge) = (vec![0.0; cells], 0.0);
        match self {
            Self::Gauged => gauge = 1.0 / cells as f64,
            Self::Killed => diagonal.fill(0.3),
            Self::Pinned => diagonal[densest(shape)] = 1.0,
        }
        (diagonal, gauge)
    }

    pub(crate) fn rates(self, shape: &[usize], axis: usize, lower: usize) -> [f64; 2] {
        match self {
            Self::Pinned => [conductance(shape, axis, lower); 2],
            _ => rates(shape, axis, lower),
        }
    }
}

/// The stencil alone, for boxes whose dense matrix would be too large.
pub(crate) fn stencil(kind: Kind, shape: &[usize]) -> Stencil {
    let (diagonal, gauge) = kind.closure(shape);
    let mut stencil = assemble(shape, |axis, lower| kind.rates(shape, axis, lower));
    stencil.add_diagonal(&diagonal);
    stencil.with_gauge(gauge)
}

/// A stencil and the same matrix, dense.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) stencil: Stencil,
    pub(crate) dense: Mat<f64>,
    pub(crate) definite: bool,
}

impl Case {
    pub(crate) fn new(kind: Kind, shape: &[usize]) -> Self {
        let (diagonal, gauge) = kind.closure(shape);
        let rates = |axis: usize, lower: usize| kind.rates(shape, axis, lower);
        Self {
            name: format!("{kind:?} on {shape:?}"),
            shape: shape.to_vec(),
            stencil: stencil(kind, shape),
            dense: entry_by_entry(shape, (rates, &diagonal, gauge)),
            definite: kind == Kind::Pinned,
        }
    }

    pub(crate) fn operator(&self) -> Operator<'static> {
        operator(&self.stencil, self.definite)
    }
}

/// All kinds on all boxes.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let kinds = KINDS.into_iter();
    kinds.flat_map(|kind| SHAPES.into_iter().map(move |shape| Case::new(kind, shape)))
}

/// A matrix whose pattern is not symmetric, so that its factorisation has to pivot.
pub(crate) fn lopsided(shape: &[usize]) -> Operator<'static> {
    let a = Case::new(Kind::Killed, shape)
        .operator()
        .to_sparse()
        .unwrap();
    let n = a.ncols();
    let columns = (0..n).flat_map(|j| {
        let entries = a.row_idx_of_col_raw(j).iter().zip(a.val_of_col(j));
        entries.map(move |(&i, &v)| (i, j, v))
    });
    Operator::triplets(n, n, columns.chain([(0, n - 1, 0.01)]))
}

pub(crate) fn operator(stencil: &Stencil, definite: bool) -> Operator<'static> {
    let a = Operator::stencil(stencil.clone());
    if definite { a.positive_definite() } else { a }
}

pub(crate) fn cpu(stencils: StencilSolver) -> Cpu {
    let mut cpu = Cpu::default();
    cpu.stencils = stencils;
    cpu
}

/// Whether incomplete factorisation is worth nothing: it ends where a chain does, and if next to nothing of the null
/// vector is there, the last pivot decides all.
pub(crate) fn hopeless(case: &Case, solver: StencilSolver) -> bool {
    let chain = case.shape.iter().filter(|n| **n > 2).count() == 1;
    solver == StencilSolver::Dilu && chain && case.stencil.gauge() != 0.0
}

/// The solution and what the solve found out.
pub(crate) fn solve(
    cpu: &Cpu,
    a: Operator<'static>,
    side: Side,
    b: &Mat<f64>,
) -> Result<(Mat<f64>, SolveStats)> {
    let mut x = b.clone();
    let stats = cpu.factor(a)?.solve(side, None, x.as_mut())?;
    Ok((x, stats))
}

/// Calls `f(axis, lower cell)` for all faces.
pub(crate) fn faces(shape: &[usize], mut f: impl FnMut(usize, usize)) {
    let cells = shape.iter().product();
    for axis in 0..shape.len() {
        let stride: usize = shape[axis + 1..].iter().product();
        (0..cells)
            .filter(|cell| cell / stride % shape[axis] + 1 < shape[axis])
            .for_each(|cell| f(axis, cell));
    }
}

/// A stencil from the rates (up, down) through every face; its columns sum to zero.
pub(crate) fn assemble(shape: &[usize], rates: impl Fn(usize, usize) -> [f64; 2]) -> Stencil {
    let mut stencil = Stencil::new(shape);
    faces(shape, |axis, lower| {
        let [up, down] = rates(axis, lower);
        stencil.couple(axis, lower, [[up, -down], [-up, down]]);
    });
    stencil
}

/// The same matrix from all pairs of cells: what goes from j to i is in row i, and leaves the diagonal of j.
fn entry_by_entry(
    shape: &[usize],
    (rates, diagonal, gauge): (impl Fn(usize, usize) -> [f64; 2], &[f64], f64),
) -> Mat<f64> {
    let n = diagonal.len();
    let mut a = Mat::from_fn(n, n, |i, j| gauge + if i == j { diagonal[i] } else { 0.0 });
    let places: Vec<Vec<usize>> = (0..n).map(|cell| place(shape, cell)).collect();
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            let steps = || {
                places[i]
                    .iter()
                    .zip(&places[j])
                    .map(|(i, j)| i.abs_diff(*j))
            };
            if steps().sum::<usize>() != 1 {
                continue;
            }
            let axis = steps().position(|s| s == 1).unwrap();
            let rate = rates(axis, i.min(j))[usize::from(j > i)];
            a[(i, j)] -= rate;
            a[(j, j)] += rate;
        }
    }
    a
}

/// Indices along the axes, the last one fastest.
fn place(shape: &[usize], mut cell: usize) -> Vec<usize> {
    let mut at: Vec<usize> = shape
        .iter()
        .rev()
        .map(|n| {
            let index = cell % n;
            cell /= n;
            index
        })
        .collect();
    at.reverse();
    at
}

/// Coordinates in (−1, 1).
fn point(shape: &[usize], cell: usize) -> Vec<f64> {
    let at = place(shape, cell);
    let scaled = at
        .iter()
        .zip(shape)
        .map(|(i, n)| (2 * i + 1) as f64 / *n as f64 - 1.0);
    scaled.collect()
}

/// Upwind rates of a flow with a saddle, so that mass is slow to change sides, with some diffusion and noise.
fn rates(shape: &[usize], axis: usize, lower: usize) -> [f64; 2] {
    let x = point(shape, lower);
    let across = if x.len() > 1 {
        x[(axis + 1) % x.len()]
    } else {
        0.0
    };
    let noise = random::uniform(3, (0.0, 0.1), (3 * lower + axis) as u64);
    let v = across - 0.3 * x[axis] + noise[2];
    [
        v.max(0.0) + noise[0] + 0.05,
        (-v).max(0.0) + noise[1] + 0.05,
    ]
}

/// A density over eight decades.
fn weight(shape: &[usize], cell: usize) -> f64 {
    let square: f64 = point(shape, cell).iter().map(|x| (x - 0.2).powi(2)).sum();
    (-20.0 * square).exp().max(1e-8)
}

fn conductance(shape: &[usize], axis: usize, lower: usize) -> f64 {
    let stride: usize = shape[axis + 1..].iter().product();
    0.5 * (weight(shape, lower) + weight(shape, lower + stride))
}

fn densest(shape: &[usize]) -> usize {
    let w: Vec<f64> = (0..shape.iter().product())
        .map(|cell| weight(shape, cell))
        .collect();
    (0..w.len()).fold(0, |best, i| if w[i] > w[best] { i } else { best })
}
