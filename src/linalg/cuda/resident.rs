//! Batches of columns that stay on a device between solves.

use std::any::Any;
use std::sync::Arc;

use faer::{Mat, MatRef};

use super::args::{Arg, Pointer, Shape};
use super::columns::upload;
use super::device::{Buffer, Device};
use super::passes::THREADS;
use super::sparse::ByRows;
use crate::error::{Error, Result};
use crate::linalg::Remote;
use crate::linalg::operator::{Operator, Side};

/// Name of the buffers of resident columns in error messages.
const WHAT: &str = "batch of columns on the device";

/// Number of blocks that share one column in element-wise kernels.
const BLOCKS: u32 = 64;

/// Dense matrix on a device, stored by columns.
pub(super) struct Resident {
    pub(super) device: Arc<Device>,
    pub(super) buffer: Buffer,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Resident {
    fn new(device: &Arc<Device>, (rows, columns): (usize, usize)) -> Result<Self> {
        // The kernels count rows and columns in 32 bits.
        if u32::try_from(rows.max(columns)).is_err() {
            return Err(Error::Device {
                what: WHAT,
                detail: format!(
                    "{rows} rows and {columns} columns exceed 2³² − 1; use fewer at a time"
                ),
            });
        }
        let bytes = rows * columns * size_of::<f64>();
        Ok(Self {
            device: Arc::clone(device),
            buffer: device.allocate(bytes, (WHAT, rows))?,
            rows,
            columns,
        })
    }

    /// Copies columns to a device.
    pub(super) fn send(device: &Arc<Device>, x: MatRef<'_, f64>) -> Result<Self> {
        let _lock = device.lock_stream();
        let resident = Self::new(device, x.shape())?;
        upload(device, x, &resident.buffer)?;
        Ok(resident)
    }

    /// Replaces the columns with indices `places` by those of `x`.
    pub(super) fn put(&self, x: MatRef<'_, f64>, places: &[usize]) -> Result<()> {
        let _lock = self.device.lock_stream();
        for (column, &j) in x.col_iter().zip(places) {
            let numbers: Vec<f64> = column.iter().copied().collect();
            let offset = j * self.rows * size_of::<f64>();
            self.device.upload(&numbers, &self.buffer, offset)?;
        }
        Ok(())
    }

    /// Copies the columns with indices `places` to the CPU.
    pub(super) fn get(&self, places: &[usize]) -> Result<Mat<f64>> {
        let _lock = self.device.lock_stream();
        let mut x = Mat::zeros(self.rows, places.len());
        for (i, &j) in places.iter().enumerate() {
            let offset = j * self.rows * size_of::<f64>();
            let column = x.col_as_slice_mut(i);
            self.device.download(&self.buffer, offset, column)?;
        }
        Ok(x)
    }

    /// Computes AᵀX with a kernel that has one block per entry. `count` is the number of columns of A.
    fn products(&self, kernel: &'static str, (matrix, count): (&[Arg], usize)) -> Result<Self> {
        let out = Self::new(&self.device, (count, self.columns))?;
        let shape = Shape {
            blocks: (count as u32, self.columns as u32),
            threads: (THREADS, 1),
        };
        let rest = [
            Arg::Pointer(self.buffer.address),
            Arg::Pointer(out.buffer.address),
            Arg::Count(self.rows as u32),
        ];
        let args = [matrix, &rest].concat();
        // SAFETY: both product kernels take these arguments; A has `self.rows` rows, and `out` has one entry
        // per block.
        unsafe { self.device.launch(kernel, shape, &args) }?;
        Ok(out)
    }

    fn dense_products(&self, matrix: MatRef<'_, f64>) -> Result<Self> {
        let columns: Vec<f64> = matrix.col_iter().flat_map(|c| c.iter().copied()).collect();
        let stored = self.device.store(&columns, (WHAT, self.rows))?;
        let matrix = [Arg::Pointer(stored.address)];
        self.products(
            "inner_products",
            (&matrix, columns.len() / self.rows.max(1)),
        )
    }

    fn sparse_products(
        &self,
        matrix: faer::sparse::SparseColMatRef<'_, usize, f64>,
    ) -> Result<Self> {
        let columns = ByRows::transposed(matrix).store(&self.device, (WHAT, self.rows))?;
        let matrix = [Arg::Compressed(columns.view)];
        self.products(
            "sparse_inner_products",
            (&matrix, columns.view.rows as usize),
        )
    }

    /// Replaces every column x by s x − m, where m is the column's entry of `means`, or 0 if `means` is null.
    fn shift_and_scale(&self, s: f64, means: Pointer) -> Result<()> {
        let shape = Shape {
            blocks: (BLOCKS, self.columns as u32),
            threads: (THREADS, 1),
        };
        let args = [
            Arg::Pointer(self.buffer.address),
            Arg::Pointer(means),
            Arg::Double(s),
            Arg::Count(self.rows as u32),
        ];
        // SAFETY: the arguments are those of `shift_and_scale`; `means` has one entry per column, or is null.
        unsafe { self.device.launch("shift_and_scale", shape, &args) }
    }
}

impl Remote for Resident {
    fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn fetch(self: Box<Self>) -> Result<Mat<f64>> {
        self.get(&(0..self.columns).collect::<Vec<_>>())
    }

    /// Computes AᵀX for dense and sparse A. Returns `None` for A X and for matrix-free operators.
    fn apply(&self, a: &Operator<'_>, side: Side) -> Result<Option<Box<dyn Remote>>> {
        // Sketches only need AᵀX: adjoints times ∂g/∂θ, which reduces k×m entries to p×m. The result is
        // small, and is fetched next.
        if side == Side::Plain || self.columns == 0 || a.ncols() == 0 {
            return Ok(None);
        }
        let _lock = self.device.lock_stream();
        let product = match (a.as_dense(), a.as_sparse()) {
            (Some(m), _) => self.dense_products(m),
            (_, Some(m)) if u32::try_from(m.compute_nnz()).is_ok() => self.sparse_products(m),
            _ => return Ok(None),
        };
        match product {
            Ok(product) => Ok(Some(Box::new(product))),
            // The matrix does not fit into the memory of the device, but the product can be computed on the
            // CPU.
            Err(Error::OutOfMemory { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn scale(&mut self, s: f64) -> Result<()> {
        if self.columns == 0 {
            return Ok(());
        }
        let _lock = self.device.lock_stream();
        self.shift_and_scale(s, 0)
    }

    fn centre(&mut self, weights: &[f64]) -> Result<()> {
        if self.columns == 0 {
            return Ok(());
        }
        let _lock = self.device.lock_stream();
        let total: f64 = weights.iter().sum();
        // Σ wᵢxᵢ / Σ wᵢ is the inner product of x with the normalised weights. They are normalised before the
        // sum, which is then a convex combination for positive weights, and cannot overflow.
        let shares: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let shares = self.device.store(&shares, (WHAT, self.rows))?;
        let means = self.products("inner_products", (&[Arg::Pointer(shares.address)], 1))?;
        self.shift_and_scale(1.0, means.buffer.address)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
