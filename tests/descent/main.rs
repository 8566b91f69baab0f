//! The descent and what follows from it: steps, stopping, bounds, reports, uncertainty, correction.

#![allow(clippy::unwrap_used, clippy::panic)]

mod auto;
mod band;
mod band_in_time;
mod bounds;
mod continuation;
mod covariance;
mod design;
mod exact_covariance;
mod fits;
mod fold;
mod likelihood;
mod memory;
mod mixture;
mod multistart;
mod multistart_table;
mod newton;
mod newton_ready;
mod nist;
mod nist_sets;
mod noise;
mod posterior;
mod posterior_exact;
mod posterior_wells;
mod profile;
mod profile_ends;
mod recycled;
mod report;
mod robust;
mod rounding;
mod run;
mod saddles;
mod schedule;
mod shortlist;
mod simulator;
mod standard_errors;
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod transforms;
mod warm_starts;
mod windows;
