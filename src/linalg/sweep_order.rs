//! Order of the sweeps of multigrid cycles on a GPU, and the estimated time of iterations with them.

use super::cpu::stencil::multigrid::COARSEST;

/// Order in which the sweeps of a multigrid cycle on a GPU visit the cells of a box.
///
/// Cells that are updated at the same time share one kernel launch, of about 1.5 µs. A sweep over n×n×n cells from a
/// corner takes 3n − 2 launches, and a red-black sweep takes two.
///
/// The order is a setting of [`Cuda`](crate::linalg::Cuda). It has no effect on sparse matrices. On the CPU, all
/// sweeps start from corners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SweepOrder {
    /// The order that is estimated to be faster: [`RedBlack`](Self::RedBlack) for few columns,
    /// [`Corners`](Self::Corners) for many. On 128³ cells and fewer, every number of columns counts as few, and on 256³
    /// cells up to 19 columns do, or every number if the matrix is positive definite.
    ///
    /// A red-black iteration that takes more than 200 products with the matrix is abandoned, and its columns are
    /// solved with sweeps from the corners.
    #[default]
    Auto,
    /// Sweeps from the corners of the box, as on the CPU: some sweep follows a flow in any direction.
    Corners,
    /// Sweeps over the cells whose indices have an even sum and then over the others, or conversely. General matrices
    /// need 1.2 to 2 times as many iterations as with sweeps from the corners. Positive definite ones need as many.
    RedBlack,
}

/// Order of the sweeps of one solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Corners,
    RedBlack,
}

/// Number of iterations of a typical iterative solve.
// With multigrid, general matrices take 9 to 18 iterations on 64³ and 128³ cells (benches/RESULTS.md). All estimates
// are proportional to this number, except for the transfer to the device and its preparation.
pub(crate) const STEPS: f64 = 12.0;
/// Time to launch a kernel, in seconds.
const LAUNCH: f64 = 1.5e-6;
/// Bandwidth of the memory of the device, in bytes per second.
const BANDWIDTH: f64 = 4e12;
/// Bytes per cell and column that a sweep from a corner transfers: a sweep reads b and x and writes x.
const OF_VECTORS: f64 = 24.0;
/// Bytes per cell that a sweep from a corner transfers for any number of columns: six couplings and a reciprocal.
const OF_COEFFICIENTS: f64 = 56.0;
/// Number of columns from which the entries of a cell fill a memory transaction of 32 bytes.
const FILLING: usize = 4;
/// Kernels of a cycle on one level besides its sweeps: clearing, restriction and prolongation.
const BETWEEN: f64 = 3.0;

/// Shapes of the levels of a multigrid hierarchy whose sides are halved from one to the next, from the finest to the
/// last one with more than `coarsest` cells.
pub(crate) fn levels(shape: [usize; 3], coarsest: usize) -> impl Iterator<Item = [usize; 3]> {
    let halved = |shape: &[usize; 3]| Some(shape.map(|n| n.div_ceil(2)));
    let is_fine = move |shape: &[usize; 3]| shape.iter().product::<usize>() > coarsest;
    std::iter::successors(Some(shape), halved).take_while(is_fine)
}

/// Operation counts of an iteration with a stencil, from which its run time on a device is estimated.
pub(crate) struct Estimate {
    pub(crate) cells: f64,
    /// Number of hyperplanes of a sweep from a corner, summed over all levels.
    planes: f64,
    levels: f64,
    definite: bool,
}

/// Work of one iteration: cycles, sweeps in all of them, and memory traffic in units of one sweep.
struct Step {
    cycles: f64,
    sweeps: f64,
    passes: f64,
    /// Number of iterations relative to sweeps from the corners.
    steps: f64,
}

impl Estimate {
    pub(crate) fn of(shape: [usize; 3], definite: bool) -> Self {
        // A sweep over n₁×n₂×n₃ cells has n₁ + n₂ + n₃ − 2 hyperplanes.
        let planes = |shape: [usize; 3]| shape.iter().sum::<usize>() - 2;
        Self {
            cells: shape.iter().product::<usize>() as f64,
            planes: levels(shape, COARSEST).map(planes).sum::<usize>() as f64,
            levels: levels(shape, COARSEST).count() as f64,
            definite,
        }
    }

    fn step(&self, order: Order) -> Step {
        // Conjugate gradients apply one cycle per iteration, of 2 + 2 sweeps. BiCGSTAB applies two cycles of 4 + 4 sweeps.
        // Residuals, products and vector updates add the traffic of four sweeps to those of conjugate gradients. Next to
        // the sixteen sweeps of BiCGSTAB they are neglected.
        //
        // The relative numbers of iterations are those of the Lorenz generator and of its weighted Laplacian, whose
        // density spans eight decades, on 64³ cells (benches/RESULTS.md). On smaller grids they are nearer to 1.
        let (cycles, sweeps, passes, steps) = match (self.definite, order) {
            (true, _) => (1.0, 4.0, 8.0, 1.0),
            (false, Order::Corners) => (2.0, 16.0, 16.0, 1.0),
            (false, Order::RedBlack) => (2.0, 16.0, 16.0, 1.8),
        };
        Step {
            cycles,
            sweeps,
            passes,
            steps,
        }
    }

    /// Returns the memory traffic of an iteration with sweeps from the corners, in units of one sweep.
    pub(crate) fn passes(&self) -> f64 {
        self.step(Order::Corners).passes
    }

    /// Estimates the time of a solve with this number of columns on a device, in seconds.
    pub(crate) fn seconds(&self, columns: usize, order: Order) -> f64 {
        let step = self.step(order);
        let launches = match order {
            Order::Corners => step.sweeps * self.planes,
            Order::RedBlack => self.levels * (2.0 * step.sweeps + BETWEEN * step.cycles),
        };
        // The cells of a colour alternate with the others. Both halves of a red-black sweep therefore transfer all
        // coefficients, and all vectors too unless the columns of a cell fill whole transactions.
        let (of_vectors, of_coefficients) = match order {
            Order::Corners => (OF_VECTORS, OF_COEFFICIENTS),
            Order::RedBlack if columns < FILLING => (2.0 * OF_VECTORS, 2.0 * OF_COEFFICIENTS),
            Order::RedBlack => (OF_VECTORS, 2.0 * OF_COEFFICIENTS),
        };
        let bytes = step.passes * self.cells * (of_vectors * columns as f64 + of_coefficients);
        step.steps * STEPS * (launches * LAUNCH + bytes / BANDWIDTH)
    }

    /// Returns the order that is estimated to be faster for this number of columns.
    pub(crate) fn faster(&self, columns: usize) -> Order {
        // For n³ cells and a general matrix, launches take 12·16·6n·1.5 µs = 1.7n ms with sweeps from corners, and
        // about 6 ms with red-black sweeps at any n. The traffic of m columns takes 12·16·n³·(24m + 56)/(4·10¹²) s, and
        // up to 3.6 times as long with red-black sweeps. It grows faster with n than the number of launches.
        let [corners, colours] =
            [Order::Corners, Order::RedBlack].map(|order| self.seconds(columns, order));
        if colours < corners {
            Order::RedBlack
        } else {
            Order::Corners
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_columns_are_swept_by_colours_and_many_from_corners() {
        let order = |n, definite, columns| Estimate::of([n; 3], definite).faster(columns);
        for n in [16, 64, 128] {
            assert_eq!(order(n, false, 1), Order::RedBlack, "{n}");
        }
        assert_eq!(order(128, false, 64), Order::RedBlack);
        assert_eq!(order(256, false, 19), Order::RedBlack);
        assert_eq!(order(256, false, 21), Order::Corners);
        assert_eq!(order(512, false, 1), Order::Corners);
        assert_eq!(order(256, true, 64), Order::RedBlack);
        // A single level is solved by a dense inverse, without sweeps.
        assert_eq!(order(5, false, 1), Order::Corners);
    }
}
