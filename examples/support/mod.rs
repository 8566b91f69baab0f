//! Code that the examples share.

// Every example uses only a part of it.
#![allow(dead_code)]

pub mod backend;
pub mod command;
pub mod geometry;
pub mod output;
