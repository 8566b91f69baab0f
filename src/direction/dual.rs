//! The natural direction from one sparse system in data space, without tangents or adjoints.

use faer::Mat;

use super::kkt::{Blocks, Saddle, Solution};
use super::{Direction, Finder, Local, Path, Proposal};
use crate::error::{Error, Result};
use crate::linalg::Operator;
use crate::metric::Root;
use crate::vector::{dot, largest};
use crate::{check, random};

/// η = −(G + Λ)⁻¹ ∇f by way of the multipliers ν of Aζ + Cη = 0, ζ = Zη being the tangent: for models with at least as
/// many parameters as states, where A, C and the metric (or its inverse) couple neighbours only.
///
/// Λ is the precision of the priors times 1 + λ, or λ where there are none. With R = M⁻¹, u the covector and γ the
/// gradient of the priors, the conditions of the minimum
///
/// ```text
/// Λη − Cᵀν = −γ,   Mζ − Aᵀν = −u,   Aζ + Cη = 0
/// ```
///
/// become (C Λ⁻¹Cᵀ + A R Aᵀ) ν = A R u + C Λ⁻¹γ, symmetric positive definite, where Λ is diagonal; a quasi-definite
/// system in (η, ν) with any other sparse Λ; and where only M itself is sparse (observations) an indefinite one in
/// (η, ζ, ν). There is one factorisation for every damping that is tried, and no solve with A, except that metrics which
/// keep the mass cost two: it is checked that the model keeps it too.
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
        check_mass(at)?;
        let (precision, gamma) = match at.prior {
            Some(prior) => {
                let precision = prior.precision()?.ok_or(Error::NotSparse {
                    what: "the precision of the priors, which one of them knows by its products only,",
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
        let saddle = Saddle::new(form, blocks)?;
        Ok(Box::new(DualPath {
            at: Local { ..*at },
            saddle,
            undamped: None,
        }))
    }
}

/// The system knows nothing of a metric's projection, so tangents must be what that makes of them.
fn check_mass(at: &Local<'_>) -> Result<()> {
    let k = at.z.state_dim();
    if !keeps_mass(at.metric()?, k) {
        return Ok(());
    }
    let other = random::normal(k, 0xD0A1, 0);
    let batch = Mat::from_fn(k, 2, |i, j| if j == 0 { 1.0 } else { other[i] });
    let pulled = at.z.adjoint(batch.as_ref())?;
    let [change, size] = [0, 1].map(|j| largest(pulled.col_as_slice(j)));
    check::option(
        "the change of mass along the tangents of this model, in a metric that keeps it,",
        change,
        change <= 1e-6 * size,
        "take conjugate gradients or least squares instead of the dual direction",
    )
}

/// Whether a metric sees nothing of a change of mass.
pub(super) fn keeps_mass(root: &dyn Root, k: usize) -> bool {
    let mut ones = vec![1.0; k];
    root.project(&mut ones);
    ones.iter().all(|x| x.abs() < 0.5)
}

struct DualPath<'a> {
    at: Local<'a>,
    saddle: Saddle<'a>,
    /// A direction that was asked for with next to no damping.
    undamped: Option<Proposal>,
}

/// Damping that changes next to nothing beside the precision of a prior.
const LITTLE: f64 = 1e-2;

impl Path for DualPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let own = f64::from(u8::from(self.at.prior.is_some()));
        check::option(
            "the damping of the dual direction without a prior",
            damping,
            own + damping > 0.0,
            "add a prior, or take a step rule with damping",
        )?;
        let Solution { eta, nu } = self.saddle.solve(own + damping, self.at.backend)?;
        let blocks = &self.saddle.blocks;
        // ζᵀMζ = ζᵀ(Aᵀν − u), with Aζ = −Cη and u·ζ = (∇f − γ)·η.
        let slope = dot(self.at.grad, &eta);
        let data = dot(&blocks.gamma, &eta) - slope - dot(&blocks.push(&eta), &nu);
        let prior = own * dot(&eta, &blocks.weigh(&eta));
        let proposal = Proposal {
            predicted: -slope - 0.5 * (data + prior),
            rank: eta.len(),
            eta,
        };
        if damping <= LITTLE * own {
            self.undamped = Some(proposal.clone());
        }
        Ok(proposal)
    }

    /// Every other damping would take a factorisation of its own.
    fn undamped(&mut self) -> Option<Proposal> {
        self.undamped.clone()
    }
}
