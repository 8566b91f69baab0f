//! Objective of one fit: its data, and its value at a point.

use crate::automatic::{Formula, evaluate};
use crate::coordinates::{Bounds, Transform, check_transforms};
use crate::descent::Tolerances;
use crate::error::{Error, Result};
use crate::loss::Penalty;

/// Settings that all fits share.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) bounds: Option<&'a Bounds>,
    pub(super) transforms: Option<&'a [Transform]>,
    /// Standard deviations of the data, 1 if unknown.
    pub(super) deviations: Option<&'a [f64]>,
    /// Penalty of outliers with its scale.
    pub(super) robust: Option<(Penalty, f64)>,
    pub(super) tolerances: Tolerances,
}

impl Rules<'_> {
    /// Checks a start as descents do.
    pub(super) fn check(&self, start: &[f64]) -> Result<()> {
        crate::check::finite("the start θ", start)?;
        if let Some(bounds) = self.bounds {
            bounds.check("the start", start)?;
        }
        match self.transforms {
            Some(transforms) => check_transforms("the start", transforms, start),
            None => Ok(()),
        }
    }

    /// Returns the transform of a parameter.
    #[inline]
    pub(super) fn transform(&self, j: usize) -> Transform {
        self.transforms.map_or(Transform::Identity, |t| t[j])
    }

    /// Returns whether a parameter cannot move in this direction.
    #[inline]
    pub(super) fn blocks(&self, j: usize, theta: f64, step: f64) -> bool {
        self.bounds.is_some_and(|b| b.blocks(j, theta, step))
    }
}

/// Data of one fit.
pub(super) struct Measured {
    /// Rows with data.
    pub(super) rows: Vec<usize>,
    /// Data of these rows.
    data: Vec<f64>,
    /// Reciprocal standard deviations of these rows.
    pub(super) weights: Vec<f64>,
}

impl Measured {
    pub(super) fn new(k: usize) -> Self {
        Self {
            rows: Vec::with_capacity(k),
            data: Vec::with_capacity(k),
            weights: Vec::with_capacity(k),
        }
    }

    /// Takes the data that are not NaN.
    ///
    /// # Errors
    /// Fails if there are none, or if one is infinite.
    pub(super) fn take(&mut self, data: &[f64], rules: &Rules<'_>) -> Result<()> {
        self.rows.clear();
        self.data.clear();
        self.weights.clear();
        for (i, &value) in data.iter().enumerate().filter(|(_, d)| !d.is_nan()) {
            if value.is_infinite() {
                return Err(Error::NotFinite {
                    what: "the data",
                    index: i,
                    value,
                });
            }
            self.rows.push(i);
            self.data.push(value);
            self.weights
                .push(rules.deviations.map_or(1.0, |d| d[i].recip()));
        }
        let some = !self.rows.is_empty();
        crate::check::option(
            "the number of data",
            0.0,
            some,
            "give at least one that is not NaN",
        )
    }
}

/// Parameters with the values of the formula and the objective.
#[derive(Default)]
pub(super) struct Point {
    pub(super) theta: Vec<f64>,
    pub(super) values: Vec<f64>,
    /// Rows of b with ∇f = Aᵀb, where A is the weighted Jacobian.
    pub(super) dual: Vec<f64>,
    /// Square roots of the weights of outliers in the metric.
    pub(super) roots: Vec<f64>,
    /// Curvatures of the data relative to these weights.
    pub(super) bends: Vec<f64>,
    pub(super) loss: f64,
    /// Rounding error of the objective.
    pub(super) rounding: f64,
}

impl Point {
    pub(super) fn new(k: usize, p: usize) -> Self {
        Self {
            theta: vec![0.0; p],
            values: vec![0.0; k],
            dual: Vec::with_capacity(k),
            roots: Vec::with_capacity(k),
            bends: Vec::with_capacity(k),
            ..Self::default()
        }
    }

    /// Evaluates the formula and the objective at θ.
    pub(super) fn evaluate<F: Formula>(
        &mut self,
        formula: &F,
        measured: &Measured,
        rules: &Rules<'_>,
    ) {
        self.values.fill(f64::NAN);
        evaluate(formula, &self.theta, &mut self.values);
        self.dual.clear();
        self.roots.clear();
        self.bends.clear();
        let (mut loss, mut first, mut second) = (0.0, 0.0, 0.0);
        let rows = measured.rows.iter().zip(&measured.weights);
        for ((&i, weight), datum) in rows.zip(&measured.data) {
            let r = (self.values[i] - datum) * weight;
            let (penalty, covector) = match rules.robust {
                None => (r * r, r),
                Some((penalty, scale)) => {
                    let z = (r / scale).powi(2);
                    let (root, dual) = penalty.row(r, z);
                    self.roots.push(root);
                    self.bends.push(penalty.bend(z));
                    self.dual.push(dual);
                    (scale * scale * penalty.value(z), root * dual)
                }
            };
            if rules.robust.is_none() {
                self.dual.push(r);
            }
            loss += 0.5 * penalty;
            let size = self.values[i] * weight;
            first += (covector * size).abs();
            second += 0.5 * size * size;
        }
        // A relative rounding ε of every value changes f by ε Σ|∂f/∂ρᵢ||ρᵢ| to first order. At a perfect fit the second
        // order remains.
        self.rounding = (f64::EPSILON * (loss + first)).max(f64::EPSILON.powi(2) * second);
        self.loss = loss;
    }

    /// Returns the first row with data whose value is not finite.
    pub(super) fn undefined(&self, measured: &Measured) -> Option<(usize, f64)> {
        let mut rows = measured.rows.iter();
        let row = rows.find(|i| !self.values[**i].is_finite())?;
        Some((*row, self.values[*row]))
    }
}
