//! Optimality (KKT) conditions of a damped Gauss-Newton step as one sparse system.

use faer::sparse::SparseColMat;
use faer::{Mat, Scale};

use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator, Side};
use crate::metric::LocalForm;

type Sparse = SparseColMat<usize, f64>;

/// Blocks of the KKT system: Jacobians A and C, precision, gradient γ of the priors, covector u.
pub(super) struct Blocks<'a> {
    pub(super) a: Sparse,
    pub(super) c: Sparse,
    /// Precision Λ₀ of the priors. The system contains Λ = cΛ₀, where the factor c depends on the damping.
    pub(super) precision: Sparse,
    pub(super) gamma: Vec<f64>,
    pub(super) u: &'a [f64],
}

/// Step η and its multipliers ν.
pub(super) struct Solution {
    pub(super) eta: Vec<f64>,
    pub(super) nu: Vec<f64>,
}

/// KKT system, reduced as far as the sparsity of its blocks allows.
pub(super) struct KktSystem<'a> {
    pub(super) blocks: Blocks<'a>,
    form: Form,
}

enum Form {
    /// System in ν for Λ₀ = diag d, with the matrices C Λ₀⁻¹Cᵀ and A R Aᵀ and the vectors A R u and d.
    Definite {
        c_gram: Sparse,
        a_gram: Sparse,
        rhs: Vec<f64>,
        d: Vec<f64>,
    },
    /// System in (η, ν), with the matrix A R Aᵀ and the vector A R u.
    QuasiDefinite { a_gram: Sparse, rhs: Vec<f64> },
    /// System in (η, ζ, ν), with the matrix M.
    Indefinite(Sparse),
}

impl Blocks<'_> {
    /// Returns C η.
    pub(super) fn apply_c(&self, eta: &[f64]) -> Vec<f64> {
        multiply(&self.c, Side::Plain, eta)
    }

    /// Returns Λ₀ η.
    pub(super) fn apply_precision(&self, eta: &[f64]) -> Vec<f64> {
        multiply(&self.precision, Side::Plain, eta)
    }
}

impl<'a> KktSystem<'a> {
    pub(super) fn new(metric: LocalForm, blocks: Blocks<'a>) -> Result<Self> {
        let form = match metric {
            LocalForm::Metric(m) => Form::Indefinite(m),
            LocalForm::Inverse(r) => {
                // The products that do not depend on the damping are formed once per step. Each damping then
                // takes a sum and a factorisation.
                let ar = blocks.a.as_ref() * r.as_ref();
                let a_gram = ar.as_ref() * transposed(&blocks.a)?.as_ref();
                let rhs = multiply(&ar, Side::Plain, blocks.u);
                match diagonal(&blocks.precision) {
                    None => Form::QuasiDefinite { a_gram, rhs },
                    Some(d) => Form::Definite {
                        c_gram: weighted_gram(&blocks.c, &d)?,
                        a_gram,
                        rhs,
                        d,
                    },
                }
            }
        };
        Ok(Self { blocks, form })
    }

    /// Solves the system for Λ = cΛ₀.
    pub(super) fn solve(&self, c: f64, backend: &dyn Backend) -> Result<Solution> {
        let b = &self.blocks;
        let (p, k) = (b.c.ncols(), b.c.nrows());
        match &self.form {
            Form::Definite {
                c_gram,
                a_gram,
                rhs,
                d,
            } => {
                // η = Λ⁻¹(Cᵀν − γ) and ζ = R(Aᵀν − u) in Aζ + Cη = 0 give (C Λ⁻¹Cᵀ + A R Aᵀ) ν = A R u + C Λ⁻¹γ.
                let matrix = a_gram.as_ref() + (Scale(c.recip()) * c_gram).as_ref();
                let smooth: Vec<f64> = b.gamma.iter().zip(d).map(|(g, d)| g / (c * d)).collect();
                let mut nu = b.apply_c(&smooth);
                nu.iter_mut().zip(rhs).for_each(|(n, r)| *n += r);
                // A is non-singular, R is positive definite (pinned in one cell if the metric conserves
                // mass), and so is A R Aᵀ. C Λ⁻¹Cᵀ is semidefinite, of rank below k if p < k.
                let matrix = Operator::sparse(matrix).positive_definite();
                let nu = solve(backend, matrix, nu)?;
                let pulled = multiply(&b.c, Side::Transpose, &nu);
                let eta = pulled.iter().zip(&b.gamma).zip(d);
                let eta = eta.map(|((p, g), d)| (p - g) / (c * d)).collect();
                Ok(Solution { eta, nu })
            }
            Form::QuasiDefinite { a_gram, rhs } => {
                // Eliminating only ζ = R(Aᵀν − u) from Aζ + Cη = 0, and taking −ν as unknown:
                //     [ Λ    Cᵀ    ] [ η ]   [ −γ   ]
                //     [ C  −A R Aᵀ ] [ −ν] = [ A R u ],
                // which is symmetric quasi-definite (Vanderbei 1995): it has an LDLᵀ for any symmetric permutation.
                let mut entries = Entries::default();
                entries.add(&b.precision, [0, 0], c);
                entries.add_both(&b.c, [p, 0]);
                entries.add(a_gram, [p, p], -1.0);
                let x = b.gamma.iter().map(|g| -g).chain(rhs.iter().copied());
                let mut x = solve(backend, entries.operator(p + k), x.collect())?;
                let nu = x.split_off(p).iter().map(|n| -n).collect();
                Ok(Solution { eta: x, nu })
            }
            Form::Indefinite(m) => {
                // No elimination, again with −ν as unknown:
                //     [ Λ      Cᵀ ] [ η ]   [ −γ ]
                //     [    M   Aᵀ ] [ ζ ] = [ −u ].
                //     [ C  A      ] [ −ν]   [  0 ]
                let mut entries = Entries::default();
                entries.add(&b.precision, [0, 0], c);
                entries.add(m, [p, p], 1.0);
                entries.add_both(&b.c, [p + k, 0]);
                entries.add_both(&b.a, [p + k, p]);
                // M may be singular, as for few observations. The solution is unique nevertheless: without a
                // right-hand side, ηᵀΛη + ζᵀMζ = 0 gives η = 0, and then ζ = 0 and ν = 0 for non-singular A.
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

/// Returns the diagonal of a matrix, or None if other entries are stored.
fn diagonal(m: &Sparse) -> Option<Vec<f64>> {
    let entry = |j: usize| match (m.row_idx_of_col_raw(j), m.val_of_col(j)) {
        (&[i], &[value]) if i == j => Some(value),
        _ => None,
    };
    (0..m.ncols()).map(entry).collect()
}

/// Returns C diag(d)⁻¹ Cᵀ.
fn weighted_gram(c: &Sparse, d: &[f64]) -> Result<Sparse> {
    let mut scaled = c.clone();
    for (j, d) in d.iter().enumerate() {
        scaled.val_of_col_mut(j).iter_mut().for_each(|v| *v /= d);
    }
    Ok(scaled.as_ref() * transposed(c)?.as_ref())
}

/// Entries of a symmetric block matrix.
#[derive(Default)]
struct Entries(Vec<(usize, usize, f64)>);

impl Entries {
    fn add(&mut self, block: &Sparse, [row, column]: [usize; 2], factor: f64) {
        for j in 0..block.ncols() {
            let entries = block.row_idx_of_col_raw(j).iter().zip(block.val_of_col(j));
            let shifted = entries.map(|(&i, v)| (row + i, column + j, factor * v));
            self.0.extend(shifted);
        }
    }

    /// Adds a block below the diagonal, and the transpose of the block above the diagonal.
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
