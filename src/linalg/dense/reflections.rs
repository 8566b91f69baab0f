//! QR by Householder reflections, with or without column pivoting.
//!
//! The factorisation runs on one thread, so that the rounding does not depend on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as transposed_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transposed,
};
use faer::linalg::qr::col_pivoting::factor as pivoted;
use faer::linalg::qr::no_pivoting::factor as plain;
use faer::{Conj, Mat, Par};

/// QR factorisation with Q as a product of Householder reflections.
pub(crate) struct Reflections {
    /// R on and above the diagonal, and the Householder vectors below the diagonal.
    pub(crate) factors: Mat<f64>,
    /// Triangular factors T of the block reflections I − V T Vᵀ (compact WY form).
    coefficients: Mat<f64>,
}

impl Reflections {
    /// Factorises A = QR.
    pub(crate) fn of(mut a: Mat<f64>) -> Self {
        let (rows, cols) = a.shape();
        // A block of b reflections I − V T Vᵀ is applied by matrix products (Schreiber and Van Loan 1989).
        // Householder QR is backward stable for every matrix; Gram-Schmidt would lose the orthogonality of Q
        // in proportion to the condition number, or to its square.
        let block = plain::recommended_block_size::<f64>(rows, cols);
        let mut coefficients = Mat::zeros(block, rows.min(cols));
        let scratch =
            plain::qr_in_place_scratch::<f64>(rows, cols, block, Par::Seq, Default::default());
        plain::qr_in_place(
            a.as_mut(),
            coefficients.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        Self {
            factors: a,
            coefficients,
        }
    }

    /// Factorises A P = QR such that the diagonal of R decreases in modulus. Also returns P as a list: column
    /// j of A P is column P[j] of A.
    pub(crate) fn pivoted(mut a: Mat<f64>) -> (Self, Vec<usize>) {
        let (rows, cols) = a.shape();
        let block = plain::recommended_block_size::<f64>(rows, cols);
        let mut coefficients = Mat::zeros(block, rows.min(cols));
        let (mut forward, mut backward) = (vec![0_usize; cols], vec![0_usize; cols]);
        let (plan, seq) = (Default::default(), Par::Seq);
        let scratch = pivoted::qr_in_place_scratch::<usize, f64>(rows, cols, block, seq, plan);
        pivoted::qr_in_place(
            a.as_mut(),
            coefficients.as_mut(),
            &mut forward,
            &mut backward,
            seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            plan,
        );
        let reflections = Self {
            factors: a,
            coefficients,
        };
        (reflections, forward)
    }

    /// Returns the numerical rank: the number of diagonal entries of R before the first one with |Rᵢᵢ| ≤
    /// `tolerance`·|R₁₁|.
    pub(crate) fn rank(&self, tolerance: f64) -> usize {
        let diagonal = |i: usize| self.factors[(i, i)].abs();
        // The comparison is strict, so that the zero matrix has rank 0, and so has a matrix whose R₁₁ is NaN.
        let significant = |&i: &usize| diagonal(i) > tolerance * diagonal(0);
        (0..self.coefficients.ncols())
            .take_while(significant)
            .count()
    }

    /// Returns Q b.
    pub(crate) fn q(&self, mut b: Mat<f64>) -> Mat<f64> {
        let size = self.coefficients.ncols();
        let scratch = apply_scratch::<f64>(b.nrows(), self.coefficients.nrows(), b.ncols());
        apply(
            self.factors.subcols(0, size),
            self.coefficients.as_ref(),
            Conj::No,
            b.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
        b
    }

    /// Returns Qᵀ b.
    pub(crate) fn q_transposed(&self, mut b: Mat<f64>) -> Mat<f64> {
        let size = self.coefficients.ncols();
        let scratch = transposed_scratch::<f64>(b.nrows(), self.coefficients.nrows(), b.ncols());
        apply_transposed(
            self.factors.subcols(0, size),
            self.coefficients.as_ref(),
            Conj::No,
            b.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
        b
    }
}
