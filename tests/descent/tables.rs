//! Tables of estimates: what they say besides numbers.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::loss::L2Misfit;
use pullback::posterior::{Estimates, Variance};
use pullback::prior::Tikhonov;
use pullback::{Descent, Noise};

/// y = θ₀ + t exp θ₁ at the times t = 0, 1, …
struct Growth(usize);

impl Formula for Growth {
    fn dims(&self) -> (usize, usize) {
        (self.0, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (t, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1].exp() * t as f64;
        }
    }
}

fn table(data: &[f64], tolerances: Tolerances) -> Estimates {
    let (curve, loss) = (
        Curve::new(Growth(data.len())),
        L2Misfit::euclidean(data.to_vec()).unwrap(),
    );
    let descent = Descent::new(&curve, &loss).tolerances(tolerances);
    let report = descent.run(&[5.0, 2.0], |_| ()).unwrap();
    report.estimates(&descent, Variance::Known).unwrap()
}

#[test]
fn they_say_that_a_run_did_not_converge_or_ended_at_its_target() {
    let data = [1.0, 2.1, 2.9, 4.2];
    let usual = Tolerances::default();
    let few = Tolerances {
        iterations: 1,
        ..usual
    };
    let text = table(&data, few).to_string();
    assert!(
        text.contains("the run did not converge (iteration limit)"),
        "{text}"
    );
    let text = table(
        &data,
        Tolerances {
            target: Some(1.0),
            ..usual
        },
    )
    .to_string();
    assert!(text.contains("the run ended at its target"), "{text}");
    let usual = table(&data, usual);
    assert!(usual.uncertainty().remarks().is_empty(), "{usual}");
}

#[test]
fn they_say_that_there_are_fewer_data_than_parameters() {
    let text = table(&[1.0], Tolerances::default()).to_string();
    let remark = "2 parameters and 1 datum: the data determine not more than 1 combination";
    assert!(text.contains(remark), "{text}");
    let (curve, loss) = (
        Curve::new(Growth(1)),
        L2Misfit::euclidean(vec![1.0]).unwrap(),
    );
    let prior = Tikhonov::new(vec![1.0; 2], Noise::uniform(2, 1.0).unwrap()).unwrap();
    let descent = Descent::new(&curve, &loss).prior(&prior);
    let report = descent.run(&[1.0, 1.0], |_| ()).unwrap();
    assert!(report.covariance(&descent).unwrap().remarks().is_empty());
}

#[test]
fn a_scale_of_zero_leaves_undetermined_parameters_undetermined() {
    let estimates = table(&[1.0], Tolerances::default());
    let none = estimates.uncertainty().clone().scaled(0.0);
    assert!(none.standard_errors[1].is_infinite() && none.standard_errors[0] == 0.0);
    let text = none.to_string();
    assert!(
        text.contains("not determined: ") && text.contains(" θ1"),
        "{text}"
    );
}
