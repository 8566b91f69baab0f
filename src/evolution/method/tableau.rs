//! Coefficients of a method, and the estimate of its error.

/// Coefficients of a method with s stages Yᵢ = x + h Σⱼ aᵢⱼ Kⱼ, Kᵢ = f(t + cᵢh, Yᵢ).
///
/// The first stage is explicit, and the last is the step itself: x₊ = Yₛ, and Kₛ is the first slope of the next step.
#[derive(Clone, Debug)]
pub(in crate::evolution) struct Tableau {
    /// Rows of aᵢⱼ up to the diagonal. A row that ends before the diagonal belongs to an explicit stage.
    pub(in crate::evolution) a: Vec<Vec<f64>>,
    pub(in crate::evolution) c: Vec<f64>,
    /// Weights of the earlier slopes in the guess of the slope of every stage.
    guesses: Vec<Vec<f64>>,
    /// Weights of the estimate of lower order, or of the trapezoidal rule for the θ-method.
    pub(super) lower: Vec<f64>,
    /// Power of h in the error that the estimate shows.
    pub(in crate::evolution) power: i32,
    /// θ of the θ-method.
    theta: Option<f64>,
}

impl Tableau {
    /// Method with an estimate whose order is lower by 1.
    pub(super) fn embedded(a: &[&[f64]], c: &[f64], lower: &[f64], order: i32) -> Self {
        Self {
            a: a.iter().map(|row| row.to_vec()).collect(),
            c: c.to_vec(),
            guesses: guesses(c),
            lower: lower.to_vec(),
            power: order,
            theta: None,
        }
    }

    /// The θ-method.
    pub(super) fn theta(theta: f64) -> Self {
        let trapezoidal = theta == 0.5;
        Self {
            a: vec![vec![], vec![1.0 - theta, theta]],
            c: vec![0.0, 1.0],
            guesses: guesses(&[0.0, 1.0]),
            lower: vec![0.5, 0.5],
            power: if trapezoidal { 3 } else { 2 },
            theta: Some(theta),
        }
    }

    /// Number of stages.
    pub(in crate::evolution) fn stages(&self) -> usize {
        self.a.len()
    }

    /// Weights of the slopes in the step, without those that are 0 at the end.
    pub(in crate::evolution) fn weights(&self) -> &[f64] {
        &self.a[self.a.len() - 1]
    }

    /// Weight of a stage in the step.
    pub(in crate::evolution) fn weight(&self, stage: usize) -> f64 {
        self.weights().get(stage).copied().unwrap_or(0.0)
    }

    /// Weight of a stage in the estimated error of the step.
    pub(in crate::evolution) fn error(&self, stage: usize) -> f64 {
        self.weight(stage) - self.lower[stage]
    }

    /// Returns the factors of three slopes, the first of the step before, the first and the last, in what the θ-method adds to
    /// the estimated error of a step of length `h` after one of length `before`. That is 0 if there is none.
    pub(in crate::evolution) fn past(&self, h: f64, before: f64) -> Option<[f64; 3]> {
        // With slopes K₁ and K₂, x₊ − x(t + h) = (θ − ½) h (K₂ − K₁) + h³x‴/12 + O(h⁴). The first term is the difference to the
        // trapezoidal rule. In the second, x‴ is twice the second divided difference of K₀, K₁ and K₂.
        let theta = self.theta?;
        if before > 0.0 {
            let (scale, ratio) = (h * h / (6.0 * (h + before)), h / before);
            return Some([scale * ratio, -scale * (1.0 + ratio), scale]);
        }
        // Without a past the step is judged as one of the implicit Euler method.
        let rest = (1.0 - theta) * h;
        Some([0.0, -rest, rest])
    }

    /// Diagonal coefficient of a stage, 0 if it is explicit.
    pub(in crate::evolution) fn diagonal(&self, stage: usize) -> f64 {
        self.a[stage].get(stage).copied().unwrap_or(0.0)
    }

    /// Coefficients of the earlier slopes in a stage.
    pub(in crate::evolution) fn earlier(&self, stage: usize) -> &[f64] {
        let row = &self.a[stage];
        &row[..row.len().min(stage)]
    }

    /// Weights of the earlier slopes in the guess of the slope of a stage.
    pub(in crate::evolution) fn guess(&self, stage: usize) -> &[f64] {
        &self.guesses[stage]
    }

    pub(in crate::evolution) fn is_implicit(&self) -> bool {
        (0..self.stages()).any(|stage| self.diagonal(stage) != 0.0)
    }
}

/// Number of slopes that the guess of a stage is extrapolated from.
///
/// On Robertson's reactions and on a stiff oscillator three need 15 % fewer rates than the slope of the stage before, two 12 %,
/// and four no fewer.
const NODES: usize = 3;

/// Weights of the polynomials through the slopes at the earlier stages that are closest to a stage in time, at that time.
fn guesses(c: &[f64]) -> Vec<Vec<f64>> {
    let row = |stage: usize| {
        let distance = |i: &usize| (c[*i] - c[stage]).abs();
        let mut nodes: Vec<usize> = (0..stage).collect();
        nodes.sort_by(|i, j| distance(i).total_cmp(&distance(j)));
        nodes.truncate(NODES);
        let mut weights = vec![0.0; stage];
        for &i in &nodes {
            let others = nodes.iter().filter(|&&j| j != i);
            let factors = others.map(|&j| (c[stage] - c[j]) / (c[i] - c[j]));
            weights[i] = factors.product();
        }
        weights
    };
    (0..c.len()).map(row).collect()
}
