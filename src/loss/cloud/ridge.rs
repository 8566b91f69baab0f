//! Functions of the positions of particles along one line.

use crate::vector::dot;

/// Position on a line of a particle, with its number.
pub(super) type Placed = (f64, u32);

/// Returns the projections of particles on a line in ascending order, with their numbers.
pub(super) fn placed(line: &[f64], rho: &[f64]) -> Vec<Placed> {
    let points = rho.chunks_exact(line.len()).map(|x| dot(line, x));
    let mut order: Vec<Placed> = points.zip(0..).collect();
    // Points at one place may be taken in any order. Their number fixes it.
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order
}

/// Continuous functions of one coordinate, linear between nodes at equally many particles, and one function more.
///
/// Mean products over the particles make them an inner product space, of which this is the orthonormal basis.
pub(super) struct Ridge {
    /// Interval of every particle, and its place in it between 0 and 1.
    places: Vec<(u32, f64)>,
    /// Diagonal and the entries below it of the Cholesky factor of the mean products of the hat functions.
    factor: Vec<[f64; 2]>,
    /// What the hat functions leave of the further function, of mean square 1, or 0 if they leave nothing but rounding.
    rest: Vec<f64>,
}

/// Fraction of a function below which what hat functions leave of it is rounding.
const ROUNDING: f64 = 1e-10;

impl Ridge {
    /// Prepares the functions for particles in ascending order of their positions, with their numbers, and `further`, the values
    /// of one more function by number.
    pub(super) fn new(order: &[Placed], further: &[f64]) -> Self {
        let nodes = nodes(order);
        let mut places = vec![(0, 0.0); order.len()];
        for (interval, x, n) in intervals(&nodes, order) {
            let place = match nodes.get(interval + 1) {
                Some(end) => (x - nodes[interval]) / (end - nodes[interval]),
                None => 0.0,
            };
            places[n] = (interval as u32, place);
        }
        let mut ridge = Self {
            factor: factor(&places, nodes.len()),
            places,
            rest: Vec::new(),
        };
        ridge.rest = ridge.rest(further);
        ridge
    }

    /// Returns the number of functions.
    pub(super) fn len(&self) -> usize {
        self.factor.len() + 1
    }

    /// Returns what the hat functions leave of a function, of mean square 1.
    fn rest(&self, function: &[f64]) -> Vec<f64> {
        let mut rest = function.to_vec();
        let square = |f: &[f64]| f.iter().map(|v| v * v).sum::<f64>() / f.len() as f64;
        let mut coefficients = vec![0.0; self.factor.len()];
        self.hats(function, &mut coefficients);
        self.spread(&coefficients, |n, value| rest[n] -= value);
        let (whole, left) = (square(function), square(&rest));
        let scale = match left > ROUNDING * ROUNDING * whole {
            true => left.sqrt().recip(),
            false => 0.0,
        };
        rest.iter_mut().for_each(|v| *v *= scale);
        rest
    }

    /// Writes the mean products of a function with the basis.
    pub(super) fn coefficients(&self, function: &[f64], out: &mut [f64]) {
        let (hats, rest) = out.split_at_mut(self.factor.len());
        self.hats(function, hats);
        rest[0] = dot(&self.rest, function) / function.len() as f64;
    }

    /// Calls `add` with the value at every particle of the function with these coefficients.
    pub(super) fn function(&self, coefficients: &[f64], mut add: impl FnMut(usize, f64)) {
        let (hats, rest) = coefficients.split_at(self.factor.len());
        self.spread(hats, |n, value| add(n, value + rest[0] * self.rest[n]));
    }

    /// Writes the mean products of a function with the orthonormal combinations of hat functions.
    fn hats(&self, function: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for ((interval, place), value) in self.places.iter().zip(function) {
            let k = *interval as usize;
            out[k] += (1.0 - place) * value;
            if let Some(next) = out.get_mut(k + 1) {
                *next += place * value;
            }
        }
        let scale = (self.places.len() as f64).recip();
        let mut before = 0.0;
        for (k, out) in out.iter_mut().enumerate() {
            let [diagonal, below] = self.factor[k];
            *out = (scale * *out - below * before) / diagonal;
            before = *out;
        }
    }

    /// Calls `add` with the value at every particle of a combination of the orthonormal functions.
    fn spread(&self, coefficients: &[f64], mut add: impl FnMut(usize, f64)) {
        let mut values = coefficients.to_vec();
        for k in (0..values.len()).rev() {
            let next = match self.factor.get(k + 1) {
                Some([_, below]) => below * values[k + 1],
                None => 0.0,
            };
            values[k] = (values[k] - next) / self.factor[k][0];
        }
        for (n, (interval, place)) in self.places.iter().enumerate() {
            let k = *interval as usize;
            let next = values.get(k + 1).copied().unwrap_or(0.0);
            add(n, (1.0 - place) * values[k] + place * next);
        }
    }
}

/// Returns the distinct positions of every √N-th particle and of the last one.
//
// With K intervals, conditional expectations have an error K/N of the variance of what they are to average out, as large as that of
// the sample at K = √N, and for smooth functions a bias of the order 1/K⁴ of their square, which is smaller.
pub(super) fn nodes(order: &[Placed]) -> Vec<f64> {
    let intervals = (order.len() as f64).sqrt().ceil() as usize;
    let ranks = (0..=intervals).map(|k| k * (order.len() - 1) / intervals);
    let mut nodes: Vec<f64> = ranks.map(|rank| order[rank].0).collect();
    nodes.dedup();
    nodes
}

/// Returns the interval between nodes, the position and the number of every particle, in ascending order.
pub(super) fn intervals(
    nodes: &[f64],
    order: &[Placed],
) -> impl Iterator<Item = (usize, f64, usize)> {
    let mut interval = 0;
    order.iter().map(move |&(x, n)| {
        while interval + 2 < nodes.len() && x >= nodes[interval + 1] {
            interval += 1;
        }
        (interval, x, n as usize)
    })
}

/// Returns the Cholesky factor of the mean products of hat functions, which is bidiagonal.
fn factor(places: &[(u32, f64)], count: usize) -> Vec<[f64; 2]> {
    // A node is the position of a particle, at which all other functions vanish: the functions are independent.
    let mut products = vec![[0.0; 2]; count];
    for (interval, place) in places {
        let k = *interval as usize;
        products[k][0] += (1.0 - place) * (1.0 - place);
        if let Some(next) = products.get_mut(k + 1) {
            next[0] += place * place;
            next[1] += place * (1.0 - place);
        }
    }
    let scale = (places.len() as f64).recip();
    let mut above: f64 = 1.0;
    for [diagonal, below] in &mut products {
        *below *= scale / above;
        *diagonal = (scale * *diagonal - *below * *below).max(0.0).sqrt();
        above = *diagonal;
    }
    products
}
