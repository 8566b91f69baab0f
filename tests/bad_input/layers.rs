//! Kronecker factors of a user's model that do not fit, and saved ones.

use crate::network::network;
use crate::support::bad::{check, row};
use pullback::direction::{Kfac, Remembered};
use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::loss::Softmax;
use pullback::model::adjoint::{Kronecker, Sensitivity};
use pullback::models::Network;
use pullback::{Backend, Descent, Direction, Model, Operator, Result};

/// A network whose factors are passed through a map.
struct Altered<F>(Network, F);

impl<F: Fn(&mut Vec<Kronecker>) + Sync> Model for Altered<F> {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.0.residual(rho, theta, out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.param_jacobian(rho, theta)
    }
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let own = self.0.linearise(rho, theta, backend)?;
        Ok(Box::new(AlteredSensitivity(own, &self.1)))
    }
}

struct AlteredSensitivity<'a, F>(Box<dyn Sensitivity + 'a>, &'a F);

impl<F: Fn(&mut Vec<Kronecker>) + Sync> Sensitivity for AlteredSensitivity<'_, F> {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.0.tangent(v)
    }
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        self.0.adjoint(w)
    }
    fn kronecker(&self, w: MatRef<'_, f64>) -> Result<Option<Vec<Kronecker>>> {
        let mut factors = self.0.kronecker(w)?;
        factors.iter_mut().for_each(self.1);
        Ok(factors)
    }
}

#[test]
fn factors_of_a_model() {
    let theta = network().initial(1);
    let with = |alter: fn(&mut Vec<Kronecker>)| {
        let model = Altered(network(), alter);
        let loss = Softmax::new(2, vec![0, 1, 0, 1, 0, 1])?;
        let kfac = Kfac::default();
        let descent = Descent::new(&model, &loss).direction(&kfac);
        descent.propose(&theta, 0.0).map(drop)
    };
    with(|_| ()).unwrap();
    check(vec![
        row(
            "a layer too few",
            "Dimension",
            "parameters of all layers",
            || with(|layers| drop(layers.pop())),
        ),
        row("no layers", "Dimension", "parameters of all layers", || {
            with(Vec::clear)
        }),
        row(
            "layers in another order",
            "Dimension",
            "first parameter",
            || with(|layers| layers.swap(0, 1)),
        ),
        row("a layer twice", "Dimension", "first parameter", || {
            with(|layers| layers[1] = layers[0].clone())
        }),
        row(
            "a factor that is not square",
            "Dimension",
            "factor A",
            || with(|layers| layers[0].right = Mat::zeros(3, 2)),
        ),
        row("another one", "Dimension", "factor B", || {
            with(|layers| layers[1].left = Mat::zeros(2, 3))
        }),
        row(
            "a factor of another size",
            "Dimension",
            "factors A and B",
            || with(|layers| layers[1].left = Mat::zeros(3, 3)),
        ),
        row("a factor NaN", "NotFinite", "factor of a layer", || {
            with(|layers| layers[1].left[(0, 0)] = f64::NAN)
        }),
    ]);
}

#[test]
fn saved_factors() {
    let kfac = Kfac::default();
    // A start, the sizes of A and B, and their entries.
    type Parts = (usize, [usize; 2], [Vec<f64>; 2]);
    let recall = |parts: Parts| {
        let memory = Remembered::new(&(1_usize, vec![parts]))?;
        kfac.begin().recall(&memory)
    };
    recall((0, [1, 2], [vec![1.0], vec![1.0; 4]])).unwrap();
    check(vec![
        row("too few entries of A", "Dimension", "saved factor", || {
            recall((0, [2, 1], [vec![1.0; 3], vec![1.0]]))
        }),
        row("too many entries of B", "Dimension", "saved factor", || {
            recall((0, [1, 1], [vec![1.0], vec![1.0; 2]]))
        }),
        row("sizes that overflow", "Dimension", "saved factor", || {
            recall((usize::MAX, [usize::MAX; 2], [vec![], vec![]]))
        }),
    ]);
}
