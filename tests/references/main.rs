//! Values from closed forms and independent programs.

#![allow(clippy::unwrap_used, clippy::panic)]

mod algebraic;
mod darcy;
mod darcy_experiments;
mod delays;
mod dynamics;
mod events;
mod events_order;
mod events_rest;
mod evolution;
mod evolution_methods;
mod experiments;
mod fields;
mod fields_densities;
mod fields_transport;
mod flow;
mod invariant_measure;
mod lorenz;
mod measurements;
mod metrics;
mod mixture;
mod recovery;
mod searches;
#[path = "../support/mod.rs"]
mod support;
mod trajectory;
mod trajectory_files;
