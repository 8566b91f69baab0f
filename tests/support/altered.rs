//! Models with one Jacobian changed.

use pullback::faer::linalg::matmul::matmul;
use pullback::faer::{Accum, Mat, MatMut, MatRef, Par};
use pullback::model::Equations;
use pullback::{Model, Operator, Side};

/// The model with its Jacobians, as dense matrices, passed through these maps.
pub(crate) fn altered<'m, M: Model>(
    model: &'m M,
    state: impl Fn(Mat<f64>) -> Operator<'static> + Sync + 'm,
    param: impl Fn(Mat<f64>) -> Operator<'static> + Sync + 'm,
) -> impl Model + 'm {
    Equations::new(
        (model.state_dim(), model.param_dim()),
        |rho, theta, g| model.residual(rho, theta, g),
        move |rho, theta| state(model.state_jacobian(rho, theta).to_dense()),
        move |rho, theta| param(model.param_jacobian(rho, theta).to_dense()),
    )
}

/// A matrix known by its products alone. They take one thread, so that results do not depend on the number of threads.
pub(crate) fn products(a: Mat<f64>) -> Operator<'static> {
    let (rows, columns) = a.shape();
    let product = move |side: Side, x: MatRef<'_, f64>, out: MatMut<'_, f64>| {
        let a = match side {
            Side::Plain => a.as_ref(),
            Side::Transpose => a.transpose(),
        };
        matmul(out, Accum::Replace, a, x, 1.0, Par::Seq);
    };
    Operator::free(rows, columns, Box::new(product))
}
