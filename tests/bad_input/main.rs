//! Inputs that make no sense are refused with an error that says what to do.

#![allow(clippy::unwrap_used, clippy::panic)]

mod automatic;
mod basics;
mod batches;
mod black_box;
mod clouds;
mod contradictions;
mod curvature;
mod darcy;
mod descent;
mod directions;
mod dynamics;
mod estimation;
mod events;
mod evolution;
mod evolution_failures;
mod extensions;
mod extreme_numbers;
mod fields;
mod files;
mod first_models;
mod fits;
mod geometry;
mod honesty;
mod layers;
mod likelihood;
mod magnified;
mod measure;
mod mixture;
mod model;
mod multistart;
mod network;
mod optimisers;
mod samples;
mod saved;
mod saved_batches;
mod second_order;
mod sketch;
mod solves;
#[path = "../support/mod.rs"]
mod support;
mod trajectory;
mod transport;
mod verify_messages;
mod wrong_derivatives;
