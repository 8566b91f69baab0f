//! The laws of every metric, M = LᵀL, on grids of one, two and three dimensions, checked on whole matrices.

use crate::support;
use crate::support::{definite, density, eigenvalues, gap, grids, identity, matrix_gap};
use pullback::faer::{Mat, MatRef};
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::metric::{
    FaceMean, FisherRao, HellingerKantorovich, Kernels, L2, Observed, Particles, Root,
    SampledWasserstein, Scaled, Sobolev, Stacked, Wasserstein2,
};
use pullback::{Cpu, Grid, Loss, Metric, Noise, Operator, random};

/// Every product here is a short sum or a solve with condition number below 10⁴ (densities vary by a factor
/// of 50), so 10⁻¹¹ leaves a margin of a hundred.
const ROUNDING: f64 = 1e-11;

/// A metric, by name, and the dimension of what it does not see.
struct Row {
    name: &'static str,
    metric: Box<dyn Metric>,
    unseen: usize,
}

fn row(name: &'static str, unseen: usize, metric: impl Metric + 'static) -> Row {
    Row {
        name,
        metric: Box::new(metric),
        unseen,
    }
}

fn wasserstein(grid: &Grid, face_mean: FaceMean) -> Wasserstein2 {
    Wasserstein2 {
        face_mean,
        ..Wasserstein2::new(grid)
    }
}

fn hellinger_kantorovich(grid: &Grid, alpha: f64, beta: f64) -> HellingerKantorovich {
    HellingerKantorovich {
        alpha,
        beta,
        ..HellingerKantorovich::new(grid)
    }
}

/// Observations of three random combinations of the cells.
fn observed(grid: &Grid, noise: Noise) -> Observed<'static> {
    let operator = Operator::dense(random::normal_matrix(noise.dim(), grid.cells(), 11));
    Observed::new(Box::leak(Box::new(operator)), Box::leak(Box::new(noise))).unwrap()
}

/// Fisher information of data in the first cells, with noise levels in the last one and in between.
fn information(k: usize) -> Box<dyn Metric> {
    let datum = |(mean, noise)| Datum {
        mean,
        noise: NoiseLevel::Entry(noise),
        value: 1.0,
        family: Family::Gaussian,
    };
    let data = [(0, k - 1), (1, k - 1), (0, 3)].map(datum);
    let loss: &'static Likelihood = Box::leak(Box::new(Likelihood::new(k, data).unwrap()));
    loss.metric().unwrap()
}

fn metrics(grid: &Grid) -> Vec<Row> {
    let sobolev = |order| Sobolev::new(grid, order).unwrap();
    let homogeneous = |order| Sobolev::homogeneous(grid, order).unwrap();
    let (k, rao) = (grid.cells(), FisherRao::new(grid));
    let diagonal = Noise::deviations(vec![0.5, 1.0, 2.0]).unwrap();
    let full = Noise::full(definite(3, 12)).unwrap();
    vec![
        row("L2", 0, L2::new(grid)),
        row("Fisher-Rao", 1, rao.clone()),
        row("Fisher-Rao, free mass", 0, rao.clone().with_free_mass()),
        row("H1", 0, sobolev(1.0)),
        row("H-1", 0, sobolev(-1.0)),
        row("H2", 0, sobolev(2.0)),
        row("H-2", 0, sobolev(-2.0)),
        row("H1/2", 0, sobolev(0.5)),
        row("homogeneous H1", 1, homogeneous(1.0)),
        row("homogeneous H-1", 1, homogeneous(-1.0)),
        row("W2 arithmetic", 1, wasserstein(grid, FaceMean::Arithmetic)),
        row(
            "W2 logarithmic",
            1,
            wasserstein(grid, FaceMean::Logarithmic),
        ),
        row("W2 geometric", 1, wasserstein(grid, FaceMean::Geometric)),
        row("W2 harmonic", 1, wasserstein(grid, FaceMean::Harmonic)),
        row("HK (1, 1)", 0, hellinger_kantorovich(grid, 1.0, 1.0)),
        row("HK (0.3, 5)", 0, hellinger_kantorovich(grid, 0.3, 5.0)),
        row("observed", k - 3, observed(grid, diagonal)),
        row("observed, full noise", k - 3, observed(grid, full)),
        Row {
            name: "observed, Fisher information",
            metric: information(k),
            unseen: k - 4,
        },
        row(
            "scaled",
            1,
            Scaled {
                metric: rao.clone(),
                factor: 3.0,
            },
        ),
        row(
            "sum",
            0,
            Stacked::default()
                .add(0.7, L2::new(grid))
                .add(2.0, rao.clone()),
        ),
        row(
            "sum with one projection",
            1,
            Stacked::default()
                .add(1.5, Wasserstein2::new(grid))
                .add(2.0, rao),
        ),
    ]
}

/// Metrics of samples, with the cells as particles on a line.
fn of_samples(k: usize) -> Vec<Row> {
    let few = Kernels {
        count: Some(2),
        ..Kernels::default()
    };
    let squares = |x: &[f64], out: &mut [f64]| (0..x.len()).for_each(|n| out[n] = x[n] * x[n]);
    let kernels = SampledWasserstein::new(1).kernels(few).field(squares);
    // One linear and one quadratic potential.
    vec![
        row("particles", 0, Particles::new(1)),
        row("sampled W2", k - 2, SampledWasserstein::new(1)),
        row("sampled W2, kernels", k - 5, kernels),
    ]
}

/// L, Lᵀ, M and Π as matrices.
struct Matrices {
    lift: Mat<f64>,
    lower: Mat<f64>,
    apply: Mat<f64>,
    projection: Mat<f64>,
}

impl Matrices {
    fn of(root: &dyn Root) -> Self {
        let k = root.dim();
        let lift = root.lift(identity(k).as_ref()).unwrap();
        let mut transposed = identity(k);
        (0..k).for_each(|j| root.project(transposed.col_as_slice_mut(j)));
        Self {
            lower: root.lower(identity(lift.nrows()).as_ref()).unwrap(),
            apply: root.apply(identity(k).as_ref()).unwrap(),
            projection: transposed.transpose().to_owned(),
            lift,
        }
    }
}

/// Runs a law on every metric, every grid and a rough density, and names all that break it.
fn for_all(law: impl Fn(&Row, &dyn Root, &Matrices) -> Option<String>) {
    let mut broken = Vec::new();
    for (grid, seed) in grids().iter().zip(1..) {
        let (rho, cpu) = (density(grid, seed), Cpu::default());
        for row in metrics(grid).into_iter().chain(of_samples(grid.cells())) {
            let root = row.metric.at(&rho, &cpu).unwrap();
            let what = law(&row, root.as_ref(), &Matrices::of(root.as_ref()));
            broken.extend(what.map(|what| format!("{} in {}-D: {what}", row.name, grid.dim())));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Nothing if a is b to rounding.
fn compare(what: &str, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Option<String> {
    let off = matrix_gap(a, b);
    (off > ROUNDING).then(|| format!("{what} is off by {off:e}"))
}

#[test]
fn lower_is_the_transpose_of_lift() {
    for_all(|_, _, m| compare("Lᵀ", m.lower.as_ref(), m.lift.transpose()));
}

#[test]
fn apply_is_lower_after_lift() {
    for_all(|_, _, m| {
        compare(
            "M",
            m.apply.as_ref(),
            (m.lift.transpose() * &m.lift).as_ref(),
        )
    });
}

#[test]
fn the_projection_is_one_and_lift_contains_it() {
    for_all(|_, _, m| {
        let (p, l) = (&m.projection, &m.lift);
        compare("Π²", (p * p).as_ref(), p.as_ref())
            .or_else(|| compare("LΠ", (l * p).as_ref(), l.as_ref()))
    });
}

#[test]
fn the_dual_lowers_to_the_projected_covector() {
    for_all(|row, root, m| {
        // A covector that the metric sees: for observations, one in the range of Oᵀ.
        let mut c = random::normal(root.dim(), 21, 0);
        if row.name.starts_with("observed") {
            let seen = &m.lower * &random::normal_matrix(m.lower.ncols(), 1, 22);
            c = seen.col_as_slice(0).to_vec();
        }
        let y = root.dual(&c).unwrap();
        let lowered = &m.lower * support::column(&y);
        let projected = m.projection.transpose() * support::column(&c);
        compare("Lᵀ dual(c)", lowered.as_ref(), projected.as_ref())
    });
}

/// For a gradient M ζ the dual is the lifted tangent L ζ again; only a sum may choose another one.
#[test]
fn the_dual_of_a_lowered_tangent_is_its_lift() {
    for_all(|row, root, m| {
        let z = random::normal_matrix(root.dim(), 1, 23);
        let (gradient, lifted) = (&m.apply * &z, &m.lift * &z);
        let dual = root.dual(gradient.col_as_slice(0)).unwrap();
        let free = row.name.starts_with("sum");
        let same = compare("dual(Mζ)", support::column(&dual), lifted.as_ref());
        same.filter(|_| !free)
    });
}

#[test]
fn metrics_are_symmetric_and_positive_on_what_they_see() {
    for_all(|row, _, m| {
        let asymmetry = compare("Mᵀ", m.apply.transpose(), m.apply.as_ref());
        let symmetric = 0.5 * (&m.apply + m.apply.transpose());
        let values = eigenvalues(symmetric.as_ref());
        let largest = values[values.len() - 1];
        let zero = values.iter().filter(|v| v.abs() < 1e-12 * largest).count();
        let negative = values[0] < -1e-12 * largest;
        let wrong = negative || zero != row.unseen;
        let spectrum = || format!("{zero} zero eigenvalues, the least is {:e}", values[0]);
        asymmetry.or_else(|| wrong.then(spectrum))
    });
}

#[test]
fn a_batch_is_its_columns() {
    for_all(|_, root, m| {
        let z = random::normal_matrix(root.dim(), 19, 24);
        let y = random::normal_matrix(m.lift.nrows(), 19, 25);
        let all = [
            root.lift(z.as_ref()),
            root.lower(y.as_ref()),
            root.apply(z.as_ref()),
        ];
        // A row of a wider matrix, so that the columns do not lie one behind the other.
        let rows = z.transpose().to_owned();
        let strided = root.lift(rows.as_ref().transpose()).unwrap();
        let [lifted, lowered, applied] = all.map(Result::unwrap);
        let column = |j: usize| {
            let one = |whole: &Mat<f64>, alone: pullback::Result<Mat<f64>>| {
                compare("a column", whole.subcols(j, 1), alone.unwrap().as_ref())
            };
            one(&lifted, root.lift(z.subcols(j, 1)))
                .or_else(|| one(&lowered, root.lower(y.subcols(j, 1))))
                .or_else(|| one(&applied, root.apply(z.subcols(j, 1))))
        };
        let first = (0..19).find_map(column);
        first.or_else(|| compare("a strided batch", strided.as_ref(), lifted.as_ref()))
    });
}

/// Projecting a covector twice, or before `dual`, changes nothing: the whole descent relies on it.
#[test]
fn the_dual_of_a_projected_covector_is_the_same() {
    for_all(|row, root, _| {
        let c = random::normal(root.dim(), 26, 0);
        let mut projected = c.clone();
        root.project(&mut projected);
        let seen = !row.name.starts_with("observed");
        let duals = seen.then(|| (root.dual(&c).unwrap(), root.dual(&projected).unwrap()));
        let off = duals.map_or(0.0, |(a, b)| gap(&a, &b));
        (off > ROUNDING).then(|| format!("off by {off:e}"))
    });
}

/// Where two metrics project differently, their sum sees every tangent, and nothing may be projected away.
#[test]
fn a_sum_with_two_projections_projects_nothing() {
    for (grid, seed) in grids().iter().zip(1..) {
        let (rho, cpu) = (density(grid, seed), Cpu::default());
        let homogeneous = Sobolev::homogeneous(grid, 1.0).unwrap();
        let sum = Stacked::default()
            .add(1.0, Wasserstein2::new(grid))
            .add(2.0, homogeneous);
        let root = sum.at(&rho, &cpu).unwrap();
        let m = Matrices::of(root.as_ref());
        assert!(eigenvalues(m.apply.as_ref())[0] > 1e-6);
        let broken = compare("LΠ", (&m.lift * &m.projection).as_ref(), m.lift.as_ref());
        assert!(broken.is_none(), "{broken:?}");
    }
}
