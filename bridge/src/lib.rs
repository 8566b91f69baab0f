//! Models of other programs for `pullback`, and models of `pullback` for other programs, over
//! [UM-Bridge](https://um-bridge-benchmarks.readthedocs.io), a protocol of HTTP and JSON.
//!
//! - [`Remote`] is a [`Model`](pullback::Model) whose values and derivatives another program computes: a simulator in C++,
//!   Fortran, Python, MATLAB, in a container or on a cluster.
//! - [`Server`] answers for models and posteriors of `pullback`, so that samplers and other methods can use them.
//!
//! ```
//! use pullback::models::{GaussianMixture, Parameter};
//! use pullback::{Descent, Grid, Model, loss::L2Misfit};
//! use pullback_umbridge::{Remote, Server};
//!
//! let grid = Grid::new(&[(-5.0, 5.0, 50)])?;
//! let mixture = GaussianMixture::new(&grid)
//!     .component(1.0, &[0.0], 1.0)
//!     .free(&[Parameter::Mean(0, 0)])?;
//! let listening = Server::new().model("mixture", &mixture).listen("127.0.0.1:0")?;
//! std::thread::scope(|threads| {
//!     threads.spawn(|| listening.serve());
//!     let found = fit(&listening.url(), &grid, mixture.density(&[0.5])?);
//!     listening.stop();
//!     assert!((found? - 0.5).abs() < 1e-8);
//!     Ok::<(), pullback::Error>(())
//! })?;
//!
//! /// Fits the model behind an address. It may run in another program, on another machine.
//! fn fit(url: &str, grid: &Grid, data: Vec<f64>) -> pullback::Result<f64> {
//!     let model = Remote::connect(url, "mixture")?;
//!     let loss = L2Misfit::new(grid, data)?;
//!     Ok(Descent::new(&model, &loss).run(&[0.0], |_| ())?.theta[0])
//! }
//! # Ok::<(), pullback::Error>(())
//! ```

#![deny(missing_docs)]

mod answers;
mod blocks;
mod dispatch;
mod error;
mod remote;
mod requests;
mod sensitivity;
mod server;
mod wire;

pub use self::error::Error;
pub use self::remote::Remote;
pub use self::server::{Listening, Server};

/// Runs the examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Runs the examples of `docs/other-programs.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/other-programs.md")]
struct OtherProgramsPage;
