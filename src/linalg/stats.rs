//! Diagnostics of linear solves, and the names of the methods.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::saving::forms::Name;

/// Diagnostics of the worst column of a batched solve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SolveStats {
    /// Backward error ‖b − Ax‖∞ / (‖|A||x|‖∞ + ‖b‖∞), with every equation i divided by the row norm ‖Aᵢ‖₁.
    ///
    /// If the units of the unknowns differ by six decades or more, the unknowns are first rescaled to
    /// comparable units.
    pub residual: f64,
    /// Amplification ‖|A||x|‖∞ / ‖b‖∞, with the same scaling of the equations.
    ///
    /// The amplification is a lower bound of the condition number ‖|A||A⁻¹|‖∞, which does not depend on the units of
    /// the equations.
    pub amplification: f64,
    /// Number of iterations of the solve, 0 for direct methods.
    pub iterations: usize,
    /// Method that computed the solution.
    pub method: Method,
}

impl SolveStats {
    /// Combines two diagnostics into those of the worst column.
    ///
    /// The combined method is the one with more iterations. For equal numbers of iterations, it is the one
    /// that [`Method`] lists later.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        // Taking the maximum of every component is associative and commutative, so that a parallel reduction
        // gives the same diagnostics in any order.
        let slower = (self.iterations, self.method).max((other.iterations, other.method));
        Self {
            residual: self.residual.max(other.residual),
            amplification: self.amplification.max(other.amplification),
            iterations: slower.0,
            method: slower.1,
        }
    }

    /// Returns these diagnostics with `method` in place of their method.
    #[must_use]
    pub fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }
}

/// Method that solves linear systems. The variants are ordered by effort. `Display` writes the name of the
/// method.
///
/// ```
/// use pullback::{faer::mat, linalg::Method, Backend, Cpu, Operator, Side};
/// let cpu = Cpu::default();
/// let factor = cpu.factor(Operator::dense(mat![[2.0, 1.0], [0.0, 4.0]]))?;
/// let stats = factor.solve(Side::Plain, None, mat![[4.0], [8.0]].as_mut())?;
/// assert_eq!(stats.method, Method::DenseLu);
/// assert_eq!(stats.method.to_string(), "dense LU");
/// # Ok::<(), pullback::Error>(())
/// ```
#[non_exhaustive]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Method {
    /// Unknown method, because the backend does not report it.
    #[default]
    Unknown,
    /// No computation, because the matrix is the identity.
    Identity,
    /// Division by the diagonal.
    Diagonal,
    /// Cosine transforms, which diagonalise the matrix.
    CosineTransform,
    /// Cholesky factors of a dense matrix.
    DenseCholesky,
    /// LU factors of a dense matrix, with partial pivoting.
    DenseLu,
    /// Cholesky factors of a sparse matrix.
    SparseCholesky,
    /// LU factors of a sparse matrix, computed without pivoting on dense submatrices (fronts).
    MultifrontalLu,
    /// LU factors of a sparse matrix, with partial pivoting.
    SparseLu,
    /// Conjugate gradients, preconditioned by multigrid.
    MultigridConjugateGradients,
    /// Conjugate gradients, preconditioned by an incomplete factorisation.
    DiluConjugateGradients,
    /// BiCGSTAB, preconditioned by multigrid.
    MultigridBiCgStab,
    /// BiCGSTAB, preconditioned by an incomplete factorisation.
    DiluBiCgStab,
    /// Restarted GMRES, which needs only products with the matrix.
    Gmres,
    /// Method of another backend, given by its name.
    Named(#[serde(deserialize_with = "crate::saving::forms::name")] Name),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "an unknown method",
            Self::Identity => "the identity",
            Self::Diagonal => "division by the diagonal",
            Self::CosineTransform => "cosine transforms",
            Self::DenseCholesky => "dense Cholesky",
            Self::DenseLu => "dense LU",
            Self::SparseCholesky => "sparse Cholesky",
            Self::MultifrontalLu => "multifrontal LU",
            Self::SparseLu => "sparse LU",
            Self::MultigridConjugateGradients => "multigrid + conjugate gradients",
            Self::DiluConjugateGradients => "DILU + conjugate gradients",
            Self::MultigridBiCgStab => "multigrid + BiCGSTAB",
            Self::DiluBiCgStab => "DILU + BiCGSTAB",
            Self::Gmres => "restarted GMRES",
            Self::Named(name) => name,
        })
    }
}

/// Number of right-hand sides solved by one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solved {
    /// Method that solved the right-hand sides.
    pub method: Method,
    /// Number of right-hand sides that the method solved.
    pub columns: usize,
    /// Number of iterations of the slowest column, 0 for direct methods.
    pub iterations: usize,
}

impl Solved {
    /// Describes the method and its number of iterations.
    fn describe_method(&self) -> String {
        let by = format!("by {}", self.method);
        match self.iterations {
            0 => by,
            1 => format!("{by} (1 iteration)"),
            n => format!("{by} (up to {n} iterations)"),
        }
    }
}

impl fmt::Display for Solved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.columns, self.describe_method())
    }
}

/// Merges entries of the same method, and sorts by number of columns, largest first.
pub(crate) fn merge_solved(solved: impl IntoIterator<Item = Solved>) -> Vec<Solved> {
    let mut merged: Vec<Solved> = Vec::new();
    solved.into_iter().for_each(|one| add(&mut merged, one));
    merged.sort_by_key(|one| (std::cmp::Reverse(one.columns), one.method));
    merged
}

/// Adds `one` to the entry of the same method in `merged`, or appends it.
pub(crate) fn add(merged: &mut Vec<Solved>, one: Solved) {
    match merged.iter_mut().find(|all| all.method == one.method) {
        Some(all) => {
            all.columns += one.columns;
            all.iterations = all.iterations.max(one.iterations);
        }
        None => merged.push(one),
    }
}

/// Describes in one line how the linear systems of a run were solved. Returns `None` if there were none.
pub(crate) fn describe_solved(solved: &[Solved]) -> Option<String> {
    describe_purposes(&[("", solved)])
}

/// Describes in one line how groups of linear systems were solved. Each group comes with its purpose.
///
/// A purpose completes the phrase "right-hand sides …", such as "with the model" or "in the parameters".
pub(crate) fn describe_purposes(groups: &[(&str, &[Solved])]) -> Option<String> {
    let mut line = String::new();
    let all = groups
        .iter()
        .flat_map(|(purpose, solved)| solved.iter().map(move |one| (*purpose, one)));
    for (purpose, one) in all {
        let sides = match (line.is_empty(), one.columns) {
            (false, _) => "",
            (true, 1) => " right-hand side",
            (true, _) => " right-hand sides",
        };
        line += if line.is_empty() {
            "linear systems: "
        } else {
            ", "
        };
        let space = if purpose.is_empty() { "" } else { " " };
        line += &format!(
            "{}{sides}{space}{purpose} {}",
            one.columns,
            one.describe_method()
        );
    }
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_diagnostics_do_not_depend_on_the_order() {
        let stats = |iterations, method| SolveStats {
            iterations,
            ..SolveStats::default().by(method)
        };
        let (direct, slow) = (stats(0, Method::SparseLu), stats(9, Method::DiluBiCgStab));
        let quick = stats(3, Method::Gmres);
        for (a, b, worst) in [
            (direct, slow, slow),
            (quick, slow, slow),
            (SolveStats::default(), direct, direct),
        ] {
            assert_eq!((a.worst(b), b.worst(a)), (worst, worst));
        }
    }

    #[test]
    fn methods_are_listed_once_with_the_most_columns_first() {
        let solved = |method, columns, iterations| Solved {
            method,
            columns,
            iterations,
        };
        let merged = merge_solved([
            solved(Method::SparseLu, 4, 0),
            solved(Method::MultigridBiCgStab, 5, 7),
            solved(Method::MultigridBiCgStab, 6, 9),
        ]);
        assert_eq!(
            describe_solved(&merged).unwrap(),
            "linear systems: 11 right-hand sides by multigrid + BiCGSTAB (up to 9 iterations), 4 by sparse LU"
        );
        assert_eq!(describe_solved(&[]), None);
        let one = describe_solved(&[solved(Method::Gmres, 1, 1)]).unwrap();
        assert_eq!(
            one,
            "linear systems: 1 right-hand side by restarted GMRES (1 iteration)"
        );
    }

    #[test]
    fn purposes_are_named() {
        let solved = |method, columns| Solved {
            method,
            columns,
            iterations: 0,
        };
        let model = [
            solved(Method::MultifrontalLu, 358),
            solved(Method::SparseLu, 2),
        ];
        let prior = [solved(Method::SparseCholesky, 730)];
        let groups: [(&str, &[Solved]); 3] = [
            ("with the model", &model),
            ("with the metric", &[]),
            ("in the parameters", &prior),
        ];
        assert_eq!(
            describe_purposes(&groups).unwrap(),
            "linear systems: 358 right-hand sides with the model by multifrontal LU, 2 with the model by sparse LU, \
             730 in the parameters by sparse Cholesky"
        );
        assert_eq!(describe_purposes(&[("with the model", &[])]), None);
    }
}
