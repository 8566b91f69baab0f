//! Effect of the parameters on the data as a regression finds it, with the part that is noise.

use faer::Mat;

use crate::linalg::{gram, product, range_basis, symmetric_eigen, symmetric_product};
use crate::vector::norm;

/// Eigenvalue of G, relative to the largest, below which a direction has no effect at all.
const UNSEEN: f64 = 1e-14;

/// Largest share of noise that is subtracted.
//
// The shares are estimates. Of a direction that seems to be all noise, a tenth is taken for its effect.
const MOST: f64 = 0.9;

/// Least part of the square of an effect that is not taken for noise where displacements are chosen.
const LEAST: f64 = 0.25;

/// Length of a column of LZ, relative to the longest, below which its parameter has no effect, and length of a combination of columns of
/// unit length below which they are parallel.
const NEGLIGIBLE: f64 = 1e-10;
const PARALLEL: f64 = 1e-6;

/// Length of such a combination below which it is worth while to look more closely.
const ALIKE: f64 = 3e-2;

/// Share of noise above which a combination is not determined.
//
// Of k data, the share of a combination without effect is one with an error of √(2/k).
const LOST: f64 = 0.75;

/// Effect of a displacement on the data, in units of the noise of a simulation.
//
// Two simulations at both ends of a displacement of r such units find the slope with the share 1/(2r²) of noise, here an eighth.
const LOUDNESS: f64 = 2.0;

/// Gram matrix G = (LZ)ᵀ(LZ) of a regression Z = J + E with noise E, so that E[G] = (LJ)ᵀ(LJ) + N with N = E[(LE)ᵀ(LE)].
pub(super) struct Response {
    gram: Mat<f64>,
    noise: Mat<f64>,
    /// Noise E‖Lε‖² of a single simulation.
    power: f64,
    /// Eigenvalues of N relative to G, largest first, and eigenvectors U with UᵀGU = I.
    shares: Vec<f64>,
    directions: Mat<f64>,
}

impl Response {
    pub(super) fn new(gram: Mat<f64>, (noise, power): (Mat<f64>, f64)) -> Self {
        let (sizes, vectors) = symmetric_eigen(gram.as_ref());
        let largest = sizes.first().copied().unwrap_or(0.0);
        let seen = sizes.iter().take_while(|g| **g > UNSEEN * largest).count();
        let whitener = Mat::from_fn(gram.ncols(), seen, |j, k| vectors[(j, k)] / sizes[k].sqrt());
        let of_noise = product(noise.as_ref(), whitener.as_ref());
        let white = symmetric_product(whitener.as_ref(), of_noise.as_ref());
        let (shares, turned) = symmetric_eigen(white.as_ref());
        Self {
            directions: product(whitener.as_ref(), turned.as_ref()),
            gram,
            noise,
            power,
            shares,
        }
    }

    /// Returns the largest share of noise in the square of the effect of a combination of the parameters.
    pub(super) fn blur(&self) -> f64 {
        self.shares.first().copied().unwrap_or(0.0)
    }

    /// Returns whether the effects of some parameters are nearly alike.
    pub(super) fn is_suspicious(&self) -> bool {
        let p = self.gram.ncols();
        let seen: Vec<usize> = (0..p).filter(|&j| self.gram[(j, j)] > 0.0).collect();
        let scaled = |i: usize, j: usize| {
            let (i, j) = (seen[i], seen[j]);
            self.gram[(i, j)] / (self.gram[(i, i)] * self.gram[(j, j)]).sqrt()
        };
        let (sizes, _) = symmetric_eigen(Mat::from_fn(seen.len(), seen.len(), scaled).as_ref());
        sizes.last().is_some_and(|s| *s < ALIKE * ALIKE * sizes[0])
    }

    /// Returns E‖Lε‖² of a simulation.
    pub(super) fn power(&self) -> f64 {
        self.power
    }

    /// Returns an orthonormal basis of the combinations that noise hides.
    pub(super) fn lost(&self) -> Mat<f64> {
        let hidden = self.shares.iter().take_while(|share| **share > LOST);
        let columns = self.directions.subcols(0, hidden.count());
        match columns.ncols() {
            0 => columns.to_owned(),
            _ => range_basis(columns.to_owned(), NEGLIGIBLE),
        }
    }

    /// Returns the response to the parameters orthogonal to this basis.
    pub(super) fn without(&self, basis: &Mat<f64>) -> Self {
        let along = product(basis.as_ref(), basis.transpose());
        let rest = Mat::<f64>::identity(along.nrows(), along.nrows()) - along;
        let within = |a: &Mat<f64>| {
            let right = product(a.as_ref(), rest.as_ref());
            symmetric_product(rest.as_ref(), right.as_ref())
        };
        Self::new(within(&self.gram), (within(&self.noise), self.power))
    }

    /// Returns G − N, the curvature of the squared distance without the noise of Z.
    pub(super) fn curvature(&self) -> Mat<f64> {
        // G = BBᵀ and N = B diag(share) Bᵀ for B = GU.
        let rest = |k: usize| (1.0 - self.shares[k].min(MOST)).sqrt();
        let b = product(self.gram.as_ref(), self.directions.as_ref());
        let roots = Mat::from_fn(b.ncols(), b.nrows(), |k, j| rest(k) * b[(j, k)]);
        gram(roots.as_ref())
    }

    /// Returns the diagonal of H⁻¹NH⁻¹ with H = G − N, the variances of the fixed point by the noise of Z where a distance of one per
    /// lifted value remains.
    //
    // Let r be the remaining difference L(h − q). ZᵀMr changes by EᵀLᵀr, whose covariance is N‖r‖²/k for noise alike in all k
    // lifted values, and the fixed point by H⁻¹ times that. With N = GUwUᵀG, H⁻¹ = U(1 − w)⁻¹Uᵀ.
    pub(super) fn variances(&self) -> Vec<f64> {
        let share = |k: usize| self.shares[k].clamp(0.0, MOST);
        let term =
            |j: usize, k: usize| share(k) * (self.directions[(j, k)] / (1.0 - share(k))).powi(2);
        let variance = |j: usize| (0..self.directions.ncols()).map(|k| term(j, k)).sum();
        (0..self.gram.ncols()).map(variance).collect()
    }

    /// Returns unit vectors along which the parameters have no effect, or none that exceeds its noise.
    pub(super) fn undetermined(&self) -> Vec<Vec<f64>> {
        let p = self.gram.ncols();
        let lengths: Vec<f64> = (0..p).map(|j| self.gram[(j, j)].max(0.0).sqrt()).collect();
        let longest = lengths.iter().copied().fold(0.0, f64::max);
        let (seen, unseen): (Vec<usize>, Vec<usize>) =
            (0..p).partition(|&j| lengths[j] > NEGLIGIBLE * longest);
        let single = |j: &usize| (0..p).map(|i| if i == *j { 1.0 } else { 0.0 }).collect();
        let mut found: Vec<Vec<f64>> = unseen.iter().map(single).collect();
        // Columns of unit length, so that the units of the parameters do not matter.
        let scaled = |i: usize, j: usize| {
            let (i, j) = (seen[i], seen[j]);
            self.gram[(i, j)] / (lengths[i] * lengths[j])
        };
        let (sizes, vectors) =
            symmetric_eigen(Mat::from_fn(seen.len(), seen.len(), scaled).as_ref());
        for (k, size) in sizes.iter().enumerate() {
            if *size < PARALLEL * PARALLEL * sizes[0] {
                let mut v = vec![0.0; p];
                seen.iter()
                    .enumerate()
                    .for_each(|(i, &j)| v[j] = vectors[(i, k)] / lengths[j]);
                found.push(v);
            }
        }
        let noisy = self.shares.iter().take_while(|share| **share > LOST);
        let noisy = noisy
            .enumerate()
            .map(|(k, _)| self.directions.col_as_slice(k).to_vec());
        let mut found: Vec<Vec<f64>> = found.into_iter().chain(noisy).collect();
        for v in &mut found {
            let length = norm(v);
            v.iter_mut().for_each(|v| *v /= length);
        }
        found
    }

    /// Returns displacements along the eigenvectors of G, whose effects on the data exceed the noise alike. No parameter is displaced
    /// by more than its entry of `most`.
    ///
    /// Along coordinates, the displacements of correlated parameters have large effects, and their difference is lost in the noise.
    pub(super) fn displacements(&self, most: &[f64]) -> Vec<Vec<f64>> {
        let (sizes, vectors) = symmetric_eigen(self.gram.as_ref());
        let displacement = |k: usize| {
            let v = vectors.col_as_slice(k);
            let noise = product(self.noise.as_ref(), vectors.subcols(k, 1));
            let noise: f64 = noise
                .col_as_slice(0)
                .iter()
                .zip(v)
                .map(|(n, v)| n * v)
                .sum();
            let effect = (sizes[k] - noise).max(LEAST * sizes[k]);
            let reach = v.iter().zip(most).map(|(v, most)| most / v.abs());
            let longest = reach.fold(f64::INFINITY, f64::min);
            let length = LOUDNESS * (self.power / effect.max(f64::MIN_POSITIVE)).sqrt();
            let length = length.min(longest);
            v.iter().map(|v| length * v).collect()
        };
        (0..sizes.len()).map(displacement).collect()
    }
}
