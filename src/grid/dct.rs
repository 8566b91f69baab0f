//! Orthonormal cosine transforms along one axis of a box, with two real lines per complex Fourier transform.
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
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Largest number of lines that are transformed together, as a group. Neighbouring lines share cache lines.
// If the stride is 8 or more, the lines of a group are neighbours in memory, and eight doubles fill a cache
// line of 64 bytes.
const LINES: usize = 8;

/// Cosine transform along an axis of n cells whose indices are `stride` apart.
pub(super) struct AxisTransform {
    n: usize,
    stride: usize,
    /// Factors w_k s_k/2 between Fourier and cosine transforms.
    twiddles: Vec<Complex<f64>>,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

/// Indices of the first cells of the lines of a group, in pairs that form one complex line.
type Group = [[usize; 2]];

impl AxisTransform {
    /// Plans the transform along an axis.
    pub(super) fn new(n: usize, stride: usize) -> Self {
        let mut planner = FftPlanner::new();
        let size = n as f64;
        let twiddle = |k: usize| {
            let s = if k == 0 { 1.0 } else { 2.0_f64.sqrt() } / size.sqrt();
            Complex::from_polar(0.5 * s, -0.5 * PI * k as f64 / size)
        };
        Self {
            n,
            stride,
            twiddles: (0..n).map(twiddle).collect(),
            forward: planner.plan_fft_forward(n),
            inverse: planner.plan_fft_inverse(n),
        }
    }

    /// Transforms every line in place.
    pub(super) fn forward(&self, x: &mut [f64]) {
        let mut workspace = Workspace::new(self.forward.as_ref(), LINES / 2);
        for group in self.groups(x.len()) {
            let z = workspace.lines(group.len());
            for i in 0..self.n {
                let from = self.permuted(i) * self.stride;
                for (q, [a, b]) in group.iter().enumerate() {
                    z[q * self.n + i] = Complex::new(x[a + from], x[b + from]);
                }
            }
            workspace.transform(self.forward.as_ref(), group.len());
            self.separate(workspace.lines(group.len()), &group, x);
        }
    }

    /// Applies the inverse transform to every line in place.
    pub(super) fn inverse(&self, x: &mut [f64]) {
        let mut workspace = Workspace::new(self.inverse.as_ref(), LINES / 2);
        for group in self.groups(x.len()) {
            self.join(x, &group, workspace.lines(group.len()));
            workspace.transform(self.inverse.as_ref(), group.len());
            let z = workspace.lines(group.len());
            for i in 0..self.n {
                let to = self.permuted(i) * self.stride;
                for (q, [a, b]) in group.iter().enumerate() {
                    let entry = z[q * self.n + i];
                    (x[a + to], x[b + to]) = (entry.re, entry.im);
                }
            }
        }
    }

    /// Replaces every line x by g with Σ_k g_k v_k(i) = Σ_k x_k v_k(i)².
    ///
    /// For k > 0, v_k² = (1 + cos(2πk(i + ½)/n))/n, so that x_k contributes to the frequencies 0 and 2k. At
    /// the points i + ½, the cosine of a frequency 2k above n is minus the cosine of the frequency 2n − 2k,
    /// and the cosine of the frequency 2k = n vanishes.
    pub(super) fn square(&self, x: &mut [f64]) {
        let (n, s) = (self.n, self.stride);
        // 1/n = v₀/√n, and cos(2πk(i + ½)/n)/n = v_{2k}/(n s_{2k}) = v_{2k}/√(2n).
        let (first, other) = ((n as f64).sqrt().recip(), (2.0 * n as f64).sqrt().recip());
        let mut folded = vec![0.0; n];
        for line in 0..x.len() / n {
            let start = self.line_start(line);
            folded.fill(0.0);
            for k in 0..n {
                let value = x[start + k * s];
                folded[0] += first * value;
                match 2 * k {
                    0 => {}
                    twice if twice < n => folded[twice] += other * value,
                    twice if twice > n => folded[2 * n - twice] -= other * value,
                    _ => {}
                }
            }
            (0..n).for_each(|k| x[start + k * s] = folded[k]);
        }
    }

    /// Returns the position in the line x of entry i of y: the even positions in order, then the odd positions in
    /// reverse order.
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

    /// Returns the index of the first cell of a line.
    fn line_start(&self, line: usize) -> usize {
        // Blocks of n·stride cells hold `stride` lines, which start at the first `stride` cells of the block.
        line / self.stride * self.n * self.stride + line % self.stride
    }

    /// Iterates over the groups of lines of an array with `cells` cells. If a group has an odd number of
    /// lines, its last line is processed twice, with the same result.
    fn groups(&self, cells: usize) -> impl Iterator<Item = Vec<[usize; 2]>> {
        let lines = cells / self.n;
        (0..lines).step_by(LINES).map(move |start| {
            let end = lines.min(start + LINES);
            let first = |line: usize| self.line_start(line.min(end - 1));
            let pairs = (start..end).step_by(2);
            pairs.map(|line| [first(line), first(line + 1)]).collect()
        })
    }

    /// Separates the transforms of two lines: X^a_k = Re(E + F) and X^b_k = Im(E − F) with E = w_k s_k/2 Z_k and
    /// F = w_k s_k/2 conj Z_{n−k}.
    fn separate(&self, z: &[Complex<f64>], group: &Group, x: &mut [f64]) {
        // E + F = s_k w_k V^a_k and (E − F)/i = s_k w_k V^b_k. The real parts are X^a_k and
        // X^b_k = Im(E − F).
        for (k, w) in self.twiddles.iter().enumerate() {
            let (mirror, to) = (if k == 0 { 0 } else { self.n - k }, k * self.stride);
            for (q, [a, b]) in group.iter().enumerate() {
                let e = w * z[q * self.n + k];
                let f = w * z[q * self.n + mirror].conj();
                (x[a + to], x[b + to]) = (e.re + f.re, e.im - f.im);
            }
        }
    }

    /// Joins the transforms of two lines: Z_k = conj(w_k) ((X^a_k + X^b_{n−k}) + i (X^b_k − X^a_{n−k}))/(s_k n).
    ///
    /// The factor 1/n belongs to the inverse Fourier transform. 1/(s_k n) is s_k/2 for k > 0, and s₀ for k = 0.
    fn join(&self, x: &[f64], group: &Group, z: &mut [Complex<f64>]) {
        // V^a_k = conj(w_k) (X^a_k − i X^a_{n−k})/s_k since |w_k| = 1, likewise V^b_k, and Z_k = V^a_k + i
        // V^b_k.
        for (k, w) in self.twiddles.iter().enumerate() {
            let (from, mirror) = (k * self.stride, (self.n - k) * self.stride);
            for (q, [a, b]) in group.iter().enumerate() {
                // V_k = conj(w_k) (X_k − i X_{n−k})/s_k applies to both lines. The inverse transform of
                // Z = V^a + iV^b is y^a + iy^b, with y^a and y^b real.
                let entry = Complex::new(x[a + from], x[b + from]);
                // For k = 0 the mirrored entry is X_n = 0. Adding the entry itself turns the stored factor s₀/2 into
                // s₀.
                let mirrored = match k {
                    0 => entry,
                    _ => Complex::new(x[b + mirror], -x[a + mirror]),
                };
                z[q * self.n + k] = w.conj() * (entry + mirrored);
            }
        }
    }
}

/// Buffers for the complex lines of a group and for their Fourier transform.
struct Workspace {
    lines: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Workspace {
    /// Allocates buffers for `lines` complex lines.
    fn new(fft: &dyn Fft<f64>, lines: usize) -> Self {
        let zero = Complex::new(0.0, 0.0);
        Self {
            lines: vec![zero; lines * fft.len()],
            scratch: vec![zero; fft.get_inplace_scratch_len()],
        }
    }

    /// Returns the first `count` complex lines.
    fn lines(&mut self, count: usize) -> &mut [Complex<f64>] {
        let n = self.lines.len() / (LINES / 2);
        &mut self.lines[..count * n]
    }

    /// Transforms the first `count` complex lines in place.
    fn transform(&mut self, fft: &dyn Fft<f64>, count: usize) {
        let end = count * fft.len();
        fft.process_with_scratch(&mut self.lines[..end], &mut self.scratch);
    }
}
