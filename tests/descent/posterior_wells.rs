//! Posteriors of many precise data: eigenvalues over many decades, against singular values of S C^{-1/2}.

use crate::support;
use crate::support::reference_solve;
use nalgebra::DMatrix;
use pullback::faer::{Mat, MatRef};
use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::posterior::{Posterior, Rank};
use pullback::prior::Matern;
use pullback::{Descent, Grid, Model, Noise, Operator, Prior, Side};
use rayon::ThreadPoolBuilder;

const CELLS: usize = 32;

struct Wells {
    model: Darcy,
    prior: Matern,
    theta: Vec<f64>,
    points: Vec<[f64; 2]>,
}

/// 100 wells within a quarter of the unit square, close enough to see nearly the same.
fn wells() -> Wells {
    let grid = Grid::new(&[(0.0, 1.0, CELLS), (0.0, 1.0, CELLS)]).unwrap();
    let model = Darcy::new(&grid).unwrap();
    let model = model.pressure(0, End::Lower, 1.0).unwrap();
    let model = model.pressure(0, End::Upper, 0.0).unwrap();
    let place = |i: usize| 0.025 + 0.05 * i as f64;
    Wells {
        theta: grid.sample(|x| (6.0 * x[0]).sin() * (5.0 * x[1]).cos()),
        prior: Matern::new(&grid, 1.0, 0.3).unwrap(),
        points: (0..100).map(|i| [place(i / 10), place(i % 10)]).collect(),
        model,
    }
}

impl Wells {
    fn loss(&self, observed: Operator<'static>, noise: f64) -> Observations {
        let rho = self.model.pressures(&self.theta).unwrap();
        let data = observed.apply_to(Side::Plain, &rho).unwrap();
        let noise = Noise::uniform(data.len(), noise).unwrap();
        Observations::new(observed, data, noise).unwrap()
    }

    fn posterior<'a>(&'a self, loss: &'a Observations, rank: Rank) -> Posterior<'a> {
        let descent = Descent::new(&self.model, loss).prior(&self.prior);
        descent.posterior(&self.theta, rank).unwrap()
    }

    /// The singular values of S C^{-1/2} for noise of deviation 1, S = −O A⁻¹ ∂g/∂θ and C = PᵀP, largest first.
    fn singular_values(&self, observed: &Operator<'_>) -> Vec<f64> {
        let rho = self.model.pressures(&self.theta).unwrap();
        let a = self.model.state_jacobian(&rho, &self.theta).to_dense();
        let c = self.model.param_jacobian(&rho, &self.theta).to_dense();
        let adjoints = reference_solve(a.transpose(), observed.to_dense().transpose());
        let root = root(&self.prior, &self.theta);
        let rows = reference_solve(root.transpose(), (c.transpose() * adjoints).as_ref());
        let mut values = singular_values(rows.as_ref());
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }
}

fn root(prior: &Matern, theta: &[f64]) -> Mat<f64> {
    prior.at(theta).unwrap().root().unwrap().0.to_dense()
}

fn singular_values(a: MatRef<'_, f64>) -> Vec<f64> {
    let a = DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)]);
    a.singular_values().as_slice().to_vec()
}

/// ½ Σ ln(1 + (σ/noise)²).
fn gain(singular: &[f64], noise: f64) -> f64 {
    let terms = singular.iter().map(|s| (s / noise).powi(2).ln_1p());
    0.5 * terms.sum::<f64>()
}

fn rank(rank: usize) -> Rank {
    Rank {
        rank,
        ..Rank::default()
    }
}

const NOISES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];

#[test]
fn no_pair_that_the_data_determine_is_lost_however_precise_they_are() {
    let wells = wells();
    let observed = || wells.model.observe(&wells.points).unwrap();
    let singular = wells.singular_values(&observed());
    for noise in NOISES {
        let loss = wells.loss(observed(), noise);
        let posterior = wells.posterior(&loss, rank(100));
        assert_eq!(posterior.solves(), 100);
        for (found, s) in posterior.eigenvalues().iter().zip(&singular) {
            let exact = (s / noise).powi(2);
            let off = (found - exact).abs() / (1.0 + exact);
            assert!(off < 1e-9, "noise {noise}: {found:e} for {exact:e}");
        }
        let (found, exact) = (posterior.information_gain(), gain(&singular, noise));
        assert!(
            (found / exact - 1.0).abs() < 1e-9,
            "noise {noise}: {found}, {exact}"
        );
        let u = posterior.eigenvectors();
        let lifted = &root(&wells.prior, &wells.theta) * u;
        let unit = lifted.transpose() * &lifted;
        let off = support::matrix_gap(unit.as_ref(), support::identity(u.ncols()).as_ref());
        assert!(off < 1e-10, "noise {noise}, UᵀCU: {off:e}");
        assert!(!posterior.to_string().contains("left out"), "{posterior}");
    }
}

#[test]
fn random_columns_find_the_leading_pairs_over_many_decades() {
    let wells = wells();
    let everywhere = || Operator::identity(CELLS * CELLS);
    let singular = wells.singular_values(&everywhere());
    for noise in NOISES {
        let loss = wells.loss(everywhere(), noise);
        let posterior = wells.posterior(&loss, rank(60));
        assert_eq!(posterior.solves(), 3 * 70);
        // Random columns see a little less of the last pairs that are kept: they are 1.4 nats in hundreds.
        let (found, exact) = (posterior.information_gain(), gain(&singular[..60], noise));
        assert!(
            found <= exact && found > exact - 2.0,
            "noise {noise}: {found}, {exact}"
        );
        let leading = posterior.eigenvalues().iter().zip(&singular).take(20);
        for (found, s) in leading {
            let off = found * (noise / s).powi(2) - 1.0;
            assert!(off.abs() < 1e-3, "noise {noise}: {found:e}, off by {off:e}");
        }
        // An estimate, by a power law: of the right size.
        let ratio = posterior.left_out() / gain(&singular[60..], noise);
        assert!((0.6..1.3).contains(&ratio), "noise {noise}: {ratio}");
    }
}

#[test]
fn what_is_left_out_is_said_exactly_where_it_matters() {
    let wells = wells();
    let observed = || wells.model.observe(&wells.points).unwrap();
    let singular = wells.singular_values(&observed());
    let loss = wells.loss(observed(), 1e-3);
    for kept in [20, 34, 60, 80, 99, 100] {
        let posterior = wells.posterior(&loss, rank(kept));
        let exact = gain(&singular[kept..], 1e-3);
        let off = (posterior.left_out() / exact - 1.0).abs();
        let next = singular.get(kept).map_or(0.0, |s| (s / 1e-3).powi(2));
        let said = posterior.to_string();
        assert_eq!(said.contains("left out"), next > 0.1, "{kept}: {said}");
        // From 34 on, 100 adjoint solves are the cheaper way, and nothing is an estimate.
        let tolerance = if kept < 34 { 0.3 } else { 1e-6 };
        assert!(exact == 0.0 || off < tolerance, "{kept}: {off} of {exact}");
        assert!(!said.contains("rounding"), "{said}");
    }
}

#[test]
fn a_last_eigenvalue_that_matters_is_no_alarm_where_the_next_does_not() {
    let wells = wells();
    let observed = || wells.model.observe(&wells.points).unwrap();
    let singular = wells.singular_values(&observed());
    // Noise at which the 21st eigenvalue is above a tenth, and the 22nd as far below it.
    let noise = (singular[20] * singular[21] / 0.1).sqrt();
    let loss = wells.loss(observed(), noise);
    let posterior = wells.posterior(&loss, rank(21));
    assert!(posterior.eigenvalues()[20] > 0.1, "{posterior}");
    assert!(!posterior.to_string().contains("left out"), "{posterior}");
    // Without columns beyond those that are kept, the last bounds the next.
    let bare = Rank {
        oversampling: 0,
        ..rank(12)
    };
    let said = wells.posterior(&loss, bare).to_string();
    assert!(said.contains("left out"), "{said}");
}

#[test]
fn pairs_that_rounding_takes_are_remarked_on() {
    let wells = wells();
    let loss = wells.loss(wells.model.observe(&wells.points).unwrap(), 1e-14);
    let posterior = wells.posterior(&loss, rank(100));
    assert!(
        posterior.to_string().contains("lost to rounding"),
        "{posterior}"
    );
}

/// By all rows, and by random columns.
#[test]
fn posteriors_do_not_depend_on_the_number_of_threads() {
    let wells = wells();
    let loss = wells.loss(wells.model.observe(&wells.points).unwrap(), 1e-4);
    let bits = |threads: usize, kept: usize| -> Vec<u64> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let numbers = pool.unwrap().install(|| {
            let posterior = wells.posterior(&loss, rank(kept));
            let mut numbers = posterior.eigenvalues().to_vec();
            numbers.extend(posterior.variances().unwrap());
            numbers.extend_from_slice(posterior.samples(1, 3).unwrap().col_as_slice(0));
            numbers
        });
        numbers.iter().map(|x| x.to_bits()).collect()
    };
    for kept in [20, 100] {
        let alone = bits(1, kept);
        assert!(alone == bits(2, kept) && alone == bits(4, kept), "{kept}");
    }
}
