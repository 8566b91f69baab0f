//! Combinations of the parameters that the data see.

use faer::{Mat, MatRef};

use super::units::Units;
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Side, lower_cholesky, product, right_singular_basis};
use crate::posterior::numbered;

/// Unit in which changes of the parameters are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Unit<'u> {
    /// Standard deviations of the priors, with their correlations.
    Prior,
    /// Size |θ| of every parameter, none of which may be 0.
    #[default]
    Sizes,
    /// These changes, one per parameter.
    Given(&'u [f64]),
}

/// How well the data see a combination of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Its standard error is less than a unit: the data say more than the prior, or than its size.
    Determined,
    /// Its standard error is a unit or more.
    Weak,
    /// To first order a change along it does not change the data, up to rounding.
    Unseen,
}

/// Combinations of the parameters, from the one that the data determine best to those that they do not see.
///
/// With the information G = ZᵀMZ/s² of the data and the squared units C⁻¹, the eigenvectors G u = λ C u, uᵀCu = 1, are
/// directions of unit length. The data determine the combination uᵀC θ with the standard error 1/√λ in units, independently of
/// the others. λ comes from singular values of L Z, so that small ones are not lost to rounding in G. `Display` says it in words.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::curvature::{Sight, Unit};
/// use pullback::loss::Observations;
/// use pullback::posterior::Variance;
/// use pullback::{Descent, Noise};
///
/// /// y = a b t + c t², of which a and b are known only by their product.
/// struct Product;
///
/// impl Formula for Product {
///     fn dims(&self) -> (usize, usize) {
///         (4, 3)
///     }
///
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (i, y) in out.iter_mut().enumerate() {
///             let t = (i + 1) as f64;
///             *y = theta[0] * theta[1] * t + theta[2] * (t * t);
///         }
///     }
/// }
///
/// let model = Curve::new(Product);
/// let loss = Observations::present(&[5.0, 13.0, 25.0, 41.0], &Noise::uniform(4, 0.1)?)?;
/// let descent = Descent::new(&model, &loss);
/// let seen = descent.combinations(&[1.0, 2.0, 3.0], Variance::Known, Unit::Sizes)?;
/// let seen = seen.named(&["a", "b", "c"])?;
/// println!("{seen}");
/// assert_eq!(seen.count(Sight::Determined), 2);
/// assert!(seen.to_string().contains("they do not see small changes along\n  a − 2.0 b"), "{seen}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Combinations {
    pub(super) names: Vec<String>,
    /// Eigenvalues λ in decreasing order.
    pub(super) information: Vec<f64>,
    /// Directions u as columns.
    directions: Mat<f64>,
    /// Covectors C u of the combinations as columns.
    covectors: Mat<f64>,
    /// Unit of every parameter by itself, (C⁻¹)ⱼⱼ^½.
    units: Vec<f64>,
    pub(super) comparison: Comparison,
}

/// What the data are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Standard deviations of priors.
    Priors,
    /// Sizes of the parameters.
    Sizes,
    /// Units of the caller.
    Units,
}

/// Fraction of the changes of the data by the parameters one by one below which a direction is unseen.
const ROUNDING: f64 = 1e-10;

/// Relative difference up to which shares count as equal.
pub(super) const EQUAL: f64 = 1e-6;

impl Combinations {
    /// Decomposes the rows L Z/s of the data in these units, which are diagonal.
    pub(crate) fn in_units(
        rows: MatRef<'_, f64>,
        units: &[f64],
        comparison: Comparison,
    ) -> Result<Self> {
        let n = rows.ncols();
        check::length("the units of the parameters", units.len(), n)?;
        check::positive(UNIT, units)?;
        Self::of(rows, &Units::Diagonal(units.to_vec()), comparison)
    }

    /// Decomposes the rows of the data in the units of priors with this precision.
    pub(crate) fn beside_prior(rows: MatRef<'_, f64>, precision: MatRef<'_, f64>) -> Result<Self> {
        let factor = lower_cholesky(precision, "the precision of the priors")?;
        Self::of(rows, &Units::Triangle(factor), Comparison::Priors)
    }

    /// Decomposes the rows in units C = T Tᵀ.
    fn of(rows: MatRef<'_, f64>, units: &Units, comparison: Comparison) -> Result<Self> {
        let n = units.dim();
        check::option(
            "the number of parameters whose combinations are sought",
            n as f64,
            n > 0,
            "look at a model with free parameters",
        )?;
        // With A = R T⁻ᵀ = W Σ Vᵀ, u = T⁻ᵀ v satisfies RᵀR u = T AᵀA v = σ² T v = σ² T Tᵀu, and C u = T v.
        let scaled = units.solve(Side::Plain, rows.transpose().to_owned());
        if (0..scaled.ncols()).any(|i| scaled.col_as_slice(i).iter().any(|x| !x.is_finite())) {
            let what =
                "the information of the data (check the noise and the units of the parameters)";
            return Err(Error::Overflow { what });
        }
        let (mut values, vectors) = right_singular_basis(scaled.transpose());
        // The changes Σⱼ |vⱼ| ‖aⱼ‖ of the data, of which ‖A v‖ remains, do not depend on the units of other parameters.
        let lengths: Vec<f64> = scaled.row_iter().map(|row| row.norm_l2()).collect();
        let changes = |k: usize| -> f64 {
            let pairs = vectors.col_as_slice(k).iter().zip(&lengths);
            pairs.map(|(v, length)| v.abs() * length).sum()
        };
        for (k, s) in values.iter_mut().enumerate() {
            *s = if *s > ROUNDING * changes(k) {
                *s * *s
            } else {
                0.0
            };
        }
        values.resize(n, 0.0);
        let mut found = Self {
            names: numbered(n),
            information: values,
            covectors: units.multiply(&vectors),
            directions: units.solve(Side::Transpose, vectors),
            units: units.alone(),
            comparison,
        };
        (0..n).for_each(|k| found.orient(k));
        Ok(found)
    }

    /// Returns combinations that were found before, such as those of a saved result, by their information, their directions and
    /// covectors as columns, and what the data were compared with.
    ///
    /// ```
    /// # use pullback::automatic::{Curve, Formula, Scalar};
    /// # use pullback::curvature::{Combinations, Unit};
    /// # use pullback::{Descent, loss::Observations, Noise, posterior::Variance};
    /// # struct Powers;
    /// # impl Formula for Powers {
    /// #     fn dims(&self) -> (usize, usize) { (4, 2) }
    /// #     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
    /// #         for (i, y) in out.iter_mut().enumerate() { *y = theta[0] * i as f64 + theta[1] * ((i * i) as f64); }
    /// #     }
    /// # }
    /// # let (model, noise) = (Curve::new(Powers), Noise::uniform(4, 0.1)?);
    /// # let loss = Observations::present(&[0.0, 3.0, 10.0, 21.0], &noise)?;
    /// # let descent = Descent::new(&model, &loss);
    /// let seen = descent.combinations(&[1.0, 2.0], Variance::Known, Unit::Sizes)?;
    /// let vectors = [seen.directions().clone(), seen.covectors().clone()];
    /// let again = Combinations::restored(seen.information().to_vec(), vectors, seen.comparison())?;
    /// assert_eq!(again.to_string(), seen.to_string());
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if lengths differ, if the information is not in decreasing order or negative, and if the products of directions
    /// with covectors are not those of one decomposition, 1 with their own and 0 with others.
    pub fn restored(
        information: Vec<f64>,
        [directions, covectors]: [Mat<f64>; 2],
        comparison: Comparison,
    ) -> Result<Self> {
        let n = information.len();
        for (what, vectors) in [
            ("the directions of combinations", &directions),
            ("the covectors of combinations", &covectors),
        ] {
            check::length(what, vectors.nrows(), n)?;
            check::length(what, vectors.ncols(), n)?;
            (0..n).try_for_each(|k| check::finite(what, vectors.col_as_slice(k)))?;
        }
        check::finite("the information of combinations", &information)?;
        let what = "the information of a combination";
        for pair in information.windows(2) {
            let decreasing = pair[1] <= pair[0];
            check::option(what, pair[1], decreasing, "give it in decreasing order")?;
        }
        let least = information.last().copied().unwrap_or(0.0);
        check::option(what, least, least >= 0.0, "give positive numbers, or 0")?;
        let products = product(directions.transpose(), covectors.as_ref());
        let off = (&products - Mat::<f64>::identity(n, n)).norm_max();
        let remedy = "give the directions and the covectors of one decomposition";
        let what = "the error in products of directions with covectors";
        check::option(what, off, off < 1e-6, remedy)?;
        Ok(Self {
            names: numbered(n),
            // C⁻¹ = UUᵀ, since UᵀCU = I.
            units: (0..n).map(|j| directions.row(j).norm_l2()).collect(),
            information,
            directions,
            covectors,
            comparison,
        })
    }

    /// Returns what the data are compared with.
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// Chooses the sign with which the largest share is positive.
    fn orient(&mut self, k: usize) {
        let leading = self.leading(k);
        if self.share(leading, k) < 0.0 {
            for vectors in [&mut self.directions, &mut self.covectors] {
                vectors
                    .col_as_slice_mut(k)
                    .iter_mut()
                    .for_each(|x| *x = -*x);
            }
        }
    }

    /// Sets the names of the parameters.
    ///
    /// # Errors
    /// Fails if there is not one name per parameter.
    pub fn named(mut self, names: &[impl AsRef<str>]) -> Result<Self> {
        let count = self.names.len();
        check::length("the names of the parameters", names.len(), count)?;
        self.names = names.iter().map(|name| name.as_ref().to_string()).collect();
        Ok(self)
    }

    /// Returns the names of the parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the information λ of every combination, in decreasing order, and 0 where it is lost to rounding.
    pub fn information(&self) -> &[f64] {
        &self.information
    }

    /// Returns the standard errors 1/√λ of the combinations in units, by the data alone. They are infinite where λ is 0.
    pub fn errors(&self) -> Vec<f64> {
        self.information.iter().map(|l| l.sqrt().recip()).collect()
    }

    /// Returns the directions u as columns: changes of θ by one unit that the data see independently of each other.
    pub fn directions(&self) -> &Mat<f64> {
        &self.directions
    }

    /// Returns the covectors C u of the combinations as columns: their products with θ have independent errors.
    pub fn covectors(&self) -> &Mat<f64> {
        &self.covectors
    }

    /// Returns how well the data see a combination.
    ///
    /// # Panics
    /// Panics if there is no combination with this index.
    pub fn sight(&self, k: usize) -> Sight {
        match self.information[k] {
            0.0 => Sight::Unseen,
            l if l > 1.0 => Sight::Determined,
            _ => Sight::Weak,
        }
    }

    /// Returns the number of combinations that the data see in this manner.
    pub fn count(&self, sight: Sight) -> usize {
        let all = 0..self.information.len();
        all.filter(|&k| self.sight(k) == sight).count()
    }

    /// Returns the shares of the parameters in a combination: its coefficients times the units of the parameters. Of a
    /// combination that is unseen, those of the direction over the units.
    ///
    /// # Panics
    /// Panics if there is no combination with this index.
    pub fn shares(&self, k: usize) -> Vec<f64> {
        (0..self.units.len()).map(|j| self.share(j, k)).collect()
    }

    fn share(&self, j: usize, k: usize) -> f64 {
        match self.information[k] == 0.0 {
            true => self.directions[(j, k)] / self.units[j],
            false => self.covectors[(j, k)] * self.units[j],
        }
    }

    /// Returns the parameter of the largest share.
    fn leading(&self, k: usize) -> usize {
        let shares = self.shares(k);
        let largest = shares.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        // The first of those that are equal up to rounding.
        let leads = |x: &f64| x.abs() >= (1.0 - EQUAL) * largest;
        shares.iter().position(leads).unwrap_or(0)
    }

    /// Returns the coefficients of a combination relative to that of the largest share, and of an unseen one those of its
    /// direction, with its number of units.
    pub(super) fn relative(&self, k: usize) -> (Vec<f64>, f64) {
        let vectors = match self.information[k] == 0.0 {
            true => &self.directions,
            false => &self.covectors,
        };
        let lead = vectors[(self.leading(k), k)];
        let column = vectors.col_as_slice(k).iter();
        (column.map(|x| x / lead).collect(), lead.abs().recip())
    }
}

/// Name of the units in messages.
const UNIT: &str =
    "the unit of a parameter (its size |θ|, unless `Unit::Given` or `Unit::Prior` gives another)";
