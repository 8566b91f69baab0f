//! Least-squares problem of GMRES, min ‖β e₁ − H y‖ with a Hessenberg matrix H that Givens rotations make
//! triangular.

/// QR factorisation of H with up to `most` columns.
pub(crate) struct RotatedColumns {
    most: usize,
    len: usize,
    /// Columns of the triangle R, with `most` + 1 entries each.
    columns: Vec<f64>,
    /// Cosine and sine of every rotation.
    rotations: Vec<(f64, f64)>,
    rhs: Vec<f64>,
    solution: Vec<f64>,
}

impl RotatedColumns {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            len: 0,
            columns: vec![0.0; most * (most + 1)],
            rotations: vec![(0.0, 0.0); most],
            rhs: vec![0.0; most + 1],
            solution: vec![0.0; most],
        }
    }

    /// Removes all columns and sets the right-hand side β e₁.
    pub(crate) fn begin(&mut self, beta: f64) {
        self.len = 0;
        self.rhs[0] = beta;
    }

    /// Returns the number of columns of H so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the smallest residual norm, min ‖β e₁ − H y‖.
    pub(crate) fn residual(&self) -> f64 {
        // The minimiser satisfies the first `len` rotated equations. The residual is the entry after them.
        self.rhs[self.len].abs()
    }

    /// Returns the storage of the next column of H. With j columns present, the next one has j + 2 entries.
    pub(crate) fn column(&mut self) -> &mut [f64] {
        let first = self.len * (self.most + 1);
        &mut self.columns[first..][..self.len + 2]
    }

    /// Appends the column that was written to [`column`](Self::column) to the triangle.
    pub(crate) fn rotate(&mut self) {
        let j = self.len;
        let h = &mut self.columns[j * (self.most + 1)..][..j + 2];
        // H = Qᵀ[R; 0] is updated by one column: the earlier rotations act on the new column, and one new
        // rotation removes its last entry. This costs O(j) per step, whereas a new factorisation would cost
        // O(j²).
        for (i, (c, s)) in self.rotations[..j].iter().enumerate() {
            (h[i], h[i + 1]) = (c * h[i] + s * h[i + 1], c * h[i + 1] - s * h[i]);
        }
        // The next rotation eliminates h_{j+1}: [c s; −s c] (h_j, h_{j+1}) = (√(h_j² + h_{j+1}²), 0).
        // The right-hand side has a zero at j + 1 before it is rotated.
        let length = h[j].hypot(h[j + 1]);
        let (c, s) = if length > 0.0 {
            (h[j] / length, h[j + 1] / length)
        } else {
            (1.0, 0.0)
        };
        h[j] = length;
        self.rhs[j + 1] = -s * self.rhs[j];
        self.rhs[j] *= c;
        self.rotations[j] = (c, s);
        self.len += 1;
    }

    /// Returns the minimiser y, by back substitution in R.
    pub(crate) fn solve(&mut self) -> &[f64] {
        let n = self.len;
        let (entry, y) = (
            |i: usize, j: usize| self.columns[j * (self.most + 1) + i],
            &mut self.solution[..n],
        );
        y.copy_from_slice(&self.rhs[..n]);
        for j in (0..n).rev() {
            // If a pivot is zero, its basis vector is left out. The true residual, tested after the cycle,
            // shows whether the solution needs it.
            y[j] = if entry(j, j) == 0.0 {
                0.0
            } else {
                y[j] / entry(j, j)
            };
            for i in 0..j {
                y[i] -= entry(i, j) * y[j];
            }
        }
        y
    }
}
