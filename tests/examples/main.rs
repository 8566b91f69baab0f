//! The example programs, run as a user would.

#![allow(clippy::unwrap_used, clippy::panic)]

mod chaos;
mod cuda;
mod darcy;
mod geometries;
mod heat;
mod image;
mod jak_stat;
mod lorenz;
mod lotka_volterra;
mod mixture;
mod multistart;
mod program;
mod sketch;
mod streams;
