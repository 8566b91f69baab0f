//! How well answers satisfy their equations.

use faer::{Mat, MatMut, MatRef};

use crate::operator::{Line, Operator, Rows, Side, Stencil, View, vectorised, with_sides};

/// max |rᵢ|/uᵢ, max (|A||x|)ᵢ/uᵢ and max |bᵢ|/uᵢ of one column, with r = b − Ax and the sizes u of the equations.
#[derive(Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) residual: f64,
    pub(super) product: f64,
    pub(super) side: f64,
}

/// Equations A X = B or Aᵀ X = B.
#[derive(Clone, Copy)]
pub(super) struct Equations<'a> {
    pub(super) operator: &'a Operator<'a>,
    pub(super) side: Side,
    pub(super) b: MatRef<'a, f64>,
    /// 1/u.
    pub(super) scales: &'a [f64],
}

/// Products with one column, or with one line of a stencil, and what was found out about every column.
#[derive(Default)]
pub(super) struct Room {
    product: Vec<f64>,
    magnitude: Vec<f64>,
    /// What the gauge adds to both.
    shifts: Vec<[f64; 2]>,
    found: Vec<Sizes>,
}

impl Equations<'_> {
    /// The sizes of every column.
    pub(super) fn judge<'r>(&self, x: MatRef<'_, f64>, room: &'r mut Room) -> &'r [Sizes] {
        room.found.clear();
        room.found.resize(x.ncols(), Sizes::default());
        match self.operator.view() {
            View::Stencil(stencil) if x.row_stride() == 1 && self.b.row_stride() == 1 => {
                self.judge_lines(stencil, x, room);
            }
            _ => self.judge_columns(x, room),
        }
        &room.found
    }

    fn judge_columns(&self, x: MatRef<'_, f64>, room: &mut Room) {
        let n = self.scales.len();
        let (product, magnitude) = (&mut room.product, &mut room.magnitude);
        product.resize(n, 0.0);
        magnitude.resize(n, 0.0);
        for (j, found) in room.found.iter_mut().enumerate() {
            let x = x.subcols(j, 1);
            let out = MatMut::from_column_major_slice_mut(product, n, 1);
            self.operator.apply_into(self.side, x, out);
            let out = MatMut::from_column_major_slice_mut(magnitude, n, 1);
            self.operator.magnitude_into(self.side, x, out);
            match contiguous(self.b, j) {
                Some(b) => found.note(b, product, magnitude, self.scales),
                None => {
                    let b: Vec<f64> = self.b.col(j).iter().copied().collect();
                    found.note(&b, product, magnitude, self.scales);
                }
            }
        }
    }

    /// All columns for one line of cells after another, as the coefficients of a line stay in the caches.
    fn judge_lines(&self, stencil: &Stencil, x: MatRef<'_, f64>, room: &mut Room) {
        let columns =
            || (0..x.ncols()).filter_map(|j| Some((contiguous(x, j)?, contiguous(self.b, j)?)));
        room.shifts.clear();
        room.shifts
            .extend(columns().map(|(x, _)| shifts(stencil.gauge(), x)));
        let rows = stencil.rows(self.side);
        for line in rows.lines() {
            let found = room.found.iter_mut().zip(&room.shifts);
            for ((x, b), (found, shifts)) in columns().zip(found) {
                let (product, magnitude) = (&mut room.product, &mut room.magnitude);
                product.resize(line.len, 0.0);
                magnitude.resize(line.len, 0.0);
                let out = [&mut *product, &mut *magnitude];
                vectorised(|| with_sides!(rows, line_products(rows, line, x, out, *shifts)));
                let cells = line.cells();
                found.note(&b[cells.clone()], product, magnitude, &self.scales[cells]);
            }
        }
    }

    /// b − Ax.
    pub(super) fn residual(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut r = Mat::zeros(x.nrows(), x.ncols());
        self.operator.apply_into(self.side, x, r.as_mut());
        self.b - r
    }
}

/// out ← A x and |A||x| on a line, and what the gauge adds to them.
#[inline(always)]
fn line_products<const N: usize>(
    rows: Rows<'_, f64>,
    line: Line,
    x: &[f64],
    [product, magnitude]: [&mut Vec<f64>; 2],
    shifts: [f64; 2],
) {
    let x = x.as_chunks().0;
    rows.line_product::<f64, 1, N>(line, x, product.as_chunks_mut().0, |c, x| c * x);
    rows.line_product::<f64, 1, N>(line, x, magnitude.as_chunks_mut().0, |c, x| (c * x).abs());
    for (out, shift) in [product, magnitude].into_iter().zip(shifts) {
        out.iter_mut().for_each(|out| *out += shift);
    }
}

impl Sizes {
    /// Takes further equations into account; in place of the products stands b − Ax afterwards.
    fn note(&mut self, b: &[f64], product: &mut [f64], magnitude: &[f64], scales: &[f64]) {
        for (ax, b) in product.iter_mut().zip(b) {
            *ax = b - *ax;
        }
        self.residual = self.residual.max(largest(product, scales));
        self.product = self.product.max(largest(magnitude, scales));
        self.side = self.side.max(largest(b, scales));
    }
}

/// max |vᵢ|·scaleᵢ, infinite if any entry is not finite. By eight, which a processor compares at once.
fn largest(v: &[f64], scales: &[f64]) -> f64 {
    let (mut largest, mut broken) = ([0.0; 8], [0.0; 8]);
    let mut compare = |lane: usize, v: f64, scale: f64| {
        let size = v.abs() * scale;
        largest[lane] = if size > largest[lane] {
            size
        } else {
            largest[lane]
        };
        // 0, or NaN for what is not finite.
        broken[lane] += 0.0 * size;
    };
    let ((v, v_tail), (scales, s_tail)) = (v.as_chunks::<8>(), scales.as_chunks::<8>());
    for (v, scales) in v.iter().zip(scales) {
        (0..8).for_each(|lane| compare(lane, v[lane], scales[lane]));
    }
    for (v, scale) in v_tail.iter().zip(s_tail) {
        compare(0, *v, *scale);
    }
    if broken == [0.0; 8] {
        largest.into_iter().fold(0.0, f64::max)
    } else {
        f64::INFINITY
    }
}

/// c Σx and |c| Σ|x|.
fn shifts(gauge: f64, x: &[f64]) -> [f64; 2] {
    if gauge == 0.0 {
        return [0.0; 2];
    }
    let sum: f64 = x.iter().sum();
    let size: f64 = x.iter().map(|x| x.abs()).sum();
    [gauge * sum, gauge.abs() * size]
}

fn contiguous(m: MatRef<'_, f64>, j: usize) -> Option<&[f64]> {
    m.col(j).try_as_col_major().map(|column| column.as_slice())
}
