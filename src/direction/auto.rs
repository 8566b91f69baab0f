//! The direction that costs the fewest solves.

use super::conjugate_gradient::ConjugateGradient;
use super::data_space::DataSpace;
use super::dual::{Dual, keeps_mass};
use super::least_squares::LeastSquares;
use super::{Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::metric::LocalForm;
use crate::prior::PriorTerms;

/// Whichever direction costs the fewest solves a step; the report says which, and why.
///
/// With p free parameters, k states and r entries of a lifted tangent (observations, or cells or faces where the whole
/// state is measured), the first that applies:
///
/// 1. p ≤ `budget`: [`LeastSquares`], p tangents in one batch, exact.
/// 2. r ≤ `budget`: [`DataSpace`], r adjoints in one batch, exact. It solves with the precision of the priors, which is
///    only made ready where `iterative` is preconditioned with it.
/// 3. k ≤ p and k ≤ `dual`, where the inverse of the metric and the Jacobians are sparse and priors independent from
///    parameter to parameter: [`Dual`], one factorisation of a k × k system, exact.
/// 4. [`ConjugateGradient`], two solves an iteration, one after the other. How many there are depends on how many
///    parameters the data determine, not on p, r or k.
///
/// Sketches are not among them: at equal solves conjugate gradients were better wherever both were measured.
#[derive(Clone, Debug)]
pub struct Auto {
    /// The largest batch of solves that is taken for an exact step.
    pub budget: usize,
    /// The largest state for which the dual system is factorised.
    pub dual: usize,
    /// What is done beyond.
    pub iterative: ConjugateGradient,
}

impl Default for Auto {
    fn default() -> Self {
        Self {
            budget: 64,
            dual: 20_000,
            iterative: ConjugateGradient::default(),
        }
    }
}

impl Auto {
    /// The choice, and why.
    fn choose(&self, at: &Local<'_>) -> Result<(Choice, String)> {
        let (p, r, k) = (
            at.z.param_dim(),
            at.metric()?.lifted_dim(),
            at.z.state_dim(),
        );
        let budget = self.budget;
        // Without p, which bounds change from step to step: a reason is given once.
        if p <= budget {
            let why = format!("at most {budget} parameters, a tangent solve each in one batch");
            return Ok((Choice::LeastSquares, why));
        }
        if r <= budget && at.prior.is_none_or(PriorTerms::is_factorised) {
            let why = format!("{r} observations take an adjoint solve each in one batch");
            return Ok((Choice::DataSpace, why));
        }
        if k <= p && k <= self.dual && is_local(at)? {
            let why = format!("one sparse system of {k} states takes the place of any solves");
            return Ok((Choice::Dual, why));
        }
        let why =
            format!("more than {budget} parameters, or {r} observations, would each take a solve");
        Ok((Choice::Iterative, why))
    }
}

/// Whether the dual system is positive definite and as sparse as the model.
fn is_local(at: &Local<'_>) -> Result<bool> {
    let root = at.metric()?;
    let apart = at.prior.is_some_and(|prior| prior.is_diagonal());
    Ok(apart
        && !keeps_mass(root, at.z.state_dim())
        && matches!(root.local_form(), Some(LocalForm::Inverse(_)))
        && at.z.is_sparse())
}

impl Direction for Auto {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Choices {
            auto: self,
            least_squares: LeastSquares::STANDARD,
            data_space: &DataSpace,
            dual: &Dual,
            iterative: self.iterative.begin(),
        })
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the budget of `Auto`",
            self.budget as f64,
            self.budget > 0,
            "allow at least one solve a batch, or name a direction",
        )?;
        self.iterative.check()
    }

    fn needs_precision(&self, parameters: usize) -> bool {
        parameters > self.budget && self.iterative.needs_precision(parameters)
    }

    fn name(&self) -> &'static str {
        "auto"
    }
}

/// A direction that may be chosen.
enum Choice {
    LeastSquares,
    DataSpace,
    Dual,
    Iterative,
}

/// The directions to choose from in one run.
struct Choices<'a> {
    auto: &'a Auto,
    least_squares: &'static LeastSquares,
    data_space: &'static DataSpace,
    dual: &'static Dual,
    iterative: Box<dyn Finder + 'a>,
}

impl Finder for Choices<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let (choice, why) = self.auto.choose(at)?;
        let (finder, name): (&'a mut dyn Finder, _) = match choice {
            Choice::LeastSquares => (&mut self.least_squares, LeastSquares::STANDARD.name()),
            Choice::DataSpace => (&mut self.data_space, DataSpace.name()),
            Choice::Dual => (&mut self.dual, Dual.name()),
            Choice::Iterative => (self.iterative.as_mut(), self.auto.iterative.name()),
        };
        let path = finder.prepare(at)?;
        let remark = format!("chose {name}: {why}");
        Ok(Box::new(Chosen { path, remark }))
    }
}

struct Chosen<'a> {
    path: Box<dyn Path + 'a>,
    remark: String,
}

impl Path for Chosen<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        self.path.at(damping)
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.path.undamped()
    }

    fn norms(&self) -> &[f64] {
        self.path.norms()
    }

    fn remark(&self) -> Option<String> {
        Some(match self.path.remark() {
            None => self.remark.clone(),
            Some(more) => format!("{}; {more}", self.remark),
        })
    }
}
