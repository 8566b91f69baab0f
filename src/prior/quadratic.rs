//! Second-order data of a prior at one point: value, gradient and precision.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::gram;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Operator, Side};
use crate::vector::dot;

/// Penalty to second order at one θ: R(θ), ∇R(θ) and the precision C, which equals or approximates ∇²R.
///
/// The precision may be any operator, including a matrix-free one ([`Operator::free`]). A root P with
/// C = PᵀP, if available, serves samples and least-squares problems.
pub struct Quadratic<'a>(Form<'a>);

enum Form<'a> {
    Squares {
        root: Operator<'a>,
        residual: Vec<f64>,
    },
    Precision {
        value: f64,
        gradient: Vec<f64>,
        precision: Operator<'a>,
    },
}

impl<'a> Quadratic<'a> {
    /// Returns the prior R = ½‖s‖² with residual s(θ).
    ///
    /// `root` is the derivative P = ∂s/∂θ. Hence ∇R = Pᵀs, and the precision is C = PᵀP.
    ///
    /// # Errors
    /// Fails if the root does not have one row per entry of the residual, or has entries that are not finite.
    pub fn squares(root: Operator<'a>, residual: Vec<f64>) -> Result<Self> {
        check::length("the rows of a prior's root", root.nrows(), residual.len())?;
        root.check_finite("a prior's root")?;
        Ok(Self(Form::Squares { root, residual }))
    }

    /// Returns the prior R = ½ dᵀC d with precision C, for the deviation d = θ − m from the mean. Hence ∇R = C d.
    ///
    /// # Errors
    /// Fails if the precision does not have one row and column per parameter, or if its products are not finite.
    pub fn gaussian(precision: Operator<'a>, deviation: &[f64]) -> Result<Self> {
        check::length(
            "the rows of a prior's precision",
            precision.nrows(),
            deviation.len(),
        )?;
        let gradient = precision.apply_to(Side::Plain, deviation)?;
        // One product with C gives both: R = ½ d·∇R.
        Self::new(0.5 * dot(deviation, &gradient), gradient, precision)
    }

    /// Returns a general prior R, given its value and gradient and a symmetric positive semidefinite C that
    /// approximates its Hessian.
    ///
    /// # Errors
    /// Fails if the precision does not have one row and column per parameter, or if an entry is not finite.
    pub fn new(value: f64, gradient: Vec<f64>, precision: Operator<'a>) -> Result<Self> {
        let what = "a prior's precision";
        check::length(
            "the rows of a prior's precision",
            precision.nrows(),
            gradient.len(),
        )?;
        check::length(
            "the columns of a prior's precision",
            precision.ncols(),
            gradient.len(),
        )?;
        check::finite("the value of a prior", &[value])?;
        check::finite("the gradient of a prior", &gradient)?;
        precision.check_finite(what)?;
        Ok(Self(Form::Precision {
            value,
            gradient,
            precision,
        }))
    }

    /// Returns the number of parameters.
    pub fn dim(&self) -> usize {
        match &self.0 {
            Form::Squares { root, .. } => root.ncols(),
            Form::Precision { gradient, .. } => gradient.len(),
        }
    }

    /// Returns the value of the penalty R.
    pub fn value(&self) -> f64 {
        match &self.0 {
            Form::Squares { residual, .. } => 0.5 * dot(residual, residual),
            Form::Precision { value, .. } => *value,
        }
    }

    /// Returns the gradient ∇R of the penalty.
    pub fn gradient(&self) -> Vec<f64> {
        match &self.0 {
            Form::Squares { root, residual } => {
                let mut gradient = vec![0.0; root.ncols()];
                // ∇ ½‖s‖² = (∂s/∂θ)ᵀs = Pᵀs.
                root.multiply(Side::Transpose, residual, &mut gradient);
                gradient
            }
            Form::Precision { gradient, .. } => gradient.clone(),
        }
    }

    /// Returns C V.
    ///
    /// # Errors
    /// Fails if V does not have one row per parameter.
    pub fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match &self.0 {
            Form::Squares { root, .. } => {
                // ∇²R = PᵀP + Σ sᵢ∇²sᵢ. The second term, which vanishes for affine s, is left out, so that C
                // is positive semidefinite for every s.
                root.apply(Side::Transpose, root.apply(Side::Plain, v)?.as_ref())
            }
            Form::Precision { precision, .. } => precision.apply(Side::Plain, v),
        }
    }

    /// Returns the root P and the residual s, if the penalty is given by them.
    pub fn root(&self) -> Option<(&Operator<'a>, &[f64])> {
        match &self.0 {
            Form::Squares { root, residual } => Some((root, residual)),
            Form::Precision { .. } => None,
        }
    }

    /// Returns C as an operator for factorisation.
    ///
    /// # Errors
    /// Fails if the root cannot be converted to a sparse matrix, since C = PᵀP is then not available as a
    /// matrix.
    pub(super) fn into_precision(self) -> Result<Operator<'a>> {
        match self.0 {
            Form::Squares { root, .. } => {
                let gram = gram(&root)?.ok_or(Error::PriorLacks {
                    what: "root as a sparse matrix and no solver",
                    remedy: "give the root as a sparse matrix, or implement `Prior::precision`",
                })?;
                Ok(Operator::sparse(gram).positive_definite())
            }
            Form::Precision { precision, .. } => Ok(precision.positive_definite()),
        }
    }

    /// Returns C as a sparse matrix, or None if its operator cannot be converted to one.
    pub(super) fn sparse_precision(&self) -> Result<Option<SparseColMat<usize, f64>>> {
        match &self.0 {
            Form::Squares { root, .. } => gram(root),
            Form::Precision { precision, .. } => Ok(precision.to_sparse()),
        }
    }

    /// Returns whether the precision C is diagonal.
    pub(super) fn is_diagonal(&self) -> bool {
        let (Form::Squares { root: a, .. } | Form::Precision { precision: a, .. }) = &self.0;
        a.is_diagonal()
    }
}
