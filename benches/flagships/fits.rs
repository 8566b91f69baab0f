//! Fits of y = a exp(−b t) + c to many sets of data, and to many data.

use pullback::automatic::Curve;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Descent, Result};

use crate::decay::{Decay, START, data};
use crate::{Repeat, Row};

/// Returns the seconds of a fit to k data, by `FitMany` for all of them and by a descent for each of a few.
pub fn decay(k: usize, count: usize, repeat: Repeat) -> Result<Vec<Row>> {
    let count = match repeat {
        Repeat::Once => count.div_ceil(100),
        Repeat::Times(_) => count,
    };
    let (decay, few) = (Decay(k), count.div_ceil(40));
    let data = data(&decay, count);
    let (many, fits) = repeat.shortest(|| FitMany::new(&decay).run(data.as_ref(), &START))?;
    let curve = Curve::new(Decay(k));
    let (descents, _) = repeat.shortest(|| {
        (0..few).try_for_each(|i| {
            let loss = L2Misfit::euclidean(data.col_as_slice(i).to_vec())?;
            Descent::new(&curve, &loss).run(&START, |_| ()).map(|_| ())
        })
    })?;
    Ok(vec![
        Row::new("a fit", many / count as f64).steps(fits.steps.iter().sum()),
        Row::new("a descent", descents / few as f64),
    ])
}
