//! One side of a stencil as its rows are read: line by line, all couplings of a cell at once.

use std::ops::{Add, Mul, Range, Sub};

use super::{Side, Stencil};

/// A way to read the rows of a stencil.
pub(crate) type ReadRows<T> = fn(&Stencil, Side) -> Rows<'_, T>;

/// What kernels compute in.
pub(crate) trait Real:
    Copy
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Into<f64>
    + 'static
{
    const ZERO: Self;

    /// The nearest number of this kind.
    fn nearest(x: f64) -> Self;

    /// How to read the rows of a stencil in this kind, if they are there.
    const ROWS: Option<ReadRows<Self>> = None;

    /// Room for this kind where there is room for double precision, if it is the same.
    fn in_place<const W: usize>(_room: &mut [[f64; W]]) -> Option<&mut [[Self; W]]> {
        None
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;

    fn nearest(x: f64) -> Self {
        x
    }

    const ROWS: Option<ReadRows<Self>> = Some(Stencil::rows);

    fn in_place<const W: usize>(room: &mut [[f64; W]]) -> Option<&mut [[Self; W]]> {
        Some(room)
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;

    fn nearest(x: f64) -> Self {
        x as Self
    }
}

/// Runs a kernel compiled for the widest vectors that this processor has. What it computes is the same on all:
/// products and sums are never contracted.
#[inline(always)]
pub(crate) fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(kernel)
}

/// The coefficients of one side of a stencil on a box whose axes of one cell stand in front.
///
/// Couplings out of the box stand in the arrays too, as zeros: a line at the border reads those with itself in
/// place of the line that is not there. The arrays of the first axis may be missing if it has one cell.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) shape: [usize; 3],
    pub(crate) centre: &'a [T],
    /// For every axis and cell i: in the row of the cell above, the coefficient of i.
    pub(crate) lower: [&'a [T]; 3],
    /// For every axis and cell i: in its row, the coefficient of the cell above.
    pub(crate) upper: [&'a [T]; 3],
}

/// A run of cells along the last axis, with the indices of the run along the other two.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at: [usize; 2],
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Line {
    pub(crate) fn cells(self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// Calls `$f::<…, N>($args)` with the number N of lines beside every line of a box.
macro_rules! with_sides {
    ($rows:expr, $call:ident $(:: < $($generic:ty),* >)? ( $($arg:expr),* $(,)? )) => {
        match $rows.sides() {
            2 => $call::<$($($generic,)*)? 2>($($arg),*),
            _ => $call::<$($($generic,)*)? 4>($($arg),*),
        }
    };
}
pub(crate) use with_sides;

impl<'a, T: Real> Rows<'a, T> {
    /// Lines beside every line: two in the plane, four in space.
    pub(crate) fn sides(self) -> usize {
        if self.shape[0] > 1 { 4 } else { 2 }
    }

    pub(crate) fn line(self, at: [usize; 2]) -> Line {
        let [_, ny, len] = self.shape;
        Line {
            at,
            start: (at[0] * ny + at[1]) * len,
            len,
        }
    }

    /// The lines of the box in the order of their cells.
    pub(crate) fn lines(self) -> impl Iterator<Item = Line> {
        let [nx, ny, _] = self.shape;
        (0..nx * ny).map(move |i| self.line([i / ny, i % ny]))
    }

    /// The N lines beside one, in pairs below and above along every axis: their coefficients in the rows of this
    /// line, and their first cells.
    #[inline(always)]
    pub(crate) fn beside<const N: usize>(self, line: Line) -> [(&'a [T], usize); N] {
        let strides = [self.shape[1] * self.shape[2], self.shape[2]];
        std::array::from_fn(|q| {
            let axis = q / 2 + 2 - N / 2;
            let (at, last, stride) = (line.at[axis], self.shape[axis] - 1, strides[axis]);
            let (coefficients, start) = match q % 2 {
                0 if at > 0 => (
                    &self.lower[axis][line.start - stride..],
                    line.start - stride,
                ),
                0 => (&self.lower[axis][line.start + last * stride..], line.start),
                _ if at < last => (&self.upper[axis][line.start..], line.start + stride),
                _ => (&self.upper[axis][line.start..], line.start),
            };
            (&coefficients[..line.len], start)
        })
    }

    /// Along a line: for every cell, its coefficient in the row of the next, and that of the next in its row.
    #[inline(always)]
    pub(crate) fn along(self, line: Line) -> (&'a [T], &'a [T]) {
        (&self.lower[2][line.cells()], &self.upper[2][line.cells()])
    }

    /// row ← Σ term(aᵢⱼ, xⱼ) for the cells i of a line.
    #[inline(always)]
    pub(crate) fn line_product<S: Real, const W: usize, const N: usize>(
        self,
        line: Line,
        x: &[[S; W]],
        row: &mut [[T; W]],
        term: impl Fn(T, S) -> T,
    ) {
        let n = line.len;
        let beside = self
            .beside::<N>(line)
            .map(|(c, start)| (c, &x[start..][..n]));
        let (lower, upper) = self.along(line);
        let (lower, upper, centre) = (&lower[..n], &upper[..n], &self.centre[line.cells()][..n]);
        let (x, row) = (&x[line.cells()][..n], &mut row[..n]);
        for k in 0..n {
            let mut sum = [T::ZERO; W];
            add(&mut sum, centre[k], &x[k], &term);
            for (c, x) in &beside {
                add(&mut sum, c[k], &x[k], &term);
            }
            if k > 0 {
                add(&mut sum, lower[k - 1], &x[k - 1], &term);
            }
            if k + 1 < n {
                add(&mut sum, upper[k], &x[k + 1], &term);
            }
            row[k] = sum;
        }
    }
}

#[inline(always)]
fn add<T: Real, S: Real, const W: usize>(
    sum: &mut [T; W],
    c: T,
    x: &[S; W],
    term: &impl Fn(T, S) -> T,
) {
    for l in 0..W {
        sum[l] = sum[l] + term(c, x[l]);
    }
}
