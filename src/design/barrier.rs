//! Interior-point method for weights.
//!
//! All three criteria are concave functions ψ of the weights. The minimiser of F = −ψ/μ − Σ ln wᵢ with Σ wᵢ = 1 has a gap of at
//! most mμ to the optimum, and Newton's method follows it as μ decreases. The smallest eigenvalue is not smooth: it is the largest
//! level t for which M − tI is positive definite, and F = −t/μ − ln det(M − tI) − Σ ln wᵢ has a gap of at most (m + p)μ (Boyd and
//! Vandenberghe 2004, sections 7.5 and 11).

use faer::Mat;

use super::criterion::{Criterion, root};
use super::problem::Problem;
use crate::linalg::{Side, gram, solve_triangular};

/// Weights, and a level below the smallest eigenvalue for [`Criterion::E`], or 0.
#[derive(Clone)]
struct Place {
    weights: Vec<f64>,
    level: f64,
}

/// Function F of a place.
struct Barrier<'p> {
    problem: &'p Problem,
    criterion: Criterion,
    mu: f64,
}

/// Factor of the slack B = M − tI = LLᵀ, with L⁻¹Jᵀ and B⁻¹Jᵀ for all candidates.
struct Local {
    factor: Mat<f64>,
    half: Mat<f64>,
    full: Mat<f64>,
}

/// Newton's step in the coordinates dw = w y and dt = s y.
struct Step {
    y: Vec<f64>,
    scale: f64,
    /// Square of the Newton decrement.
    decrement: f64,
}

/// Gap to the optimum, relative to the scale of the criterion, at which the method ends.
const TOLERANCE: f64 = 1e-10;

/// Largest number of steps of Newton's method.
const STEPS: usize = 300;

/// Best weights that were found, and the least upper bound of the quality.
pub(super) struct Found {
    pub(super) weights: Vec<f64>,
    quality: f64,
    pub(super) bound: f64,
}

impl Found {
    /// Takes the weights of a place and the bound there if they are better.
    ///
    /// Rounding spoils both where B is almost singular. Each is valid wherever it comes from.
    fn add(&mut self, barrier: &Barrier<'_>, place: &Place) {
        let information = barrier.problem.information(&place.weights);
        let quality = barrier.criterion.quality(information.as_ref());
        if quality > self.quality {
            (self.weights, self.quality) = (place.weights.clone(), quality);
        }
        self.bound = bound(barrier.problem, barrier.criterion, place)
            .map_or(self.bound, |bound| bound.min(self.bound));
    }
}

/// Finds the best weights.
pub(super) fn maximise(problem: &Problem, criterion: Criterion) -> Found {
    let (m, p) = (problem.count(), problem.parameters());
    let mut place = Place {
        weights: vec![1.0 / m as f64; m],
        level: 0.0,
    };
    let quality = criterion.quality(problem.information(&place.weights).as_ref());
    let mut found = Found {
        weights: place.weights.clone(),
        quality,
        bound: f64::INFINITY,
    };
    let (scale, terms) = match criterion {
        Criterion::D => (p as f64, m),
        Criterion::A => (-quality, m),
        Criterion::E => (quality, m + p),
    };
    if criterion == Criterion::E {
        place.level = 0.5 * quality;
    }
    // The gap decreases from the scale of the criterion to its tolerance.
    let mut barrier = Barrier {
        problem,
        criterion,
        mu: scale / terms as f64,
    };
    for _ in 0..STEPS {
        let Some(step) = barrier.step(&place) else {
            break;
        };
        let moved = barrier.advance(&mut place, &step);
        if step.decrement < 0.1 {
            found.add(&barrier, &place);
            if terms as f64 * barrier.mu <= TOLERANCE * scale {
                break;
            }
            barrier.mu *= 0.2;
        } else if !moved {
            // Rounding leaves nothing to gain.
            break;
        }
    }
    found
}

/// Returns a number that the quality of no weights exceeds.
fn bound(problem: &Problem, criterion: Criterion, place: &Place) -> Option<f64> {
    let barrier = Barrier {
        problem,
        criterion,
        mu: 1.0,
    };
    let local = barrier.local(place)?;
    let largest = |x: &[f64]| x.iter().copied().fold(0.0, f64::max);
    if criterion == Criterion::E {
        // λ(M) ≤ tr(ME) for every E ≥ 0 with the trace 1, here E = B⁻¹/tr B⁻¹, and tr(ME) is linear in the weights.
        let inverse = local.inverse();
        let p = problem.parameters();
        let trace: f64 = (0..p).map(|i| inverse[(i, i)]).sum();
        let product = |j: usize| {
            (0..p)
                .map(|i| problem.prior[(i, j)] * inverse[(i, j)])
                .sum::<f64>()
        };
        let known: f64 = (0..p).map(product).sum();
        return Some((largest(&problem.squares(local.half.as_ref())) + known) / trace);
    }
    // The equivalence theorem (Kiefer and Wolfowitz 1960): a concave ψ stays below its tangent, whose largest value over the
    // weights is at a single candidate.
    let slopes = barrier.slopes(&local);
    let mean: f64 = slopes.iter().zip(&place.weights).map(|(g, w)| g * w).sum();
    let quality = criterion.quality(problem.information(&place.weights).as_ref());
    Some(quality + largest(&slopes) - mean)
}

impl Local {
    /// Returns B⁻¹.
    fn inverse(&self) -> Mat<f64> {
        let p = self.factor.nrows();
        let mut inverse = Mat::identity(p, p);
        solve_triangular(self.factor.as_ref(), Side::Plain, inverse.as_mut());
        solve_triangular(self.factor.as_ref(), Side::Transpose, inverse.as_mut());
        inverse
    }
}

impl Barrier<'_> {
    /// Returns M − tI.
    fn slack(&self, place: &Place) -> Mat<f64> {
        let mut slack = self.problem.information(&place.weights);
        (0..slack.nrows()).for_each(|i| slack[(i, i)] -= place.level);
        slack
    }

    /// Returns F, or ∞ where M − tI is not positive definite.
    fn value(&self, place: &Place) -> f64 {
        let slack = self.slack(place);
        let logarithms: f64 = place.weights.iter().map(|w| w.ln()).sum();
        let objective = match self.criterion {
            Criterion::E => -place.level / self.mu - Criterion::D.quality(slack.as_ref()),
            smooth => -smooth.quality(slack.as_ref()) / self.mu,
        };
        objective - logarithms
    }

    fn local(&self, place: &Place) -> Option<Local> {
        let factor = root(self.slack(place).as_ref())?;
        let mut half = self.problem.columns.clone();
        solve_triangular(factor.as_ref(), Side::Plain, half.as_mut());
        let mut full = half.clone();
        solve_triangular(factor.as_ref(), Side::Transpose, full.as_mut());
        Some(Local { factor, half, full })
    }

    /// Returns the derivatives of ln det B or −tr B⁻¹ with respect to the weights: tr(B⁻¹Mᵢ) or tr(B⁻¹MᵢB⁻¹).
    fn slopes(&self, local: &Local) -> Vec<f64> {
        match self.criterion {
            Criterion::A => self.problem.squares(local.full.as_ref()),
            _ => self.problem.squares(local.half.as_ref()),
        }
    }

    /// Returns the negative second derivatives of ln det B or −tr B⁻¹ with respect to the weights.
    fn curvature(&self, local: &Local) -> Mat<f64> {
        let m = self.problem.count();
        // tr(B⁻¹MᵢB⁻¹Mⱼ) is the sum of the squares of JᵢB⁻¹Jⱼᵀ, and 2 tr(B⁻¹MᵢB⁻¹MⱼB⁻¹) twice its product with JᵢB⁻²Jⱼᵀ.
        let first = gram(local.half.as_ref());
        let second = match self.criterion {
            Criterion::A => gram(local.full.as_ref()) * faer::Scale(2.0),
            _ => first.clone(),
        };
        let mut sums = Mat::zeros(m, m);
        for j in 0..m {
            for b in self.problem.members(j) {
                let (x, y) = (first.col_as_slice(b), second.col_as_slice(b));
                let column = sums.col_as_slice_mut(j).iter_mut().enumerate();
                column.for_each(|(i, sum): (usize, &mut f64)| {
                    let members = self.problem.members(i);
                    *sum += members.map(|a| x[a] * y[a]).sum::<f64>();
                });
            }
        }
        sums
    }

    /// Returns Newton's step, or None if rounding prevents it.
    fn step(&self, place: &Place) -> Option<Step> {
        let (m, local) = (self.problem.count(), self.local(place)?);
        let w = &place.weights;
        let levels = usize::from(self.criterion == Criterion::E);
        let factor = match self.criterion {
            Criterion::E => 1.0,
            _ => self.mu.recip(),
        };
        let slopes = self.slopes(&local);
        let mut gradient: Vec<f64> = (0..m).map(|i| -factor * slopes[i] * w[i] - 1.0).collect();
        let curvature = self.curvature(&local);
        let mut hessian = Mat::zeros(m + levels, m + levels);
        for j in 0..m {
            (0..m).for_each(|i| hessian[(i, j)] = factor * curvature[(i, j)] * w[i] * w[j]);
            hessian[(j, j)] += 1.0;
        }
        let mut scale = 0.0;
        if levels == 1 {
            // ∂F/∂t = tr B⁻¹ − 1/μ, ∂²F/∂t² = tr B⁻², ∂²F/∂t∂wᵢ = −tr(B⁻²Mᵢ).
            let inverse = local.inverse();
            scale = inverse.norm_l2().recip();
            let trace: f64 = (0..inverse.nrows()).map(|i| inverse[(i, i)]).sum();
            gradient.push(scale * (trace - self.mu.recip()));
            hessian[(m, m)] = 1.0;
            let mixed = self.problem.squares(local.full.as_ref());
            for i in 0..m {
                let entry = -mixed[i] * w[i] * scale;
                (hessian[(i, m)], hessian[(m, i)]) = (entry, entry);
            }
        }
        let y = constrained(&hessian, &gradient, w)?;
        let decrement = -y.iter().zip(&gradient).map(|(y, g)| y * g).sum::<f64>();
        Some(Step {
            y,
            scale,
            decrement,
        })
    }

    /// Moves along a step as far as F decreases, and returns whether it does.
    fn advance(&self, place: &mut Place, step: &Step) -> bool {
        let m = self.problem.count();
        let lowest = step.y[..m].iter().copied().fold(0.0, f64::min);
        let mut length = (0.99 / -lowest).min(1.0);
        let before = self.value(place);
        for _ in 0..40 {
            let mut next = place.clone();
            let pairs = next.weights.iter_mut().zip(&step.y);
            pairs.for_each(|(w, y)| *w *= 1.0 + length * y);
            let sum: f64 = next.weights.iter().sum();
            next.weights.iter_mut().for_each(|w| *w /= sum);
            if let Some(y) = step.y.get(m) {
                next.level += length * step.scale * y;
            }
            if self.value(&next) <= before - 0.1 * length * step.decrement {
                *place = next;
                return true;
            }
            length *= 0.5;
        }
        false
    }
}

/// Returns the minimiser y of ½yᵀHy + gᵀy with Σ wᵢyᵢ = 0, or None if rounding has made H indefinite.
fn constrained(hessian: &Mat<f64>, gradient: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let l = root(hessian.as_ref())?;
    let normal = |i: usize| weights.get(i).copied().unwrap_or(0.0);
    let mut both = Mat::from_fn(gradient.len(), 2, |i, j| match j {
        0 => -gradient[i],
        _ => normal(i),
    });
    solve_triangular(l.as_ref(), Side::Plain, both.as_mut());
    solve_triangular(l.as_ref(), Side::Transpose, both.as_mut());
    let along = |j| {
        (0..weights.len())
            .map(|i| weights[i] * both[(i, j)])
            .sum::<f64>()
    };
    let ratio = along(0) / along(1);
    let y = (0..gradient.len()).map(|i| both[(i, 0)] - ratio * both[(i, 1)]);
    let y: Vec<f64> = y.collect();
    y.iter().all(|y| y.is_finite()).then_some(y)
}
