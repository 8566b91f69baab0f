//! The small least-squares problem of GMRES: a Hessenberg matrix, kept triangular by Givens rotations.

/// Columns of the triangle that there is room for, and those that are there.
pub(crate) struct RotatedColumns {
    most: usize,
    len: usize,
    /// Columns of `most` + 1 numbers.
    columns: Vec<f64>,
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

    /// Without columns, for a right-hand side (β, 0, 0, …).
    pub(crate) fn begin(&mut self, beta: f64) {
        self.len = 0;
        self.rhs[0] = beta;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The norm of the least residual.
    pub(crate) fn residual(&self) -> f64 {
        self.rhs[self.len].abs()
    }

    /// Where the next column of the Hessenberg matrix goes: as many numbers as there are columns, and two more.
    pub(crate) fn column(&mut self) -> &mut [f64] {
        let first = self.len * (self.most + 1);
        &mut self.columns[first..][..self.len + 2]
    }

    /// Makes the next column, once it is there, part of the triangle.
    pub(crate) fn rotate(&mut self) {
        let j = self.len;
        let h = &mut self.columns[j * (self.most + 1)..][..j + 2];
        for (i, (c, s)) in self.rotations[..j].iter().enumerate() {
            (h[i], h[i + 1]) = (c * h[i] + s * h[i + 1], c * h[i + 1] - s * h[i]);
        }
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

    /// The coefficients of the least residual.
    pub(crate) fn solve(&mut self) -> &[f64] {
        let n = self.len;
        let (entry, y) = (
            |i: usize, j: usize| self.columns[j * (self.most + 1) + i],
            &mut self.solution[..n],
        );
        y.copy_from_slice(&self.rhs[..n]);
        for j in (0..n).rev() {
            // A zero pivot leaves that direction out; the residual check then reports it.
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
