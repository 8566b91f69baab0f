//! Restarted GMRES for matrix-free operators (Saad & Schultz 1986).

mod rotations;

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{ColMut, ColRef, MatMut, MatRef};
use rayon::prelude::*;

use self::rotations::RotatedColumns;
use crate::error::{Error, Result};
use crate::linalg::memory::Account;
use crate::linalg::operator::{Operator, Side};
use crate::linalg::pool::{Pool, at_once};
use crate::linalg::{Factor, Method, SolveStats, check_batch, check_guess};
use crate::vector::{dot, norm};

/// Number of Arnoldi steps between restarts.
// Step j of a cycle orthogonalises against j vectors. With n unknowns, 60 steps therefore cost 60 products,
// about 60²·2n operations, and 61 vectors. Without restarts, the memory and the cost of a step would grow
// with the number of steps.
const RESTART: usize = 60;

/// Restarted GMRES solver for one operator, with its tolerance and limits.
pub(crate) struct Gmres<'a> {
    pub(crate) operator: Operator<'a>,
    pub(crate) tolerance: f64,
    pub(crate) products: usize,
    pub(crate) workspaces: Pool<Workspace>,
    pub(crate) account: Account,
}

/// Workspace for the solve of one column.
pub(crate) struct Workspace {
    b: Vec<f64>,
    x: Vec<f64>,
    r: Vec<f64>,
    /// Basis of the Krylov space, vector after vector, followed by the product of A with the last vector.
    basis: Vec<f64>,
    least_squares: RotatedColumns,
}

impl Workspace {
    /// Allocates a workspace of zeros. The operating system provides memory pages only when they are first
    /// written, so that columns which converge early cost little.
    fn new(rows: usize) -> Self {
        let zeros = |n: usize| vec![0.0; n];
        Self {
            b: zeros(rows),
            x: zeros(rows),
            r: zeros(rows),
            basis: zeros(rows * (RESTART + 1)),
            least_squares: RotatedColumns::new(RESTART),
        }
    }
}

impl Factor for Gmres<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        check_guess(guess, batch.rb())?;
        let make = || self.allocate();
        let solve = |(j, column): (usize, MatMut<'_, f64>)| {
            let guess = guess.map(|guess| guess.col(j));
            self.workspaces.try_with(
                |_| true,
                make,
                |workspace| self.solve_column(workspace, side, guess, column.col_mut(0)),
            )
        };
        let count = at_once(batch.ncols());
        let stats = if self.workspaces.reserve(count, |_| true, make).is_ok() {
            let columns = batch.par_col_chunks_mut(1).enumerate();
            columns
                .map(solve)
                .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
        } else {
            // Solve one column after another, so that the outcome does not depend on the number of threads.
            (0..batch.ncols()).try_fold(SolveStats::default(), |all, j| {
                Ok(all.worst(solve((j, batch.rb_mut().subcols_mut(j, 1)))?))
            })
        };
        stats.map(|stats| stats.by(Method::Gmres))
    }
}

impl Gmres<'_> {
    fn solve_column(
        &self,
        workspace: &mut Workspace,
        side: Side,
        guess: Option<ColRef<'_, f64>>,
        mut column: ColMut<'_, f64>,
    ) -> Result<SolveStats> {
        for (b, c) in workspace.b.iter_mut().zip(column.rb().iter()) {
            *b = *c;
        }
        self.start(side, workspace, guess);
        let norm_b = norm(&workspace.b);
        let tolerance = self.tolerance * norm_b;
        let (mut spent, mut last) = (0, f64::INFINITY);
        // Comparisons with NaN are false, so that a residual that is NaN does not count as small.
        while !small(&workspace.r, tolerance) {
            // The residual of GMRES never grows from cycle to cycle. If a whole cycle reduces it by less than 1 %, the
            // next one will hardly do better.
            if spent >= self.products || !small(&workspace.r, 0.99 * last) {
                return Err(Error::Stagnation {
                    solver: "GMRES",
                    iterations: spent,
                    residual: norm(&workspace.r) / norm_b,
                });
            }
            // The next cycle must start from the true residual, because rounding errors make it differ from
            // the residual of the least-squares problem.
            last = norm(&workspace.r);
            spent += self.cycle(side, workspace, tolerance);
            self.residual(side, workspace);
        }
        let solution = column.rb_mut().iter_mut().zip(&workspace.x);
        solution.for_each(|(c, x)| *c = *x);
        let relative = if norm_b > 0.0 {
            norm(&workspace.r) / norm_b
        } else {
            0.0
        };
        Ok(SolveStats {
            residual: relative,
            amplification: 0.0,
            iterations: spent,
            ..SolveStats::default()
        })
    }

    /// Sets x to the guess if the norm of its residual is less than that of b, and to zero otherwise.
    /// Computes r ← b − A x.
    fn start(&self, side: Side, workspace: &mut Workspace, guess: Option<ColRef<'_, f64>>) {
        if let Some(guess) = guess {
            let pairs = workspace.x.iter_mut().zip(guess.iter());
            pairs.for_each(|(x, g)| *x = *g);
            self.residual(side, workspace);
            if norm(&workspace.r) < norm(&workspace.b) {
                return;
            }
        }
        workspace.x.fill(0.0);
        workspace.r.copy_from_slice(&workspace.b);
    }

    /// Computes r ← b − A x.
    fn residual(&self, side: Side, workspace: &mut Workspace) {
        self.product(side, &workspace.x, &mut workspace.r);
        for (r, b) in workspace.r.iter_mut().zip(&workspace.b) {
            *r = b - *r;
        }
    }

    /// Allocates a workspace within the budget.
    fn allocate(&self) -> Result<Workspace> {
        let rows = self.operator.nrows();
        // b, x, r and RESTART + 1 vectors of the basis.
        let bytes = rows * (RESTART + 4) * size_of::<f64>();
        self.account.take("GMRES", rows, bytes)?;
        Ok(Workspace::new(rows))
    }

    /// Performs one cycle: adds to x the correction d that minimises ‖r − A d‖ over the Krylov space.
    ///
    /// Ends early when the residual is at most `enough`. Returns the number of steps.
    fn cycle(&self, side: Side, workspace: &mut Workspace, enough: f64) -> usize {
        let Workspace {
            x,
            r,
            basis,
            least_squares,
            ..
        } = workspace;
        // Arnoldi's relation is A V_m = V_{m+1} H with orthonormal columns v₁ = r/β, v₂, … of V and a Hessenberg
        // matrix H. For d = V_m y it gives ‖r − A d‖ = ‖V_{m+1} (β e₁ − H y)‖ = ‖β e₁ − H y‖, a small least-squares
        // problem.
        let (beta, rows) = (norm(r), r.len());
        least_squares.begin(beta);
        let scaled = |(v, r): (&mut f64, &f64)| *v = r * (1.0 / beta);
        basis.iter_mut().zip(&*r).for_each(scaled);
        while least_squares.len() < RESTART && least_squares.residual() > enough {
            let (vectors, rest) = basis.split_at_mut((least_squares.len() + 1) * rows);
            let w = &mut rest[..rows];
            self.product(side, &vectors[vectors.len() - rows..], w);
            let image = norm(w);
            // Modified Gram-Schmidt: h_ij = ⟨v_i, w⟩, w ← w − h_ij v_i, and h_{j+1,j} = ‖w‖ of the remainder
            // w.
            let h = least_squares.column();
            for (v, h) in vectors.chunks_exact(rows).zip(&mut *h) {
                let c = dot(v, w);
                w.iter_mut().zip(v).for_each(|(w, v)| *w -= c * v);
                *h = c;
            }
            // A single pass loses orthogonality in proportion to ε and the condition number of the Krylov
            // vectors. GMRES tolerates this: with modified Gram-Schmidt it is backward stable (Paige,
            // Rozložník and Strakoš, SIAM J. Matrix Anal. Appl. 28, 2006). The true residual is computed
            // after every cycle anyway.
            let next = norm(w);
            h[vectors.len() / rows] = next;
            least_squares.rotate();
            // Only rounding errors are left of A v_j: the Krylov space is invariant, and contains the
            // solution unless A is singular.
            if next <= f64::EPSILON * image {
                break;
            }
            w.iter_mut().for_each(|w| *w *= 1.0 / next);
        }
        let y = least_squares.solve();
        for (v, y) in basis.chunks_exact(rows).zip(y) {
            x.iter_mut().zip(v).for_each(|(x, v)| *x += y * v);
        }
        y.len()
    }

    fn product(&self, side: Side, x: &[f64], out: &mut [f64]) {
        let rows = x.len();
        self.operator.apply_into(
            side,
            MatRef::from_column_major_slice(x, rows, 1),
            MatMut::from_column_major_slice_mut(out, rows, 1),
        );
    }
}

/// Returns whether ‖r‖ is at most the bound; false for NaN.
fn small(r: &[f64], bound: f64) -> bool {
    norm(r) <= bound
}
