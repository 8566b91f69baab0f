//! Products with second derivatives, by reverse differentiation of forward derivatives.

use faer::{Mat, MatRef};

use super::dual::Lanes;
use super::jacobian::Map;
use super::tape::{Recorded, Tape};

/// Map x ↦ y at a point, with weights λ of its outputs and directions V.
pub(super) struct Bend<'a, M> {
    pub(super) map: &'a M,
    pub(super) x: &'a [f64],
    pub(super) lambda: &'a [f64],
    pub(super) v: MatRef<'a, f64>,
}

impl<M: Map> Bend<'_, M> {
    /// Returns ∇²(Σ λᵢyᵢ) V, the derivative of Jᵀλ along every column of V.
    ///
    /// Every evaluation records the map at x + Σⱼ εⱼvⱼ, and takes the gradient of Σ λᵢyᵢ on this tape:
    ///
    /// ```text
    /// ∇φ(x + Σⱼ εⱼvⱼ) = ∇φ(x) + Σⱼ εⱼ ∇²φ(x) vⱼ,   φ = Σ λᵢyᵢ
    /// ```
    ///
    /// The cost depends neither on the number of variables nor on the pattern of J, so that full rows and branches need no
    /// special care.
    pub(super) fn product(&self) -> Mat<f64> {
        let mut out = Mat::zeros(self.x.len(), self.v.ncols());
        // Four directions share the values, the first derivatives and the memory traffic of a tape.
        let mut first = 0;
        while first + 1 < self.v.ncols() {
            self.along::<4>(first, &mut out);
            first += 4;
        }
        if first < self.v.ncols() {
            self.along::<1>(first, &mut out);
        }
        out
    }

    /// Writes the products with the N columns of V from `first` on, or with as many as there are.
    fn along<const N: usize>(&self, first: usize, out: &mut Mat<f64>)
    where
        Lanes<f64, N>: Recorded,
    {
        let columns = N.min(self.v.ncols() - first);
        let mut input: Vec<Lanes<f64, N>> = self.x.iter().map(|&x| x.into()).collect();
        for (i, x) in input.iter_mut().enumerate() {
            (0..columns).for_each(|j| x.tangent[j] = self.v[(i, first + j)]);
        }
        let record = |x: &[_], out: &mut [_]| self.map.at(x, out);
        let tape = Tape::record(&input, self.map.rows(), record);
        for (i, entry) in tape.weighted_gradient(self.lambda).iter().enumerate() {
            (0..columns).for_each(|j| out[(i, first + j)] = entry.tangent[j]);
        }
    }
}
