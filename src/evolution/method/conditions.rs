//! Conditions of order and of stability.

use nalgebra::Complex;

use super::{Method, Tableau};

/// Rounding in sums of a few products of coefficients.
const ROUNDING: f64 = 1e-14;

const THETAS: [f64; 4] = [0.5, 0.55, 2.0 / 3.0, 1.0];

const EMBEDDED: [Method; 3] = [Method::Explicit, Method::Implicit, Method::ImplicitFifth];

fn every_method() -> impl Iterator<Item = Method> {
    EMBEDDED.into_iter().chain(THETAS.map(Method::Theta))
}

/// Order that a method promises.
fn order(method: Method) -> i32 {
    match method {
        Method::Explicit | Method::ImplicitFifth => 5,
        Method::Implicit => 4,
        Method::Theta(0.5) => 2,
        Method::Theta(_) => 1,
    }
}

/// Rooted tree, given by the trees that hang on its root, in descending order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Tree(Vec<Tree>);

impl Tree {
    /// Returns the trees with this number of vertices.
    fn all(vertices: usize) -> Vec<Self> {
        // A new largest subtree joins every tree that leaves room for it.
        let mut found = Vec::new();
        if vertices == 1 {
            found.push(Self(Vec::new()));
        }
        for size in 1..vertices {
            for (subtree, rest) in pairs(&Self::all(size), &Self::all(vertices - size)) {
                if rest.0.first().is_none_or(|first| *first <= subtree) {
                    let mut all = vec![subtree];
                    all.extend(rest.0);
                    found.push(Self(all));
                }
            }
        }
        found
    }

    fn vertices(&self) -> f64 {
        1.0 + self.0.iter().map(Self::vertices).sum::<f64>()
    }

    /// Returns γ, the product over all vertices of the vertices from there on.
    fn density(&self) -> f64 {
        self.vertices() * self.0.iter().map(Self::density).product::<f64>()
    }

    /// Returns Πₖ Σⱼ aᵢⱼ Φⱼ(k) over the subtrees k, for a stage i.
    fn value(&self, tableau: &Tableau, stage: usize) -> f64 {
        let branch = |subtree: &Self| {
            let row = tableau.a[stage].iter().enumerate();
            row.map(|(j, a)| a * subtree.value(tableau, j)).sum::<f64>()
        };
        self.0.iter().map(branch).product()
    }

    /// Returns by how much weights of the stages miss Σᵢ bᵢ Φᵢ = 1/γ.
    fn gap(&self, tableau: &Tableau, weight: impl Fn(usize) -> f64) -> f64 {
        let sum: f64 = (0..tableau.stages())
            .map(|i| weight(i) * self.value(tableau, i))
            .sum();
        (sum - self.density().recip()).abs()
    }
}

fn pairs(left: &[Tree], right: &[Tree]) -> Vec<(Tree, Tree)> {
    let each = left.iter().flat_map(|l| right.iter().map(move |r| (l, r)));
    each.map(|(l, r)| (l.clone(), r.clone())).collect()
}

/// Largest gap over the trees with this number of vertices.
fn largest(tableau: &Tableau, vertices: i32, weight: impl Fn(usize) -> f64) -> f64 {
    let trees = Tree::all(vertices as usize);
    let gaps = trees.iter().map(|tree| tree.gap(tableau, &weight));
    gaps.fold(0.0, f64::max)
}

/// Stability function R(z), the step of ẋ = zx with h = 1 from x = 1.
fn step(tableau: &Tableau, z: Complex<f64>) -> Complex<f64> {
    let mut stages: Vec<Complex<f64>> = Vec::new();
    for i in 0..tableau.stages() {
        let earlier = tableau.earlier(i).iter().zip(&stages);
        let sum: Complex<f64> = earlier.map(|(a, y)| y * z * *a).sum();
        stages.push((sum + 1.0) / (Complex::from(1.0) - z * tableau.diagonal(i)));
    }
    stages[tableau.stages() - 1]
}

/// R(∞) = −eₛᵀ A₂₂⁻¹ a₂₁, where a₂₁ is the first column of A below its first row, and A₂₂ the rest.
fn step_at_infinity(tableau: &Tableau) -> f64 {
    let mut solution: Vec<f64> = Vec::new();
    for i in 1..tableau.stages() {
        let (first, rest) = tableau.earlier(i).split_at(1);
        let known: f64 = rest.iter().zip(&solution).map(|(a, x)| a * x).sum();
        solution.push((first[0] - known) / tableau.diagonal(i));
    }
    -solution[solution.len() - 1]
}

#[test]
fn trees_are_as_many_as_known() {
    let counts: Vec<usize> = (1..=7).map(|n| Tree::all(n).len()).collect();
    assert_eq!(counts, [1, 1, 2, 4, 9, 20, 48]);
    // The densities of the four trees of order 4, as in every textbook.
    let mut densities: Vec<f64> = Tree::all(4).iter().map(Tree::density).collect();
    densities.sort_by(f64::total_cmp);
    assert_eq!(densities, [4.0, 8.0, 12.0, 24.0]);
}

#[test]
fn coefficients_satisfy_the_conditions_of_their_order() {
    for method in every_method() {
        let t = &method.tableau();
        for i in 0..t.stages() {
            let sum: f64 = t.a[i].iter().sum();
            assert!((sum - t.c[i]).abs() < ROUNDING, "{method:?}: row {i}");
        }
        for vertices in 1..=order(method) {
            let gap = largest(t, vertices, |i| t.weight(i));
            assert!(gap < ROUNDING, "{method:?}, order {vertices}: {gap:.1e}");
        }
        let gap = largest(t, order(method) + 1, |i| t.weight(i));
        assert!(gap > 1e-5, "{method:?} has a higher order");
    }
}

#[test]
fn estimates_are_of_the_order_below() {
    for method in EMBEDDED {
        let t = &method.tableau();
        for vertices in 1..order(method) {
            let gap = largest(t, vertices, |i| t.lower[i]);
            assert!(gap < ROUNDING, "{method:?}, order {vertices}: {gap:.1e}");
        }
        // The estimate would be no estimate if it had the order of the step.
        assert!(largest(t, order(method), |i| t.lower[i]) > 1e-5);
        assert_eq!(t.power, order(method));
    }
    for theta in THETAS {
        let method = Method::Theta(theta);
        assert_eq!(method.tableau().power, order(method) + 1);
    }
}

#[test]
fn steps_end_with_their_last_stage() {
    for method in every_method() {
        let t = method.tableau();
        let last = t.stages() - 1;
        assert!(t.a[0].is_empty() && t.c[0] == 0.0 && t.c[last] == 1.0);
        // One factorisation serves all implicit stages of a step.
        let diagonal = t.diagonal(last);
        assert!((1..=last).all(|i| t.diagonal(i) == diagonal));
        assert_eq!(t.is_implicit(), method != Method::Explicit);
    }
}

#[test]
fn implicit_methods_are_stable_wherever_the_rate_is() {
    let axis = (0..=6000).map(|i| 10.0_f64.powf(-3.0 + 1e-3 * f64::from(i)));
    let axis: Vec<f64> = axis.collect();
    for method in every_method().filter(|method| *method != Method::Explicit) {
        let t = &method.tableau();
        // R has no poles on the left and is bounded by 1 on the imaginary axis, hence on the whole left half plane.
        for &y in &axis {
            let size = step(t, Complex::new(0.0, y)).norm();
            assert!(size <= 1.0 + ROUNDING, "{method:?}: |R({y}i)| = {size}");
        }
        let wanted = match method {
            Method::Theta(theta) => (theta - 1.0) / theta,
            _ => 0.0,
        };
        let found = step_at_infinity(t);
        assert!((found - wanted).abs() < ROUNDING, "{method:?}: {found:.1e}");
        let far = step(t, Complex::from(-1e12)).re;
        assert!((far - wanted).abs() < 1e-10, "{method:?}: {far:.1e}");
    }
}

#[test]
fn the_past_shows_the_third_derivative() {
    // For slopes of x = t³, x‴ = 6 exactly: the trapezoidal rule from 1 to 1.5 adds too much by h³ x‴/12 = ½ · 0.5³.
    let t = Method::Theta(0.5).tableau();
    let slope = |t: f64| 3.0 * t * t;
    let factors = t.past(0.5, 0.2).unwrap();
    let slopes = [0.8, 1.0, 1.5].map(slope);
    let found: f64 = factors.iter().zip(slopes).map(|(f, k)| f * k).sum();
    let exact = 0.25 * (slope(1.0) + slope(1.5)) - (1.5_f64.powi(3) - 1.0);
    assert!((found - exact).abs() < ROUNDING && (exact - 0.0625).abs() < ROUNDING);
    assert!(Method::Implicit.tableau().past(0.5, 0.2).is_none());
}

#[test]
fn guesses_are_exact_for_slopes_of_degree_two() {
    for method in [Method::Implicit, Method::ImplicitFifth] {
        let t = method.tableau();
        let slope = |stage: usize| (1.0 - 2.0 * t.c[stage]).powi(2);
        for stage in 3..t.stages() {
            let pairs = t.guess(stage).iter().enumerate();
            let found: f64 = pairs.map(|(i, w)| w * slope(i)).sum();
            assert!((found - slope(stage)).abs() < ROUNDING, "{method:?}");
        }
    }
}
