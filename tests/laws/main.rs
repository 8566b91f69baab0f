//! Laws that every metric, loss, prior, sketch and direction obeys, by tables.

#![allow(clippy::unwrap_used, clippy::panic)]

mod automatic;
mod automatic_branches;
mod automatic_ready;
mod cosine_priors;
mod direction;
mod evolution;
mod fisher;
mod interpolation;
mod invariance;
mod kfac;
mod likelihood;
mod linearisation;
mod loss;
mod matrix_free;
mod metric;
mod metric_blocks;
mod metric_gaps;
mod network;
mod own_loss;
mod own_sensitivity;
mod prior_fields;
mod prior_without_root;
mod samples_losses;
mod samples_metric;
mod samples_models;
mod samples_sliced;
mod second_order;
mod second_order_models;
mod second_order_objective;
mod sketch;
mod sketch_hutchinson;
mod sketch_lorenz;
mod softmax;
mod spectrum;
mod spectrum_ends;
mod stacked_dual;
#[path = "../support/mod.rs"]
mod support;
mod transport;
mod transport_dense;
mod transport_metric;
mod transport_tails;
mod verify;
