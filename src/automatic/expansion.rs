//! Functions of several variables that are known by their values and derivatives.

use super::scalar::Scalar;

/// Point θ = θ₀ + δ, taken apart into the values θ₀ and the infinitesimal parts δ, which carry the derivatives.
///
/// [`Scalar::lookup`] applies a function of one variable that is known by its derivatives. An expansion does so for a function of
/// several variables, such as a vector field that computes its own derivatives. Like a lookup, it reads values without being
/// compared with differences.
pub(crate) struct Expansion<S> {
    values: Vec<f64>,
    infinitesimals: Vec<S>,
}

impl<S: Scalar> Expansion<S> {
    pub(crate) fn new(theta: &[S]) -> Self {
        let mut values = Vec::with_capacity(theta.len());
        // The function x ↦ x − θ₀ has the value 0, the slope 1 and no second derivative at θ₀.
        let infinitesimal = |x: &S| {
            x.lookup(|value| {
                values.push(value);
                [0.0, 1.0, 0.0]
            })
        };
        Self {
            infinitesimals: theta.iter().map(infinitesimal).collect(),
            values,
        }
    }

    /// Returns the values θ₀.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns f(θ) for a function with this value, these slopes ∂f/∂θᵢ and these second derivatives ∂²f/∂θᵢ∂θⱼ at θ₀.
    ///
    /// Slopes are not asked for by an `f64`, and second derivatives only by numbers that carry them.
    pub(crate) fn function(
        &self,
        value: f64,
        slope: impl Fn(usize) -> f64,
        bend: impl Fn(usize, usize) -> f64,
    ) -> S {
        if S::ORDER == 0 {
            return S::from(value);
        }
        // f(θ₀ + δ) = f + Σᵢ fᵢδᵢ + ½ Σᵢⱼ fᵢⱼδᵢδⱼ. Products of three infinitesimals are 0, and of two if only first derivatives
        // are carried.
        let parts = self.infinitesimals.iter().enumerate();
        let mut out = parts.map(|(i, d)| *d * slope(i)).sum::<S>() + value;
        if S::ORDER > 1 {
            for (i, d) in self.infinitesimals.iter().enumerate() {
                for (j, e) in self.infinitesimals[..i].iter().enumerate() {
                    out += *d * *e * bend(i, j);
                }
                out += *d * *d * (0.5 * bend(i, i));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::super::{Curve, Formula};
    use super::*;
    use crate::model::{Model, Variation};

    /// y = (f, x f²) with f = x² y + sin(x + y), by its derivatives or written out.
    struct Product {
        expanded: bool,
    }

    impl Formula for Product {
        fn dims(&self) -> (usize, usize) {
            (2, 2)
        }

        fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
            let f = if self.expanded {
                let at = Expansion::new(theta);
                let [x, y] = [at.values()[0], at.values()[1]];
                let (sine, cosine) = (x + y).sin_cos();
                let slopes = [2.0 * x * y + cosine, x * x + cosine];
                let bends = [[2.0 * y - sine, 2.0 * x - sine], [2.0 * x - sine, -sine]];
                at.function(x * x * y + sine, |i| slopes[i], |i, j| bends[i][j])
            } else {
                theta[0] * theta[0] * theta[1] + (theta[0] + theta[1]).sin()
            };
            out[0] = f;
            out[1] = theta[0] * f * f;
        }
    }

    #[test]
    fn expansions_have_the_derivatives_of_what_they_expand() {
        let [expanded, plain] = [true, false].map(|expanded| Curve::new(Product { expanded }));
        let theta = [0.7, -1.3];
        let rho = plain.predict(&theta).unwrap();
        assert_eq!(expanded.predict(&theta).unwrap(), rho);
        // A value read without its derivative would be an error here.
        expanded.trace(&theta).unwrap();
        let slopes = |curve: &Curve<Product>| {
            let [along, mut out] = [vec![0.3, -0.8], vec![0.0; 2]];
            let jacobian = curve.param_jacobian(&rho, &theta);
            jacobian.multiply(crate::linalg::Side::Plain, &along, &mut out);
            out
        };
        let bends = |curve: &Curve<Product>| {
            let zero = Mat::zeros(2, 2);
            let directions = Mat::from_fn(2, 2, |i, j| [[0.3, 1.1], [-0.8, 0.4]][i][j]);
            let along = Variation {
                lambda: &[0.9, -0.5],
                rho: zero.as_ref(),
                theta: directions.as_ref(),
            };
            let [_, by_theta] = curve.second_derivative(&rho, &theta, &along).unwrap();
            (0..2)
                .flat_map(|j| by_theta.col_as_slice(j).to_vec())
                .collect::<Vec<_>>()
        };
        let first = slopes(&expanded).into_iter().zip(slopes(&plain));
        let second = bends(&expanded).into_iter().zip(bends(&plain));
        for (a, b) in first.chain(second) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
    }
}
