//! Automatic choice of the direction with the fewest solves.

use super::conjugate_gradient::ConjugateGradient;
use super::data_space::DataSpace;
use super::dual::{Dual, conserves_mass};
use super::least_squares::LeastSquares;
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::metric::LocalForm;
use crate::prior::PriorTerms;

/// Direction that costs the fewest solves per step. The report names the choice and its reason.
///
/// Let p be the number of free parameters, k the length of the state, and r the length of a lifted tangent
/// (the number of observations, or of cells or faces if the whole state is measured). The first applicable
/// direction is taken:
///
/// 1. p ≤ `budget`: [`LeastSquares`], p tangents in one batch, exact.
/// 2. r ≤ `budget`: [`DataSpace`], r adjoints in one batch, exact. This direction needs the factorised
///    precision of the priors, which is available only if the preconditioner of `iterative` needs it too.
/// 3. k ≤ p and k ≤ `dual`, with sparse Jacobians, a sparse inverse metric and a diagonal prior precision:
///    [`Dual`], one factorisation of a k × k system, exact.
/// 4. [`ConjugateGradient`], two consecutive solves per iteration. The number of iterations depends on the
///    number of parameters that the data determine, not on p, r or k.
///
/// Sketched directions are never chosen: for the same number of solves, conjugate gradients were better in
/// all problems where both were measured.
#[derive(Clone, Debug)]
pub struct Auto<'a> {
    /// Largest batch of solves allowed for an exact step.
    pub budget: usize,
    /// Largest state dimension for which the dual system is factorised.
    pub dual: usize,
    /// Iterative direction for all larger problems.
    pub iterative: ConjugateGradient<'a>,
}

impl Default for Auto<'_> {
    fn default() -> Self {
        Self {
            budget: 64,
            dual: 20_000,
            iterative: ConjugateGradient::default(),
        }
    }
}

impl Auto<'_> {
    /// Returns the chosen direction and the reason for the choice.
    fn choose(&self, at: &Local<'_>) -> Result<(Choice, String)> {
        let (p, r, k) = (
            at.z.param_dim(),
            at.metric()?.lifted_dim(),
            at.z.state_dim(),
        );
        let budget = self.budget;
        // The message omits p, which changes with the active bounds: the same reason then gives the same remark.
        if p <= budget {
            let why = format!("at most {budget} parameters, one tangent solve each, in one batch");
            return Ok((Choice::LeastSquares, why));
        }
        // r ≤ budget < p: adjoints are fewer than tangents. `DataSpace` solves with C, for which a prior must
        // have been factorised.
        if r <= budget && at.prior.is_none_or(PriorTerms::is_factorised) {
            let why = format!("{r} observations need one adjoint solve each, in one batch");
            return Ok((Choice::DataSpace, why));
        }
        if k <= p && k <= self.dual && dual_applies(at)? {
            let why = format!("one sparse system of {k} states replaces all solves");
            return Ok((Choice::Dual, why));
        }
        let why =
            format!("more than {budget} parameters, or {r} observations, would each take a solve");
        Ok((Choice::Iterative, why))
    }
}

/// Returns whether the dual system is positive definite and as sparse as the model.
fn dual_applies(at: &Local<'_>) -> Result<bool> {
    let root = at.metric()?;
    let independent = at.prior.is_some_and(|prior| prior.is_diagonal());
    Ok(independent
        && !conserves_mass(root, at.z.state_dim())
        && matches!(root.local_form(), Some(LocalForm::Inverse(_)))
        && at.z.is_sparse())
}

impl Direction for Auto<'_> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Choices {
            auto: self,
            least_squares: LeastSquares::STANDARD.begin(),
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

/// Directions to choose from.
enum Choice {
    LeastSquares,
    DataSpace,
    Dual,
    Iterative,
}

/// Finders of all candidate directions in one run.
struct Choices<'a> {
    auto: &'a Auto<'a>,
    least_squares: Box<dyn Finder>,
    data_space: &'static DataSpace,
    dual: &'static Dual,
    iterative: Box<dyn Finder + 'a>,
}

impl Finder for Choices<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let (choice, why) = self.auto.choose(at)?;
        let (finder, name): (&'a mut dyn Finder, _) = match choice {
            Choice::LeastSquares => (self.least_squares.as_mut(), LeastSquares::STANDARD.name()),
            Choice::DataSpace => (&mut self.data_space, DataSpace.name()),
            Choice::Dual => (&mut self.dual, Dual.name()),
            Choice::Iterative => (self.iterative.as_mut(), self.auto.iterative.name()),
        };
        let path = finder.prepare(at)?;
        let remark = format!("chose {name}: {why}");
        Ok(Box::new(Chosen { path, remark }))
    }

    // The other directions have no memory.
    fn memory(&self) -> Result<Remembered> {
        self.iterative.memory()
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.iterative.recall(memory)
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
