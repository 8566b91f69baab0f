//! Plots of trajectories, cost landscapes and densities, written as PNG and SVG files.
//!
//! A [`Chart`] is a description to which layers are added in builder style. A [`Page`] arranges charts in a grid, draws
//! them and saves the files. The fonts are compiled in, so a picture looks the same on a laptop and on a cluster node,
//! without any system font or library.
//!
//! In every text `^{…}` raises and `_{…}` lowers the characters in the braces, as in `10^{−6}` or `θ_{k+1}`.
//! Greek letters, superscript and subscript digits and common mathematical symbols can be written directly.
//!
//! The library `pullback` re-exports this crate as `pullback::plot`.
//!
//! The modules, in the order in which a picture passes through them: `chart` and `layer` describe it, `axis` and
//! `ticks` choose ranges and labels, `frame` divides the space, `clip` and `contour` prepare curves, `draw`, `cells`,
//! `decor` and `legend` draw shapes on a `canvas`, `image` encodes fine fields, `page` arranges charts and `output` writes
//! the files.

#![deny(missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod axis;
mod canvas;
mod cells;
mod chart;
mod clip;
mod colour;
mod contour;
mod decor;
mod draw;
mod error;
mod field;
mod font;
mod frame;
mod image;
mod layer;
mod legend;
mod number;
mod output;
mod page;
mod script;
mod text;
mod ticks;

#[cfg(test)]
mod tests;

pub use crate::chart::{Chart, Corner};
pub use crate::colour::{Colour, PALETTE, Palette};
pub use crate::error::{Error, Fault, Result};
pub use crate::field::{Field2, Levels};
pub use crate::layer::{Marker, Point, Stroke};
pub use crate::page::Page;
