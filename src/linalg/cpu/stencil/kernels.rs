//! Single passes of the solvers of stencils, for the bench that holds them against the memory.

use std::sync::Arc;

use rayon::prelude::*;

use super::level::{Level, reciprocals};
use super::multigrid::ENDS;
use super::pipeline;
use super::pipeline::Stage;
use super::workspace::{WIDEST, wide_mut};
use crate::linalg::operator::{Real, Side, Stencil};

/// Vectors of a batch, and passes over them as the solvers make them: in chunks of columns side by side.
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

/// Calls a method for so many lanes.
macro_rules! with_lanes {
    ($lanes:expr, $call:ident ( $($arg:expr),* )) => {
        match $lanes {
            1 => $call::<1>($($arg),*),
            4 => $call::<4>($($arg),*),
            8 => $call::<8>($($arg),*),
            _ => $call::<WIDEST>($($arg),*),
        }
    };
}

impl Kernels {
    /// Room for `chunks` times `lanes` (1, 4, 8 or 16) columns.
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

    /// x ← A b.
    pub fn product(&mut self) {
        let (stencil, lanes) = (&self.stencil, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            with_lanes!(lanes, product(stencil, &mut chunk.b, &mut chunk.x));
        });
    }

    /// The four sweeps before a coarse correction, in double precision.
    pub fn sweeps(&mut self) {
        let (level, lanes) = (&self.double, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            with_lanes!(lanes, sweeps_double(level, &mut chunk.b, &mut chunk.x));
        });
    }

    /// The same in single precision.
    pub fn sweeps_single(&mut self) {
        let (level, lanes) = (&self.single, self.lanes);
        self.chunks.par_iter_mut().for_each(|chunk| {
            let vectors = (&mut chunk.small_b, &mut chunk.small_x);
            with_lanes!(lanes, sweeps_of_single(level, vectors.0, vectors.1));
        });
    }
}

fn product<const W: usize>(stencil: &Stencil, b: &mut [f64], x: &mut [f64]) {
    let b: &[[f64; W]] = wide_mut(b);
    stencil.product::<f64, W>(Side::Plain, (b, wide_mut(x)), |_, _| ());
}

fn sweeps_double<const W: usize>(level: &Level<f64>, b: &mut [f64], x: &mut [f64]) {
    sweeps::<f64, W>(level, b, x);
}

fn sweeps_of_single<const W: usize>(level: &Level<f32>, b: &mut [f32], x: &mut [f32]) {
    sweeps::<f32, W>(level, b, x);
}

fn sweeps<T: Real, const W: usize>(level: &Level<T>, b: &mut [T], x: &mut [T]) {
    let mut row = vec![[T::ZERO; W]; level.rows(Side::Plain).shape[2]];
    let vectors: (&[[T; W]], &mut [[T; W]]) = (wide_mut(b), wide_mut(x));
    let stages = &mut ENDS.map(Stage::Sweep);
    pipeline::run((level, Side::Plain, false), vectors, stages, &mut row);
}
