//! Fits of y = a exp(−b t) + c to many sets of data, and to many data.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::Mat;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Descent, Result};

use crate::{Repeat, Row};

const START: [f64; 3] = [1.0, 1.0, 0.0];

/// Decay at K times from 0 to 3.6.
struct Decay<const K: usize>;

fn time<const K: usize>(k: usize) -> f64 {
    3.6 * k as f64 / (K - 1) as f64
}

impl<const K: usize> Formula for Decay<K> {
    fn dims(&self) -> (usize, usize) {
        (K, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * -time::<K>(k)).exp() + theta[2];
        }
    }
}

/// Decays of different heights, rates and levels, with deterministic errors of at most 0.02.
fn data<const K: usize>(count: usize) -> Mat<f64> {
    Mat::from_fn(K, count, |k, i| {
        let i = i as f64;
        let height = 2.0 + (0.1 * i).sin();
        let rate = 1.0 + 0.5 * (0.37 * i).sin();
        let level = 0.5 * (0.53 * i).cos();
        let error = 0.02 * (12.9898 * i + 78.233 * k as f64).sin();
        height * (-rate * time::<K>(k)).exp() + level + error
    })
}

/// Returns the seconds of a fit, by `FitMany` for all of them and by a descent for each of a few.
pub fn decay<const K: usize>(count: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let count = match repeat {
        Repeat::Once => count.div_ceil(100),
        Repeat::Times(_) => count,
    };
    let (data, few) = (data::<K>(count), count.div_ceil(40));
    let (many, _) = repeat.shortest(|| FitMany::new(&Decay::<K>).run(data.as_ref(), &START))?;
    let curve = Curve::new(Decay::<K>);
    let (descents, _) = repeat.shortest(|| {
        (0..few).try_for_each(|i| {
            let loss = L2Misfit::euclidean(data.col_as_slice(i).to_vec())?;
            Descent::new(&curve, &loss).run(&START, |_| ()).map(|_| ())
        })
    })?;
    Ok(vec![
        Row::new("a fit", many / count as f64),
        Row::new("a descent", descents / few as f64),
    ])
}
