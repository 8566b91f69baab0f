//! Natural direction from one sparse system in data space, without tangent or adjoint solves.

use faer::Mat;

use super::kkt::{Blocks, KktSystem, Solution};
use super::{Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::Operator;
use crate::metric::Root;
use crate::random;
use crate::vector::{dot, largest};

/// Direction η = −(G + Λ)⁻¹ ∇f from the multipliers ν of the constraint Aζ + Cη = 0, where ζ = Zη is the
/// tangent.
///
/// The direction suits models with at least as many parameters as states, whose Jacobians A = ∂g/∂ρ and
/// C = ∂g/∂θ are sparse and whose metric M, or its inverse R = M⁻¹, is sparse. Λ is the precision of the
/// priors times 1 + λ, or λI without priors. With the covector u and the gradient γ of the priors, the
/// optimality conditions are
///
/// ```text
/// Λη − Cᵀν = −γ,   Mζ − Aᵀν = −u,   Aζ + Cη = 0.
/// ```
///
/// - For diagonal Λ and sparse R, elimination leaves (C Λ⁻¹Cᵀ + A R Aᵀ) ν = A R u + C Λ⁻¹γ, a symmetric positive
///   definite system.
/// - For any other sparse Λ and sparse R, the system in (η, ν) is quasi-definite.
/// - If only M is sparse (observations), the system in (η, ζ, ν) is indefinite.
///
/// Each damping costs one factorisation and no solve with A. For a metric that conserves mass, a step takes
/// two such solves to check that the model conserves mass too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual;

impl Direction for Dual {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn name(&self) -> &'static str {
        "dual"
    }
}

impl Finder for &Dual {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let root = at.metric()?;
        let form = root.local_form().ok_or(Error::NotSparse {
            what: "the metric or its inverse",
        })?;
        let [a, c] = at.z.sparse().ok_or(Error::NotSparse {
            what: "the model's Jacobians",
        })?;
        check_mass_conservation(at)?;
        let (precision, gamma) = match at.prior {
            Some(prior) => {
                let precision = prior.precision()?.ok_or(Error::NotSparse {
                    what: "the precision of the priors, one of which is given by products only,",
                })?;
                (precision, prior.gradient())
            }
            None => {
                let identity = Operator::identity(at.grad.len()).to_sparse();
                let what = "the identity";
                (
                    identity.ok_or(Error::NotSparse { what })?,
                    vec![0.0; at.grad.len()],
                )
            }
        };
        let blocks = Blocks {
            a,
            c,
            precision,
            gamma,
            u: at.covector,
        };
        let kkt = KktSystem::new(form, blocks)?;
        Ok(Box::new(DualPath {
            at: Local { ..*at },
            kkt,
            undamped: None,
        }))
    }
}

/// Checks that tangents conserve mass if the metric projects onto such tangents, because the system omits this
/// projection Π.
///
/// # Errors
/// Fails with [`Error::Option`] if the model changes the mass.
fn check_mass_conservation(at: &Local<'_>) -> Result<()> {
    let k = at.z.state_dim();
    if !conserves_mass(at.metric()?, k) {
        return Ok(());
    }
    // The mass of a tangent is 1ᵀζ = (Zᵀ1)·η. This mass vanishes for all η if Zᵀ1 = 0. The adjoint of a random vector
    // gives the scale to which Zᵀ1 is compared.
    let other = random::normal(k, 0xD0A1, 0);
    let batch = Mat::from_fn(k, 2, |i, j| if j == 0 { 1.0 } else { other[i] });
    let pulled = at.z.adjoint(batch.as_ref())?;
    let [change, size] = [0, 1].map(|j| largest(pulled.col_as_slice(j)));
    check::option(
        "the change of mass along tangents of this model, with a metric that conserves mass,",
        change,
        change <= 1e-6 * size,
        "take conjugate gradients or least squares instead of the dual direction",
    )
}

/// Returns whether a metric projects out changes of mass, and thus maps the constant vector to zero.
pub(super) fn conserves_mass(root: &dyn Root, k: usize) -> bool {
    // The projection onto tangents of mass 0 is Π ζ = ζ − w Σζ with Σw = 1. Then Πᵀc = c − ⟨w, c⟩1, and
    // Πᵀ1 = 0. Any other metric leaves 1 unchanged. The threshold ½ distinguishes both cases despite
    // rounding.
    let mut ones = vec![1.0; k];
    root.project(&mut ones);
    ones.iter().all(|x| x.abs() < 0.5)
}

struct DualPath<'a> {
    at: Local<'a>,
    kkt: KktSystem<'a>,
    /// Last direction that was computed with negligible damping.
    undamped: Option<Proposal>,
}

/// Damping, relative to the precision of a prior, below which a direction counts as undamped.
//
// Let H = G + Λ₀. Along an eigenvector H u = hΛ₀u, with h ≥ 1, the damped step achieves the fraction
// 1 − (λ/(h + λ))² of the possible decrease of the undamped model: a damping of 1e-2 loses at most 1e-4.
const NEGLIGIBLE_DAMPING: f64 = 1e-2;

impl Path for DualPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let prior_weight = f64::from(u8::from(self.at.prior.is_some()));
        check::option(
            "the damping of the dual direction without a prior",
            damping,
            prior_weight + damping > 0.0,
            "add a prior, or take a step rule with damping",
        )?;
        // λ damps in proportion to Λ₀, so that the precision is (1 + λ)Λ₀ with priors and λI without.
        let Solution { eta, nu } = self.kkt.solve(prior_weight + damping, self.at.backend)?;
        let blocks = &self.kkt.blocks;
        // The predicted decrease is −slope − ½(ζᵀMζ + ηᵀΛ₀η). The second condition gives Mζ = Aᵀν − u, hence
        // ζᵀMζ = (Aζ)·ν − u·ζ = −(Cη)·ν − (∇f − γ)·η, with Aζ = −Cη and u·ζ = (Zᵀu)·η = (∇f − γ)·η.
        let slope = dot(self.at.grad, &eta);
        let data = dot(&blocks.gamma, &eta) - slope - dot(&blocks.apply_c(&eta), &nu);
        let prior = prior_weight * dot(&eta, &blocks.apply_precision(&eta));
        let proposal = Proposal {
            predicted: -slope - 0.5 * (data + prior),
            rank: eta.len(),
            eta,
        };
        if damping <= NEGLIGIBLE_DAMPING * prior_weight {
            self.undamped = Some(proposal.clone());
        }
        Ok(proposal)
    }

    /// Returns the undamped direction only if it was computed before, because another damping costs a
    /// factorisation.
    fn undamped(&mut self) -> Option<Proposal> {
        self.undamped.clone()
    }
}
