//! Numbers near the ends of what can be written as one: losses and metrics are right there, or say what is wrong.

use crate::support;
use crate::support::{column, dot};
use pullback::loss::{Divergence, L2Misfit, Observations, SobolevMisfit};
use pullback::metric::{FisherRao, Sobolev};
use pullback::{Cpu, Grid, Loss, Metric, Noise, Operator, random};

/// A number m·2^e with m in [½, 1), or 0.
#[derive(Clone, Copy)]
struct Scaled {
    m: f64,
    e: i32,
}

impl Scaled {
    fn of(x: f64) -> Self {
        if x == 0.0 {
            return Self { m: 0.0, e: 0 };
        }
        // Out of the denormal numbers first.
        let lifted = x * 2.0_f64.powi(200);
        let (x, lift) = if x < 1e-200 { (lifted, 200) } else { (x, 0) };
        let e = ((x.to_bits() >> 52) as i32) - 1022;
        Self {
            m: x / 2.0_f64.powi(e - 1) / 2.0,
            e: e - lift,
        }
    }

    /// ln(self/other).
    fn log_over(self, other: Self) -> f64 {
        f64::from(self.e - other.e) * std::f64::consts::LN_2 + (self.m / other.m).ln()
    }

    /// The number, rounded once.
    fn value(m: f64, e: i32) -> f64 {
        let half = e / 2;
        m * 2.0_f64.powi(half) * 2.0_f64.powi(e - half)
    }
}

/// ∫₀ᵗ s/(1 + s) ds = t − ln(1 + t) by twelve points of Gauss and Legendre's rule on eight pieces.
fn excess(t: f64) -> f64 {
    let (nodes, weights) = gauss();
    let piece = t / 8.0;
    let value = |k: usize, x: f64| {
        let s = piece * (k as f64 + 0.5 * (1.0 + x));
        s / (1.0 + s)
    };
    let pieces = (0..8).map(|k| {
        let terms = nodes.iter().zip(&weights).map(|(x, w)| w * value(k, *x));
        0.5 * piece * terms.sum::<f64>()
    });
    pieces.sum()
}

/// Nodes and weights on [−1, 1], by Newton's method on Legendre's polynomial.
fn gauss() -> (Vec<f64>, Vec<f64>) {
    let n = 12;
    let polynomial = |x: f64| {
        let (mut p, mut last) = (x, 1.0);
        for k in 2..=n {
            let k = f64::from(k);
            (p, last) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * last) / k, p);
        }
        (p, f64::from(n) * (x * p - last) / (x * x - 1.0))
    };
    let node = |i: i32| {
        let mut x = (std::f64::consts::PI * (f64::from(i) + 0.75) / (f64::from(n) + 0.5)).cos();
        for _ in 0..50 {
            let (p, slope) = polynomial(x);
            x -= p / slope;
        }
        let slope = polynomial(x).1;
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(node).unzip()
}

/// a ln(a/b) − a + b, as a fraction of 2^e and that e.
fn entropy(a: f64, b: f64) -> (f64, i32) {
    let (a, b) = (Scaled::of(a), Scaled::of(b));
    if a.m == 0.0 {
        return (b.m, b.e);
    }
    let e = a.e.max(b.e);
    let [x, y] = [a, b].map(|s| Scaled::value(s.m, (s.e - e).max(-1070)));
    let t = (y - x) / x;
    if t.abs() < 0.4 {
        (x * excess(t), e)
    } else {
        (x * a.log_over(b) - x + y, e)
    }
}

/// Value and slope of every divergence of r from q.
fn expected(r: f64, q: f64) -> [(f64, f64); 4] {
    let ratio = |a: f64, b: f64| {
        let (a, b) = (Scaled::of(a), Scaled::of(b));
        Scaled::value(a.m / b.m, a.e - b.e)
    };
    let root = |x: f64| x.sqrt();
    let difference = |a: f64, b: f64| Scaled::of(if a > b { a - b } else { b - a });
    let sign = if r > q { 1.0 } else { -1.0 };
    let d = difference(r, q);
    let logs = Scaled::of(r).log_over(Scaled::of(q));
    let near = ((r - q) / q).abs() < 0.4;
    let forward = entropy(q, r);
    let backward = entropy(r, q);
    let by = |s: f64| {
        let s = Scaled::of(s);
        sign * Scaled::value(d.m / s.m, d.e - s.e)
    };
    let roots = {
        let (s, d) = (Scaled::of(root(r) + root(q)), d);
        (d.m / s.m, d.e - s.e)
    };
    let hellinger = Scaled::value(0.5 * roots.0 * roots.0, 2 * roots.1);
    let chi = {
        let s = Scaled::of(q);
        Scaled::value(d.m * d.m / s.m, 2 * d.e - s.e)
    };
    let hellinger_slope = match near {
        true => 0.5 * by(r) / (1.0 + ratio(q, r).sqrt()),
        false => 0.5 * (1.0 - root(q) / root(r)),
    };
    [
        (Scaled::value(forward.0, forward.1), by(r)),
        (
            Scaled::value(backward.0, backward.1),
            if near { ((r - q) / q).ln_1p() } else { logs },
        ),
        (hellinger, hellinger_slope),
        (chi, 2.0 * by(q)),
    ]
}

fn divergences(q: f64) -> [Divergence; 4] {
    let grid = Grid::new(&[(0.0, 1.0, 1)]).unwrap();
    let q = || vec![q];
    [
        Divergence::kullback_leibler(&grid, q()).unwrap(),
        Divergence::reverse_kullback_leibler(&grid, q()).unwrap(),
        Divergence::hellinger(&grid, q()).unwrap(),
        Divergence::chi_squared(&grid, q()).unwrap(),
    ]
}

/// Within twelve digits, or a few of the smallest numbers; both infinite where the number is too large.
fn agree(found: f64, exact: f64) -> bool {
    found == exact || (found - exact).abs() <= 1e-12 * exact.abs() + 4.0 * 5e-324
}

#[test]
fn divergences_are_right_over_all_numbers() {
    let sizes = random::uniform(4000, (-323.3, 300.0), 3);
    let pairs = sizes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[a, b]| [*a, *b].map(|e| 10.0_f64.powf(e)));
    let nearby = random::uniform(4000, (-0.3, 0.3), 4);
    let nearby = sizes.iter().zip(&nearby).map(|(e, t)| {
        let (q, power) = (10.0_f64.powf(*e), (t * 40.0).floor());
        [q * (1.0 + t.signum() * 10.0_f64.powf(-power.abs())), q]
    });
    let ends = [5e-324, 1e-320, 2.3e-308, 1e-150, 1.0, 1e150, 1e300];
    let corners = ends.iter().flat_map(|r| ends.iter().map(|q| [*r, *q]));
    let mut broken = Vec::new();
    for [r, q] in pairs
        .chain(nearby)
        .chain(corners)
        .filter(|p| p[0] > 0.0 && p[1] > 0.0)
    {
        for (loss, (value, slope)) in divergences(q).iter().zip(expected(r, q)) {
            let (found, mut u) = (loss.value(&[r]), [f64::NAN]);
            loss.gradient(&[r], &mut u);
            let right = agree(found, value) && agree(u[0], slope);
            let signs = found >= 0.0 && (r == q || u[0] == 0.0 || (u[0] > 0.0) == (r > q));
            if !(right && signs) {
                broken.push(format!(
                    "r {r:e}, q {q:e}: {found:e} for {value:e}, {:e} for {slope:e}, {loss:?}",
                    u[0]
                ));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} broken, {:#?}",
        broken.len(),
        &broken[..broken.len().min(12)]
    );
}

/// ln 5 + (1/25 − 1)/2 for N(0, 1) and N(0, 25).
#[test]
fn kullback_leibler_reaches_over_the_tails_of_gaussians() {
    let grid = Grid::new(&[(-40.0, 40.0, 400)]).unwrap();
    let gauss = |s: f64| {
        let size = 1.0 / (s * (2.0 * std::f64::consts::PI).sqrt());
        grid.sample(|x| size * (-0.5 * (x[0] / s).powi(2)).exp())
    };
    let (data, start) = (gauss(1.0), gauss(5.0));
    let tiny = data.iter().filter(|q| **q > 0.0 && !q.is_normal()).count();
    assert!(tiny > 0, "no tail is that thin");
    let loss = Divergence::kullback_leibler(&grid, data).unwrap();
    loss.check(&start).unwrap();
    let value = loss.value(&start);
    assert!((value - (5.0_f64.ln() - 0.48)).abs() < 1e-9, "{value}");
}

#[test]
fn losses_refuse_states_that_are_no_numbers() {
    let grid = Grid::new(&[(0.0, 1.0, 3)]).unwrap();
    let q = || vec![1.0; 3];
    let losses: [Box<dyn Loss>; 4] = [
        Box::new(L2Misfit::new(&grid, q()).unwrap()),
        Box::new(L2Misfit::euclidean(q()).unwrap()),
        Box::new(SobolevMisfit::new(&grid, -1.0, q()).unwrap()),
        Box::new(
            Observations::new(Operator::identity(3), q(), Noise::uniform(3, 1.0).unwrap()).unwrap(),
        ),
    ];
    for loss in &losses {
        assert!(loss.check(&[1.0, -2.0, 3.0]).is_ok());
        for bad in [f64::NAN, f64::INFINITY] {
            let error = loss.check(&[1.0, bad, 1.0]).unwrap_err();
            assert_eq!(error.kind(), "NotFinite");
        }
    }
}

#[test]
fn orders_whose_powers_overflow_are_refused() {
    let grid = Grid::new(&[(0.0, 1.0, 4), (0.0, 2.0, 5)]).unwrap();
    let cpu = Cpu::default();
    for order in [-1000.0, -100.0, -10.0, 10.0, 100.0, 1000.0] {
        for metric in [
            Sobolev::new(&grid, order),
            Sobolev::homogeneous(&grid, order),
        ] {
            match metric {
                Err(error) => {
                    assert!(order.abs() > 50.0);
                    assert!(error.to_string().contains("nearer to 0"), "{error}");
                }
                Ok(metric) => {
                    let root = metric.at(&[1.0; 20], &cpu).unwrap();
                    let z = random::normal(20, 1, 0);
                    let cost = dot(&z, root.apply(column(&z)).unwrap().col_as_slice(0));
                    assert!(order.abs() < 200.0 && cost.is_finite() && cost > 0.0);
                }
            }
        }
    }
}

/// The metric of ρ and a tangent in proportion to it is in proportion to them.
#[test]
fn fisher_rao_does_not_see_the_size_of_a_density() {
    let grid = Grid::new(&[(0.0, 1.0, 8)]).unwrap();
    let (rho, cpu) = (support::density(&grid, 3), Cpu::default());
    let z = random::normal(8, 4, 0);
    let at = |size: f64, metric: &FisherRao| {
        let rho: Vec<f64> = rho.iter().map(|r| size * r).collect();
        let z: Vec<f64> = z.iter().map(|z| size * z).collect();
        let root = metric.at(&rho, &cpu).unwrap();
        let lifted = root.lift(column(&z)).unwrap();
        let mut c = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        root.project(&mut c);
        (lifted.norm_l2() / size.sqrt(), c)
    };
    for metric in [
        FisherRao::new(&grid),
        FisherRao::new(&grid).with_free_mass(),
    ] {
        let (size, c) = at(1.0, &metric);
        for scale in [1e-300, 1e-150, 1e150, 1e300] {
            let (found, projected) = at(scale, &metric);
            assert!(
                (found / size - 1.0).abs() < 1e-12,
                "{scale}: {found} for {size}"
            );
            assert!(support::gap(&projected, &c) < 1e-12);
        }
        let root = metric.at(&[1e-320; 8], &cpu).unwrap();
        let lifted = root.lift(column(&[1e-320; 8])).unwrap();
        assert!(lifted.norm_l2() <= 1e-159);
    }
}

#[test]
fn grids_whose_centres_coincide_are_refused() {
    let next = 1.0 + f64::EPSILON;
    for axis in [
        (1.0, next, 3),
        (1e9, 1e9 + 1e-6, 40),
        (-1e300, 1e300, usize::MAX >> 12),
    ] {
        let error = Grid::new(&[axis]).unwrap_err();
        assert_eq!(error.kind(), "Option", "{error}");
    }
    for (lower, upper, cells) in [
        (1.0, 1.0 + 1e-12, 100),
        (1e9, 1e9 + 1e-3, 40),
        (0.0, 1e-300, 5),
    ] {
        let grid = Grid::new(&[(lower, upper, cells)]).unwrap();
        let centres = grid.axes()[0].centres();
        assert!(centres.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
