//! What a verification says about a derivative that is hardly wrong.

use pullback::faer::mat;
use pullback::{Model, Operator, verify};

/// ρ = θ + θ³, with ∂g/∂θ too large by a fraction.
struct Off(f64);

impl Model for Off {
    fn state_dim(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        out[0] = rho[0] - theta[0] - theta[0].powi(3);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(1)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let exact = -1.0 - 3.0 * theta[0].powi(2);
        Operator::dense(mat![[exact * (1.0 + self.0)]])
    }
}

#[test]
fn a_small_error_is_told_in_digits_that_show_it() {
    for (off, said) in [
        (
            3.2e-5,
            "claimed is 1.000032 times the difference, a relative error of 3.2e-5",
        ),
        (
            -0.01,
            "claimed is 0.9900 times the difference, a relative error of 1.0e-2",
        ),
        (1.5, "claimed is 2.5000 times the difference\n"),
    ] {
        let text = verify::model(&Off(off), &[1.5], 1).unwrap().to_string();
        assert!(text.contains(said), "{text}");
        // Long steps show that differences are off by h², and all others the error alone.
        let table = text.lines().filter(|line| line.contains("e-")).count();
        assert!(
            text.contains("wrong by a fixed amount") && table < 16,
            "{text}"
        );
    }
}
