//! Models and metrics that contradict themselves are noticed where a run would use them, and by `verify`.

use crate::support::bad::{check, row};
use pullback::direction::{ConjugateGradient, Information, LeastSquares};
use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::loss::L2Misfit;
use pullback::metric::{LocalForm, Root};
use pullback::model::adjoint::{Sensitivity, explicit_jacobian};
use pullback::prior::Tikhonov;
use pullback::{
    Backend, Bounds, Descent, Direction, Metric, Model, Noise, Operator, Report, Result, random,
    verify,
};

const K: usize = 12;
const P: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Adjoints have the wrong sign.
    Sign,
    /// Adjoints are not finite.
    Nan,
    /// Columns of an adjoint batch after the first are zero.
    AdjointBatch,
    /// Columns of a tangent batch after the first are doubled.
    TangentBatch,
}

/// ρ = B θ + ½ (B θ)² with a sensitivity of its own.
struct Quadratic {
    b: Mat<f64>,
    fault: Fault,
}

impl Quadratic {
    fn new(fault: Fault) -> Self {
        let b = random::normal_matrix(K, P, 5);
        Self { b, fault }
    }

    fn linear(&self, theta: &[f64]) -> Vec<f64> {
        let row = |i: usize| (0..P).map(|j| self.b[(i, j)] * theta[j]).sum();
        (0..K).map(row).collect()
    }
}

struct Products {
    z: Mat<f64>,
    fault: Fault,
}

impl Sensitivity for Products {
    fn state_dim(&self) -> usize {
        K
    }
    fn param_dim(&self) -> usize {
        P
    }
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = &self.z * v;
        if self.fault == Fault::TangentBatch {
            (1..v.ncols()).for_each(|j| (0..K).for_each(|i| out[(i, j)] *= 2.0));
        }
        Ok(out)
    }
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let mut out = self.z.transpose() * w.fetch()?;
        for j in 0..out.ncols() {
            out.col_as_slice_mut(j)
                .iter_mut()
                .for_each(|g| match self.fault {
                    Fault::Sign => *g = -*g,
                    Fault::Nan => *g = f64::NAN,
                    Fault::AdjointBatch if j > 0 => *g = 0.0,
                    _ => {}
                });
        }
        Ok(out)
    }
}

impl Model for Quadratic {
    fn state_dim(&self) -> usize {
        K
    }
    fn param_dim(&self) -> usize {
        P
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        for ((g, r), x) in out.iter_mut().zip(rho).zip(self.linear(theta)) {
            *g = r - x - 0.5 * x * x;
        }
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(K)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        explicit_jacobian(self.linearise(rho, theta, pullback::Cpu::shared()).unwrap())
    }
    fn linearise<'a>(
        &'a self,
        _: &'a [f64],
        theta: &'a [f64],
        _: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let x = self.linear(theta);
        let z = Mat::from_fn(K, P, |i, j| self.b[(i, j)] * (1.0 + x[i]));
        Ok(Box::new(Products {
            z,
            fault: self.fault,
        }))
    }
}

fn fit(fault: Fault, direction: &dyn Direction) -> Result<Report> {
    let model = Quadratic::new(fault);
    let data = random::normal(K, 8, 0)
        .iter()
        .map(|x| 0.3 + 0.1 * x)
        .collect();
    let loss = L2Misfit::euclidean(data)?;
    let bounds = Bounds::new(vec![-1.0; P], vec![0.35; P])?;
    let prior = Tikhonov::new(vec![0.1; P], Noise::uniform(P, 5.0)?)?;
    let descent = Descent::new(&model, &loss).direction(direction);
    descent
        .bounds(&bounds)
        .prior(&prior)
        .run(&[0.35, 0.1, 0.2], |_| ())
}

#[test]
fn runs_notice_an_adjoint_that_contradicts_the_tangent() {
    let directions: [&dyn Direction; 3] = [
        &LeastSquares::default(),
        &Information::default(),
        &ConjugateGradient::default(),
    ];
    for direction in directions {
        let name = direction.name();
        assert!(fit(Fault::None, direction).unwrap().converged(), "{name}");
        let error = fit(Fault::Sign, direction).unwrap_err();
        assert_eq!(error.kind(), "NotAdjoint", "{name}: {error}");
        assert!(error.to_string().contains("verify::model"), "{error}");
        let error = fit(Fault::Nan, direction).unwrap_err();
        assert!(
            error.to_string().contains("the gradient Zᵀ ∂f/∂ρ"),
            "{name}: {error}"
        );
    }
}

#[test]
fn verification_compares_batches_with_their_columns() {
    let verified = |fault| verify::model(&Quadratic::new(fault), &[0.3, 0.1, 0.2], 1).unwrap();
    let report = verified(Fault::None);
    assert!(report.passed(), "{report}");
    for fault in [Fault::AdjointBatch, Fault::TangentBatch] {
        let report = verified(fault);
        let failed: Vec<_> = report.failures().map(|check| check.name).collect();
        assert_eq!(failed, ["Z V and ZᵀW, column by column"], "{report}");
    }
}

/// M = 4 I, with a fault in one of its products.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    Dim,
    LiftRows,
    LiftColumns,
    Lower,
    DualLength,
    DualNan,
    LocalForm,
}

struct Twice(Wrong);

impl Metric for Twice {
    fn at<'a>(&'a self, _: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        Ok(Box::new(TwiceRoot(self.0)))
    }
    fn name(&self) -> &'static str {
        "twice"
    }
}

struct TwiceRoot(Wrong);

impl Root for TwiceRoot {
    fn dim(&self) -> usize {
        if self.0 == Wrong::Dim { K - 1 } else { K }
    }
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let (rows, columns) = match self.0 {
            Wrong::LiftRows => (K - 1, z.ncols()),
            Wrong::LiftColumns => (K, z.ncols() + 1),
            _ => (K, z.ncols()),
        };
        Ok(Mat::from_fn(rows, columns, |i, j| {
            2.0 * z[(i, j.min(z.ncols() - 1))]
        }))
    }
    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let rows = if self.0 == Wrong::Lower { K + 1 } else { K };
        Ok(Mat::from_fn(rows, y.ncols(), |i, j| {
            2.0 * y[(i.min(K - 1), j)]
        }))
    }
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        let length = if self.0 == Wrong::DualLength {
            K - 1
        } else {
            K
        };
        let scale = if self.0 == Wrong::DualNan {
            f64::NAN
        } else {
            0.5
        };
        Ok(c[..length].iter().map(|c| scale * c).collect())
    }
    fn local_form(&self) -> Option<LocalForm> {
        let factor = if self.0 == Wrong::LocalForm { 8.0 } else { 4.0 };
        let form = Operator::diagonal(vec![factor; K]).to_sparse()?;
        Some(LocalForm::Metric(form))
    }
}

#[test]
fn metrics_of_the_wrong_shape_are_named() {
    let rho = random::uniform(K, (0.5, 1.5), 3);
    let verified = |wrong| verify::metric(&Twice(wrong), &rho, 1);
    assert!(verified(Wrong::Nothing).unwrap().passed());
    let run = |wrong| {
        let (model, metric) = (Quadratic::new(Fault::None), Twice(wrong));
        let loss = L2Misfit::euclidean(vec![0.3; K])?;
        Descent::new(&model, &loss)
            .metric(&metric)
            .run(&[0.1; P], |_| ())
    };
    assert!(run(Wrong::Nothing).unwrap().converged());
    let shape = |wrong, says| row("a run", "MetricShape", says, move || run(wrong));
    let verify = |wrong, says| row("verify", "MetricShape", says, move || verified(wrong));
    check(vec![
        shape(Wrong::Dim, "metric `twice`: a tangent"),
        shape(Wrong::LiftRows, "`lift`"),
        shape(Wrong::LiftColumns, "columns"),
        shape(Wrong::DualLength, "`dual`"),
        row("NaN", "MetricValue", "metric `twice`", move || {
            run(Wrong::DualNan)
        }),
        verify(Wrong::Dim, "metric `twice`: a tangent"),
        verify(Wrong::LiftRows, "`lift`"),
        verify(Wrong::LiftColumns, "columns"),
        verify(Wrong::Lower, "a covector from"),
    ]);
    for wrong in [Wrong::DualLength, Wrong::LocalForm] {
        let report = verified(wrong).unwrap();
        assert!(!report.passed(), "{report}");
    }
    let report = verified(Wrong::LocalForm).unwrap();
    let failed: Vec<_> = report.failures().map(|check| check.name).collect();
    assert_eq!(failed, ["local_form represents M"], "{report}");
}

/// Where the state is zero, every entry is as small as rounding, but a wrong adjoint is still a wrong adjoint.
#[test]
fn a_wrong_adjoint_is_not_mistaken_for_rounding() {
    let model = Quadratic::new(Fault::Sign);
    let loss = L2Misfit::euclidean(vec![1.0; K]).unwrap();
    let descent = Descent::new(&model, &loss);
    let error = descent.run(&[0.0; P], |_| ()).unwrap_err();
    assert_eq!(error.kind(), "NotAdjoint", "{error}");
}
