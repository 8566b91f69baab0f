//! Ends of profiles that are no crossings: bounds, open ends, constant objectives, failures; and fits that are no minima.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::loss::L2Misfit;
use pullback::profile::{End, Identifiability, ProfileLikelihood, Profiles};
use pullback::{Bounds, Descent, Transform};

const INF: f64 = f64::INFINITY;

/// Curves over t = 1, 2, 3, 4, 5, 7.
#[derive(Clone, Copy)]
enum Kind {
    /// a b t + c, which determines only the product of a and b.
    Product,
    /// a (1 − e^(−bt)), the oxygen demand of Bates and Watts.
    Demand,
    /// √(θ − 1) t, which fails for θ < 1.
    Root,
    /// 0.2 (θ² − 1) t + 0.06 (θ − 1), with a deep minimum at 1 and a shallow one near −1.
    Wells,
}

impl Formula for Kind {
    fn dims(&self) -> (usize, usize) {
        let p = match self {
            Self::Product => 3,
            Self::Demand => 2,
            Self::Root | Self::Wells => 1,
        };
        (6, p)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, t) in out.iter_mut().zip([1.0, 2.0, 3.0, 4.0, 5.0, 7.0]) {
            *y = match self {
                Self::Product => b[0] * b[1] * t + b[2],
                Self::Demand => b[0] * (-(b[1] * -t).exp() + 1.0),
                Self::Root => (b[0] - 1.0).sqrt() * t,
                Self::Wells => (b[0] * b[0] - 1.0) * (0.2 * t) + (b[0] - 1.0) * 0.06,
            };
        }
    }
}

const DEMAND: [f64; 6] = [8.3, 10.3, 19.0, 16.0, 15.6, 19.8];

/// Data of a line with slope 2 and intercept 1.
const LINE: [f64; 6] = [3.2, 4.9, 6.8, 9.3, 10.9, 15.0];

/// Fit to be profiled.
struct Fit<'f> {
    kind: Kind,
    data: [f64; 6],
    bounds: Option<&'f Bounds>,
    transforms: Option<&'f [Transform]>,
    tolerances: Tolerances,
}

impl<'f> Fit<'f> {
    fn of(kind: Kind, data: [f64; 6]) -> Self {
        Fit {
            kind,
            data,
            bounds: None,
            transforms: None,
            tolerances: Tolerances::default(),
        }
    }

    fn bounds(self, bounds: &'f Bounds) -> Self {
        Fit {
            bounds: Some(bounds),
            ..self
        }
    }

    fn transforms(self, transforms: &'f [Transform]) -> Self {
        Fit {
            transforms: Some(transforms),
            ..self
        }
    }

    /// Calls a closure with the descent, and the end of its run from `start`.
    fn with<R>(&self, start: &[f64], ask: impl FnOnce(&Descent<'_>, &[f64]) -> R) -> R {
        let (curve, loss) = (
            Curve::new(self.kind),
            L2Misfit::euclidean(self.data.to_vec()).unwrap(),
        );
        let mut descent = Descent::new(&curve, &loss).tolerances(self.tolerances);
        if let Some(bounds) = self.bounds {
            descent = descent.bounds(bounds);
        }
        if let Some(transforms) = self.transforms {
            descent = descent.transforms(transforms);
        }
        let theta = descent.run(start, |_| ()).unwrap().theta;
        ask(&descent, &theta)
    }

    fn profiles(&self, start: &[f64], level: f64) -> Profiles {
        let freedom = 6.0 - self.kind.dims().1 as f64;
        self.with(start, |descent, theta| {
            let likelihood = ProfileLikelihood::new(descent).freedom(freedom);
            likelihood.level(level).run(theta, |_| ()).unwrap()
        })
    }
}

fn says(profiles: &Profiles, part: &str) {
    let text = profiles.to_string();
    assert!(text.contains(part), "`{part}` is missing in\n{text}");
}

fn boxed(lower: &[f64], upper: &[f64]) -> Bounds {
    Bounds::new(lower.to_vec(), upper.to_vec()).unwrap()
}

#[test]
fn a_factor_of_a_product_is_structurally_unidentifiable() {
    let profiles = Fit::of(Kind::Product, LINE).profiles(&[1.0, 1.0, 0.0], 0.95);
    for factor in &profiles.profiles[..2] {
        assert_eq!(
            factor.identifiability,
            Identifiability::Structural,
            "{profiles}"
        );
        assert_eq!(factor.interval, (-INF, INF));
        assert!(
            factor
                .ends
                .iter()
                .all(|end| matches!(end, End::Open { .. }))
        );
        let fit = profiles.theta[factor.parameter];
        let (first, last) = (&factor.points[0], &factor.points[factor.points.len() - 1]);
        assert!((last.value - fit - 1000.0 * fit.abs()).abs() < 1e-6 * last.value);
        assert!((first.value - fit + 1000.0 * fit.abs()).abs() < 1e-6 * last.value);
        for point in &factor.points {
            let product = point.theta[0] * point.theta[1];
            let expected = profiles.theta[0] * profiles.theta[1];
            assert!((product - expected).abs() < 1e-6, "{point:?}");
        }
    }
    let intercept = &profiles.profiles[2];
    assert_eq!(intercept.identifiability, Identifiability::Identifiable);
    says(
        &profiles,
        "θ0: structurally unidentifiable: the objective is constant at all points from -1",
    );
    assert!(
        profiles
            .to_string()
            .contains("(−∞, ∞)         undetermined")
    );
}

/// With a ≤ 3 and ab = 2 the other factor is at least 2/3.
#[test]
fn bounds_of_one_factor_limit_the_other() {
    let bounds = boxed(&[0.5, 0.1, -9.0], &[3.0, 50.0, 9.0]);
    let fit = Fit::of(Kind::Product, LINE).bounds(&bounds);
    let profiles = fit.profiles(&[1.0, 1.0, 0.0], 0.95);
    let product = profiles.theta[0] * profiles.theta[1];
    let [a, b, _] = profiles.profiles.as_slice() else {
        panic!("{profiles}");
    };
    assert_eq!(
        (a.interval, &a.ends),
        ((0.5, 3.0), &[End::Bound, End::Bound])
    );
    assert_eq!(a.identifiability, Identifiability::Structural);
    // The slope has an interval of its own, so that b reaches a little further than product/3 and product/0.5.
    assert_eq!(b.ends, [End::Crossed, End::Crossed]);
    assert!(
        b.interval.0 < product / 3.0 && b.interval.0 > 0.9 * product / 3.0,
        "{profiles}"
    );
    assert!(
        b.interval.1 > product / 0.5 && b.interval.1 < 1.1 * product / 0.5,
        "{profiles}"
    );
    // The ends are those of the slope, whose interval is that of Student with 3 degrees of freedom and s²/Σ(t − t̄)².
    let spread: f64 = 104.0 - 22.0 * 22.0 / 6.0;
    let half = 3.182_446_305_284_263 * (2.0 * profiles.objective / 3.0 / spread).sqrt();
    let gap =
        (3.0 * b.interval.0 - product + half).abs() + (0.5 * b.interval.1 - product - half).abs();
    assert!(gap < 1e-6 * half, "{gap}\n{profiles}");
}

/// At 99 % the threshold of these data exceeds the objective of b = ∞, the constant a = mean: SSE 107.2 < 163.7.
#[test]
fn a_rate_without_an_upper_limit_has_an_open_end() {
    let mean = DEMAND.iter().sum::<f64>() / 6.0;
    let constant = 0.5 * DEMAND.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>();
    let log = [Transform::Identity, Transform::Log];
    for fit in [
        Fit::of(Kind::Demand, DEMAND),
        Fit::of(Kind::Demand, DEMAND).transforms(&log),
    ] {
        let profiles = fit.profiles(&[19.0, 0.5], 0.99);
        let rate = &profiles.profiles[1];
        assert_eq!(
            rate.identifiability,
            Identifiability::Practical,
            "{profiles}"
        );
        let last = &rate.points[rate.points.len() - 1];
        assert_eq!(
            rate.ends[1],
            End::Open {
                reached: last.value
            }
        );
        assert_eq!(rate.interval.1, INF);
        assert!(
            last.value > 500.0 && (last.objective - constant).abs() < 1e-9 * constant,
            "{last:?}"
        );
        says(&profiles, "θ1: practically unidentifiable from above");
        // At 95 % it is closed.
        assert_eq!(
            fit.profiles(&[19.0, 0.5], 0.95).profiles[1].ends,
            [End::Crossed, End::Crossed]
        );
    }
}

/// A bound beyond the reach is tried, and decides.
#[test]
fn an_end_is_a_bound_only_below_the_threshold() {
    for (upper, ends, high) in [(1e7, End::Bound, 1e7), (1.5, End::Bound, 1.5)] {
        let bounds = boxed(&[-INF, 0.0], &[INF, upper]);
        let fit = Fit::of(Kind::Demand, DEMAND).bounds(&bounds);
        let profiles = fit.profiles(&[19.0, 0.5], 0.99);
        let rate = &profiles.profiles[1];
        assert_eq!(
            (&rate.ends[1], rate.interval.1),
            (&ends, high),
            "{profiles}"
        );
        assert_eq!(rate.points[rate.points.len() - 1].value, high);
        says(&profiles, "θ1: ends at its bound");
    }
    let plain = Fit::of(Kind::Demand, DEMAND).profiles(&[19.0, 0.5], 0.95);
    let bounds = boxed(&[0.0, 0.0], &[1e6, 1e6]);
    let wide = Fit::of(Kind::Demand, DEMAND)
        .bounds(&bounds)
        .profiles(&[19.0, 0.5], 0.95);
    for (a, b) in plain.profiles.iter().zip(&wide.profiles) {
        assert_eq!(b.ends, [End::Crossed, End::Crossed]);
        let gap = (a.interval.0 - b.interval.0).abs() + (a.interval.1 - b.interval.1).abs();
        assert!(
            gap < 1e-6 * (a.interval.1 - a.interval.0),
            "{plain}\n{wide}"
        );
    }
}

/// A fit at a bound, where the gradient does not vanish: the profile begins with a slope, and has one side.
#[test]
fn a_fit_at_its_bound_has_a_profile_on_one_side() {
    let bounds = boxed(&[20.0, 0.0], &[INF, INF]);
    let profiles = Fit::of(Kind::Demand, DEMAND)
        .bounds(&bounds)
        .profiles(&[25.0, 0.5], 0.8);
    let amount = &profiles.profiles[0];
    assert_eq!(
        (amount.interval.0, &amount.ends),
        (20.0, &[End::Bound, End::Crossed])
    );
    assert_eq!(
        (amount.fit, amount.identifiability),
        (0, Identifiability::Identifiable)
    );
    // The threshold is higher than that of the free fit, whose upper end is 24.8184.
    assert!(
        amount.interval.1 > 24.8184 && amount.interval.1 < 27.0,
        "{profiles}"
    );
    let fixed = boxed(&[19.0, 0.0], &[19.0, INF]);
    let profiles = Fit::of(Kind::Demand, DEMAND)
        .bounds(&fixed)
        .profiles(&[19.0, 0.5], 0.8);
    let amount = &profiles.profiles[0];
    assert_eq!((amount.interval, amount.points.len()), ((19.0, 19.0), 1));
    assert_eq!(amount.identifiability, Identifiability::Fixed);
    says(&profiles, "held by its bounds");
}

/// A point that is no minimum is not taken for one.
#[test]
fn a_lower_point_is_reported() {
    let (curve, loss) = (
        Curve::new(Kind::Demand),
        L2Misfit::euclidean(DEMAND.to_vec()).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let best = descent.run(&[19.0, 0.5], |_| ()).unwrap();
    let off = [best.theta[0] + 1.0, best.theta[1]];
    let profiles = ProfileLikelihood::new(&descent)
        .freedom(4.0)
        .run(&off, |_| ())
        .unwrap();
    let better = profiles.better.as_ref().unwrap();
    assert!(better.objective < profiles.objective && better.objective >= best.loss * (1.0 - 1e-12));
    let again = descent.begin(&better.theta).unwrap().loss();
    assert!((again - better.objective).abs() < 1e-12 * again);
    says(&profiles, "the fit is not the minimum");
    // At the minimum itself nothing is reported, nor where it is missed by a ten-thousandth of a standard error.
    let near = [best.theta[0] + 3e-4, best.theta[1]];
    for theta in [best.theta.as_slice(), &near] {
        let profiles = ProfileLikelihood::new(&descent)
            .freedom(4.0)
            .run(theta, |_| ())
            .unwrap();
        assert!(profiles.better.is_none(), "{profiles}");
    }
}

/// The profile of the shallow minimum passes the hill at 0 where the threshold is higher, and meets the deep minimum.
#[test]
fn a_deeper_minimum_behind_a_hill_is_reported() {
    Fit::of(Kind::Wells, [0.0; 6]).with(&[-1.2], |descent, theta| {
        let height = descent.begin(&[0.0]).unwrap().loss() - descent.begin(theta).unwrap().loss();
        for (level, passes) in [(0.95, false), (0.99, true)] {
            let likelihood = ProfileLikelihood::new(descent).level(level);
            let profiles = likelihood.run(theta, |_| ()).unwrap();
            assert_eq!(profiles.threshold > 1.01 * height, passes, "{profiles}");
            let found = profiles.better.as_ref().map(|better| better.theta[0]);
            assert_eq!(
                found.is_some_and(|x| (x - 1.0).abs() < 0.3),
                passes,
                "{profiles}"
            );
            assert_eq!(profiles.profiles[0].interval.1 > 1.0, passes, "{profiles}");
            assert_eq!(profiles.profiles[0].ends, [End::Crossed, End::Crossed]);
        }
    });
}

/// The model fails below 1, where the objective is far below the threshold.
#[test]
fn a_profile_ends_where_the_model_does() {
    let data = [0.5, -0.3, 0.2, 0.4, -0.1, 0.3];
    let profiles = Fit::of(Kind::Root, data).profiles(&[1.5], 0.95);
    let profile = &profiles.profiles[0];
    let End::Failed { reason } = &profile.ends[0] else {
        panic!("{profiles}");
    };
    assert!(reason.contains("NaN"), "{reason}");
    assert_eq!(profile.identifiability, Identifiability::Unknown);
    // Ten halvings of a step of an eighth of the threshold come close to the end of the domain.
    let (low, fit) = (profile.interval.0, profiles.theta[0]);
    assert!(low >= 1.0 && low - 1.0 < 0.01 * (fit - 1.0), "{profiles}");
    assert!(profile.rejected.iter().all(|r| r.value < 1.0) && profile.rejected.len() >= 10);
    assert_eq!(profile.ends[1], End::Crossed);
    says(&profiles, "[< 1.00");
}

#[test]
fn runs_that_do_not_converge_are_counted_with_their_reason() {
    let few = Tolerances {
        iterations: 1,
        ..Tolerances::default()
    };
    Fit {
        tolerances: few,
        ..Fit::of(Kind::Demand, DEMAND)
    }
    .with(&[19.0, 0.5], |descent, _| {
        let theta = [19.142_575_285, 0.531_091_377];
        let likelihood = ProfileLikelihood::new(descent).freedom(4.0);
        let profiles = likelihood.run(&theta, |_| ()).unwrap();
        let amount = &profiles.profiles[0];
        let End::Failed { reason } = &amount.ends[1] else {
            panic!("{profiles}");
        };
        assert!(reason.contains("limit of 1 steps"), "{reason}");
        assert_eq!(amount.identifiability, Identifiability::Unknown);
        assert!(amount.rejected.len() >= 10 && amount.interval.1 < 25.0);
        says(&profiles, "θ0: not followed beyond");
        says(&profiles, "runs rejected, the last at ");
        says(&profiles, ", > ");
    });
}
