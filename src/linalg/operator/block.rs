//! Block-diagonal operators with equal blocks. A column of such an operator is a batch of columns of its block.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut, MatRef};

use super::{Definite, Kind, Operator};

impl<'a> Operator<'a> {
    /// Returns the block-diagonal matrix diag(B, …, B) of `count` equal blocks B, for example of experiments
    /// that share a matrix.
    ///
    /// A batch of m columns is processed as one batch of count·m columns for B, which is factorised once.
    ///
    /// ```
    /// use pullback::{Operator, Side, faer::mat};
    /// let a = Operator::repeated(Operator::dense(mat![[1.0, 2.0]]), 2);
    /// assert_eq!(a.shape(), (2, 4));
    /// assert_eq!(a.apply_to(Side::Plain, &[1.0, 1.0, 3.0, 0.0])?, [3.0, 3.0]);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Panics
    /// Panics if the number of rows or columns overflows.
    pub fn repeated(block: impl Into<Operator<'a>>, count: usize) -> Self {
        let block = block.into();
        let definite = block.definite;
        let counted = block.nrows().max(block.ncols()).checked_mul(count);
        assert!(
            counted.is_some(),
            "{count} blocks of {}×{} are too many rows or columns to count",
            block.nrows(),
            block.ncols()
        );
        // Blocks never nest, so that solvers see one level: if B is diag(C, …, C), then diag(B, …, B) is so, too.
        let kind = match block.kind {
            _ if count == 1 => return block,
            Kind::Identity(n) => Kind::Identity(n * count),
            Kind::Repeated {
                block,
                count: inner,
            } => Kind::Repeated {
                block,
                count: inner * count,
            },
            _ => Kind::Repeated {
                block: Box::new(block),
                count,
            },
        };
        Self { kind, definite }
    }

    /// Declares the definiteness of the operator.
    ///
    /// The declaration is passed on to the block of a repeated operator: diag(B, …, B) is definite if and
    /// only if B is, and solvers see only the block.
    pub(super) fn declare(mut self, definite: Definite) -> Self {
        self.definite = definite;
        if let Kind::Repeated { block, .. } = &mut self.kind {
            block.definite = definite;
        }
        self
    }

    /// Returns the block and the number of its copies, or the operator itself as an error if it is not
    /// repeated.
    pub(crate) fn into_block(self) -> std::result::Result<(Self, usize), Self> {
        match self.kind {
            Kind::Repeated { block, count } => Ok((*block, count)),
            _ => Err(self),
        }
    }
}

/// Cuts the columns of a batch into `count` equal parts, and applies f to all parts as the columns of one
/// wider batch.
pub(super) fn each_block(
    count: usize,
    x: MatRef<'_, f64>,
    mut out: MatMut<'_, f64>,
    f: impl FnOnce(MatRef<'_, f64>, MatMut<'_, f64>),
) {
    if count == 0 {
        return;
    }
    let (x_rows, rows) = (x.nrows() / count, out.nrows() / count);
    if x.ncols() == 1 {
        // A contiguous column (x₁, …, xₙ) is stored like the batch of columns x₁, …, xₙ.
        let (x, out) = (x.col(0), out.rb_mut().col_mut(0));
        if let (Some(x), Some(out)) = (x.try_as_col_major(), out.try_as_col_major_mut()) {
            let x = MatRef::from_column_major_slice(x.as_slice(), x_rows, count);
            let out = MatMut::from_column_major_slice_mut(out.as_slice_mut(), rows, count);
            return f(x, out);
        }
    }
    let mut folded = Mat::zeros(rows, out.ncols() * count);
    f(fold(count, x).as_ref(), folded.as_mut());
    unfold(count, folded.as_ref(), out);
}

/// Returns the columns cut into `count` equal parts, see [`fold_into`].
fn fold(count: usize, x: MatRef<'_, f64>) -> Mat<f64> {
    let rows = x.nrows() / count.max(1);
    let mut folded = Mat::zeros(rows, x.ncols() * count);
    fold_into(count, x, folded.as_mut());
    folded
}

/// Cuts columns into `count` equal parts: column j becomes columns j·count to (j + 1)·count − 1.
pub(crate) fn fold_into(count: usize, x: MatRef<'_, f64>, folded: MatMut<'_, f64>) {
    let rows = folded.nrows();
    for (c, mut column) in folded.col_iter_mut().enumerate() {
        let (j, part) = (c / count, c % count);
        column.copy_from(x.col(j).subrows(part * rows, rows));
    }
}

/// Joins the parts of columns. This is the inverse of [`fold_into`].
pub(crate) fn unfold(count: usize, folded: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
    let rows = folded.nrows();
    for (c, column) in folded.rb().col_iter().enumerate() {
        let (j, part) = (c / count, c % count);
        out.rb_mut()
            .col_mut(j)
            .subrows_mut(part * rows, rows)
            .copy_from(column);
    }
}
