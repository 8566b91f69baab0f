//! Lanczos processes of several starting vectors, side by side.

use faer::Mat;

use super::curvature::Curvature;
use super::error::HessianError;
use super::orthogonal::{dot, project};
use super::quadrature::{Ritz, Rule};
use super::tridiagonal::Tridiagonal;
use crate::check;
use crate::error::Result;
use crate::vector::{clear_subnormal, norm};

/// Orthonormal basis V of the Krylov space of H and a start w, with VᵀHV = T tridiagonal and first vector w/‖w‖.
///
/// Unlike [`Krylov`](super::Krylov) it solves nothing: it continues for any H, and its T is what is asked for.
pub(crate) struct Chain {
    basis: Vec<Vec<f64>>,
    t: Tridiagonal,
    /// Next vector of the basis, or None if the space is invariant under H.
    next: Option<Vec<f64>>,
    /// Square length ‖w‖² of the start.
    square: f64,
}

/// Length of the next vector, relative to the size of T, below which it consists of rounding errors.
const ROUNDING: f64 = 1e-13;

/// Relative difference of ⟨u, Hv⟩ and ⟨Hu, v⟩ that only an asymmetric matrix explains.
//
// Solves of the model leave 1e-11, iterative ones with loose tolerances more.
const ASYMMETRY: f64 = 1e-6;

impl Chain {
    pub(crate) fn new(start: &[f64]) -> Self {
        let length = norm(start);
        let unit = || start.iter().map(|x| x / length).collect();
        Self {
            basis: Vec::new(),
            t: Tridiagonal::default(),
            next: (length > 0.0).then(unit),
            square: length * length,
        }
    }

    /// Returns the number of steps.
    pub(crate) fn steps(&self) -> usize {
        self.t.dim()
    }

    /// Returns whether the space is invariant under H, so that the eigenvalues of T are eigenvalues of H.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.next.is_none()
    }

    pub(crate) fn square(&self) -> f64 {
        self.square
    }

    /// Returns the eigenvalues of T with their residuals.
    pub(crate) fn ritz(&self) -> Ritz {
        Ritz::of(&self.t)
    }

    /// Returns the rule of Gauss-Radau with a prescribed node `end`, see [`Rule::radau`].
    pub(crate) fn radau(&self, end: f64) -> Rule {
        Rule::radau(&self.t, end)
    }

    /// Returns the combination V s of the basis.
    pub(crate) fn combine(&self, s: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.basis.first().map_or(0, Vec::len)];
        for (v, s) in self.basis.iter().zip(s) {
            sum.iter_mut().zip(v).for_each(|(x, v)| *x += s * v);
        }
        sum
    }

    /// Drops the basis, which only the process itself and [`combine`](Self::combine) need.
    pub(crate) fn without_basis(mut self) -> Self {
        (self.basis, self.next) = (Vec::new(), None);
        self
    }

    /// Continues the process by the product r = H v with the next vector v.
    fn extend(&mut self, mut r: Vec<f64>) -> Result<()> {
        let Some(v) = self.next.take() else {
            return Ok(());
        };
        clear_subnormal(&mut r);
        self.check_symmetry(&r)?;
        // r ← H v − Σᵢ ⟨vᵢ, Hv⟩ vᵢ. A second pass removes what rounding left in the first, relative to a small remainder
        // (Parlett 1998, §6.9: twice is enough).
        self.t.diagonal.push(dot(&v, &r));
        self.basis.push(v);
        for _ in 0..2 {
            project(&self.basis, &self.basis, &mut r);
        }
        let length = norm(&r);
        let goes_on = self.basis.len() < r.len() && length > ROUNDING * self.size();
        self.t.off_diagonal.push(if goes_on { length } else { 0.0 });
        self.next = goes_on.then(|| r.iter().map(|r| r / length).collect());
        Ok(())
    }

    /// Returns the size of T.
    fn size(&self) -> f64 {
        let coupled = self.t.off_diagonal.iter();
        coupled.fold(self.t.largest_diagonal(), |size, b| size.max(b.abs()))
    }

    /// Checks ⟨v₁, Hv⟩ = ⟨Hv₁, v⟩ for the product r = H v, where H v₁ = α₁v₁ + β₁v₂.
    fn check_symmetry(&self, r: &[f64]) -> Result<()> {
        let Some(first) = self.basis.first() else {
            return Ok(());
        };
        let forward = dot(first, r);
        let backward = match self.basis.len() {
            1 => self.t.off_diagonal[0],
            _ => 0.0,
        };
        let size = self.size().max(norm(r));
        match (forward - backward).abs() > ASYMMETRY * size {
            true => Err(HessianError::NotSymmetric { forward, backward }.into()),
            false => Ok(()),
        }
    }
}

/// Continues all processes by one step, with one batch of products. Returns the number of products.
pub(crate) fn advance(h: &dyn Curvature, chains: &mut [Chain]) -> Result<usize> {
    let mut live: Vec<&mut Chain> = chains.iter_mut().filter(|c| !c.is_exhausted()).collect();
    if live.is_empty() {
        return Ok(0);
    }
    let dim = h.dim();
    let mut batch = Mat::zeros(dim, live.len());
    for (j, chain) in live.iter().enumerate() {
        if let Some(next) = &chain.next {
            batch.col_as_slice_mut(j).copy_from_slice(next);
        }
    }
    let product = h.product(batch.as_ref())?;
    check::length(
        "the rows of a product with a curvature",
        product.nrows(),
        dim,
    )?;
    let columns = product.ncols();
    check::length(
        "the columns of a product with a curvature",
        columns,
        live.len(),
    )?;
    for (j, chain) in live.iter_mut().enumerate() {
        let column = product.col_as_slice(j);
        check::finite("a product with a curvature", column)?;
        chain.extend(column.to_vec())?;
    }
    Ok(columns)
}
