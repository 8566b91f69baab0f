//! Solves, and the reports of runs, say which method answered.

use std::sync::Arc;

use crate::support::Explicit;
use crate::support::runs::{line, misfit, only};
use crate::support::stencils::{Case, Kind, SIDES, cpu, lopsided, stencil};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Method, SolveStats, StencilSolver};
use pullback::loss::L2Misfit;
use pullback::metric::Wasserstein2;
use pullback::step::Fixed;
use pullback::{Backend, Cpu, Descent, Operator, Side, random};

fn stats(cpu: &Cpu, a: Operator<'_>, side: Side, columns: usize) -> SolveStats {
    let mut x = random::normal_matrix(a.nrows(), columns, 1);
    cpu.factor(a)
        .unwrap()
        .solve(side, None, x.as_mut())
        .unwrap()
}

fn sparse(kind: Kind) -> Operator<'static> {
    let case = Case::new(kind, &[17, 19]);
    let a = Operator::sparse(case.operator().to_sparse().unwrap());
    if case.definite {
        a.positive_definite()
    } else {
        a
    }
}

fn free() -> Operator<'static> {
    let product = |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
        out.copy_from(x);
        out *= faer::Scale(3.0);
    };
    Operator::free(9, 9, Box::new(product))
}

fn dense() -> Operator<'static> {
    Operator::dense(Mat::from_fn(9, 9, |i, j| if i == j { 2.0 } else { 0.1 }))
}

type Path = (fn() -> Operator<'static>, Method, &'static str);

/// Every path of an operator that is no stencil.
const PATHS: [Path; 9] = [
    (|| Operator::identity(4), Method::Identity, "the identity"),
    (
        || Operator::diagonal(vec![2.0; 4]),
        Method::Diagonal,
        "division by the diagonal",
    ),
    (dense, Method::DenseLu, "dense LU"),
    (
        || dense().positive_definite(),
        Method::DenseCholesky,
        "dense Cholesky",
    ),
    (|| lopsided(&[17, 19]), Method::SparseLu, "sparse LU"),
    (
        || sparse(Kind::Killed),
        Method::MultifrontalLu,
        "multifrontal LU",
    ),
    (
        || sparse(Kind::Pinned),
        Method::SparseCholesky,
        "sparse Cholesky",
    ),
    (free, Method::Gmres, "restarted GMRES"),
    (
        || Operator::repeated(dense(), 3),
        Method::DenseLu,
        "dense LU",
    ),
];

#[test]
fn every_path_says_its_name() {
    for (operator, method, name) in PATHS {
        assert_eq!(method.to_string(), name);
        for side in SIDES {
            assert_eq!(stats(&Cpu::default(), operator(), side, 20).method, method);
        }
    }
}

#[test]
fn stencils_say_what_was_chosen() {
    use StencilSolver::{Auto, Dilu, Direct, Multigrid};
    for (solver, kind, columns, method) in [
        (Direct, Kind::Pinned, 3, Method::SparseCholesky),
        (Dilu, Kind::Killed, 3, Method::DiluBiCgStab),
        (Dilu, Kind::Pinned, 3, Method::DiluConjugateGradients),
        (Multigrid, Kind::Gauged, 3, Method::MultigridBiCgStab),
        (
            Multigrid,
            Kind::Pinned,
            3,
            Method::MultigridConjugateGradients,
        ),
        (Auto, Kind::Killed, 3, Method::DiluBiCgStab),
        (Auto, Kind::Pinned, 3, Method::SparseCholesky),
    ] {
        let case = Case::new(kind, &[17, 19]);
        let found = stats(&cpu(solver), case.operator(), Side::Plain, columns);
        assert_eq!(found.method, method, "{solver:?} {}", case.name);
        assert_eq!(
            found.iterations > 0,
            found.method > Method::SparseLu,
            "{solver:?} {}",
            case.name
        );
    }
    // A factorisation of a general stencil, whichever it is.
    let case = Case::new(Kind::Gauged, &[17, 19]);
    for (solver, columns) in [(Direct, 1), (Auto, 40)] {
        let found = stats(&cpu(solver), case.operator(), Side::Transpose, columns);
        let lu = [Method::SparseLu, Method::MultifrontalLu];
        assert!(lu.contains(&found.method), "{:?}", found.method);
    }
}

/// The factors of such a plane take some 150 MB; nothing but memory decides.
#[test]
fn large_planes_are_factorised_where_there_is_memory() {
    let plane = Arc::new(stencil(Kind::Pinned, &[560, 560]));
    let operator = || Operator::stencil(Arc::clone(&plane)).positive_definite();
    for (limit, method) in [
        (1 << 30, Method::SparseCholesky),
        (120 << 20, Method::MultigridConjugateGradients),
        // The bound lets this try, and the analysis refuses.
        (123 << 20, Method::MultigridConjugateGradients),
    ] {
        let mut cpu = Cpu::default();
        cpu.memory = Some(limit);
        let found = stats(&cpu, operator(), Side::Plain, 1);
        assert_eq!(found.method, method, "{limit} bytes");
    }
}

#[test]
fn reports_list_the_methods_with_the_most_columns_first() {
    let (model, loss, start) = misfit();
    let metric = Wasserstein2::new(&line(15));
    // Short steps, on which the state stays a density.
    let short = Fixed { scale: 1e-3 };
    let descent = Descent::new(&model, &loss)
        .metric(&metric)
        .step(&short)
        .tolerances(only(2));
    let report = descent.run(&start, |_| ()).unwrap();
    assert!(report.solvers.len() > 1, "{report}");
    let columns: usize = report.solvers.iter().map(|one| one.columns).sum();
    let counts = &report.counts;
    let counted = counts.tangent_solves
        + counts.adjoint_solves
        + counts.newton_solves
        + counts.metric_solves
        + counts.system_solves;
    assert!(columns >= counted, "{columns} for {counts:?}");
    let sorted = report
        .solvers
        .is_sorted_by_key(|one| std::cmp::Reverse(one.columns));
    assert!(sorted, "{:?}", report.solvers);
    let text = report.to_string();
    // Grouped by what they were for: tangents, adjoints and Newton's, and what the metric lifts.
    let of_model = counts.tangent_solves + counts.adjoint_solves + counts.newton_solves;
    assert!(
        text.contains("right-hand sides with the model by dense LU"),
        "{text}"
    );
    let part = format!(", {} with the metric by ", counts.metric_solves);
    assert!(of_model > counts.metric_solves, "{counts:?}");
    assert!(text.contains(&part), "`{part}` is missing in:\n{text}");
}

#[test]
fn a_run_without_linear_systems_lists_none() {
    let model = Explicit(random::normal_matrix(6, 2, 1));
    let loss = L2Misfit::new(&line(6), vec![1.0; 6]).unwrap();
    let descent = Descent::new(&model, &loss).tolerances(only(1));
    let report = descent.run(&[3.0, 3.0], |_| ()).unwrap();
    assert!(report.solvers.is_empty(), "{report}");
    assert!(!report.to_string().contains("linear systems"), "{report}");
}

/// The size of a right-hand side says nothing about whether the Krylov space is invariant.
#[test]
fn gmres_takes_as_many_steps_whatever_the_size_of_the_right_hand_side() {
    let noise = random::normal_matrix(30, 30, 1);
    let matrix = Mat::from_fn(30, 30, |i, j| {
        noise[(i, j)] + if i == j { 20.0 } else { 0.0 }
    });
    let product = |side: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| match side {
        Side::Plain => out.copy_from(&matrix * x),
        Side::Transpose => out.copy_from(matrix.transpose() * x),
    };
    let (cpu, a) = (Cpu::default(), Operator::free(30, 30, Box::new(product)));
    let b = random::normal(30, 4, 0);
    let iterations = |scale: f64| {
        let mut x = Mat::from_fn(b.len(), 1, |i, _| scale * b[i]);
        let factor = cpu.factor(a.lend()).unwrap();
        factor
            .solve(Side::Plain, None, x.as_mut())
            .unwrap()
            .iterations
    };
    let steps = iterations(1.0);
    assert!(steps > 3, "{steps}");
    for scale in [1e-30, 1e20, 1e60] {
        assert_eq!(iterations(scale), steps, "{scale:e}");
    }
}
