//! Vector fields for fits of trajectories and invariant measures.

mod chen;
mod lorenz;
mod rossler;
mod van_der_pol;

pub use self::chen::Chen;
pub use self::lorenz::{ArctanLorenz, Lorenz};
pub use self::rossler::Rossler;
pub use self::van_der_pol::VanDerPol;

/// Vector field v(x; θ) of the equation x′ = v(x; θ), in two or three dimensions.
///
/// Points have three entries. In the plane the third entry of x is 0 and the third entry of v is ignored.
///
/// ```
/// use pullback::{models::flow::Flow, models::trajectory::Sampling};
///
/// /// A pendulum with friction: x′ = y, y′ = −θ₁ sin x − θ₂ y.
/// struct Pendulum;
///
/// impl Flow for Pendulum {
///     fn dim(&self) -> usize {
///         2
///     }
///     fn param_dim(&self) -> usize {
///         2
///     }
///     fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
///         [x[1], -theta[0] * x[0].sin() - theta[1] * x[1], 0.0]
///     }
///     fn param_derivative(&self, x: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
///         out[0] = [0.0, -x[0].sin(), 0.0];
///         out[1] = [0.0, -x[1], 0.0];
///     }
/// }
///
/// let sampling = Sampling { duration: 20.0, interval: 0.1, start: [1.0, 0.0, 0.0], ..Sampling::default() };
/// let trajectory = sampling.run(&Pendulum, &[1.0, 0.5], |_| ())?;
/// assert_eq!(trajectory.points.len(), 200);
/// assert!(trajectory.points.last().is_some_and(|x| x[0].abs() < 1e-4), "the pendulum comes to rest");
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Flow: Send + Sync {
    /// Returns the dimension of the space: 2 or 3.
    fn dim(&self) -> usize {
        3
    }

    /// Returns the number of parameters of the field.
    fn param_dim(&self) -> usize;

    /// Returns the velocity v(x; θ).
    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3];

    /// Writes ∂v/∂θ_j into `out[j]`, for every j.
    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]);

    /// Writes Σₖ ∂²v/∂θⱼ∂θₖ dₖ into `out[j]`, for every j, and returns whether the field has second derivatives.
    ///
    /// Only [second derivatives](crate::Model::second_derivative) of an invariant measure need them. A field that is linear in
    /// θ writes zeros. The default writes nothing and returns false.
    fn second_derivative(
        &self,
        x: &[f64; 3],
        theta: &[f64],
        d: &[f64],
        out: &mut [[f64; 3]],
    ) -> bool {
        let _ = (x, theta, d, out);
        false
    }

    /// Returns signs s with v(s∘x; θ) = s∘v(x; θ) for every θ, if the field has such a symmetry.
    ///
    /// If x(t) is a trajectory, then so is s∘x(t), since its derivative is s∘v(x; θ) = v(s∘x; θ). The invariant measure
    /// is symmetric under s. Histograms may therefore count s∘x with every x.
    fn symmetry(&self) -> Option<[f64; 3]> {
        None
    }

    /// Returns the name of parameter `j`, counted from 0, for tables. The default is θ₁, θ₂ …
    fn param_name(&self, j: usize) -> String {
        // The subscript digits ₀ … ₉ are consecutive in Unicode, like 0 … 9.
        let digit = |c: char| char::from_u32('₀' as u32 + c as u32 - '0' as u32).unwrap_or(c);
        let number = (j + 1).to_string();
        std::iter::once('θ')
            .chain(number.chars().map(digit))
            .collect()
    }
}

impl<F: Flow + ?Sized> Flow for &F {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn param_dim(&self) -> usize {
        (**self).param_dim()
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        (**self).velocity(x, theta)
    }

    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]) {
        (**self).param_derivative(x, theta, out);
    }

    fn second_derivative(
        &self,
        x: &[f64; 3],
        theta: &[f64],
        d: &[f64],
        out: &mut [[f64; 3]],
    ) -> bool {
        (**self).second_derivative(x, theta, d, out)
    }

    fn symmetry(&self) -> Option<[f64; 3]> {
        (**self).symmetry()
    }

    fn param_name(&self, j: usize) -> String {
        (**self).param_name(j)
    }
}

/// Writes the second derivatives of a field that is linear in θ, and returns that it has them.
fn linear(out: &mut [[f64; 3]]) -> bool {
    out.fill([0.0; 3]);
    true
}

/// Returns the name of parameter `j`, or an empty string beyond the last parameter.
fn name(names: &[&str], j: usize) -> String {
    names.get(j).map_or_else(String::new, |n| (*n).to_string())
}
