//! What pages say.

use pullback::Descent;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{Combinations, Unit};
use pullback::loss::L2Misfit;
use pullback::page::Page;
use pullback::posterior::Variance;

use crate::made_up::{HOSTILE, accuracy, hostile, summary, thirty};
use crate::runs;
use crate::structure::parsed;

/// Returns the text of a page without markup, with single spaces.
fn text(html: &str) -> String {
    let document = parsed(html);
    let texts = document.descendants().filter(|n| n.is_text());
    let all: Vec<&str> = texts.filter_map(|n| n.text()).collect();
    all.join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_fit_is_told_with_errors_residuals_and_settings() {
    let html = runs::lotka_volterra(1000).1;
    let text = text(&html);
    for part in [
        "Hares and lynx",
        "converged",
        "birth of hares",
        "95 % interval",
        "residual standard deviation",
        "38 degrees of freedom",
        "Correlations of the parameters",
        "Data and priors determine all parameters",
        "runs of equal sign",
        "Residuals by year",
        "tangent solves",
        "least squares",
        "LotkaVolterra",
        "remaining decrease / objective",
        "0.5, 0.03, 0.025, 0.75",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn a_run_that_failed_says_so_first() {
    let html = runs::lotka_volterra(1).1;
    let text = text(&html);
    let verdict = text.find("not converged").unwrap();
    assert!(verdict < text.find("objective").unwrap());
    assert!(text.contains("the limit of 1 steps was reached"), "{text}");
    assert!(text.contains("not those of a minimum"), "{text}");
}

#[test]
fn hostile_texts_stay_texts() {
    let html = hostile().html().unwrap();
    assert!(!html.contains("<script"));
    let seen = HOSTILE.replace('\u{0}', "\u{fffd}");
    let document = parsed(&html);
    let count = document
        .descendants()
        .filter_map(|n| n.text())
        .filter(|t| t.contains(&seen))
        .count();
    // Title and heading, outcome, remark, test, its value and limit, name, reason, caption and settings.
    assert!(count >= 12, "{count}");
    assert!(text(&html).contains("2 of 4 residuals are not finite"));
}

#[test]
fn undetermined_combinations_are_named() {
    let text = text(&thirty().1);
    for part in [
        "Neither data nor priors determine θ4, θ9, θ17.",
        "Bounds hold θ2.",
        "+ 0.57735 θ4 + 0.57735 θ9 + 0.57735 θ17",
        "held by its bound",
        "The first 10 and the last 30 of 300 iterates",
        "in units of the standard deviation 2 of the noise",
        "9 of 30 parameters",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn what_the_data_see_is_told_with_the_names_of_the_page() {
    let seen = product();
    let iterates = vec![vec![1.0, 2.0, 3.0]];
    let page = Page::new(summary(&iterates, true)).combinations(&seen);
    let page = page.names(&["a", "b", "c"]).unwrap();
    let text = text(&page.html().unwrap());
    for part in [
        "What the data see",
        "the data determine 2 of 3 combinations of the parameters to less than the sizes of the parameters.",
        "a − 2.0 b",
        "unseen: a small change along it changes no data",
        "1 unseen ones are left out",
        "Shares of the parameters in the combinations",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let other = vec![vec![1.0, 2.0]];
    let error = Page::new(summary(&other, true)).combinations(&seen).html();
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("the combinations of the parameters")
    );
}

/// A page with combinations.
pub(crate) fn seen() -> runs::Written {
    let iterates = vec![vec![1.0, 2.0, 3.0]];
    let page = Page::new(summary(&iterates, true)).combinations(&product());
    ("combinations", page.html().unwrap())
}

/// Combinations of y = a b t + c t² at t = 1, …, 6.
fn product() -> Combinations {
    struct Product;

    impl Formula for Product {
        fn dims(&self) -> (usize, usize) {
            (6, 3)
        }

        fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
            for (i, y) in out.iter_mut().enumerate() {
                let t = (i + 1) as f64;
                *y = theta[0] * theta[1] * t + theta[2] * (t * t);
            }
        }
    }
    let (model, loss) = (
        Curve::new(Product),
        L2Misfit::euclidean(vec![1.0; 6]).unwrap(),
    );
    let descent = Descent::new(&model, &loss);
    let seen = descent.combinations(&[1.0, 2.0, 3.0], Variance::Known, Unit::Sizes);
    seen.unwrap()
}

#[test]
fn parts_of_other_lengths_are_refused() {
    let iterates = vec![vec![1.0, 2.0]];
    let page = || Page::new(summary(&iterates, true));
    let bad = [
        page().accuracy(Ok(accuracy(&[1.0], &[], &[]))),
        page().field(&[3, 1]),
        page().residuals(vec![1.0; 4]).against("time", vec![0.0; 3]),
    ];
    for page in bad {
        let error = page.html().unwrap_err().to_string();
        assert!(error.contains("expected"), "{error}");
    }
    assert!(page().names(&["a"]).is_err());
    assert!(page().html().is_ok());
}

#[test]
fn residuals_are_those_that_the_loss_sums() {
    use pullback::loss::{Divergence, L2Misfit, Observations, Penalty, Robust};
    use pullback::{Grid, Loss, Noise, Operator};
    let grid = Grid::new(&[(0.0, 2.0, 4)]).unwrap();
    let (data, rho) = (vec![1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.5, 5.0]);
    let noise = Noise::deviations(vec![0.1, 0.2, 0.3, 0.4]).unwrap();
    let observed =
        || Observations::new(Operator::identity(4), data.clone(), noise.clone()).unwrap();
    // At a very large scale the robust loss is that of least squares.
    let robust = Robust::new(observed(), Penalty::Huber)
        .unwrap()
        .scale(1e9)
        .unwrap();
    let l2 = L2Misfit::new(&grid, data.clone()).unwrap();
    let losses: [&dyn Loss; 3] = [&observed(), &robust, &l2];
    for loss in losses {
        let residuals = loss.residuals(&rho).unwrap().unwrap();
        let half = 0.5 * residuals.iter().map(|r| r * r).sum::<f64>();
        assert!((half / loss.value(&rho) - 1.0).abs() < 1e-12);
        assert!(loss.residuals(&rho[1..]).is_err());
    }
    assert!((observed().residuals(&rho).unwrap().unwrap()[3] - 2.5).abs() < 1e-12);
    let divergence = Divergence::kullback_leibler(&grid, data.clone()).unwrap();
    assert!(divergence.residuals(&rho).unwrap().is_none());
}
