//! Steps of stochastic differential equations.

use super::diffusion::Diffusion;
use crate::automatic::Scalar;
use crate::vector::largest;

/// Method of the steps of a stochastic differential equation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Euler and Maruyama: paths converge with order ½ in the step, and with order 1 if the noise is additive. It takes one evaluation
    /// of drift and noise a step.
    #[default]
    EulerMaruyama,
    /// Milstein's method without derivatives: paths converge with order 1. The noises must commute, as a single noise does, and noises
    /// that act on one component each and depend on no other. With m noises it takes 2m + 3 evaluations of the noise a step.
    Milstein,
}

/// State and buffers of a path.
pub(super) struct Walk<'a, S, D> {
    pub(super) diffusion: &'a D,
    pub(super) theta: &'a [S],
    pub(super) x: Vec<S>,
    drift: Vec<S>,
    /// B, a column for each noise.
    noise: Vec<S>,
    /// BΔW.
    kick: Vec<S>,
    place: Vec<S>,
    /// B(x + v) and B(x − v) for some change v.
    moved: [Vec<S>; 2],
}

impl<'a, S: Scalar, D: Diffusion> Walk<'a, S, D> {
    pub(super) fn new(diffusion: &'a D, theta: &'a [S]) -> Self {
        let (d, m, _) = diffusion.dims();
        let zeros = |len: usize| vec![S::from(0.0); len];
        Self {
            diffusion,
            theta,
            x: zeros(d),
            drift: zeros(d),
            noise: zeros(d * m),
            kick: zeros(d),
            place: zeros(d),
            moved: [zeros(d * m), zeros(d * m)],
        }
    }

    /// Moves x over a step h from t, with one normal number for each noise.
    pub(super) fn step(&mut self, scheme: Scheme, (t, h): (f64, f64), normals: &[f64]) {
        let (d, root) = (self.x.len(), h.sqrt());
        // An entry that is not written must not keep what it was in the step before.
        self.drift.fill(S::from(f64::NAN));
        self.noise.fill(S::from(f64::NAN));
        self.diffusion
            .drift(t, &self.x, self.theta, &mut self.drift);
        self.diffusion
            .noise(t, &self.x, self.theta, &mut self.noise);
        self.kick.fill(S::from(0.0));
        for (column, z) in self.noise.chunks_exact(d).zip(normals) {
            let pairs = self.kick.iter_mut().zip(column);
            pairs.for_each(|(k, b)| *k += *b * (root * z));
        }
        let mut next: Vec<S> = self.x.clone();
        for ((x, a), k) in next.iter_mut().zip(&self.drift).zip(&self.kick) {
            *x += *a * h + *k;
        }
        if scheme == Scheme::Milstein {
            self.correct((t, root), normals, &mut next);
        }
        self.x = next;
    }

    /// Adds the terms ½ Σⱼₖ (bⱼ·∇)bₖ (ΔWⱼΔWₖ − δⱼₖh) of Milstein's method, for noises that commute.
    fn correct(&mut self, (t, root): (f64, f64), normals: &[f64], next: &mut [S]) {
        let d = self.x.len();
        // Σⱼₖ (bⱼ·∇)bₖ ΔWⱼΔWₖ is the derivative of B along BΔW, times ΔW. A central difference over ±BΔW errs by O(h²) locally, which
        // keeps the order.
        let kick = std::mem::take(&mut self.kick);
        self.differ(t, &kick, S::from(1.0));
        self.kick = kick;
        for (k, z) in normals.iter().enumerate() {
            let [ahead, behind] = [0, 1].map(|side| &self.moved[side][k * d..][..d]);
            for ((x, a), b) in next.iter_mut().zip(ahead).zip(behind) {
                *x += (*a - *b) * (0.25 * root * z);
            }
        }
        // h (bⱼ·∇)bⱼ by a difference over ±√h bⱼ.
        for j in 0..normals.len() {
            let column = self.noise[j * d..][..d].to_vec();
            self.differ(t, &column, S::from(root));
            let [ahead, behind] = [0, 1].map(|side| &self.moved[side][j * d..][..d]);
            for ((x, a), b) in next.iter_mut().zip(ahead).zip(behind) {
                *x -= (*a - *b) * (0.25 * root);
            }
        }
    }

    /// Evaluates the noise at x ± `length` · `along`.
    fn differ(&mut self, t: f64, along: &[S], length: S) {
        for (side, sign) in [1.0, -1.0].into_iter().enumerate() {
            for ((place, x), v) in self.place.iter_mut().zip(&self.x).zip(along) {
                *place = *x + *v * length * sign;
            }
            self.moved[side].fill(S::from(f64::NAN));
            self.diffusion
                .noise(t, &self.place, self.theta, &mut self.moved[side]);
        }
    }
}

/// Returns two noises that do not commute at x and at the time t of (t, h), h being the step, and the difference of their
/// derivatives along each other relative to the size of these, if it is more than differences err.
pub(super) fn noncommuting<D: Diffusion>(
    diffusion: &D,
    (t, h): (f64, f64),
    (x, theta): (&[f64], &[f64]),
) -> Option<(usize, usize, f64)> {
    let (d, m, _) = diffusion.dims();
    let mut walk = Walk::new(diffusion, theta);
    walk.x.copy_from_slice(x);
    walk.noise.fill(f64::NAN);
    diffusion.noise(t, x, theta, &mut walk.noise);
    let columns: Vec<Vec<f64>> = walk.noise.chunks_exact(d).map(<[f64]>::to_vec).collect();
    // The derivatives of all noises along every one. Their differences move x by ε^⅓ times its size, or that of a step of the noise.
    let size = largest(x).max(h.sqrt() * largest(&walk.noise));
    let along: Vec<(Vec<f64>, f64)> = columns
        .iter()
        .map(|column| {
            let length = f64::EPSILON.cbrt() * size / largest(column);
            let by = if length.is_normal() { length } else { 1.0 };
            walk.differ(t, column, by);
            let [ahead, behind] = &walk.moved;
            let pairs = ahead.iter().zip(behind);
            let rounding = 8.0 * f64::EPSILON * largest(ahead) / by;
            (pairs.map(|(a, b)| (a - b) / (2.0 * by)).collect(), rounding)
        })
        .collect();
    let pairs = (0..m).flat_map(|j| (0..j).map(move |k| (k, j)));
    pairs
        .map(|(k, j)| {
            let (one, other) = (&along[k].0[j * d..][..d], &along[j].0[k * d..][..d]);
            let gaps: Vec<f64> = one.iter().zip(other).map(|(a, b)| a - b).collect();
            let gap = (largest(&gaps) - along[k].1 - along[j].1).max(0.0);
            let size = largest(one).max(largest(other));
            (k, j, gap / size.max(f64::MIN_POSITIVE))
        })
        .find(|(.., defect)| *defect > COMMUTING)
}

/// Largest relative difference of the derivatives of two noises that commute.
// Central differences over ε^⅓ err by about ε^⅔ = 4·10⁻¹¹.
const COMMUTING: f64 = 1e-4;
