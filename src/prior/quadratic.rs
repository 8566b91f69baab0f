//! What a prior is at one point: its value, gradient and precision.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::gram;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Operator, Side};
use crate::vector::dot;

/// A penalty to second order at one θ: R(θ), ∇R(θ) and the precision C, which is ∇²R or stands for it.
///
/// The precision may be any operator, also one that is known by its products only ([`Operator::free`]). A root P with
/// C = PᵀP is worth giving where there is one: samples and least-squares problems are made with it.
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
    /// R = ½‖s‖² by the residual s and its derivative, the root P = ∂s/∂θ: ∇R = Pᵀs, C = PᵀP.
    ///
    /// # Errors
    /// A root that has not one row an entry of the residual, or entries that are not finite.
    pub fn squares(root: Operator<'a>, residual: Vec<f64>) -> Result<Self> {
        check::length("the rows of a prior's root", root.nrows(), residual.len())?;
        root.check_finite("a prior's root")?;
        Ok(Self(Form::Squares { root, residual }))
    }

    /// R = ½ dᵀC d by the deviation d = θ − m from the mean and the precision C: ∇R = C d.
    ///
    /// # Errors
    /// A precision that has not one row and column a parameter, or does not give finite numbers.
    pub fn gaussian(precision: Operator<'a>, deviation: &[f64]) -> Result<Self> {
        check::length(
            "the rows of a prior's precision",
            precision.nrows(),
            deviation.len(),
        )?;
        let gradient = precision.apply_to(Side::Plain, deviation)?;
        Self::new(0.5 * dot(deviation, &gradient), gradient, precision)
    }

    /// Any R, by its value, gradient and a symmetric positive semidefinite C in place of its Hessian.
    ///
    /// # Errors
    /// A precision that has not one row and column a parameter, or entries that are not finite.
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

    /// Number of parameters.
    pub fn dim(&self) -> usize {
        match &self.0 {
            Form::Squares { root, .. } => root.ncols(),
            Form::Precision { gradient, .. } => gradient.len(),
        }
    }

    /// R.
    pub fn value(&self) -> f64 {
        match &self.0 {
            Form::Squares { residual, .. } => 0.5 * dot(residual, residual),
            Form::Precision { value, .. } => *value,
        }
    }

    /// ∇R.
    pub fn gradient(&self) -> Vec<f64> {
        match &self.0 {
            Form::Squares { root, residual } => {
                let mut gradient = vec![0.0; root.ncols()];
                root.multiply(Side::Transpose, residual, &mut gradient);
                gradient
            }
            Form::Precision { gradient, .. } => gradient.clone(),
        }
    }

    /// C V.
    ///
    /// # Errors
    /// V with other than one row a parameter.
    pub fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match &self.0 {
            Form::Squares { root, .. } => {
                root.apply(Side::Transpose, root.apply(Side::Plain, v)?.as_ref())
            }
            Form::Precision { precision, .. } => precision.apply(Side::Plain, v),
        }
    }

    /// P and s, where the penalty was given by them.
    pub fn root(&self) -> Option<(&Operator<'a>, &[f64])> {
        match &self.0 {
            Form::Squares { root, residual } => Some((root, residual)),
            Form::Precision { .. } => None,
        }
    }

    /// C as an operator to factorise.
    ///
    /// # Errors
    /// A root that is known by its products only: C = PᵀP is no matrix then.
    pub(super) fn into_precision(self) -> Result<Operator<'a>> {
        match self.0 {
            Form::Squares { root, .. } => {
                let gram = gram(&root)?.ok_or(Error::PriorLacks {
                    what: "root written out, nor solves of its own",
                    remedy: "give the root as a sparse matrix, or implement `Prior::precision`",
                })?;
                Ok(Operator::sparse(gram).positive_definite())
            }
            Form::Precision { precision, .. } => Ok(precision.positive_definite()),
        }
    }

    /// C as a sparse matrix, unless it is known by products only.
    pub(super) fn sparse_precision(&self) -> Result<Option<SparseColMat<usize, f64>>> {
        match &self.0 {
            Form::Squares { root, .. } => gram(root),
            Form::Precision { precision, .. } => Ok(precision.to_sparse()),
        }
    }

    /// Whether every parameter is treated apart.
    pub(super) fn is_diagonal(&self) -> bool {
        let (Form::Squares { root: a, .. } | Form::Precision { precision: a, .. }) = &self.0;
        a.is_diagonal()
    }
}
