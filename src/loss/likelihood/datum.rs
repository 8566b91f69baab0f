//! Measured values, and the entries of the state that their distributions use.

use std::sync::Arc;

use faer::{Mat, MatRef};
use rand::Rng;

use super::family::{Family, Surprise};
use crate::error::{Error, Result};
use crate::loss::Error as DataError;

/// Noise level σ of a datum: the standard deviation of a normal distribution, or the scale of another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseLevel {
    /// Known noise level.
    Given(f64),
    /// Entry of the state that holds the noise level, which the model computes as it computes means.
    Entry(usize),
}

/// Measured value with its distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datum {
    /// Entry of the state that holds the mean μ.
    pub mean: usize,
    /// Noise level σ.
    pub noise: NoiseLevel,
    /// Measured value y.
    pub value: f64,
    /// Distribution of y for given μ and σ.
    pub family: Family,
}

/// Datum whose constants have been computed.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// Index among the data that were given, missing ones included.
    index: usize,
    /// Name for messages, if there is a better one than the index.
    name: Option<Arc<str>>,
    mean: usize,
    noise: NoiseLevel,
    surprise: Surprise,
}

impl Term {
    pub(super) fn new(index: usize, datum: Datum, entries: usize) -> Result<Self> {
        let inside = |what, entry| match entry < entries {
            true => Ok(()),
            false => Err(DataError::Entry {
                datum: index,
                what,
                entry,
                entries,
            }),
        };
        let Datum {
            mean,
            noise,
            value,
            family,
        } = datum;
        inside("mean", mean)?;
        if value.is_nan() {
            return Err(DataError::Missing { datum: index }.into());
        }
        at("the value of a datum", index, value, family.is_positive())?;
        match noise {
            NoiseLevel::Entry(entry) => inside("noise level", entry)?,
            NoiseLevel::Given(sigma) => at("the noise level of a datum", index, sigma, true)?,
        }
        if let Family::Student { freedom } = family {
            at("the degrees of freedom of a datum", index, freedom, true)?;
        }
        Ok(Self {
            index,
            name: None,
            mean,
            noise,
            surprise: family.at(value),
        })
    }

    /// Sets the name for messages.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the datum for a state that keeps some of its entries, given their new places, or None if it uses another entry.
    pub(super) fn moved(mut self, place: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        self.mean = place(self.mean)?;
        if let NoiseLevel::Entry(entry) = self.noise {
            self.noise = NoiseLevel::Entry(place(entry)?);
        }
        Some(self)
    }

    /// Returns the entries that the datum uses.
    pub(super) fn entries(&self) -> impl Iterator<Item = usize> + use<> {
        let (mean, noise) = self.places();
        [mean].into_iter().chain(noise)
    }

    /// Returns −ln p.
    pub(super) fn value(&self, rho: &[f64]) -> f64 {
        let (mean, sigma) = self.at(rho);
        self.surprise.value(mean, sigma)
    }

    /// Adds the derivatives of −ln p to the entries of μ and σ.
    pub(super) fn add_slopes(&self, rho: &[f64], sum: &mut [f64]) {
        let (mean, sigma) = self.at(rho);
        self.add(self.surprise.slopes(mean, sigma), sum);
    }

    /// Returns the entries of μ and σ; σ may be given.
    pub(super) fn places(&self) -> (usize, Option<usize>) {
        let noise = match self.noise {
            NoiseLevel::Given(_) => None,
            NoiseLevel::Entry(entry) => Some(entry),
        };
        (self.mean, noise)
    }

    /// Returns the index among the data that were given.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Returns the derivatives of −ln p with respect to μ and σ.
    pub(super) fn score(&self, rho: &[f64]) -> [f64; 2] {
        let (mean, sigma) = self.at(rho);
        self.surprise.slopes(mean, sigma)
    }

    /// Returns the derivatives of −ln p with respect to μ and σ of a value drawn from the distribution of the datum.
    pub(super) fn drawn_score(&self, rho: &[f64], rng: &mut impl Rng) -> [f64; 2] {
        let (mean, sigma) = self.at(rho);
        let z = self.surprise.draw(rng);
        self.surprise.slopes_of(z, mean, sigma)
    }

    /// Adds the Fisher information to the entries of μ and σ, given and returned by its roots.
    pub(super) fn add_fisher(&self, rho: &[f64], roots: &mut [f64]) {
        let (mean, sigma) = self.at(rho);
        self.add_roots(self.surprise.fisher_roots(mean, sigma), roots);
    }

    /// Adds the information to the entries of μ and σ, given and returned by its roots.
    pub(super) fn add_information(&self, rho: &[f64], roots: &mut [f64]) {
        let (mean, sigma) = self.at(rho);
        self.add_roots(self.surprise.information_roots(mean, sigma), roots);
    }

    fn add_roots(&self, [by_mean, by_sigma]: [f64; 2], roots: &mut [f64]) {
        // The squares of the roots may overflow or underflow.
        roots[self.mean] = roots[self.mean].hypot(by_mean);
        if let NoiseLevel::Entry(entry) = self.noise {
            roots[entry] = roots[entry].hypot(by_sigma);
        }
    }

    /// Adds the product of the second derivative of −ln p with V, or returns false if there is none.
    pub(super) fn add_bends(&self, rho: &[f64], v: MatRef<'_, f64>, sum: &mut Mat<f64>) -> bool {
        let (mean, sigma) = self.at(rho);
        let Some([mm, ms, ss]) = self.surprise.bends(mean, sigma) else {
            return false;
        };
        for j in 0..v.ncols() {
            let along_mean = v[(self.mean, j)];
            let along_sigma = match self.noise {
                NoiseLevel::Given(_) => 0.0,
                NoiseLevel::Entry(entry) => v[(entry, j)],
            };
            let change = [
                mm * along_mean + ms * along_sigma,
                ms * along_mean + ss * along_sigma,
            ];
            self.add(change, sum.col_as_slice_mut(j));
        }
        true
    }

    /// Returns μ and σ.
    fn at(&self, rho: &[f64]) -> (f64, f64) {
        let sigma = match self.noise {
            NoiseLevel::Given(sigma) => sigma,
            NoiseLevel::Entry(entry) => rho[entry],
        };
        (rho[self.mean], sigma)
    }

    /// Adds two numbers to the entries of μ and σ.
    fn add(&self, [mean, sigma]: [f64; 2], sum: &mut [f64]) {
        sum[self.mean] += mean;
        if let NoiseLevel::Entry(entry) = self.noise {
            sum[entry] += sigma;
        }
    }

    /// Checks that the datum has a density.
    pub(super) fn check(&self, rho: &[f64]) -> Result<()> {
        let positive = self.surprise.needs_positive_mean();
        self.check_entry("mean", self.mean, rho, positive)?;
        match self.noise {
            NoiseLevel::Given(_) => Ok(()),
            NoiseLevel::Entry(entry) => self.check_entry("noise level", entry, rho, true),
        }
    }

    /// Checks that an entry of the state is finite and, if so asked, positive.
    fn check_entry(
        &self,
        what: &'static str,
        entry: usize,
        rho: &[f64],
        positive: bool,
    ) -> Result<()> {
        let value = rho[entry];
        if value.is_finite() && (value > 0.0 || !positive) {
            return Ok(());
        }
        let numbered = || format!("datum {}", self.index);
        let name = self.name.as_deref();
        Err(DataError::Domain {
            datum: name.map_or_else(numbered, str::to_string),
            what,
            entry,
            value,
        }
        .into())
    }
}

/// Checks that the value at an index is finite and, if so asked, positive.
fn at(what: &'static str, index: usize, value: f64, positive: bool) -> Result<()> {
    if !value.is_finite() {
        return Err(Error::NotFinite { what, index, value });
    }
    if positive && value <= 0.0 {
        return Err(Error::NotPositive { what, index, value });
    }
    Ok(())
}
