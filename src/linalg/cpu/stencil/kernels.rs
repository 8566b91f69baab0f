//! Individual kernels of the stencil solvers, for the benchmark that compares them with the memory bandwidth.

use std::sync::Arc;

use rayon::prelude::*;

use crate::linalg::cpu::stencil::level::{Level, reciprocals};
use crate::linalg::cpu::stencil::multigrid::ENDS;
use crate::linalg::cpu::stencil::pipeline::{LINES, Pipeline, Stage};
use crate::linalg::cpu::stencil::workspace::{wide_mut, with_width};
use crate::linalg::operator::{Real, Side, Stencil};

/// Vectors of a batch in chunks of interleaved columns, with the kernels that the solvers apply to them.
pub struct Kernels {
    stencil: Arc<Stencil>,
    double: Level<f64>,
    single: Level<f32>,
    chunks: Vec<Chunk>,
    lanes: usize,
}

struct Chunk {
    x: Vec<f64>,
    b: Vec<f64>,
    small_x: Vec<f32>,
    small_b: Vec<f32>,
}

impl Kernels {
    /// Allocates the vectors for `chunks` chunks of `lanes` columns each. `lanes` must be 1, 2, 4, 8 or 16.
    pub fn new(stencil: &Stencil, chunks: usize, lanes: usize) -> Self {
        let stencil = &Arc::new(stencil.clone());
        let inverse = reciprocals(stencil);
        let n = stencil.cells() * lanes;
        let chunk = || Chunk {
            x: vec![0.5; n],
            b: vec![1.0; n],
            small_x: vec![0.5; n],
            small_b: vec![1.0; n],
        };
        Self {
            double: Level::new(stencil, &inverse, 1.0),
            single: Level::new(stencil, &inverse, 1.0),
            stencil: Arc::clone(stencil),
            chunks: (0..chunks).map(|_| chunk()).collect(),
            lanes,
        }
    }

    /// Computes x ← A b.
    pub fn product(&mut self) {
        let (stencil, lanes) = (&self.stencil, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            with_width!(lanes, W => product::<W>(stencil, &mut chunk.b, &mut chunk.x));
        });
    }

    /// Performs the four sweeps before a coarse correction, in double precision.
    pub fn sweeps(&mut self) {
        let (level, lanes) = (&self.double, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            with_width!(lanes, W => sweeps::<f64, W>(level, &mut chunk.b, &mut chunk.x));
        });
    }

    /// Performs the four sweeps before a coarse correction, in single precision.
    pub fn sweeps_single(&mut self) {
        let (level, lanes) = (&self.single, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            let (b, x) = (&mut chunk.small_b, &mut chunk.small_x);
            with_width!(lanes, W => sweeps::<f32, W>(level, b, x));
        });
    }
}

fn product<const W: usize>(stencil: &Stencil, b: &mut [f64], x: &mut [f64]) {
    let b: &[[f64; W]] = wide_mut(b);
    stencil.product::<f64, W>(Side::Plain, (b, wide_mut(x)), |_, _| ());
}

fn sweeps<T: Real, const W: usize>(level: &Level<T>, b: &mut [T], x: &mut [T]) {
    let mut row = vec![[T::ZERO; W]; LINES * level.rows(Side::Plain).shape[2]];
    let vectors: (&[[T; W]], &mut [[T; W]]) = (wide_mut(b), wide_mut(x));
    let stages = &mut ENDS.map(Stage::Sweep);
    Pipeline::new(level, Side::Plain, vectors, &mut row).run(false, stages);
}
