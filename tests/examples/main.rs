//! The example programs, run as a user would.

#![allow(clippy::unwrap_used, clippy::panic)]

mod chaos;
mod cuda;
mod darcy;
mod delay;
mod geometries;
mod heat;
mod image;
mod jak_stat;
mod lorenz;
mod lotka_volterra;
mod mixture;
mod multistart;
mod particles;
mod program;
mod race;
mod relaxation;
mod sketch;
mod streams;
