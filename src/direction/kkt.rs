//! The conditions of a damped Gauss-Newton step as one sparse system.

use faer::sparse::SparseColMat;
use faer::{Mat, Scale};

use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator, Side};
use crate::metric::LocalForm;

type Sparse = SparseColMat<usize, f64>;

/// What the system is made of.
pub(super) struct Blocks<'a> {
    pub(super) a: Sparse,
    pub(super) c: Sparse,
    /// Λ₀, of which Λ is a multiple.
    pub(super) precision: Sparse,
    pub(super) gamma: Vec<f64>,
    pub(super) u: &'a [f64],
}

/// A step and its multipliers.
pub(super) struct Solution {
    pub(super) eta: Vec<f64>,
    pub(super) nu: Vec<f64>,
}

/// The system, reduced as far as its blocks allow.
pub(super) struct Saddle<'a> {
    pub(super) blocks: Blocks<'a>,
    form: Form,
}

enum Form {
    /// Λ₀ = diag d: C Λ₀⁻¹Cᵀ, A R Aᵀ, A R u and d.
    Definite {
        outer: Sparse,
        inner: Sparse,
        right: Vec<f64>,
        d: Vec<f64>,
    },
    /// A R Aᵀ and A R u.
    QuasiDefinite { inner: Sparse, right: Vec<f64> },
    /// M.
    Indefinite(Sparse),
}

impl Blocks<'_> {
    /// C η.
    pub(super) fn push(&self, eta: &[f64]) -> Vec<f64> {
        multiply(&self.c, Side::Plain, eta)
    }

    /// Λ₀ η.
    pub(super) fn weigh(&self, eta: &[f64]) -> Vec<f64> {
        multiply(&self.precision, Side::Plain, eta)
    }
}

impl<'a> Saddle<'a> {
    pub(super) fn new(metric: LocalForm, blocks: Blocks<'a>) -> Result<Self> {
        let form = match metric {
            LocalForm::Metric(m) => Form::Indefinite(m),
            LocalForm::Inverse(r) => {
                let ar = blocks.a.as_ref() * r.as_ref();
                let inner = ar.as_ref() * transposed(&blocks.a)?.as_ref();
                let right = multiply(&ar, Side::Plain, blocks.u);
                match diagonal(&blocks.precision) {
                    None => Form::QuasiDefinite { inner, right },
                    Some(d) => Form::Definite {
                        outer: weighted_gram(&blocks.c, &d)?,
                        inner,
                        right,
                        d,
                    },
                }
            }
        };
        Ok(Self { blocks, form })
    }

    /// The solution for Λ = cΛ₀.
    pub(super) fn solve(&self, c: f64, backend: &dyn Backend) -> Result<Solution> {
        let b = &self.blocks;
        let (p, k) = (b.c.ncols(), b.c.nrows());
        match &self.form {
            Form::Definite {
                outer,
                inner,
                right,
                d,
            } => {
                let matrix = inner.as_ref() + (Scale(c.recip()) * outer).as_ref();
                let smooth: Vec<f64> = b.gamma.iter().zip(d).map(|(g, d)| g / (c * d)).collect();
                let mut nu = b.push(&smooth);
                nu.iter_mut().zip(right).for_each(|(n, r)| *n += r);
                let matrix = Operator::sparse(matrix).positive_definite();
                let nu = solve(backend, matrix, nu)?;
                let pulled = multiply(&b.c, Side::Transpose, &nu);
                let eta = pulled.iter().zip(&b.gamma).zip(d);
                let eta = eta.map(|((p, g), d)| (p - g) / (c * d)).collect();
                Ok(Solution { eta, nu })
            }
            Form::QuasiDefinite { inner, right } => {
                let mut entries = Entries::default();
                entries.add(&b.precision, [0, 0], c);
                entries.add_both(&b.c, [p, 0]);
                entries.add(inner, [p, p], -1.0);
                let x = b.gamma.iter().map(|g| -g).chain(right.iter().copied());
                let mut x = solve(backend, entries.operator(p + k), x.collect())?;
                let nu = x.split_off(p).iter().map(|n| -n).collect();
                Ok(Solution { eta: x, nu })
            }
            Form::Indefinite(m) => {
                let mut entries = Entries::default();
                entries.add(&b.precision, [0, 0], c);
                entries.add(m, [p, p], 1.0);
                entries.add_both(&b.c, [p + k, 0]);
                entries.add_both(&b.a, [p + k, p]);
                let mut x: Vec<f64> = b.gamma.iter().chain(b.u).map(|g| -g).collect();
                x.resize(p + 2 * k, 0.0);
                let mut x = solve(backend, entries.operator(p + 2 * k), x)?;
                let nu = x.split_off(p + k).iter().map(|n| -n).collect();
                x.truncate(p);
                Ok(Solution { eta: x, nu })
            }
        }
    }
}

fn solve(backend: &dyn Backend, matrix: Operator<'_>, mut x: Vec<f64>) -> Result<Vec<f64>> {
    let mut batch = Mat::from_fn(x.len(), 1, |i, _| x[i]);
    backend
        .factor(matrix)?
        .solve(Side::Plain, None, batch.as_mut())?;
    x.copy_from_slice(batch.col_as_slice(0));
    Ok(x)
}

fn multiply(a: &Sparse, side: Side, x: &[f64]) -> Vec<f64> {
    let a = Operator::from(a.as_ref());
    let mut out = vec![0.0; a.shape_of(side).0];
    a.multiply(side, x, &mut out);
    out
}

fn transposed(a: &Sparse) -> Result<Sparse> {
    a.transpose()
        .to_col_major()
        .map_err(|_| Error::OutOfMemory {
            what: "transpose",
            size: a.nrows(),
            needed: None,
            limit: None,
        })
}

/// The diagonal of a matrix that has nothing else.
fn diagonal(m: &Sparse) -> Option<Vec<f64>> {
    let entry = |j: usize| match (m.row_idx_of_col_raw(j), m.val_of_col(j)) {
        (&[i], &[value]) if i == j => Some(value),
        _ => None,
    };
    (0..m.ncols()).map(entry).collect()
}

/// C diag(d)⁻¹ Cᵀ.
fn weighted_gram(c: &Sparse, d: &[f64]) -> Result<Sparse> {
    let mut scaled = c.clone();
    for (j, d) in d.iter().enumerate() {
        scaled.val_of_col_mut(j).iter_mut().for_each(|v| *v /= d);
    }
    Ok(scaled.as_ref() * transposed(c)?.as_ref())
}

/// A block matrix by its entries.
#[derive(Default)]
struct Entries(Vec<(usize, usize, f64)>);

impl Entries {
    fn add(&mut self, block: &Sparse, [row, column]: [usize; 2], factor: f64) {
        for j in 0..block.ncols() {
            let entries = block.row_idx_of_col_raw(j).iter().zip(block.val_of_col(j));
            let moved = entries.map(|(&i, v)| (row + i, column + j, factor * v));
            self.0.extend(moved);
        }
    }

    /// A block below the diagonal, and its transpose above.
    fn add_both(&mut self, block: &Sparse, [row, column]: [usize; 2]) {
        for j in 0..block.ncols() {
            for (&i, &v) in block.row_idx_of_col_raw(j).iter().zip(block.val_of_col(j)) {
                self.0.push((row + i, column + j, v));
                self.0.push((column + j, row + i, v));
            }
        }
    }

    fn operator(self, n: usize) -> Operator<'static> {
        Operator::triplets(n, n, self.0)
    }
}
