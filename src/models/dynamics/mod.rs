//! Ready-made [`Dynamics`](crate::evolution::Dynamics), for [`Evolution`](crate::evolution::Evolution).
//!
//! | type | equations | x | θ |
//! |---|---|---|---|
//! | [`LotkaVolterra`] | prey and predators | 2 | 4 |
//! | [`FitzHughNagumo`] | spikes of a nerve cell | 2 | 3 |
//! | [`Epidemic`] | SIR and SEIR | 3 or 4 | 2 or 3 |
//! | [`Robertson`] | three reactions, stiff | 3 | 3 |
//! | [`Goodwin`] | a gene that represses itself | 3 | 8 |
//! | [`Lorenz`] | convection, chaotic | 3 | 3 |
//! | [`Pendulum`] | a pendulum in Cartesian coordinates, with an algebraic equation | 5 | 2 |
//! | [`JakStat`] | phosphorylation of STAT5 with published data, stiff | 8 | 9 |
//!
//! The initial value is given to the constructor. The variants with an unknown start read it from further parameters, the last
//! entries of θ. Units are those of the data, as long as they agree: a rate per day needs times in days.
//!
//! ```
//! use pullback::Model;
//! use pullback::evolution::Evolution;
//! use pullback::models::dynamics::LotkaVolterra;
//!
//! let years: Vec<f64> = (0..=20).map(f64::from).collect();
//! let model = Evolution::new(LotkaVolterra::new([30.0, 4.0])?, years.clone())?;
//! let numbers = model.predict(&[0.55, 0.028, 0.024, 0.8])?;
//! assert_eq!((numbers.len(), numbers[0], numbers[1]), (42, 30.0, 4.0));
//!
//! // The numbers of the first year as two more parameters.
//! let model = Evolution::new(LotkaVolterra::unknown_start(), years)?;
//! assert_eq!(model.param_dim(), 6);
//! # Ok::<(), pullback::Error>(())
//! ```

mod epidemic;
mod fitzhugh_nagumo;
mod goodwin;
mod jak_stat;
mod lorenz;
mod lotka_volterra;
mod pendulum;
mod robertson;
mod start;

pub use self::epidemic::Epidemic;
pub use self::fitzhugh_nagumo::FitzHughNagumo;
pub use self::goodwin::Goodwin;
pub use self::jak_stat::JakStat;
pub use self::lorenz::Lorenz;
pub use self::lotka_volterra::LotkaVolterra;
pub use self::pendulum::Pendulum;
pub use self::robertson::Robertson;
