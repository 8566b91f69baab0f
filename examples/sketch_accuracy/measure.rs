//! Statistics of all estimators over many seeds.

use indicatif::ProgressBar;
use pullback::faer::Mat;
use pullback::faer::linalg::solvers::Solve;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Cpu, Linearisation};
use rayon::prelude::*;

use crate::method::{Matrix, Method, Sketches};
use crate::options::Options;
use crate::problem::{Problem, View, column};
use crate::support::output::bar;

pub type Result<T> = pullback::Result<T>;

/// Numbers of probes.
pub const COUNTS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Results for each number of probes; None where an estimator is not defined.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// Median of ‖η − η*‖/‖η*‖ in the norm of G, or of the relative error of a matrix.
    pub error: Vec<Option<f64>>,
    /// Mean of ⟨η, Gη*⟩/⟨η*, Gη*⟩ and its standard error, for directions only.
    pub length: Vec<Option<[f64; 2]>>,
}

/// All results in one metric.
pub struct Curves {
    pub view: View,
    pub directions: Vec<(Method, Curve)>,
    pub matrices: Vec<(Matrix, Curve)>,
}

/// Results for one seed: error and length of every direction, error of every matrix.
struct Draw {
    directions: Vec<Option<[f64; 2]>>,
    matrices: Vec<Option<f64>>,
}

/// Measures all estimators in every requested metric.
pub fn measure(problem: &Problem, options: &Options) -> Result<Vec<Curves>> {
    let draws = options.metrics.len() * COUNTS.len() * options.seeds;
    let bar = bar(draws, "drawing random probes");
    let curves = options.metrics.iter().filter_map(|&kind| {
        let metric = kind.metric(&problem.grid).transpose()?;
        let view = metric.and_then(|metric| View::new(problem, kind, metric.as_ref()));
        Some(view.and_then(|view| in_view(view, options.seeds, &bar)))
    });
    let curves = curves.collect();
    bar.finish_and_clear();
    curves
}

fn in_view(view: View, seeds: usize, bar: &ProgressBar) -> Result<Curves> {
    let mut directions = Method::ALL.map(|m| (m, Curve::default())).to_vec();
    let mut matrices = Matrix::ALL.map(|m| (m, Curve::default())).to_vec();
    let (cpu, state) = (Cpu::default(), vec![0.0; view.dim()]);
    let z = Linearisation::new(&view.jacobian, &state, &view.exact, &cpu)?;
    for m in COUNTS {
        let draws = (1..=seeds as u64).into_par_iter().map(|seed| {
            let draw = draw(&view, &z, (m, seed));
            bar.inc(1);
            draw
        });
        let draws: Vec<Draw> = draws.collect::<Result<_>>()?;
        for (i, (method, curve)) in directions.iter_mut().enumerate() {
            let found: Option<Vec<[f64; 2]>> = draws.iter().map(|d| d.directions[i]).collect();
            curve
                .error
                .push(found.as_ref().map(|f| median(f, |d| d[0])));
            let found = found.filter(|_| method.has_length(m, view.params()));
            curve.length.push(found.as_deref().map(mean_length));
        }
        for (i, (_, curve)) in matrices.iter_mut().enumerate() {
            let found: Option<Vec<f64>> = draws.iter().map(|d| d.matrices[i]).collect();
            curve.error.push(found.map(|f| median(&f, |e| *e)));
        }
    }
    drop(z);
    Ok(Curves {
        view,
        directions,
        matrices,
    })
}

fn draw(view: &View, z: &Linearisation<'_>, (m, seed): (usize, u64)) -> Result<Draw> {
    let (kind, p) = (ProbeKind::Signs, view.params());
    let plain = Probes::new(kind, view.dim(), m, seed)?;
    let spanning = match m > p {
        true => Some(Probes::spanning(view.previous.as_ref(), kind, m - p, seed)?),
        false => None,
    };
    let sketches = Sketches {
        plain: Sketch::of_state(z, &plain)?,
        spanning: spanning
            .as_ref()
            .map(|probes| Sketch::of_state(z, probes))
            .transpose()?,
    };
    let judged = Method::ALL.iter().map(|method| {
        let eta = method.direction(view, &sketches)?;
        Ok(eta.map(|eta| judge(view, &eta)))
    });
    let matrices = Matrix::ALL.iter().map(|matrix| {
        let value = matrix.value(&sketches);
        value.map(|g| matrix_error(&view.information, &g))
    });
    Ok(Draw {
        directions: judged.collect::<Result<_>>()?,
        matrices: matrices.collect(),
    })
}

/// Computes error and length of a direction.
fn judge(view: &View, eta: &[f64]) -> [f64; 2] {
    let product = |a: &[f64], b: &[f64]| {
        let gb = &view.information * column(b);
        let terms = a.iter().zip(gb.col_as_slice(0));
        terms.map(|(a, gb)| a * gb).sum::<f64>()
    };
    let exact = &view.exact;
    let off: Vec<f64> = eta.iter().zip(exact).map(|(a, b)| a - b).collect();
    let square = product(exact, exact);
    [
        (product(&off, &off) / square).sqrt(),
        product(eta, exact) / square,
    ]
}

/// Computes ‖Ĝ − G‖/‖G‖ in coordinates of θ in which G = I, where ‖Ĝ − G‖² = tr((G⁻¹Ĝ − I)²).
fn matrix_error(exact: &Mat<f64>, found: &Mat<f64>) -> f64 {
    let p = exact.nrows();
    let off = exact.full_piv_lu().solve(found - exact);
    let square = &off * &off;
    let trace: f64 = (0..p).map(|i| square[(i, i)]).sum();
    (trace.max(0.0) / p as f64).sqrt()
}

fn median<T>(draws: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = draws.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => 0.5 * (values[half - 1] + values[half]),
        _ => values[half],
    }
}

fn mean_length(draws: &[[f64; 2]]) -> [f64; 2] {
    let n = draws.len() as f64;
    let mean = draws.iter().map(|d| d[1]).sum::<f64>() / n;
    let squares = draws.iter().map(|d| (d[1] - mean).powi(2)).sum::<f64>();
    [mean, (squares / (n * (n - 1.0))).sqrt()]
}
