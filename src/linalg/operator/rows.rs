//! Rows of a stencil matrix or of its transpose, and products with them, line of cells by line of cells.

use std::ops::{Add, Mul, Range, Sub};

use super::{Side, Stencil};

/// Function that returns the rows of a stencil or of its transpose.
pub(crate) type ReadRows<T> = fn(&Stencil, Side) -> Rows<'_, T>;

/// Floating-point type of the kernels.
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

    /// Rounds x to the nearest number of this type.
    fn nearest(x: f64) -> Self;

    /// Function that reads the rows of a stencil if they are stored in this type.
    const ROWS: Option<ReadRows<Self>> = None;

    /// Views memory for double precision as memory for this type. Returns `None` if the types differ.
    fn in_place<const W: usize>(_workspace: &mut [[f64; W]]) -> Option<&mut [[Self; W]]> {
        None
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;

    fn nearest(x: f64) -> Self {
        x
    }

    const ROWS: Option<ReadRows<Self>> = Some(Stencil::rows);

    fn in_place<const W: usize>(workspace: &mut [[f64; W]]) -> Option<&mut [[Self; W]]> {
        Some(workspace)
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;

    fn nearest(x: f64) -> Self {
        x as Self
    }
}

/// Runs a kernel that is compiled for the widest vector instructions of the CPU.
///
/// Results are bitwise identical on all CPUs, because products and sums are never contracted to fused
/// operations.
///
/// The closure and what it calls must be `#[inline(always)]`. Otherwise the compiler may leave them outside of the function
/// that has these instructions.
#[inline(always)]
pub(crate) fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    // The compiler vectorises over lanes or cells, never within a sum, so that the order of a sum does not
    // change either.
    pulp::Arch::new().dispatch(kernel)
}

/// Coefficients of a stencil matrix or of its transpose, on a grid whose axes with one cell come first.
///
/// The arrays contain couplings to cells outside the grid, which must be zero. For a line at the boundary,
/// these zeros multiply the line itself in place of the missing neighbour. The arrays of the first axis may
/// be empty if it has one cell.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) shape: [usize; 3],
    pub(crate) centre: &'a [T],
    /// Entries `lower[axis][i]` of the matrix in row j and column i, where cell j follows cell i along the axis.
    pub(crate) lower: [&'a [T]; 3],
    /// Entries `upper[axis][i]` of the matrix in row i and column j, where cell j follows cell i along the axis.
    pub(crate) upper: [&'a [T]; 3],
}

/// Line of cells along the last axis, with its indices along the other two.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at: [usize; 2],
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Line {
    /// Returns the indices of the cells of the line.
    pub(crate) fn cells(self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// Calls `$call::<…, N>($args)`, where N is the number of neighbouring lines of every line of the grid.
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
    /// Returns the number of neighbouring lines of every line: four in three dimensions, and two otherwise.
    pub(crate) fn sides(self) -> usize {
        if self.shape[0] > 1 { 4 } else { 2 }
    }

    /// Returns the line with the indices `at` along the first two axes.
    pub(crate) fn line(self, at: [usize; 2]) -> Line {
        let [_, ny, len] = self.shape;
        Line {
            at,
            start: (at[0] * ny + at[1]) * len,
            len,
        }
    }

    /// Iterates over the lines of the grid in the order of their cells.
    pub(crate) fn lines(self) -> impl Iterator<Item = Line> {
        let [nx, ny, _] = self.shape;
        (0..nx * ny).map(move |i| self.line([i / ny, i % ny]))
    }

    /// Returns the coefficients in the rows of a line for each of its N neighbouring lines, with the first
    /// cell of the neighbour. Along every axis, the lower neighbour comes before the upper one.
    #[inline(always)]
    pub(crate) fn beside<const N: usize>(self, line: Line) -> [(&'a [T], usize); N] {
        let strides = [self.shape[1] * self.shape[2], self.shape[2]];
        let mut beside = [(&[][..], 0); N];
        for (q, beside) in beside.iter_mut().enumerate() {
            // N/2 axes precede the last one: axis 1 for N = 2, axes 0 and 1 for N = 4.
            let axis = q / 2 + 2 - N / 2;
            let (at, last, stride) = (line.at[axis], self.shape[axis] - 1, strides[axis]);
            // At the boundary, the couplings to cells outside the grid serve as coefficients, and are all
            // zero. Couplings to the line below the first one are stored with the last line of the axis,
            // whose upper neighbour is outside.
            let (coefficients, start) = match q % 2 {
                0 if at > 0 => (
                    &self.lower[axis][line.start - stride..],
                    line.start - stride,
                ),
                0 => (&self.lower[axis][line.start + last * stride..], line.start),
                _ if at < last => (&self.upper[axis][line.start..], line.start + stride),
                _ => (&self.upper[axis][line.start..], line.start),
            };
            *beside = (&coefficients[..line.len], start);
        }
        beside
    }

    /// Returns the couplings along a line: for every cell k, the coefficient of cell k in row k + 1, and that
    /// of cell k + 1 in row k.
    #[inline(always)]
    pub(crate) fn along(self, line: Line) -> (&'a [T], &'a [T]) {
        (&self.lower[2][line.cells()], &self.upper[2][line.cells()])
    }

    /// Computes row ← Σⱼ term(aᵢⱼ, xⱼ) for the cells i of a line.
    #[inline(always)]
    pub(crate) fn line_product<S: Real, const W: usize, const N: usize>(
        self,
        line: Line,
        x: Pieces<'_, S, W>,
        row: &mut [[T; W]],
        term: impl Fn(T, S) -> T,
    ) {
        let n = line.len;
        let beside = x.beside(self.beside::<N>(line), n);
        let (lower, upper) = self.along(line);
        let (lower, upper, centre) = (&lower[..n], &upper[..n], &self.centre[line.cells()][..n]);
        let (x, row) = (x.run(line.start, n), &mut row[..n]);
        // Terms are added in the same order for every number of lanes and every line, so that rows are bitwise
        // reproducible: the cell, the neighbouring lines, the previous cell, the next cell.
        if W < LONG {
            for k in 0..n {
                let mut sum = [T::ZERO; W];
                add(&mut sum, centre[k], &x[k], &term);
                for (c, x) in &beside {
                    add(&mut sum, c[k], &x[k], &term);
                }
                row[k] = sum;
            }
            add_all(&mut row[1..], lower, x, &term);
            add_all(&mut row[..n - 1], upper, &x[1..], &term);
            return;
        }
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

/// Smallest number of lanes for which all terms of a row are added in one loop.
///
/// The lanes of one cell then fill vector registers. With fewer lanes, registers hold several cells, and a loop whose
/// first or last cell differs from the others is not vectorised. Neighbours along the line are added by loops of their
/// own.
pub(crate) const LONG: usize = 8;

/// Values of consecutive cells, in up to three pieces.
///
/// Pieces that other threads may read too stand before and after a piece that one thread is changing.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'v, S, const W: usize> {
    /// Values of the cells up to `first`.
    pub(crate) before: &'v [[S; W]],
    /// Index of the first cell of the piece in the middle.
    pub(crate) first: usize,
    pub(crate) cells: &'v [[S; W]],
    pub(crate) after: &'v [[S; W]],
}

impl<'v, S: Copy, const W: usize> Pieces<'v, S, W> {
    /// Views a vector over all cells of a grid.
    pub(crate) fn whole(cells: &'v [[S; W]]) -> Self {
        Self {
            before: &[],
            first: 0,
            cells,
            after: &[],
        }
    }

    /// Returns the values of `len` cells from `start`, all of which lie in one piece.
    #[inline(always)]
    pub(crate) fn run(self, start: usize, len: usize) -> &'v [[S; W]] {
        let end = self.first + self.cells.len();
        let values = if start < self.first {
            &self.before[self.before.len() + start - self.first..]
        } else if start < end {
            &self.cells[start - self.first..]
        } else {
            &self.after[start - end..]
        };
        &values[..len]
    }
}

impl<'v, S: Copy, const W: usize> Pieces<'v, S, W> {
    /// Returns the values of neighbouring lines of `len` cells, with their coefficients.
    #[inline(always)]
    pub(crate) fn beside<'c, T, const N: usize>(
        self,
        lines: [(&'c [T], usize); N],
        len: usize,
    ) -> [(&'c [T], &'v [[S; W]]); N] {
        let mut beside = [(&[][..], &[][..]); N];
        for (beside, (c, start)) in beside.iter_mut().zip(lines) {
            *beside = (&c[..len], self.run(start, len));
        }
        beside
    }
}

/// Adds term(c, x) to every cell of a row.
#[inline(always)]
fn add_all<T: Real, S: Real, const W: usize>(
    row: &mut [[T; W]],
    c: &[T],
    x: &[[S; W]],
    term: &impl Fn(T, S) -> T,
) {
    let n = row.len();
    let (c, x) = (&c[..n], &x[..n]);
    for k in 0..n {
        add(&mut row[k], c[k], &x[k], term);
    }
}

/// Computes sum ← sum + term(c, x) in every lane.
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
