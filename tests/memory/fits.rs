//! Many small fits allocate for their results, and nothing for a fit.

use crate::allocator::{alone, counted, watch};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::Mat;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Bounds, Descent};
use rayon::ThreadPoolBuilder;

/// y = a exp(−b t) + c.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (10, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (-0.4 * k as f64)).exp() + theta[2];
        }
    }
}

#[test]
fn a_fit_allocates_nothing_after_the_first() {
    let _alone = alone();
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    watch(&pool);
    // Levels below 0 end at the bound.
    let bounds = Bounds::new(vec![0.0; 3], vec![9.0; 3]).unwrap();
    let calls = |count: usize| {
        let data = Mat::from_fn(10, count, |k, i| {
            let level = 0.1 * (i as f64).sin();
            2.0 * (-0.4 * k as f64).exp() + level + 0.01 * (7.0 * (i + 3 * k) as f64).sin()
        });
        let fit = FitMany::new(&Decay).bounds(&bounds);
        let run = || fit.run(data.as_ref(), &[1.0, 1.0, 0.1]).unwrap();
        let mut made = None;
        let counts = pool.install(|| counted(|| made = Some(run())));
        let fits = made.unwrap();
        assert!(fits.all_converged(), "{fits}");
        let held = (0..count).filter(|i| fits.theta[(2, *i)] == 0.0).count();
        assert!(held > count / 4, "{held} of {count}");
        counts.0
    };
    calls(20);
    let (few, many) = (calls(400), calls(4000));
    // More fits may be split into more shares, each with buffers of its own.
    assert!(many < few + 200, "{few} and {many} allocations");
}

/// Allocations of a descent from this start.
fn allocations(start: &[f64; 3]) -> (usize, usize) {
    let curve = Curve::new(Decay);
    let mut data = vec![0.0; 10];
    Decay.values(&[2.0, 1.2, 0.5], &mut data);
    (0..10).for_each(|k| data[k] += 0.02 * (12.0 * k as f64).sin());
    let loss = L2Misfit::euclidean(data).unwrap();
    let mut report = None;
    let mut run = || report = Some(Descent::new(&curve, &loss).run(start, |_| ()).unwrap());
    run();
    let (calls, _) = counted(run);
    let report = report.unwrap();
    assert!(report.converged(), "{report}");
    (report.iterations(), calls)
}

/// A descent is made for models whose solution costs far more than an allocation. Its own share must stay small.
#[test]
fn a_step_of_a_descent_with_three_parameters_allocates_little() {
    let _alone = alone();
    let (short, few) = allocations(&[2.0, 1.2, 0.5]);
    let (long, many) = allocations(&[1.0, 4.0, 0.0]);
    let step = (many - few) as f64 / (long - short) as f64;
    assert!(
        long >= short + 4 && step < 80.0,
        "{step} allocations a step"
    );
}
