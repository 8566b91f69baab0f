//! Pages about runs: their structure, their content, and how a browser shows them.

#![allow(clippy::unwrap_used, clippy::panic)]

mod browser;
mod content;
mod made_up;
mod runs;
mod structure;
