//! Whether a density falls into parts with next to nothing between them.
//!
//! −∇·(ρ∇·) has in the row of a cell the couplings w to its neighbours, and their sum on the diagonal. Cells that hold
//! together by couplings near 1, and are held to the rest by couplings of 10⁻¹⁵, have those nowhere but in the last bits
//! of their diagonals: what it costs to move mass between the parts is lost when these sums are rounded.

use std::iter::zip;

use crate::linalg::Stencil;

/// Couplings of one band are within this power of two of each other.
const BAND: u64 = 3;

/// A part must be held by couplings no more than so many bands below its strongest.
const LAG: u64 = 8;

/// 2^(−BAND · LAG).
const WEAK: f64 = 1.0 / (1 << 24) as f64;

/// Whether some cells hold together by couplings 2²⁴ times as strong as any that leads from them to the ground, and
/// surely if 2²⁷ times. Where it is false the diagonal holds eight digits of every sum of couplings.
///
/// The stencil is symmetric with couplings that are not positive; `ground` are the sums of its rows.
pub(super) fn divide(stencil: &Stencil, ground: &[f64]) -> bool {
    let strongest = strongest(stencil);
    let held = (0..ground.len()).fold(0, |best, i| if ground[i] > ground[best] { i } else { best });
    let (least, most) = range(stencil);
    let worth = least / WEAK;
    // What holds to the ground by a way that is easily found need not be looked for.
    let summit = |stride: usize, cell: usize, w: f64| {
        let highest = w == strongest[cell] && w == strongest[cell + stride] && w > worth;
        highest && !leads_down(stencil, ground, (cell, held), WEAK * w)
    };
    let suspect = sides(stencil).any(|(axis, stride)| {
        let mut couplings = couplings(stencil, axis).enumerate();
        couplings.any(|(cell, w)| summit(stride, cell, w))
    });
    suspect && search(stencil, ground, (least, most))
}

/// The axes that couple cells, and how far apart these are numbered.
fn sides(stencil: &Stencil) -> impl Iterator<Item = (usize, usize)> {
    let axes = (0..3).filter(|&axis| stencil.shape[axis] > 1);
    axes.map(|axis| (axis, stencil.stride(axis)))
}

/// The couplings of cells with those above them, zeros out of the box left out where they come last.
fn couplings(stencil: &Stencil, axis: usize) -> impl Iterator<Item = f64> {
    let pairs = stencil.cells() - stencil.stride(axis);
    stencil.up[axis][..pairs].iter().map(|w| -w)
}

/// The strongest coupling of every cell.
fn strongest(stencil: &Stencil) -> Vec<f64> {
    let mut out = vec![0.0_f64; stencil.cells()];
    for (axis, stride) in sides(stencil) {
        zip(&mut out, couplings(stencil, axis)).for_each(|(m, w)| *m = m.max(w));
        zip(&mut out[stride..], couplings(stencil, axis)).for_each(|(m, w)| *m = m.max(w));
    }
    out
}

/// The weakest and the strongest coupling.
fn range(stencil: &Stencil) -> (f64, f64) {
    let all = sides(stencil).flat_map(|(axis, _)| couplings(stencil, axis));
    let present = all.filter(|w| *w > 0.0);
    present.fold((f64::INFINITY, 0.0), |(least, most), w| {
        (w.min(least), w.max(most))
    })
}

/// Whether the way from a cell to the one that is held fast, axis by axis, has no coupling weaker than `least` before
/// it has reached the ground.
fn leads_down(
    stencil: &Stencil,
    ground: &[f64],
    (mut cell, held): (usize, usize),
    least: f64,
) -> bool {
    for (axis, stride) in sides(stencil) {
        let place = |cell: usize| cell / stride % stencil.shape[axis];
        while place(cell) != place(held) {
            if ground[cell] >= least {
                return true;
            }
            let up = place(cell) < place(held);
            let lower = if up { cell } else { cell - stride };
            if -stencil.up[axis][lower] < least {
                return false;
            }
            cell = if up { cell + stride } else { lower };
        }
    }
    ground[cell] >= least
}

/// Joins cells by the strongest couplings first, and looks for parts that wait for others too long.
fn search(stencil: &Stencil, ground: &[f64], (least, most): (f64, f64)) -> bool {
    let exponent = |x: f64| x.to_bits() >> 52;
    let band = |w: f64| exponent(most).saturating_sub(exponent(w)) / BAND;
    let mut parts = Parts::new(ground.len());
    for b in 0..=band(least) {
        for (axis, stride) in sides(stencil) {
            let cells = couplings(stencil, axis).enumerate();
            for (cell, _) in cells.filter(|(_, w)| *w > 0.0 && band(*w) == b) {
                parts.join(cell, cell + stride, b);
            }
        }
        let to_ground = ground.iter().enumerate();
        for (cell, _) in to_ground.filter(|(_, e)| **e > 0.0 && band(**e) == b) {
            parts.join(cell, ground.len(), b);
        }
        if b >= LAG && parts.any_waits_since(b - LAG) {
            return true;
        }
    }
    false
}

/// Parts of the cells and the ground, which is the last, that are joined so far.
struct Parts {
    /// A lower one of the same part, or itself for the lowest.
    towards: Vec<usize>,
    /// For the lowest of a part, the band of its strongest coupling.
    since: Vec<u64>,
}

impl Parts {
    fn new(cells: usize) -> Self {
        Self {
            towards: (0..=cells).collect(),
            since: vec![u64::MAX; cells + 1],
        }
    }

    fn lowest(&mut self, mut cell: usize) -> usize {
        while self.towards[cell] != cell {
            self.towards[cell] = self.towards[self.towards[cell]];
            cell = self.towards[cell];
        }
        cell
    }

    fn join(&mut self, a: usize, b: usize, band: u64) {
        let (a, b) = (self.lowest(a), self.lowest(b));
        let (low, high) = (a.min(b), a.max(b));
        self.towards[high] = low;
        self.since[low] = self.since[low].min(self.since[high]).min(band);
    }

    /// Whether a part that has been there since this band is still held to nothing.
    fn any_waits_since(&mut self, band: u64) -> bool {
        let held = self.lowest(self.towards.len() - 1);
        let lowest = self.towards.iter().enumerate().filter(|(i, to)| i == *to);
        let mut others = lowest.filter(|(i, _)| *i != held);
        others.any(|(i, _)| self.since[i] <= band)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of cells with these couplings, held to the ground in this cell.
    fn line(couplings: &[f64], held: usize) -> bool {
        let mut stencil = Stencil::new(&[couplings.len() + 1]);
        stencil.conduct(0, 0, couplings.iter().copied());
        let ground: Vec<f64> = (0..stencil.cells())
            .map(|i| f64::from(u8::from(i == held)))
            .collect();
        divide(&stencil, &ground)
    }

    #[test]
    fn parts_are_told_from_tails() {
        assert!(!line(&[1.0, 0.5, 2.0], 0));
        // A tail that falls to nothing, and one that rises again.
        assert!(!line(&[1.0, 1e-3, 1e-6, 1e-12, 1e-15], 0));
        assert!(line(&[1.0, 1e-3, 1e-12, 1e-3, 1.0], 0));
        assert!(line(&[1.0, 1e-12, 1.0], 0) && line(&[1.0, 1e-12, 1.0], 3));
        assert!(!line(&[1.0, 1e-7, 1.0], 0) && line(&[1.0, 5e-9, 1.0], 0));
        // Two parts that hold together, and not to the third.
        assert!(line(&[1.0, 1e-15, 1e-15, 1.0, 1e-3, 1.0], 0));
        // A part is no stronger than what is in it.
        assert!(!line(&[1.0, 1e-15, 1e-13, 1e-15], 0));
        assert!(line(&[1.0, 1e-25, 1e-13, 1e-25], 0));
    }

    /// Around an empty middle: no straight way leads from part to part, and there is one.
    #[test]
    fn a_ring_is_whole_until_it_is_cut() {
        let ring = |cut: bool| {
            let mut stencil = Stencil::new(&[9, 9]);
            let place = |i: usize| (i / 9, i % 9);
            let dense = |i: usize| {
                let inside = (3..6).contains(&place(i).0) && (1..8).contains(&place(i).1);
                let gone = cut && (3..6).contains(&place(i).0);
                if inside || gone {
                    1e-15
                } else {
                    1.0 + (i % 5) as f64
                }
            };
            for i in 0..81 {
                let mean = |j: usize| dense(i).min(dense(j));
                if place(i).0 < 8 {
                    stencil.couple(0, i, square(mean(i + 9)));
                }
                if place(i).1 < 8 {
                    stencil.couple(1, i, square(mean(i + 1)));
                }
            }
            let mut ground = vec![0.0; 81];
            ground[4] = 1.0;
            divide(&stencil, &ground)
        };
        assert!(!ring(false) && ring(true));
    }

    fn square(w: f64) -> [[f64; 2]; 2] {
        [[w, -w], [-w, w]]
    }
}
