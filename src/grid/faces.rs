//! Interior faces of a grid: staggered gradients and divergences without flux through the boundary.

use std::ops::Range;

use super::Grid;
use crate::check;
use crate::error::Result;

/// Face between two neighbouring cells.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// Index of the cell on the lower side of the face.
    pub lower: usize,
    /// Index of the cell on the upper side of the face.
    pub upper: usize,
    /// Axis that the face is normal to.
    pub axis: usize,
    /// Centre of the face. Only the first [`Grid::dim`] entries are used.
    pub centre: [f64; 3],
    /// Distance between the centres of the two cells.
    pub spacing: f64,
}

/// Consecutive faces: face `faces.start + i` lies between cells `lower + i` and `lower + i + stride`.
pub(crate) struct FaceRun {
    pub(crate) axis: usize,
    pub(crate) faces: Range<usize>,
    pub(crate) lower: usize,
    pub(crate) stride: usize,
}

impl FaceRun {
    /// Returns the cells below the faces of the run.
    pub(crate) fn below(&self) -> Range<usize> {
        self.lower..self.lower + self.faces.len()
    }

    /// Returns the cells above the faces of the run.
    pub(crate) fn above(&self) -> Range<usize> {
        let lower = self.lower + self.stride;
        lower..lower + self.faces.len()
    }
}

impl Grid {
    /// Returns the number of interior faces of the grid.
    pub fn faces(&self) -> usize {
        // A line of n cells has n − 1 faces: along each axis one face less per line than cells.
        let lines = |d: usize| self.cells() / self.axes[d].cells;
        (0..self.dim()).map(|d| self.cells() - lines(d)).sum()
    }

    /// Calls `f` for every run of faces whose cells have consecutive indices. Faces are numbered in the order
    /// of the calls.
    pub(crate) fn visit_runs(&self, mut f: impl FnMut(FaceRun)) {
        // Let n be the number of cells along an axis. A block of n·stride consecutive cells holds all cells
        // with the same indices along the slower axes. Every cell of a block has a face on its upper side,
        // unless it is the last one along the axis. One run covers all faces of a block, so that loops over a
        // run access cells and faces contiguously and can be vectorised. An axis has N/(n·stride) runs; for
        // the first axis this is a single run.
        let mut first = 0;
        for (axis, a) in self.axes.iter().enumerate() {
            let stride = self.stride(axis);
            let length = (a.cells - 1) * stride;
            for block in 0..self.cells() / (a.cells * stride) {
                f(FaceRun {
                    axis,
                    faces: first..first + length,
                    lower: block * a.cells * stride,
                    stride,
                });
                first += length;
            }
        }
    }

    /// Calls `f(axis, lower cell, upper cell)` for every interior face, in the order of the faces.
    pub(crate) fn visit_faces(&self, mut f: impl FnMut(usize, usize, usize)) {
        self.visit_runs(|run| {
            for lower in run.below() {
                f(run.axis, lower, lower + run.stride);
            }
        });
    }

    /// Calls `f(axis, lower cell, upper cell)` for every interior face of the cells of a slab, in the order of the faces.
    ///
    /// A slab is a range of cells that holds all cells with the same index along the first axis, or none of them.
    pub(crate) fn visit_faces_of(
        &self,
        slab: Range<usize>,
        mut f: impl FnMut(usize, usize, usize),
    ) {
        for (axis, a) in self.axes.iter().enumerate() {
            let stride = self.stride(axis);
            if axis == 0 {
                // The first faces are those between the slab and the cells before it.
                let lowers = slab.start.saturating_sub(stride)..slab.end.min(self.cells() - stride);
                lowers.for_each(|lower| f(axis, lower, lower + stride));
                continue;
            }
            for first in slab.clone().step_by(a.cells * stride) {
                let lowers = first..first + (a.cells - 1) * stride;
                lowers.for_each(|lower| f(axis, lower, lower + stride));
            }
        }
    }

    /// Iterates over the cells at the lower or the upper end of an axis, in runs of consecutive indices.
    pub(crate) fn end_cells(&self, axis: usize, upper: bool) -> impl Iterator<Item = Range<usize>> {
        let (stride, cells) = (self.stride(axis), self.axes[axis].cells);
        let last = if upper { (cells - 1) * stride } else { 0 };
        let blocks = (0..self.cells() / (cells * stride)).map(move |b| b * cells * stride + last);
        blocks.map(move |first| first..first + stride)
    }

    /// Returns the face between two neighbouring cells.
    pub(crate) fn face(&self, axis: usize, lower: usize, upper: usize) -> Face {
        // The centre of the face lies half a cell width above the centre of the lower cell.
        let spacing = self.axes[axis].spacing();
        let mut centre = self.centre(lower);
        centre[axis] += 0.5 * spacing;
        Face {
            lower,
            upper,
            axis,
            centre,
            spacing,
        }
    }

    /// Returns the width of a cell along each axis.
    pub(crate) fn spacings(&self) -> Vec<f64> {
        self.axes.iter().map(|a| a.spacing()).collect()
    }

    /// Computes the face gradient (φ_upper − φ_lower)/h of cell values. The result has one value per face.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if there is not one value per cell.
    pub fn gradient(&self, phi: &[f64]) -> Result<Vec<f64>> {
        check::length("cell values on the grid", phi.len(), self.cells())?;
        let h = self.spacings();
        let mut out = Vec::with_capacity(self.faces());
        self.visit_faces(|d, lower, upper| out.push((phi[upper] - phi[lower]) / h[d]));
        Ok(out)
    }

    /// Computes the divergence of a face flux, the negative transpose of [`gradient`](Grid::gradient). The
    /// result has one value per cell.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if there is not one value per face.
    pub fn divergence(&self, flux: &[f64]) -> Result<Vec<f64>> {
        check::length("face values on the grid", flux.len(), self.faces())?;
        // With zero flux through the boundary, ⟨∇φ, J⟩ = Σ_faces (φ_upper − φ_lower) J/h = −⟨φ, ∇·J⟩.
        let h = self.spacings();
        let mut out = vec![0.0; self.cells()];
        let mut fluxes = flux.iter();
        self.visit_faces(|d, lower, upper| {
            let j = fluxes.next().map_or(0.0, |j| j / h[d]);
            out[lower] += j;
            out[upper] -= j;
        });
        Ok(out)
    }
}
