//! Test functions of the weak form: monomials in centred and scaled coordinates.

use crate::check;
use crate::error::Result;

/// Highest degree of the test functions in the plane (5) and in space (3).
///
/// On a symmetric limit cycle such as Van der Pol's, test functions of degree up to 3 do not determine the friction
/// term, which is then a total derivative. The plane therefore needs a higher degree.
// There are C(7, 2) − 1 = 20 monomials of degree 1 to 5 in the plane and C(6, 3) − 1 = 19 of degree 1 to 3 in
// space: several equations for each parameter of the usual flows.
const DEGREES: [usize; 2] = [5, 3];

/// Powers of one coordinate, from 0 to the highest degree.
type Powers = [f64; 6];

/// Monomials yᵃ of degree 1 and more in the coordinates y = (x − centre)/scale.
pub(super) struct Monomials {
    /// Weighted mean of the points along each axis.
    centre: [f64; 3],
    /// Weighted standard deviation of the points along each axis.
    scale: [f64; 3],
    exponents: Vec<[usize; 3]>,
}

impl Monomials {
    /// Creates the monomials, centred and scaled by the weighted points. Fails if the weights do not sum to a positive
    /// number or if the points do not vary along an axis.
    pub(super) fn new(points: &[[f64; 3]], weights: &[f64], dim: usize) -> Result<Self> {
        // With mean 0 and deviation 1, monomials of all degrees are comparable in size, independently of the units of x.
        let mass: f64 = weights.iter().sum();
        // Weights may be negative, as in Sheppard's correction. The weighted variance could then be negative,
        // too; its root is NaN, which the check of the deviations rejects.
        check::positive("the sum of the weights of the points", &[mass])?;
        let (mut centre, mut scale) = ([0.0; 3], [1.0; 3]);
        for d in 0..dim {
            let mean = |f: &dyn Fn(f64) -> f64| {
                let terms = points.iter().zip(weights).map(|(x, w)| w * f(x[d]));
                terms.sum::<f64>() / mass
            };
            centre[d] = mean(&|x| x);
            scale[d] = mean(&|x| (x - centre[d]).powi(2)).sqrt();
        }
        check::positive("the standard deviation of the points", &scale[..dim])?;
        // The constant is excluded: its gradient is zero, so that its equation reads 0 = 0.
        let top = DEGREES[usize::from(dim == 3)];
        let all =
            (0..=top).flat_map(|a| (0..=top).flat_map(move |b| (0..=top).map(move |c| [a, b, c])));
        let admitted = |e: &[usize; 3]| {
            (1..=top).contains(&e.iter().sum()) && e[dim..].iter().all(|&e| e == 0)
        };
        Ok(Self {
            centre,
            scale,
            exponents: all.filter(admitted).collect(),
        })
    }

    /// Returns the number of monomials, which are the test functions.
    pub(super) fn len(&self) -> usize {
        self.exponents.len()
    }

    /// Returns the powers of every scaled coordinate.
    fn powers(&self, x: &[f64; 3]) -> [Powers; 3] {
        std::array::from_fn(|d| {
            let y = (x[d] - self.centre[d]) / self.scale[d];
            let (y2, y3) = (y * y, y * y * y);
            [1.0, y, y2, y3, y2 * y2, y2 * y3]
        })
    }

    /// Returns φ_i(x) for all test functions.
    pub(super) fn values(&self, x: &[f64; 3]) -> Vec<f64> {
        let y = self.powers(x);
        let value = |e: &[usize; 3]| (0..3).map(|d| y[d][e[d]]).product();
        self.exponents.iter().map(value).collect()
    }

    /// Calls `f(i, ∇φ_i(x))` for all test functions.
    pub(super) fn gradients(&self, x: &[f64; 3], mut f: impl FnMut(usize, [f64; 3])) {
        // By the chain rule, d/dx yᵏ = k yᵏ⁻¹/scale.
        let y = self.powers(x);
        let slope: [Powers; 3] = std::array::from_fn(|d| {
            let [one, y, y2, y3, y4, _] = y[d];
            [0.0, one, 2.0 * y, 3.0 * y2, 4.0 * y3, 5.0 * y4].map(|s| s / self.scale[d])
        });
        for (i, &[a, b, c]) in self.exponents.iter().enumerate() {
            f(
                i,
                [
                    slope[0][a] * y[1][b] * y[2][c],
                    y[0][a] * slope[1][b] * y[2][c],
                    y[0][a] * y[1][b] * slope[2][c],
                ],
            );
        }
    }
}
