//! Curvature of the state as a function of the parameters: second-order adjoints.

use faer::{Mat, MatRef};

use super::Linearisation;
use crate::check;
use crate::error::Result;
use crate::model::Variation;

/// Curvature Σⱼ wⱼ ∂²ρⱼ/∂θ² for a covector w, prepared for products. [`Sensitivity::curvature`](super::Sensitivity::curvature)
/// returns it.
pub trait StateCurvature: Send + Sync {
    /// Returns covectors s (k × m) of the state and c (p × m) of the parameters with
    ///
    /// ```text
    /// Σⱼ wⱼ ∂²ρⱼ/∂θ² V = Zᵀs + c,
    /// ```
    ///
    /// given p × m directions V and their tangents Z V.
    ///
    /// The caller adds s to other covectors of the state, so that a product with the Hessian of an objective takes one tangent
    /// and one adjoint solve per column. A sensitivity that computes the whole product itself returns s = 0.
    ///
    /// # Errors
    /// Fails if a sweep fails or a second derivative is not finite.
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]>;
}

/// Second derivatives of the equations at one point.
pub(super) type SecondDerivative<'a> =
    Box<dyn Fn(&Variation<'_>) -> Option<[Mat<f64>; 2]> + Send + Sync + 'a>;

/// Curvature of an implicitly defined state.
//
// Differentiating g(ρ(θ), θ) = 0 along v gives A δρ + C v = 0, δρ = Z v. Differentiating once more, along u with the tangent
// Z u, gives
//
//     ∂²g[(Z u, u), (Z v, v)] + A ρ″(u, v) = 0,
//
// because δρ itself changes by ρ″(u, v). With Aᵀλ = w, wᵀρ″(u, v) = −λᵀ∂²g[(Z u, u), (Z v, v)] = −(Z u)ᵀh_ρ − uᵀh_θ, where
// h = Σᵢ λᵢ ∂²gᵢ (Z v, v) has the parts h_ρ and h_θ. So s = −h_ρ and c = −h_θ.
pub(super) struct Bent<'s, 'a> {
    pub(super) lambda: Vec<f64>,
    pub(super) second: &'s SecondDerivative<'a>,
}

impl StateCurvature for Bent<'_, '_> {
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        let along = Variation {
            lambda: &self.lambda,
            rho: tangents,
            theta: v,
        };
        // A model that had second derivatives when asked without columns has them here; the lengths are checked below.
        let [by_state, by_param] = (self.second)(&along).unwrap_or([Mat::new(), Mat::new()]);
        for (what, found, expected) in [
            ("the rows of a second derivative by ρ", &by_state, tangents),
            ("the rows of a second derivative by θ", &by_param, v),
        ] {
            check::length(what, found.nrows(), expected.nrows())?;
            let columns = "the columns of a second derivative";
            check::length(columns, found.ncols(), expected.ncols())?;
            for j in 0..found.ncols() {
                check::finite(
                    "a second derivative of the equations",
                    found.col_as_slice(j),
                )?;
            }
        }
        Ok([-by_state, -by_param])
    }
}

/// Curvature Σⱼ wⱼ ∂²ρⱼ/∂θ² in the parameters θ, restricted to the free ones and scaled as the coordinates of a
/// [`Linearisation`].
///
/// With transforms the coordinates ξ are scaled to first order only: the term with the second derivative of θ(ξ) is not
/// included.
pub struct Curved<'z> {
    z: &'z Linearisation<'z>,
    curvature: Box<dyn StateCurvature + 'z>,
}

impl Curved<'_> {
    /// Returns Σⱼ wⱼ ∂²ρⱼ/∂θ² V, with one tangent and one adjoint solve per column.
    ///
    /// # Errors
    /// Fails if a solve fails, if V does not have p rows, or if a second derivative is not finite.
    pub fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let tangents = self.z.tangent(v)?;
        let [state, param] = self.terms(v, tangents.as_ref())?;
        Ok(self.z.adjoint(state.as_ref())? + param)
    }

    /// Returns the terms of [`StateCurvature::terms`] in the coordinates of the linearisation.
    pub(crate) fn terms(
        &self,
        v: MatRef<'_, f64>,
        tangents: MatRef<'_, f64>,
    ) -> Result<[Mat<f64>; 2]> {
        let chart = self.z.chart();
        let [state, param] = self.curvature.terms(chart.embed(v).as_ref(), tangents)?;
        check::length(
            "the rows of a state's curvature",
            state.nrows(),
            self.z.state_dim(),
        )?;
        check::length("the rows of a curvature", param.nrows(), chart.scale.len())?;
        Ok([state, chart.restrict(param.as_ref())])
    }
}

impl Linearisation<'_> {
    /// Prepares products with Σⱼ wⱼ ∂²ρⱼ/∂θ², with one adjoint solve. Returns None if the model has no second derivatives.
    ///
    /// # Errors
    /// Fails if A is singular, or if w does not have k entries.
    pub fn curvature(&self, w: &[f64]) -> Result<Option<Curved<'_>>> {
        check::length("the length of a covector", w.len(), self.state_dim())?;
        let Some(curvature) = self.sensitivity.curvature(w)? else {
            return Ok(None);
        };
        if self.takes_solves() {
            self.count_adjoints(1);
        }
        Ok(Some(Curved { z: self, curvature }))
    }
}
