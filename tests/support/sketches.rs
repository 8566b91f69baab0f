//! Geometries to sketch, and the statistics of what sketches say over many seeds.

use pullback::faer::Mat;
use pullback::metric::{
    FisherRao, HellingerKantorovich, L2, Observed, Root, Sobolev, Stacked, Wasserstein2,
};
use pullback::sketch::{Estimate, ProbeKind, Probes, Sketch};
use pullback::{Grid, Linearisation, Metric, Noise, Operator, random};

use super::problems::problems;
use super::{column, definite, dot, reference_vector};

pub(crate) const KINDS: [ProbeKind; 3] = [
    ProbeKind::Signs,
    ProbeKind::Gaussian,
    ProbeKind::Orthonormal,
];

/// A model and a metric, with Y = LZ and G = YᵀY formed in full.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) z: &'a Linearisation<'a>,
    pub(crate) root: &'a dyn Root,
    pub(crate) y: Mat<f64>,
    pub(crate) g: Mat<f64>,
}

impl Case<'_> {
    pub(crate) fn sketch<'p>(&self, probes: &'p Probes) -> Sketch<'p> {
        Sketch::new(self.z, self.root, probes).unwrap()
    }

    pub(crate) fn probes(&self, kind: ProbeKind, count: usize, seed: u64) -> Probes {
        // Observations are few: never more orthonormal probes than fit.
        let count = match kind {
            ProbeKind::Orthonormal => count.min(self.y.nrows()),
            _ => count,
        };
        Probes::new(kind, self.y.nrows(), count, seed).unwrap()
    }

    /// Data that the model explains, y = −Y t with t = (1, …, 1) in units of the columns, and t.
    pub(crate) fn explained(&self) -> (Vec<f64>, Vec<f64>) {
        let p = self.y.ncols();
        let t: Vec<f64> = (0..p).map(|j| self.g[(j, j)].sqrt().recip()).collect();
        let y = -(&self.y * column(&t));
        (y.col_as_slice(0).to_vec(), t)
    }

    /// The same with a residual of the same size, orthogonal to the range of Y; the direction is still t.
    pub(crate) fn unexplained(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut y, t) = self.explained();
        let noise = random::normal(y.len(), 99, 0);
        let seen = self.y.transpose() * column(&noise);
        let inside = &self.y * column(&reference_vector(self.g.as_ref(), seen.col_as_slice(0)));
        let rest: Vec<f64> = (0..y.len()).map(|i| noise[i] - inside[(i, 0)]).collect();
        let size = (dot(&y, &y) / dot(&rest, &rest)).sqrt();
        y.iter_mut().zip(&rest).for_each(|(y, r)| *y += size * r);
        (y, t)
    }

    /// Gt, the gradient whose natural direction is −t.
    pub(crate) fn gradient(&self, t: &[f64]) -> Vec<f64> {
        let g = -(&self.g * column(t));
        g.col_as_slice(0).to_vec()
    }

    /// The length of η along t, in the metric: 1 for η = t.
    pub(crate) fn length(&self, eta: &[f64], t: &[f64]) -> f64 {
        let along = self.gradient(t);
        dot(eta, &along) / dot(t, &along)
    }
}

fn metrics(grid: &Grid) -> Vec<Box<dyn Metric>> {
    let k = grid.cells();
    let operator = Box::leak(Box::new(Operator::dense(random::normal_matrix(9, k, 31))));
    let noise = Box::leak(Box::new(Noise::full(definite(9, 32)).unwrap()));
    let sum = Stacked::default()
        .add(1.0, L2::new(grid))
        .add(0.1, FisherRao::new(grid));
    vec![
        Box::new(L2::new(grid)),
        Box::new(FisherRao::new(grid)),
        Box::new(Sobolev::new(grid, 1.0).unwrap()),
        Box::new(Sobolev::new(grid, -1.0).unwrap()),
        Box::new(Wasserstein2::new(grid)),
        Box::new(HellingerKantorovich::new(grid)),
        Box::new(Observed::new(operator, noise).unwrap()),
        Box::new(sum),
    ]
}

/// Looks at every metric for an explicit mixture and for an implicit model; p = 4.
pub(crate) fn each_case(look: impl Fn(&Case<'_>) + Sync) {
    for problem in problems() {
        for metric in metrics(&problem.grid) {
            problem.start(metric.as_ref()).look(|at| {
                let (z, root) = (at.z, at.root.unwrap());
                let y = root.lift(z.matrix().unwrap().as_ref()).unwrap();
                let name = format!("{}, {}", problem.name, metric.name());
                let g = y.transpose() * &y;
                look(&Case {
                    name,
                    z,
                    root,
                    y,
                    g,
                });
            });
        }
    }
}

/// What sketches with different seeds said.
#[derive(Default)]
pub(crate) struct Draws {
    values: Vec<Vec<f64>>,
    errors: Vec<Vec<f64>>,
}

impl Draws {
    pub(crate) fn of(seeds: u64, draw: impl Fn(u64) -> Estimate<Vec<f64>>) -> Self {
        let mut draws = Self::default();
        for seed in 1..=seeds {
            let drawn = draw(1000 * seed);
            draws.values.push(drawn.value);
            draws.errors.extend(drawn.standard_error);
        }
        draws
    }

    fn len(&self) -> f64 {
        self.values.len() as f64
    }

    pub(crate) fn mean(&self) -> Vec<f64> {
        let sum = |i: usize| self.values.iter().map(|v| v[i]).sum::<f64>();
        (0..self.values[0].len())
            .map(|i| sum(i) / self.len())
            .collect()
    }

    /// The standard deviation over the seeds.
    pub(crate) fn spread(&self) -> Vec<f64> {
        let mean = self.mean();
        let square = |i: usize| {
            let off = self.values.iter().map(|v| (v[i] - mean[i]).powi(2));
            off.sum::<f64>() / (self.len() - 1.0)
        };
        (0..mean.len()).map(|i| square(i).sqrt()).collect()
    }

    /// The largest |mean − exact| in standard errors of the mean.
    pub(crate) fn off(&self, exact: &[f64]) -> f64 {
        let (mean, spread) = (self.mean(), self.spread());
        let off = (0..exact.len()).map(|i| {
            let error = spread[i] / self.len().sqrt() + 1e-12 * exact[i].abs();
            (mean[i] - exact[i]).abs() / error
        });
        off.fold(0.0, f64::max)
    }

    /// The root mean square of the reported errors over the spread, the median over the entries.
    pub(crate) fn honesty(&self) -> f64 {
        assert_eq!(self.errors.len(), self.values.len(), "an error is unknown");
        let square = |i: usize| self.errors.iter().map(|e| e[i] * e[i]).sum::<f64>();
        let spread = self.spread();
        let ratio = |i: usize| (square(i) / self.len()).sqrt() / spread[i];
        median((0..spread.len()).map(ratio).collect())
    }

    /// The median of the reported errors over the spread, the median over the entries.
    pub(crate) fn typical_honesty(&self) -> f64 {
        let spread = self.spread();
        let ratio = |i: usize| median(self.errors.iter().map(|e| e[i]).collect()) / spread[i];
        median((0..spread.len()).map(ratio).collect())
    }

    /// The entries as one number each.
    pub(crate) fn map(&self, f: impl Fn(&[f64]) -> f64) -> Self {
        Self {
            values: self.values.iter().map(|v| vec![f(v)]).collect(),
            errors: Vec::new(),
        }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An estimate of a matrix, its columns on top of each other.
pub(crate) fn flat(estimate: Estimate<Mat<f64>>) -> Estimate<Vec<f64>> {
    Estimate {
        value: columns(&estimate.value),
        standard_error: estimate.standard_error.as_ref().map(columns),
        solves: estimate.solves,
    }
}

pub(crate) fn columns(a: &Mat<f64>) -> Vec<f64> {
    (0..a.ncols())
        .flat_map(|j| a.col_as_slice(j).to_vec())
        .collect()
}
