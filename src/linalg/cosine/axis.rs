//! Orthonormal cosine transforms along the first axis of a box, with two real lines per complex Fourier transform.
//!
//! The transform of a line x of n entries is X_k = Σ v_k(i) xᵢ with v_k(i) = s_k cos(πk(i + ½)/n), s₀ = √(1/n) and
//! s_k = √(2/n) for k > 0. Let y hold the even entries of x in order, followed by the odd entries in reverse order
//! (Makhoul 1980). Let V be the Fourier transform of y and w_k = e^{−iπk/2n}. Then
//!
//! ```text
//! X_k = s_k Re w_k V_k,   inverse:   w_k V_k = (X_k − i X_{n−k})/s_k   with X_n = 0,
//! ```
//!
//! since w_{n−k}V_{n−k} = −i conj(w_k V_k). Two lines a and b are transformed together as a + ib. The result
//! Z = V^a + iV^b is separated by V^a_k = (Z_k + conj Z_{n−k})/2 and V^b_k = (Z_k − conj Z_{n−k})/2i.

use std::f64::consts::PI;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::Pool;
use crate::linalg::operator::vectorised;

/// Number of lines that are transformed together, as a group. Neighbouring lines share cache lines.
// Eight doubles fill a cache line of 64 bytes.
const LINES: usize = 8;

/// Smallest number of entries for which the groups of a box are shared by several threads, and of a piece for a thread.
// A piece takes some 10 µs, far longer than it takes to hand it to another thread.
pub(super) const LARGE: usize = 1 << 15;
const PIECE: usize = 1 << 12;

/// Cosine transform along the first axis of a box, an axis of n cells.
///
/// The entries of a line are as far apart as there are lines. In results the lines follow each other: the axis of the
/// transform has become the last one.
pub(super) struct AxisTransform {
    n: usize,
    /// Factors w_k s_k/2 between Fourier and cosine transforms.
    twiddles: Vec<Complex<f64>>,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
    workspaces: Pool<Workspace>,
}

impl AxisTransform {
    /// Plans the transform along an axis.
    pub(super) fn new(n: usize) -> Self {
        let mut planner = FftPlanner::new();
        let size = n as f64;
        let twiddle = |k: usize| {
            let s = if k == 0 { 1.0 } else { 2.0_f64.sqrt() } / size.sqrt();
            Complex::from_polar(0.5 * s, -0.5 * PI * k as f64 / size)
        };
        Self {
            n,
            twiddles: (0..n).map(twiddle).collect(),
            forward: planner.plan_fft_forward(n),
            inverse: planner.plan_fft_inverse(n),
            workspaces: Pool::default(),
        }
    }

    /// Transforms every line of x into a line of y.
    pub(super) fn forward(&self, x: &[f64], y: &mut [f64]) {
        let stride = x.len() / self.n;
        self.by_groups(y, |lines, y, workspace| {
            let count = lines.len().div_ceil(2);
            vectorised(
                #[inline(always)]
                || self.gather((x, stride), lines, &mut workspace.lines),
            );
            workspace.transform(self.forward.as_ref(), count);
            let spectra = workspace.lines.chunks(self.n);
            let pairs = y.chunks_mut(2 * self.n).zip(spectra);
            vectorised(
                #[inline(always)]
                || {
                    for (pair, z) in pairs {
                        self.separate(z, pair);
                    }
                },
            );
        });
    }

    /// Applies the inverse transform to every line of x. The results are the lines of y.
    pub(super) fn inverse(&self, x: &[f64], y: &mut [f64]) {
        let stride = x.len() / self.n;
        self.by_groups(y, |lines, y, workspace| {
            let count = lines.len().div_ceil(2);
            vectorised(
                #[inline(always)]
                || self.join((x, stride), lines, &mut workspace.lines),
            );
            workspace.transform(self.inverse.as_ref(), count);
            let entries = workspace.lines.chunks(self.n);
            let pairs = y.chunks_mut(2 * self.n).zip(entries);
            vectorised(
                #[inline(always)]
                || {
                    for (pair, z) in pairs {
                        self.scatter(z, pair);
                    }
                },
            );
        });
    }

    /// Replaces every line x by g with Σ_k g_k v_k(i) = Σ_k x_k v_k(i)². The axes of y are in the order of those of x.
    ///
    /// For k > 0, v_k² = (1 + cos(2πk(i + ½)/n))/n, so that x_k contributes to the frequencies 0 and 2k. At
    /// the points i + ½, the cosine of a frequency 2k above n is minus the cosine of the frequency 2n − 2k,
    /// and the cosine of the frequency 2k = n vanishes.
    pub(super) fn square(&self, x: &[f64], y: &mut [f64]) {
        let (n, stride) = (self.n, x.len() / self.n);
        // 1/n = v₀/√n, and cos(2πk(i + ½)/n)/n = v_{2k}/(n s_{2k}) = v_{2k}/√(2n).
        let (first, other) = ((n as f64).sqrt().recip(), (2.0 * n as f64).sqrt().recip());
        y.fill(0.0);
        for (k, row) in x.chunks(stride).enumerate() {
            let mut add = |frequency: usize, factor: f64| {
                let to = &mut y[frequency * stride..][..stride];
                to.iter_mut().zip(row).for_each(|(y, x)| *y += factor * x);
            };
            add(0, first);
            match 2 * k {
                0 => {}
                twice if twice < n => add(twice, other),
                twice if twice > n => add(2 * n - twice, -other),
                _ => {}
            }
        }
    }

    /// Calls `work` for every group of lines of y, with the numbers and the entries of its lines. Groups of large boxes
    /// are shared by the threads of the pool.
    fn by_groups(
        &self,
        y: &mut [f64],
        work: impl Fn(Range<usize>, &mut [f64], &mut Workspace) + Sync,
    ) {
        let group = LINES * self.n;
        let run = |first: usize, piece: &mut [f64]| {
            let make = || Workspace::new(&[self.forward.as_ref(), self.inverse.as_ref()]);
            self.workspaces.with(
                |_| true,
                make,
                |workspace| {
                    for (g, lines) in piece.chunks_mut(group).enumerate() {
                        let start = first + g * LINES;
                        work(start..start + lines.len() / self.n, lines, workspace);
                    }
                },
            );
        };
        if y.len() < LARGE {
            return run(0, y);
        }
        let groups = PIECE.div_ceil(group);
        let pieces = y.par_chunks_mut(groups * group).enumerate();
        pieces.for_each(|(i, piece)| run(i * groups * LINES, piece));
    }

    /// Returns the position in the line x of entry i of y: the even positions in order, then the odd positions in
    /// reverse order.
    #[inline(always)]
    fn permuted(&self, i: usize) -> usize {
        // The entry at position p has the factor cos(πk(p + ½)/n) in X_k/s_k. For p = 2m the angle is
        // πk(2m + ½)/n. For p = 2(n − m) − 1 it is 2πk − πk(2m + ½)/n, with the same cosine. Hence
        // X_k/s_k = Σ y_m cos(πk(2m + ½)/n) = Re w_k Σ y_m e^{−2πikm/n}: one Fourier transform of n points.
        if 2 * i < self.n {
            2 * i
        } else {
            2 * (self.n - i) - 1
        }
    }

    /// Collects the permuted lines of a group, two in one complex line.
    #[inline(always)]
    fn gather(&self, (x, stride): (&[f64], usize), lines: Range<usize>, z: &mut [Complex<f64>]) {
        for i in 0..self.n {
            let row = row(&x[self.permuted(i) * stride..], &lines);
            for q in 0..LINES / 2 {
                z[q * self.n + i] = Complex::new(row[2 * q], row[2 * q + 1]);
            }
        }
    }

    /// Writes the entries of a complex line to their positions in two lines. The second line may be missing.
    #[inline(always)]
    fn scatter(&self, z: &[Complex<f64>], pair: &mut [f64]) {
        let (a, b) = pair.split_at_mut(self.n);
        put(a, z, |z| z.re);
        put(b, z, |z| z.im);
    }

    /// Separates the transforms of two lines: X^a_k = Re(E + F) and X^b_k = Im(E − F) with E = w_k s_k/2 Z_k and
    /// F = w_k s_k/2 conj Z_{n−k}. The second line may be missing.
    #[inline(always)]
    fn separate(&self, z: &[Complex<f64>], pair: &mut [f64]) {
        // E + F = s_k w_k V^a_k and (E − F)/i = s_k w_k V^b_k. The real parts are X^a_k and
        // X^b_k = Im(E − F).
        let (n, w) = (self.n, &self.twiddles[..self.n]);
        let (z, (a, b)) = (&z[..n], pair.split_at_mut(n));
        let parts = |k: usize, mirror: usize| {
            let (e, f) = (w[k] * z[k], w[k] * z[mirror].conj());
            (e.re + f.re, e.im - f.im)
        };
        if b.is_empty() {
            a[0] = parts(0, 0).0;
            for (k, a) in a.iter_mut().enumerate().skip(1) {
                *a = parts(k, n - k).0;
            }
        } else {
            let (a, b) = (&mut a[..n], &mut b[..n]);
            (a[0], b[0]) = parts(0, 0);
            for k in 1..n {
                (a[k], b[k]) = parts(k, n - k);
            }
        }
    }

    /// Joins the transforms of two lines: Z_k = conj(w_k) ((X^a_k + X^b_{n−k}) + i (X^b_k − X^a_{n−k}))/(s_k n).
    ///
    /// The factor 1/n belongs to the inverse Fourier transform. 1/(s_k n) is s_k/2 for k > 0, and s₀ for k = 0.
    #[inline(always)]
    fn join(&self, (x, stride): (&[f64], usize), lines: Range<usize>, z: &mut [Complex<f64>]) {
        // V^a_k = conj(w_k) (X^a_k − i X^a_{n−k})/s_k since |w_k| = 1, likewise V^b_k, and Z_k = V^a_k + i
        // V^b_k.
        for (k, w) in self.twiddles.iter().enumerate() {
            let mirror = if k == 0 { 0 } else { self.n - k };
            let entries = row(&x[k * stride..], &lines);
            let mirrored = row(&x[mirror * stride..], &lines);
            for q in 0..LINES / 2 {
                // V_k = conj(w_k) (X_k − i X_{n−k})/s_k applies to both lines. The inverse transform of
                // Z = V^a + iV^b is y^a + iy^b, with y^a and y^b real.
                let entry = Complex::new(entries[2 * q], entries[2 * q + 1]);
                // For k = 0 the mirrored entry is X_n = 0. Adding the entry itself turns the stored factor s₀/2 into
                // s₀.
                let mirrored = match k {
                    0 => entry,
                    _ => Complex::new(mirrored[2 * q + 1], -mirrored[2 * q]),
                };
                z[q * self.n + k] = w.conj() * (entry + mirrored);
            }
        }
    }
}

/// Returns the entries of the lines of a group, with zeros in place of missing lines.
#[inline(always)]
fn row(x: &[f64], lines: &Range<usize>) -> [f64; LINES] {
    let entries = &x[lines.start..lines.end];
    match entries.try_into() {
        Ok(row) => row,
        Err(_) => std::array::from_fn(|l| entries.get(l).copied().unwrap_or(0.0)),
    }
}

/// Writes one part of every entry to its position in a line, which may be missing: the inverse of `permuted`.
#[inline(always)]
fn put(line: &mut [f64], z: &[Complex<f64>], part: impl Fn(&Complex<f64>) -> f64) {
    let (even, odd) = z.split_at(z.len().div_ceil(2));
    for (pair, z) in line.chunks_mut(2).zip(even) {
        pair[0] = part(z);
    }
    for (pair, z) in line.chunks_exact_mut(2).zip(odd.iter().rev()) {
        pair[1] = part(z);
    }
}

/// Buffers for the complex lines of a group and for their Fourier transform.
struct Workspace {
    lines: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Workspace {
    /// Allocates buffers for a group of lines.
    fn new(transforms: &[&dyn Fft<f64>; 2]) -> Self {
        let zero = Complex::new(0.0, 0.0);
        let scratch = transforms.map(|fft| fft.get_inplace_scratch_len());
        Self {
            lines: vec![zero; LINES / 2 * transforms[0].len()],
            scratch: vec![zero; scratch[0].max(scratch[1])],
        }
    }

    /// Transforms the first `count` complex lines in place.
    fn transform(&mut self, fft: &dyn Fft<f64>, count: usize) {
        let end = count * fft.len();
        fft.process_with_scratch(&mut self.lines[..end], &mut self.scratch);
    }
}
