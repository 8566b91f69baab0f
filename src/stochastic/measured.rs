//! Observations of a formula as items.

use super::items::{Items, MiniBatch};
use crate::automatic::{Curve, Error, Formula, Scalar};
use crate::check;
use crate::error::Result;
use crate::loss::Observations;
use crate::noise::Noise;
use crate::vector::largest;

/// Independent observations of the values of a formula, one item each: the objective ½ Σ (Fᵢ(θ) − dᵢ)²/σᵢ².
///
/// A formula that computes its values by [`rows`](Formula::rows) computes those of a batch alone. Other formulas compute all of
/// them for every batch.
pub struct Measured<'f, F> {
    formula: &'f F,
    data: Vec<f64>,
    deviations: Vec<f64>,
}

impl<'f, F: Formula> Measured<'f, F> {
    /// Creates the items of these data.
    ///
    /// # Errors
    /// Fails if there is not one datum and one deviation for every value, if a datum is not finite, or if the noise of different
    /// data is correlated.
    pub fn new(formula: &'f F, data: Vec<f64>, noise: &Noise) -> Result<Self> {
        let values = formula.dims().0;
        check::length("the data", data.len(), values)?;
        check::length("the noise covariance", noise.dim(), values)?;
        check::finite("the data", &data)?;
        let independent = noise.independent();
        check::option(
            "the number of data with correlated noise",
            values as f64,
            independent.is_some(),
            "give the deviations of independent data; correlated data make no batches",
        )?;
        Ok(Self {
            formula,
            data,
            deviations: independent.unwrap_or(&[]).to_vec(),
        })
    }
}

impl<F: Formula> Items for Measured<'_, F> {
    fn count(&self) -> usize {
        self.data.len()
    }

    fn param_dim(&self) -> usize {
        self.formula.dims().1
    }

    /// Checks that [`rows`](Formula::rows) gives the values of the formula.
    fn check(&self, theta: &[f64]) -> Result<()> {
        let mut values = vec![f64::NAN; self.count()];
        self.formula.values(theta, &mut values);
        let size = largest(&values);
        for i in [self.count() / 2, self.count() - 1] {
            let mut one = [f64::NAN];
            let known = self.formula.rows(theta, i, &mut one);
            // A value that is no number is found where a batch is computed.
            if known && (one[0] - values[i]).abs() > AGREE * size {
                return Err(Error::Rows { row: i }.into());
            }
        }
        Ok(())
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        // A weight w of ½ r²/σ² is that of the deviation σ/√w.
        check::chosen(chosen, self.count())?;
        let weight = self.count() as f64 / chosen.len() as f64;
        let deviations = chosen.iter().map(|&i| self.deviations[i] / weight.sqrt());
        let noise = Noise::deviations(deviations.collect())?;
        let data: Vec<f64> = chosen.iter().map(|&i| self.data[i]).collect();
        let loss = Observations::present(&data, &noise)?;
        let formula = Chosen {
            formula: self.formula,
            chosen: chosen.to_vec(),
        };
        Ok(MiniBatch::new(Curve::new(formula), loss))
    }
}

/// Largest difference of a value in its two forms, relative to the largest value, that counts as rounding.
const AGREE: f64 = 1e-8;

/// Some values of a formula.
struct Chosen<'f, F> {
    formula: &'f F,
    chosen: Vec<usize>,
}

impl<F: Formula> Formula for Chosen<'_, F> {
    fn dims(&self) -> (usize, usize) {
        (self.chosen.len(), self.formula.dims().1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        if self.rows(theta, 0, out) {
            return;
        }
        let mut all = vec![S::from(0.0); self.formula.dims().0];
        self.formula.values(theta, &mut all);
        let pairs = out.iter_mut().zip(&self.chosen);
        pairs.for_each(|(out, &i)| *out = all[i]);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        if !self.formula.rows(theta, 0, &mut out[..0]) {
            return false;
        }
        for (out, &i) in out.iter_mut().zip(&self.chosen[first..]) {
            self.formula.rows(theta, i, std::slice::from_mut(out));
        }
        true
    }
}
