//! Diagonal metrics of some entries of the state.

use faer::sparse::{SparseColMat, Triplet};
use faer::{Mat, MatRef};

use super::{
    LocalForm, Root, check_batch, check_covector, check_lifted, inverse_diagonal, map_columns,
};
use crate::error::{Error, Result};
use crate::vector::norm;

/// Returns the root L of M = diag(w²), with a row w eᵢᵀ for every entry i and its weight w > 0. Other entries have length zero.
pub(crate) fn diagonal_root<'a>(dim: usize, weights: Vec<(usize, f64)>) -> Box<dyn Root + 'a> {
    Box::new(Diagonal { dim, weights })
}

struct Diagonal {
    dim: usize,
    /// Entries, each at most once, with their weights.
    weights: Vec<(usize, f64)>,
}

/// Norm of the part of a covector outside the range of Lᵀ, relative to the covector, that counts as rounding.
const IN_RANGE: f64 = 1e-12;

impl Root for Diagonal {
    fn dim(&self) -> usize {
        self.dim
    }

    fn lifted_dim(&self) -> usize {
        self.weights.len()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim)?;
        Ok(map_columns(z, self.lifted_dim(), |z, y| {
            for (y, (i, w)) in y.iter_mut().zip(&self.weights) {
                *y = w * z[*i];
            }
        }))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.lifted_dim())?;
        Ok(map_columns(y, self.dim, |y, c| {
            for (y, (i, w)) in y.iter().zip(&self.weights) {
                c[*i] = w * y;
            }
        }))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim)?;
        // Lᵀy has the entries wy, and zeros elsewhere.
        let mut outside = c.to_vec();
        self.weights.iter().for_each(|(i, _)| outside[*i] = 0.0);
        let distance = norm(&outside) / norm(c).max(f64::MIN_POSITIVE);
        if distance <= IN_RANGE {
            Ok(self.weights.iter().map(|(i, w)| c[*i] / w).collect())
        } else {
            Err(Error::NotInRange {
                metric: "diagonal",
                distance,
            })
        }
    }

    fn size(&self) -> Option<f64> {
        let squares: f64 = self.weights.iter().map(|(_, w)| w * w).sum();
        Some(squares.sqrt())
    }

    fn local_form(&self) -> Option<LocalForm> {
        if self.weights.len() == self.dim {
            let mut inverse = vec![0.0; self.dim];
            self.weights
                .iter()
                .for_each(|(i, w)| inverse[*i] = (w * w).recip());
            return inverse_diagonal(inverse);
        }
        let entry = |(i, w): &(usize, f64)| Triplet::new(*i, *i, w * w);
        let entries: Vec<_> = self.weights.iter().map(entry).collect();
        let m = SparseColMat::try_new_from_triplets(self.dim, self.dim, &entries);
        m.ok().map(LocalForm::Metric)
    }
}
