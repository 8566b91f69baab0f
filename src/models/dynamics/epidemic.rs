//! Epidemics in a well-mixed population.

use super::start::Start;
use crate::automatic::Scalar;
use crate::check;
use crate::error::Result;
use crate::evolution::Dynamics;

/// What is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    Compartments,
    Prevalence,
    Incidence,
}

/// Epidemic in a population of N people, as numbers of people in compartments (Kermack and McKendrick 1927).
///
/// | | compartments | equations | θ |
/// |---|---|---|---|
/// | [`sir`](Self::sir) | S, I, R | Ṡ = −βSI/N, İ = βSI/N − γI, Ṙ = γI | β, γ |
/// | [`seir`](Self::seir) | S, E, I, R | Ṡ = −βSI/N, Ė = βSI/N − σE, İ = σE − γI, Ṙ = γI | β, γ, σ |
///
/// Susceptible people S are infected, wait for 1/σ on average until they are infectious (E, in the second model), are infectious
/// for 1/γ, and are then immune (R). The contact rate β and both other rates have the unit 1/time. The basic reproduction number
/// is β/γ. Everybody but the first infectious people is susceptible at the start.
///
/// All compartments are observed, unless [`prevalence`](Self::prevalence) or [`incidence`](Self::incidence) is chosen.
///
/// ```
/// use pullback::evolution::Evolution;
/// use pullback::models::dynamics::Epidemic;
/// let weeks = vec![10.0, 200.0];
/// let people = Evolution::new(Epidemic::sir(1e6, 10.0)?, weeks)?.predict(&[1.5, 1.0])?;
/// // S, I and R at the last time: the share z that was infected satisfies z = 1 − exp(−β/γ z), here z = 0.583.
/// assert!((people[5] / 1e6 - 0.583).abs() < 1e-3);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epidemic {
    population: f64,
    infected: Start<1>,
    latent: bool,
    observed: Observed,
}

impl Epidemic {
    /// Creates the model of susceptible, infectious and immune people, from the numbers of all people and of the infectious ones
    /// at the start.
    ///
    /// # Errors
    /// Fails if the population is not positive and finite, and if the infectious are not between 0 and the population.
    pub fn sir(population: f64, infectious: f64) -> Result<Self> {
        check::positive("the population", &[population])?;
        let sound = (0.0..=population).contains(&infectious);
        let what = "the number of infectious people";
        check::option(
            what,
            infectious,
            sound,
            "give a number between 0 and the population",
        )?;
        Ok(Self {
            population,
            infected: Start::Given([infectious]),
            latent: false,
            observed: Observed::Compartments,
        })
    }

    /// Creates the model with latent infections. The arguments are those of [`sir`](Self::sir). Nobody is latent at the start.
    ///
    /// # Errors
    /// Fails as [`sir`](Self::sir) does.
    pub fn seir(population: f64, infectious: f64) -> Result<Self> {
        let latent = true;
        Self::sir(population, infectious).map(|sir| Self { latent, ..sir })
    }

    /// Adds the number of infectious people at the start as the last parameter, in place of the given one.
    #[must_use]
    pub fn unknown_start(self) -> Self {
        let infected = Start::Unknown;
        Self { infected, ..self }
    }

    /// Observes the prevalence: the number I of infectious people.
    #[must_use]
    pub fn prevalence(self) -> Self {
        let observed = Observed::Prevalence;
        Self { observed, ..self }
    }

    /// Observes the incidence: the number βSI/N of new infections per unit of time.
    #[must_use]
    pub fn incidence(self) -> Self {
        let observed = Observed::Incidence;
        Self { observed, ..self }
    }

    /// Index of the infectious people.
    #[inline(always)]
    fn infectious(&self) -> usize {
        1 + usize::from(self.latent)
    }

    /// New infections per unit of time.
    #[inline(always)]
    fn infections<S: Scalar>(&self, x: &[S], theta: &[S]) -> S {
        theta[0] * x[0] * x[self.infectious()] / self.population
    }
}

impl Dynamics for Epidemic {
    fn dims(&self) -> (usize, usize) {
        let latent = usize::from(self.latent);
        (3 + latent, 2 + latent + self.infected.params())
    }

    #[inline(always)]
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let i = self.infectious();
        let (infections, recoveries) = (self.infections(x, theta), theta[1] * x[i]);
        out[0] = -infections;
        let mut onsets = infections;
        if self.latent {
            onsets = theta[2] * x[1];
            out[1] = infections - onsets;
        }
        out[i] = onsets - recoveries;
        out[i + 1] = recoveries;
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        let [infectious] = self.infected.at(theta);
        out.fill(S::from(0.0));
        out[0] = S::from(self.population) - infectious;
        out[self.infectious()] = infectious;
    }

    fn outputs(&self) -> usize {
        match self.observed {
            Observed::Compartments => self.dims().0,
            Observed::Prevalence | Observed::Incidence => 1,
        }
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        match self.observed {
            Observed::Compartments => out.copy_from_slice(x),
            Observed::Prevalence => out[0] = x[self.infectious()],
            Observed::Incidence => out[0] = self.infections(x, theta),
        }
    }
}
