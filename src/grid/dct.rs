//! Orthonormal cosine transforms along one axis of a box, two lines at a time by one complex Fourier transform.
//!
//! Along a line x of n entries, with v_k(i) = s_k cos(πk(i + ½)/n), s₀ = √(1/n) and s_k = √(2/n), the transform is
//! X_k = Σ v_k(i) xᵢ. Let y be the even entries of x in order, then the odd ones backwards (Makhoul 1980), V its Fourier
//! transform, w_k = e^{−iπk/2n}:
//!
//! ```text
//! X_k = s_k Re w_k V_k,   and back   w_k V_k = (X_k − i X_{n−k})/s_k   with X_n = 0,
//! ```
//!
//! since w_{n−k}V_{n−k} = −i conj(w_k V_k). Lines a and b go together as a + ib, Z = V^a + iV^b, of which
//! V^a_k = (Z_k + conj Z_{n−k})/2 and V^b_k = (Z_k − conj Z_{n−k})/2i.

use std::f64::consts::PI;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Lines that are transformed together at most: their entries share what is fetched from memory.
const LINES: usize = 8;

/// The transform along an axis of n cells that are `stride` apart.
pub(super) struct AxisTransform {
    n: usize,
    stride: usize,
    /// w_k s_k/2.
    twiddles: Vec<Complex<f64>>,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

/// Where the lines of a group begin, two of them for each complex line.
type Group = [[usize; 2]];

impl AxisTransform {
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

    /// x ← the transform of every line.
    pub(super) fn forward(&self, x: &mut [f64]) {
        let mut room = Room::new(self.forward.as_ref(), LINES / 2);
        for group in self.groups(x.len()) {
            let z = room.lines(group.len());
            for i in 0..self.n {
                let from = self.mixed(i) * self.stride;
                for (q, [a, b]) in group.iter().enumerate() {
                    z[q * self.n + i] = Complex::new(x[a + from], x[b + from]);
                }
            }
            room.transform(self.forward.as_ref(), group.len());
            self.separate(room.lines(group.len()), &group, x);
        }
    }

    /// x ← the inverse transform of every line.
    pub(super) fn inverse(&self, x: &mut [f64]) {
        let mut room = Room::new(self.inverse.as_ref(), LINES / 2);
        for group in self.groups(x.len()) {
            self.join(x, &group, room.lines(group.len()));
            room.transform(self.inverse.as_ref(), group.len());
            let z = room.lines(group.len());
            for i in 0..self.n {
                let to = self.mixed(i) * self.stride;
                for (q, [a, b]) in group.iter().enumerate() {
                    let entry = z[q * self.n + i];
                    (x[a + to], x[b + to]) = (entry.re, entry.im);
                }
            }
        }
    }

    /// x ← g with Σ_k g_k v_k(i) = Σ_k x_k v_k(i)² for every line.
    ///
    /// As v_k² = (1 + cos(2πk(i + ½)/n))/n for k > 0, x_k goes to frequency 2k, which from n on looks like 2n − 2k with its
    /// sign turned, and vanishes at n.
    pub(super) fn square(&self, x: &mut [f64]) {
        let (n, s) = (self.n, self.stride);
        let (first, other) = ((n as f64).sqrt().recip(), (2.0 * n as f64).sqrt().recip());
        let mut folded = vec![0.0; n];
        for line in 0..x.len() / n {
            let place = self.place(line);
            folded.fill(0.0);
            for k in 0..n {
                let value = x[place + k * s];
                folded[0] += first * value;
                match 2 * k {
                    0 => {}
                    twice if twice < n => folded[twice] += other * value,
                    twice if twice > n => folded[2 * n - twice] -= other * value,
                    _ => {}
                }
            }
            (0..n).for_each(|k| x[place + k * s] = folded[k]);
        }
    }

    /// Where the i-th entry stands in its line: even entries come first, then odd ones backwards.
    fn mixed(&self, i: usize) -> usize {
        if 2 * i < self.n {
            2 * i
        } else {
            2 * (self.n - i) - 1
        }
    }

    /// Where a line begins.
    fn place(&self, line: usize) -> usize {
        line / self.stride * self.n * self.stride + line % self.stride
    }

    /// All lines of `cells` numbers; the last stands in for those that a group lacks, and comes to the same twice.
    fn groups(&self, cells: usize) -> impl Iterator<Item = Vec<[usize; 2]>> {
        let lines = cells / self.n;
        (0..lines).step_by(LINES).map(move |start| {
            let end = lines.min(start + LINES);
            let place = |line: usize| self.place(line.min(end - 1));
            let pairs = (start..end).step_by(2);
            pairs.map(|line| [place(line), place(line + 1)]).collect()
        })
    }

    /// X^a_k = Re(E + F), X^b_k = Im(E − F) with E = w_k s_k/2 Z_k, F = w_k s_k/2 conj Z_{n−k}.
    fn separate(&self, z: &[Complex<f64>], group: &Group, x: &mut [f64]) {
        for (k, w) in self.twiddles.iter().enumerate() {
            let (mirror, to) = (if k == 0 { 0 } else { self.n - k }, k * self.stride);
            for (q, [a, b]) in group.iter().enumerate() {
                let e = w * z[q * self.n + k];
                let f = w * z[q * self.n + mirror].conj();
                (x[a + to], x[b + to]) = (e.re + f.re, e.im - f.im);
            }
        }
    }

    /// Z_k = conj(w_k) ((X^a_k + X^b_{n−k}) + i (X^b_k − X^a_{n−k}))/(s_k n); s_k n is 2/s_k for k > 0 and 1/s₀ for k = 0.
    fn join(&self, x: &[f64], group: &Group, z: &mut [Complex<f64>]) {
        for (k, w) in self.twiddles.iter().enumerate() {
            let (at, mirror) = (k * self.stride, (self.n - k) * self.stride);
            for (q, [a, b]) in group.iter().enumerate() {
                let entry = Complex::new(x[a + at], x[b + at]);
                let turned = match k {
                    0 => entry,
                    _ => Complex::new(x[b + mirror], -x[a + mirror]),
                };
                z[q * self.n + k] = w.conj() * (entry + turned);
            }
        }
    }
}

/// Complex lines, and what their transform takes besides.
struct Room {
    lines: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Room {
    fn new(fft: &dyn Fft<f64>, lines: usize) -> Self {
        let zero = Complex::new(0.0, 0.0);
        Self {
            lines: vec![zero; lines * fft.len()],
            scratch: vec![zero; fft.get_inplace_scratch_len()],
        }
    }

    fn lines(&mut self, count: usize) -> &mut [Complex<f64>] {
        let n = self.lines.len() / (LINES / 2);
        &mut self.lines[..count * n]
    }

    fn transform(&mut self, fft: &dyn Fft<f64>, count: usize) {
        let end = count * fft.len();
        fft.process_with_scratch(&mut self.lines[..end], &mut self.scratch);
    }
}
