//! Detection of densities that consist of parts separated by nearly empty gaps.
//!
//! A row of −∇·(ρ∇·) has the couplings w of a cell to its neighbours, and their sum on the diagonal. Suppose couplings
//! near 1 connect the cells of a part, and couplings of 10⁻¹⁵ connect the part to the rest. The small couplings are
//! then present only in the last bits of the diagonals. Rounding of these sums loses the cost of moving mass between
//! the parts.

use std::iter::zip;

use crate::linalg::Stencil;

/// Binary exponents per band: the couplings of one band are within a factor of 2^BAND.
// Couplings are compared by ⌊exponent/BAND⌋ alone, so that one pass over the couplings serves a whole band.
// The price is an uncertainty of one band, a factor of 8, in every comparison.
const BAND: u64 = 3;

/// Number of bands by which the couplings of a part to the ground may be weaker than the strongest coupling of the
/// part.
// A part found after band b has its strongest coupling w in a band ≤ b − LAG, and all couplings to the rest
// in bands > b. With exponents counted down from the largest, those of w are at most 3(b − 8) + 2 and those
// of the rest at least 3(b + 1), 25 more. A number is at least 2^e and less than 2^(e+1), so that the ratio
// is at least 2²⁴. Conversely a ratio of 2²⁷ means exponents 27 apart, hence nine bands, and is always found.
const LAG: u64 = 8;

/// Ratio 2^(−BAND · LAG) of two couplings at which the smaller coupling counts as weak.
// A sum of couplings near 1 keeps 53 − 24 = 29 bits of a coupling of this size. With the uncertainty of the
// bands at least 26 bits remain, which are eight decimal digits.
const WEAK: f64 = 1.0 / (1 << 24) as f64;

/// Returns whether the strongest coupling inside some set of cells is at least 2²⁴ times as strong as every
/// coupling from the set to other cells or to the ground.
///
/// A factor of 2²⁷ or more is always detected; between both factors the result may be false, because
/// couplings are compared by bands. If the result is false, diagonals hold eight digits of every sum of
/// couplings.
///
/// The stencil is symmetric with non-positive off-diagonal entries; `ground` contains the sums of its rows.
pub(super) fn has_weakly_grounded_part(stencil: &Stencil, ground: &[f64]) -> bool {
    let strongest = strongest(stencil);
    let grounded =
        (0..ground.len()).fold(0, |best, i| if ground[i] > ground[best] { i } else { best });
    // The strongest link to the ground counts as well: a whole domain of uniform couplings may be a part.
    let (least, most) = range(stencil);
    let least = match ground[grounded] > 0.0 {
        true => least.min(ground[grounded]),
        false => least,
    };
    let min_strength = least / WEAK;
    // Most densities pass a cheap test. Every part contains a coupling w that is the strongest of both its
    // cells: the strongest coupling inside the part, because those that leave the part are weaker still. If a
    // strong path leads from each such coupling to the ground, no part is weakly grounded. For w ≤ least/WEAK
    // no coupling is weak compared to w. A path has at most n₁ + n₂ + n₃ steps, so that the test is cheap for
    // densities with few peaks.
    let is_isolated_peak = |stride: usize, cell: usize, w: f64| {
        let highest = w == strongest[cell] && w == strongest[cell + stride] && w > min_strength;
        highest && !has_strong_path(stencil, ground, (cell, grounded), WEAK * w)
    };
    let suspect = sides(stencil).any(|(axis, stride)| {
        let mut couplings = couplings(stencil, axis).enumerate();
        couplings.any(|(cell, w)| is_isolated_peak(stride, cell, w))
    });
    suspect && search_by_bands(stencil, ground, (least, most))
}

/// Returns the axes that couple cells, with the index stride between coupled cells.
fn sides(stencil: &Stencil) -> impl Iterator<Item = (usize, usize)> {
    let axes = (0..3).filter(|&axis| stencil.shape[axis] > 1);
    axes.map(|axis| (axis, stencil.stride(axis)))
}

/// Returns the couplings of cells to their upper neighbours, without the trailing zeros outside the box.
fn couplings(stencil: &Stencil, axis: usize) -> impl Iterator<Item = f64> {
    let count = stencil.cells() - stencil.stride(axis);
    stencil.up[axis][..count].iter().map(|w| -w)
}

/// Returns the strongest coupling of every cell.
fn strongest(stencil: &Stencil) -> Vec<f64> {
    let mut out = vec![0.0_f64; stencil.cells()];
    for (axis, stride) in sides(stencil) {
        zip(&mut out, couplings(stencil, axis)).for_each(|(m, w)| *m = m.max(w));
        zip(&mut out[stride..], couplings(stencil, axis)).for_each(|(m, w)| *m = m.max(w));
    }
    out
}

/// Returns the weakest and the strongest positive coupling.
fn range(stencil: &Stencil) -> (f64, f64) {
    let all = sides(stencil).flat_map(|(axis, _)| couplings(stencil, axis));
    let present = all.filter(|w| *w > 0.0);
    present.fold((f64::INFINITY, 0.0), |(least, most), w| {
        (w.min(least), w.max(most))
    })
}

/// Returns whether the axis-by-axis path from a cell to the most strongly grounded cell reaches the ground
/// before it meets a coupling weaker than `least`.
fn has_strong_path(
    stencil: &Stencil,
    ground: &[f64],
    (mut cell, grounded): (usize, usize),
    least: f64,
) -> bool {
    for (axis, stride) in sides(stencil) {
        let coordinate = |cell: usize| cell / stride % stencil.shape[axis];
        while coordinate(cell) != coordinate(grounded) {
            if ground[cell] >= least {
                return true;
            }
            let up = coordinate(cell) < coordinate(grounded);
            let lower = if up { cell } else { cell - stride };
            if -stencil.up[axis][lower] < least {
                return false;
            }
            cell = if up { cell + stride } else { lower };
        }
    }
    ground[cell] >= least
}

/// Merges cells by decreasing coupling, as in Kruskal's algorithm, and searches for components that stay ungrounded
/// for more than `LAG` bands.
fn search_by_bands(stencil: &Stencil, ground: &[f64], (least, most): (f64, f64)) -> bool {
    // For x ≥ 0 these bits are the biased binary exponent, ⌊log₂ x⌋ + 1023.
    let exponent = |x: f64| x.to_bits() >> 52;
    let band = |w: f64| exponent(most).saturating_sub(exponent(w)) / BAND;
    // Invariant: after band b the components are the classes of cells that are connected by couplings of
    // bands 0 to b, and those with a path to the ground are joined to it. The bands of a density with a floor
    // of 10⁻¹⁵ are about 17. Each costs one pass over all couplings.
    let mut components = Components::new(ground.len());
    for b in 0..=band(least) {
        for (axis, stride) in sides(stencil) {
            let cells = couplings(stencil, axis).enumerate();
            for (cell, _) in cells.filter(|(_, w)| *w > 0.0 && band(*w) == b) {
                components.join(cell, cell + stride, b);
            }
        }
        let to_ground = ground.iter().enumerate();
        for (cell, _) in to_ground.filter(|(_, e)| **e > 0.0 && band(**e) == b) {
            components.join(cell, ground.len(), b);
        }
        if b >= LAG && components.any_ungrounded_since(b - LAG) {
            return true;
        }
    }
    false
}

/// Connected components of the cells and the ground, which has the last index (a disjoint-set forest).
struct Components {
    /// For each index, a lower index of the same component, or the index itself if it is the lowest.
    parent: Vec<usize>,
    /// Band of the strongest coupling of a component, stored at its lowest index.
    strongest_band: Vec<u64>,
}

impl Components {
    fn new(cells: usize) -> Self {
        Self {
            parent: (0..=cells).collect(),
            strongest_band: vec![u64::MAX; cells + 1],
        }
    }

    fn root(&mut self, mut cell: usize) -> usize {
        while self.parent[cell] != cell {
            // Path halving (Tarjan and van Leeuwen 1984).
            self.parent[cell] = self.parent[self.parent[cell]];
            cell = self.parent[cell];
        }
        cell
    }

    fn join(&mut self, a: usize, b: usize, band: u64) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high] = low;
        self.strongest_band[low] = self.strongest_band[low]
            .min(self.strongest_band[high])
            .min(band);
    }

    /// Returns whether a component that has a coupling of this band or a stronger one is still ungrounded.
    fn any_ungrounded_since(&mut self, band: u64) -> bool {
        let grounded = self.root(self.parent.len() - 1);
        let roots = self.parent.iter().enumerate().filter(|(i, to)| i == *to);
        let mut others = roots.filter(|(i, _)| *i != grounded);
        others.any(|(i, _)| self.strongest_band[i] <= band)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests a line of cells with these couplings, grounded in one cell.
    fn line(couplings: &[f64], grounded: usize) -> bool {
        let mut stencil = Stencil::new(&[couplings.len() + 1]);
        stencil.conduct(0, 0, couplings.iter().copied());
        let ground: Vec<f64> = (0..stencil.cells())
            .map(|i| f64::from(u8::from(i == grounded)))
            .collect();
        has_weakly_grounded_part(&stencil, &ground)
    }

    #[test]
    fn parts_are_told_from_tails() {
        assert!(!line(&[1.0, 0.5, 2.0], 0));
        // A tail that falls monotonically, and one that rises again.
        assert!(!line(&[1.0, 1e-3, 1e-6, 1e-12, 1e-15], 0));
        assert!(line(&[1.0, 1e-3, 1e-12, 1e-3, 1.0], 0));
        assert!(line(&[1.0, 1e-12, 1.0], 0) && line(&[1.0, 1e-12, 1.0], 3));
        assert!(!line(&[1.0, 1e-7, 1.0], 0) && line(&[1.0, 5e-9, 1.0], 0));
        // An even line whose only link to the ground is weak.
        let even = |e: f64| {
            let mut stencil = Stencil::new(&[4]);
            stencil.conduct(0, 0, std::iter::repeat_n(1.0, 3));
            has_weakly_grounded_part(&stencil, &[e; 4])
        };
        assert!(!even(1e-7) && even(5e-9) && even(1e-15));
        // Two connected parts, separated from a third.
        assert!(line(&[1.0, 1e-15, 1e-15, 1.0, 1e-3, 1.0], 0));
        // Only the strongest coupling of a part counts.
        assert!(!line(&[1.0, 1e-15, 1e-13, 1e-15], 0));
        assert!(line(&[1.0, 1e-25, 1e-13, 1e-25], 0));
    }

    /// Around an empty middle, no axis-by-axis path connects the parts, but another path does.
    #[test]
    fn a_ring_is_whole_until_it_is_cut() {
        let ring = |cut: bool| {
            let mut stencil = Stencil::new(&[9, 9]);
            let coordinate = |i: usize| (i / 9, i % 9);
            let dense = |i: usize| {
                let inside = (3..6).contains(&coordinate(i).0) && (1..8).contains(&coordinate(i).1);
                let gone = cut && (3..6).contains(&coordinate(i).0);
                if inside || gone {
                    1e-15
                } else {
                    1.0 + (i % 5) as f64
                }
            };
            for i in 0..81 {
                let mean = |j: usize| dense(i).min(dense(j));
                if coordinate(i).0 < 8 {
                    stencil.couple(0, i, square(mean(i + 9)));
                }
                if coordinate(i).1 < 8 {
                    stencil.couple(1, i, square(mean(i + 1)));
                }
            }
            let mut ground = vec![0.0; 81];
            ground[4] = 1.0;
            has_weakly_grounded_part(&stencil, &ground)
        };
        assert!(!ring(false) && ring(true));
    }

    fn square(w: f64) -> [[f64; 2]; 2] {
        [[w, -w], [-w, w]]
    }
}
