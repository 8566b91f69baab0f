//! Mixtures that are no mixtures are errors that name what is wrong.

use crate::support::bad::{check, row};
use pullback::Grid;
use pullback::models::{GaussianMixture, Parameter};

const NAN: f64 = f64::NAN;

fn plane() -> Grid {
    Grid::new(&[(-4.0, 4.0, 8), (-4.0, 4.0, 8)]).unwrap()
}

fn pair(weight: f64, variance: f64) -> GaussianMixture {
    let first = GaussianMixture::new(&plane()).component(weight, &[0.0, 0.0], 1.0);
    first.component(0.5, &[1.0, 0.0], variance)
}

#[test]
fn components() {
    check(vec![
        row("weights", "NotNormalised", "divide them", move || {
            pair(0.6, 1.0).free(&[])
        }),
        row("nothing", "Option", "add at least one", move || {
            GaussianMixture::new(&plane()).free(&[])
        }),
        row("NaN weight", "NotFinite", "weight", move || {
            pair(NAN, 1.0).free(&[])
        }),
        row("negative weight", "OutOfRange", "weight", move || {
            pair(0.5, 1.0)
                .component(-0.5, &[0.0; 2], 1.0)
                .component(0.5, &[0.0; 2], 1.0)
                .free(&[])
        }),
        row("variance 0", "NotPositive", "variance", move || {
            pair(0.5, 0.0).free(&[])
        }),
        row("variance −1", "NotPositive", "variance", move || {
            pair(0.5, -1.0).free(&[])
        }),
        row("NaN variance", "NotFinite", "variance", move || {
            pair(0.5, NAN).free(&[])
        }),
        row("mean", "Dimension", "mean", move || {
            GaussianMixture::new(&plane())
                .component(1.0, &[0.0], 1.0)
                .free(&[])
        }),
        row("NaN mean", "NotFinite", "mean", move || {
            GaussianMixture::new(&plane())
                .component(1.0, &[0.0, NAN], 1.0)
                .free(&[])
        }),
        row("variances", "Dimension", "variances", move || {
            GaussianMixture::new(&plane())
                .diagonal_component(1.0, &[0.0; 2], &[1.0])
                .free(&[])
        }),
    ]);
}

#[test]
fn parameters() {
    use Parameter::{AxisVariance, Mean, Variance, Weight};
    let free = |parameters: &[Parameter]| pair(0.5, 1.0).free(parameters);
    let density = move |theta: &[f64]| free(&[Weight(0), Variance(1)])?.density(theta);
    check(vec![
        row("no such component", "Option", "count from 0", move || {
            free(&[Mean(2, 0)])
        }),
        row("no such variance", "Option", "count from 0", move || {
            free(&[Variance(2)])
        }),
        row("no such axis", "Option", "an axis of the grid", move || {
            free(&[AxisVariance(0, 2)])
        }),
        row(
            "last weight",
            "Option",
            "follows from the others",
            move || free(&[Weight(1)]),
        ),
        row("twice", "Option", "once", move || {
            free(&[Mean(0, 0), Mean(0, 0)])
        }),
        row("θ long", "Dimension", "θ of the mixture", move || {
            density(&[0.5, 1.0, 1.0])
        }),
        row("θ NaN", "NotFinite", "θ of the mixture", move || {
            density(&[0.5, NAN])
        }),
        row("θ variance", "NotPositive", "variance", move || {
            density(&[0.5, 0.0])
        }),
        row("θ weight", "OutOfRange", "weight", move || {
            density(&[1.5, 1.0])
        }),
    ]);
}

/// Which of the two would hold?
#[test]
fn variances_named_in_two_ways() {
    use Parameter::{AxisVariance, Variance};
    let one =
        || GaussianMixture::new(&Grid::new(&[(0.0, 1.0, 4)]).unwrap()).component(1.0, &[0.0], 1.0);
    check(vec![row("overlap", "Option", "once", || {
        one().free(&[AxisVariance(0, 0), Variance(0)])
    })]);
}
