//! What a user must be able to rely on: no convergence that is none, no memory between runs, no wrong numbers
//! for input that is merely unusual.

use pullback::descent::{Stop, Tolerances};
use pullback::faer::sparse::{SparseColMat, SymbolicSparseColMat};
use pullback::faer::{Mat, mat};
use pullback::loss::{Divergence, L2Misfit, SobolevMisfit, Sum};
use pullback::metric::{FisherRao, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::{Armijo, Judge, Trial, TrustRatio, Verdict};
use pullback::{
    Bounds, Cpu, Descent, Error, Grid, Linearisation, Loss, Metric, Model, Operator, Report, Side,
    StepRule, Transform,
};

fn mixture(free: &[Parameter]) -> GaussianMixture {
    let side = (-4.0, 10.0, 28);
    GaussianMixture::new(&Grid::new(&[side, side]).unwrap())
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(free)
        .unwrap()
}

fn gradient_ratio(report: &Report) -> f64 {
    let history = &report.history;
    history[history.len() - 1].gradient / history[0].gradient
}

/// Starts on plateaus and at the edge of the box, where mass is lost, steps are cut back to nothing, and a small
/// step must not be taken for the end.
#[test]
fn no_run_converges_where_its_gradient_has_not_fallen() {
    let model = mixture(&[Parameter::Mean(0, 0), Parameter::Mean(0, 1)]);
    let target = model.density(&[1.0, 3.0]).unwrap();
    let loss = L2Misfit::new(model.grid(), target).unwrap();
    let metrics: [Box<dyn Metric>; 3] = [
        Box::new(Wasserstein2::new(model.grid())),
        Box::new(FisherRao::new(model.grid())),
        Box::new(FisherRao::new(model.grid()).with_free_mass()),
    ];
    let mut finished = 0;
    for metric in &metrics {
        for start in [[8.0, 8.0], [4.2, 4.0], [9.5, -3.0], [1.0, 9.9]] {
            let rules: [Box<dyn StepRule>; 3] = [
                Box::new(Armijo::growing(100.0, 2.0)),
                Box::new(Armijo::growing(1.0, 2.0)),
                Box::new(TrustRatio::default()),
            ];
            for mut rule in rules {
                let descent = Descent::new(&model, &loss).metric(metric.as_ref());
                let report = descent.step(rule.as_mut()).run(&start, |_| ()).unwrap();
                let honest = !report.converged() || gradient_ratio(&report) < 1e-3;
                assert!(honest, "{} from {start:?}: {report}", metric.name());
                finished += usize::from(report.converged());
            }
        }
    }
    assert!(finished >= 6, "only {finished} runs converged");
}

#[test]
fn a_mismatched_metric_finds_its_scale_by_the_default_rule() {
    let model = mixture(&[Parameter::Mean(0, 0), Parameter::Mean(0, 1)]);
    let target = model.density(&[1.0, 3.0]).unwrap();
    let loss = L2Misfit::new(model.grid(), target).unwrap();
    let metric = Wasserstein2::new(model.grid());
    let start = [4.2, 4.0];
    let descent = Descent::new(&model, &loss).metric(&metric);
    let report = descent
        .tolerances(Tolerances {
            target: Some(1e-10 * loss.value(&model.density(&start).unwrap())),
            ..Tolerances::default()
        })
        .run(&start, |_| ())
        .unwrap();
    assert!(report.converged() && report.iterations() <= 20, "{report}");
}

#[test]
fn a_rule_forgets_what_another_run_taught() {
    let model = mixture(&[Parameter::Weight(0), Parameter::Mean(0, 0)]);
    let target = model.density(&[0.3, 1.0]).unwrap();
    let loss = L2Misfit::new(model.grid(), target).unwrap();
    let mut rules: [Box<dyn StepRule>; 2] = [
        Box::new(TrustRatio::default()),
        Box::new(Armijo::growing(1.0, 2.0)),
    ];
    for rule in &mut rules {
        let mut runs = Vec::new();
        for _ in 0..2 {
            let descent = Descent::new(&model, &loss).step(rule.as_mut());
            let report = descent.run(&[0.7, -1.5], |_| ()).unwrap();
            runs.push(report.history.iter().map(|it| it.loss).collect::<Vec<_>>());
        }
        assert_eq!(runs[0], runs[1]);
    }
}

/// Never content, and never tired.
struct Stubborn;

impl StepRule for Stubborn {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Self)
    }
}

impl Judge for Stubborn {
    fn first(&self) -> (f64, f64) {
        (1.0, 0.0)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        Verdict::Scale(1.0)
    }
}

#[test]
fn a_rule_that_never_gives_up_is_stopped() {
    let model = mixture(&[Parameter::Mean(0, 0)]);
    let loss = L2Misfit::new(model.grid(), model.density(&[1.0]).unwrap()).unwrap();
    let stubborn = Stubborn;
    let descent = Descent::new(&model, &loss).step(&stubborn);
    let report = descent.run(&[2.0], |_| ()).unwrap();
    assert!(
        matches!(report.stop, Stop::Stalled { trials: 1000, .. }),
        "{report}"
    );
}

#[test]
fn a_mixture_is_checked_without_being_freed() {
    let plane = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 4)]).unwrap();
    let short = GaussianMixture::new(&plane).component(1.0, &[0.5], 1.0);
    assert!(matches!(short.density(&[]), Err(Error::Dimension { .. })));
    let heavy = GaussianMixture::new(&plane)
        .component(0.9, &[0.5, 0.5], 1.0)
        .component(0.9, &[0.5, 0.5], 1.0);
    assert!(matches!(
        heavy.density(&[]),
        Err(Error::NotNormalised { .. })
    ));
    assert!(GaussianMixture::new(&plane).density(&[]).is_err());
}

#[test]
fn unused_room_in_an_uncompressed_matrix_is_not_an_entry() {
    // [[2, 0], [0, 3]] with room for two entries a column, of which one is used.
    let pattern =
        SymbolicSparseColMat::new_checked(2, 2, vec![0, 2, 4], Some(vec![1, 1]), vec![0, 1, 1, 0]);
    let loose = SparseColMat::new(pattern, vec![2.0, 99.0, 3.0, f64::NAN]);
    let a = Operator::sparse(loose);
    a.check_finite("a").unwrap();
    assert_eq!(a.apply_to(Side::Plain, &[1.0, 1.0]).unwrap(), [2.0, 3.0]);
    assert_eq!(
        a.apply_to(Side::Transpose, &[1.0, 1.0]).unwrap(),
        [2.0, 3.0]
    );
}

#[test]
fn triplets_add_up_in_any_order() {
    let a = Operator::triplets(2, 3, [(1, 2, 1.0), (0, 0, 2.0), (1, 2, 4.0)]);
    assert_eq!(a.to_dense(), mat![[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]]);
}

#[test]
fn losses_of_the_wrong_length_are_not_numbers() {
    let grid = Grid::new(&[(0.0, 1.0, 4)]).unwrap();
    let q = vec![1.0; 4];
    let losses: [Box<dyn Loss>; 3] = [
        Box::new(L2Misfit::new(&grid, q.clone()).unwrap()),
        Box::new(Divergence::hellinger(&grid, q.clone()).unwrap()),
        Box::new(SobolevMisfit::new(&grid, -1.0, q).unwrap()),
    ];
    for loss in &losses {
        assert!(loss.value(&[1.0; 2]).is_nan() && loss.value(&[1.0; 5]).is_nan());
    }
}

#[test]
fn a_field_has_one_index_an_axis_the_last_one_fastest() {
    let grid = Grid::new(&[(0.0, 2.0, 2), (0.0, 3.0, 3)]).unwrap();
    let values = grid.sample(|x| 10.0 * x[0] + x[1]);
    let field = grid.field(&values).unwrap();
    assert_eq!((field.shape(), field[[1, 2]]), (&[2, 3][..], 17.5));
}

#[test]
fn divergence_is_the_negative_transpose_of_the_gradient() {
    let grid = Grid::new(&[(0.0, 1.0, 3), (0.0, 2.0, 4), (0.0, 1.0, 2)]).unwrap();
    let phi = pullback::random::normal(grid.cells(), 1, 0);
    let flux = pullback::random::normal(grid.faces(), 2, 0);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (left, right) = (
        dot(&grid.gradient(&phi).unwrap(), &flux),
        dot(&phi, &grid.divergence(&flux).unwrap()),
    );
    assert!((left + right).abs() < 1e-12 * left.abs());
}

#[test]
fn an_error_prints_its_sentence_also_in_debug() {
    let error = Grid::new(&[(0.0, 1.0, 0)]).unwrap_err();
    assert!(format!("{error:?}").ends_with(&error.to_string()));
}

/// ρ = θ q: nothing but the mass changes.
struct Heavier(Vec<f64>);

impl Model for Heavier {
    fn state_dim(&self) -> usize {
        self.0.len()
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        for (out, (r, q)) in out.iter_mut().zip(rho.iter().zip(&self.0)) {
            *out = r - theta[0] * q;
        }
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.0.len())
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::from_fn(self.0.len(), 1, |i, _| -self.0[i]))
    }
}

#[test]
fn a_metric_that_keeps_the_mass_does_not_converge_on_a_model_that_only_changes_it() {
    let grid = Grid::new(&[(0.0, 1.0, 10)]).unwrap();
    let q = grid.sample(|x| 1.0 + x[0]);
    let loss = L2Misfit::new(&grid, q.iter().map(|q| 2.0 * q).collect()).unwrap();
    let model = Heavier(q);
    let bounds = Bounds::new(vec![1.0], vec![3.0]).unwrap();
    let metrics: [Box<dyn Metric>; 2] = [
        Box::new(Wasserstein2::new(&grid)),
        Box::new(FisherRao::new(&grid)),
    ];
    for metric in &metrics {
        for start in [1.0, 1.5] {
            let descent = Descent::new(&model, &loss)
                .metric(metric.as_ref())
                .bounds(&bounds);
            let report = descent.run(&[start], |_| ()).unwrap();
            assert!(matches!(report.stop, Stop::Stalled { .. }), "{report}");
            assert!(report.to_string().contains("mass"), "{report}");
        }
    }
    let free = FisherRao::new(&grid).with_free_mass();
    let report = Descent::new(&model, &loss)
        .metric(&free)
        .run(&[1.0], |_| ())
        .unwrap();
    assert!(
        report.converged() && (report.theta[0] - 2.0).abs() < 1e-6,
        "{report}"
    );
}

#[test]
fn the_size_of_the_loss_does_not_end_a_run_that_seeks_its_scale() {
    let model = mixture(&[Parameter::Mean(0, 0), Parameter::Mean(0, 1)]);
    let target = model.density(&[1.0, 3.0]).unwrap();
    for weight in [1e-12, 1.0, 1e12] {
        let misfit = L2Misfit::new(model.grid(), target.clone()).unwrap();
        let loss = Sum::default().add(weight, misfit).unwrap();
        let metric = Wasserstein2::new(model.grid());
        let step = Armijo::growing(1.0, 2.0);
        let descent = Descent::new(&model, &loss).metric(&metric).step(&step);
        let report = descent.run(&[3.0, 3.0], |_| ()).unwrap();
        let honest = !report.converged() || gradient_ratio(&report) < 1e-3;
        assert!(honest, "{weight}: {report}");
    }
}

#[test]
fn a_singular_model_is_refused_every_time() {
    struct Flat;
    impl Model for Flat {
        fn state_dim(&self) -> usize {
            2
        }
        fn param_dim(&self) -> usize {
            1
        }
        fn residual(&self, _: &[f64], _: &[f64], out: &mut [f64]) {
            out.fill(0.0);
        }
        fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            Operator::dense(mat![[1.0, 2.0], [3.0, 6.0 + 1e-15]])
        }
        fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
            Operator::dense(mat![[1.0], [3.0]])
        }
    }
    let cpu = Cpu::default();
    let z = Linearisation::new(&Flat, &[0.0; 2], &[0.0], &cpu).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            z.tangent(mat![[1.0]].as_ref()),
            Err(Error::Singular { .. })
        ));
    }
}

#[test]
fn a_transform_with_its_ends_exchanged_does_not_panic() {
    let reversed = Transform::Logit {
        lower: 1.0,
        upper: 0.0,
    };
    let _ = reversed.forward(0.0);
}

#[test]
fn a_logit_transform_of_any_length_has_a_slope() {
    // θ(ξ) = lower + length/(1 + e^(−ξ)) has the slope length/4 in the middle.
    for (lower, upper) in [(-1e200, 1e200), (-8e307, 8e307), (0.0, 1e-300), (-1.0, 3.0)] {
        let logit = Transform::Logit { lower, upper };
        let slope = logit.slope(0.5 * lower + 0.5 * upper);
        assert!(
            (slope / (0.25 * (upper - lower)) - 1.0).abs() < 1e-14,
            "{slope}"
        );
    }
}
