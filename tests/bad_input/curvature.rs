//! Looks at a curvature, and Fisher's information, with input that makes no sense.

use crate::support::bad::{check, row};
use crate::support::{Explicit, Reaction};
use pullback::curvature::{
    Curvature, Diagonal, Extremes, Group, Kind, Lanczos, Quadrature, Spectrum, Unit, blocks,
};
use pullback::faer::{Mat, MatRef};
use pullback::loss::{Fisher, L2Misfit, Observations, Predictive, Scores};
use pullback::metric::Rows;
use pullback::posterior::Variance;
use pullback::prior::Smoothness;
use pullback::{Descent, Grid, Noise, Operator, Prior, Result, random};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn diagonal(n: usize) -> Operator<'static> {
    Operator::diagonal((1..=n).map(|i| i as f64).collect::<Vec<_>>())
}

/// Curvature with this entry in every product.
struct Spoiled(f64);

impl Curvature for Spoiled {
    fn dim(&self) -> usize {
        3
    }

    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut product = v.to_owned();
        product[(1, 0)] = self.0;
        Ok(product)
    }
}

/// Curvature that returns fewer rows than it has.
struct Short;

impl Curvature for Short {
    fn dim(&self) -> usize {
        3
    }

    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(v.subrows(0, 2).to_owned())
    }
}

#[test]
fn probes_and_steps() {
    let h = diagonal(60);
    let of = |probes, steps| {
        let options = Quadrature {
            probes,
            steps,
            seed: 1,
        };
        Spectrum::of(&h, &options)
    };
    let lanczos = |tolerance, steps| {
        let options = Lanczos {
            tolerance,
            steps,
            seed: 1,
        };
        Extremes::of(&h, &options)
    };
    check(vec![
        row("no probes", "Option", "at least 16", || of(0, 40)),
        row("few probes", "Option", "at least 16", || of(15, 40)),
        row("few steps", "Option", "at least 40", || of(16, 39)),
        row("few probes of a diagonal", "Option", "at least 16", || {
            Diagonal::estimated(&h, 15, 1)
        }),
        row("no Lanczos steps", "Option", "such as 200", || {
            lanczos(1e-6, 0)
        }),
        row("no tolerance", "Option", "such as 1e-6", || lanczos(0.0, 9)),
        row("NaN tolerance", "Option", "such as 1e-6", || {
            lanczos(NAN, 9)
        }),
        row("∞ tolerance", "Option", "such as 1e-6", || {
            lanczos(INF, 9)
        }),
    ]);
    // As many steps as the dimension suffice.
    let seven = Quadrature {
        steps: 7,
        ..Quadrature::default()
    };
    assert!(Spectrum::of(&diagonal(7), &seven).is_ok());
}

#[test]
fn curvatures_that_are_none() {
    let (nothing, wide) = (diagonal(0), Operator::dense(Mat::zeros(2, 3)));
    let skew = Operator::dense(random::normal_matrix(5, 5, 1));
    let (look, steps) = (Quadrature::default(), Lanczos::default());
    check(vec![
        row("no dimension", "Option", "free parameters", || {
            Spectrum::of(&nothing, &look)
        }),
        row("no dimension, dense", "Option", "free parameters", || {
            Spectrum::dense(&nothing)
        }),
        row("no extremes", "Option", "free parameters", || {
            Extremes::of(&nothing, &steps)
        }),
        row("no diagonal", "Option", "free parameters", || {
            Diagonal::exact(&nothing)
        }),
        row("no blocks", "Option", "free parameters", || {
            blocks(&nothing, &[Group::new("all", [0])])
        }),
        row("wide", "Dimension", "the columns of a curvature", || {
            Spectrum::dense(&wide)
        }),
        row("asymmetric", "NotSymmetric", "not symmetric", || {
            Spectrum::of(&skew, &look)
        }),
        row("asymmetric, dense", "NotSymmetric", "not symmetric", || {
            Spectrum::dense(&skew)
        }),
        row(
            "asymmetric extremes",
            "NotSymmetric",
            "not symmetric",
            || Extremes::of(&skew, &steps),
        ),
        row("asymmetric block", "NotSymmetric", "not symmetric", || {
            blocks(&skew, &[Group::new("all", 0..5)])
        }),
    ]);
}

#[test]
fn products_that_are_none() {
    let (look, steps) = (Quadrature::default(), Lanczos::default());
    check(vec![
        row("NaN", "NotFinite", "a product with a curvature", || {
            Spectrum::of(&Spoiled(NAN), &look)
        }),
        row("∞", "NotFinite", "a product with a curvature", || {
            Extremes::of(&Spoiled(INF), &steps)
        }),
        row(
            "NaN diagonal",
            "NotFinite",
            "a product with a curvature",
            || Diagonal::exact(&Spoiled(NAN)),
        ),
        row("short", "Dimension", "the rows of a product", || {
            Extremes::of(&Short, &steps)
        }),
        row(
            "short diagonal",
            "Dimension",
            "the rows of a product",
            || Diagonal::estimated(&Short, 16, 1),
        ),
    ]);
}

#[test]
fn functions_of_a_spectrum() {
    let spectrum = Spectrum::dense(&diagonal(4)).unwrap();
    let indefinite = Spectrum::dense(&Operator::diagonal(vec![1.0, -0.5])).unwrap();
    check(vec![
        row("negative α", "Option", "a positive number", || {
            spectrum.effective_dimension(-0.1)
        }),
        row("α = 0", "Option", "a positive number", || {
            spectrum.effective_dimension(0.0)
        }),
        row("NaN α", "Option", "a positive number", || {
            spectrum.effective_dimension(NAN)
        }),
        row("∞ α", "Option", "a positive number", || {
            spectrum.effective_dimension(INF)
        }),
        row("tiny α", "Option", "errors of the eigenvalues", || {
            spectrum.effective_dimension(1e-15)
        }),
        row("indefinite", "Negative", "the eigenvalue -0.5", || {
            indefinite.effective_dimension(0.1)
        }),
        row("logarithm", "Function", "at the eigenvalue -0.5", || {
            indefinite.sum(f64::ln)
        }),
        row("no width", "NotPositive", "spectral density", || {
            spectrum.density(&[1.0], 0.0)
        }),
        row("NaN width", "NotFinite", "spectral density", || {
            spectrum.density_of_decades(&[1.0], NAN)
        }),
        row(
            "NaN point",
            "NotFinite",
            "a point of a spectral density",
            || spectrum.density(&[NAN], 0.1),
        ),
        row("level", "Option", "such as 0.95", || {
            spectrum.trace().interval(1.0)
        }),
        row("NaN level", "Option", "such as 0.95", || {
            Diagonal::exact(&diagonal(2))?.intervals(NAN)
        }),
    ]);
}

#[test]
fn groups() {
    let h = diagonal(4);
    let of = |members: &[usize]| blocks(&h, &[Group::new("layer 2", members.to_vec())]);
    check(vec![
        row("no groups", "Option", "at least one", || blocks(&h, &[])),
        row("empty", "EmptyGroup", "`layer 2` has no parameters", || {
            of(&[])
        }),
        row("outside", "OutsideGroup", "there are 4 parameters", || {
            of(&[0, 4])
        }),
        row("twice", "RepeatedInGroup", "the parameter 1 twice", || {
            of(&[1, 2, 1])
        }),
    ]);
}

fn seen(descent: &Descent<'_>, unit: Unit<'_>) -> Result<()> {
    let found = descent.combinations(&[1.0, 0.0, 2.0], Variance::Known, unit);
    found.map(drop)
}

#[test]
fn combinations_in_units_that_are_none() {
    let model = Explicit(random::normal_matrix(5, 3, 1));
    let loss = L2Misfit::euclidean(vec![0.0; 5]).unwrap();
    let grid = Grid::new(&[(0.0, 1.0, 3)]).unwrap();
    let flat = Smoothness::new(&grid, 1.0).unwrap();
    let plain = || Descent::new(&model, &loss);
    let given = |units: &[f64]| seen(&plain(), Unit::Given(units));
    check(vec![
        row(
            "a parameter of size 0",
            "NotPositive",
            "`Unit::Given`",
            || seen(&plain(), Unit::Sizes),
        ),
        row("negative", "NotPositive", "at index 1", || {
            given(&[1.0, -1.0, 1.0])
        }),
        row("NaN", "NotFinite", "the unit of a parameter", || {
            given(&[1.0, NAN, 1.0])
        }),
        row(
            "two units",
            "Dimension",
            "the units of the parameters",
            || given(&[1.0; 2]),
        ),
        row("no prior", "Option", "`Descent::prior`", || {
            seen(&plain(), Unit::Prior)
        }),
        row(
            "a flat prior",
            "NotPositiveDefinite",
            "leaves constants free",
            || seen(&plain().prior(&flat as &dyn Prior), Unit::Prior),
        ),
        row("NaN θ", "NotFinite", "the start θ", || {
            plain().combinations(&[NAN; 3], Variance::Known, Unit::Sizes)
        }),
        row("noise of a perfect fit", "NoResidual", "residual", || {
            let units = Unit::Given(&[1.0; 3]);
            plain().combinations(&[0.0; 3], Variance::Estimated, units)
        }),
    ]);
}

#[test]
fn curvatures_of_a_descent() {
    let model = Reaction::new(6, 2, 1);
    let loss = L2Misfit::euclidean(vec![0.0; 6]).unwrap();
    let descent = Descent::new(&model, &loss);
    let explicit = Explicit(random::normal_matrix(5, 3, 1));
    let five = L2Misfit::euclidean(vec![0.0; 5]).unwrap();
    let flat = Descent::new(&explicit, &five);
    check(vec![
        row("NaN θ", "NotFinite", "the start θ", || {
            descent.curvature(&[NAN, 0.0], Kind::Exact, |h| Spectrum::dense(h))
        }),
        row("short θ", "Dimension", "the start θ", || {
            descent.curvature(&[0.0], Kind::Information, |h| Spectrum::dense(h))
        }),
        row(
            "no second derivatives",
            "Model",
            "second derivatives",
            || flat.curvature(&[0.0; 3], Kind::Exact, |h| Spectrum::dense(h)),
        ),
        row(
            "rows of a product",
            "Dimension",
            "a parameter batch",
            || {
                let wrong = Mat::<f64>::zeros(3, 1);
                descent.curvature(&[0.0; 2], Kind::Information, |h| h.product(wrong.as_ref()))
            },
        ),
    ]);
}

#[test]
fn informations() {
    let loss = Observations::present(&[1.0, 2.0], &Noise::uniform(2, 0.1).unwrap()).unwrap();
    let none = Scores::Sampled { draws: 0, seed: 1 };
    check(vec![
        row("no draws", "Option", "at least one", || {
            Fisher::sampled(&loss, 0, 1)
        }),
        row("no draws of scores", "Option", "at least one", || {
            loss.information(&[1.0, 2.0], none).map(drop)
        }),
        row(
            "short state",
            "Dimension",
            "each entry of the state",
            || loss.information(&[1.0], Scores::Expected).map(drop),
        ),
        row("NaN state", "NotFinite", "the state", || {
            loss.information(&[1.0, NAN], Scores::Measured).map(drop)
        }),
        row("no rows", "Option", "at least one", || Rows::new(3, &[])),
        row(
            "entry outside",
            "Option",
            "below the length of the state",
            || Rows::new(3, &[vec![(3, 1.0)]]),
        ),
        row("NaN entry", "NotFinite", "a row of a metric", || {
            Rows::new(3, &[vec![(0, NAN)]])
        }),
    ]);
}
