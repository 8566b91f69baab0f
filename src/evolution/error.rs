//! Errors of time steps.

use crate::automatic;
use crate::error::{ModuleError, number};

/// Error of an integration in time.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A component of the initial value that is NaN or infinite.
    #[error(
        "the initial value of x[{component}] is {}; check that `initial` writes it, and its formula for these parameters",
        number(*x)
    )]
    Initial {
        /// Index of the component.
        component: usize,
        /// Initial value of the component.
        x: f64,
    },
    /// A rate that is NaN or infinite.
    #[error(
        "the rate of x[{component}] is {} at t = {}, where x[{component}] = {}; check the rate for this state, or bound the \
         parameters",
        number(*rate), number(*t), number(*x)
    )]
    NotFinite {
        /// Time.
        t: f64,
        /// Index of the component.
        component: usize,
        /// Value of the component.
        x: f64,
        /// Rate of the component.
        rate: f64,
    },
    /// Steps that became too short for the time to advance.
    #[error(
        "steps shrink to nothing at t = {}, where x[{component}] = {} changes fastest; the solution may grow without bound, or \
         the rate may jump there; a stiff rate needs `Method::Implicit`",
        number(*t), number(*x)
    )]
    Vanished {
        /// Time.
        t: f64,
        /// Component with the largest estimated error.
        component: usize,
        /// Value of this component.
        x: f64,
    },
    /// Too many steps.
    #[error(
        "{limit} steps reach only t = {} of {}, where x[{component}] = {} is the largest component; if it grows without bound, \
         bound the parameters; if the rate is stiff and the method explicit, use `Method::Implicit`; otherwise ask for less \
         accuracy, or allow more by `most_steps`",
        number(*t), number(*end), number(*x)
    )]
    TooMany {
        /// Number of steps.
        limit: usize,
        /// Time reached.
        t: f64,
        /// Last time.
        end: f64,
        /// Largest component.
        component: usize,
        /// Value of this component.
        x: f64,
    },
    /// A step without solution whose length is given.
    #[error(
        "the step at t = {} has no solution near the state for these parameters, or the solution grows without bound; if steps were \
         kept, choose them anew; if `every` gives their length, shorten it; otherwise bound the parameters",
        number(*t)
    )]
    Unsolved {
        /// Time.
        t: f64,
    },
    /// Algebraic equations without a solution near the state.
    #[error(
        "the algebraic equations have no solution near the state at t = {}; equation {component} is the first of them; give a \
         closer guess in the initial value, and check that they determine the algebraic components (index 1)",
        number(*t)
    )]
    Inconsistent {
        /// Time.
        t: f64,
        /// First algebraic component.
        component: usize,
    },
    /// A state that does not become steady.
    #[error(
        "the state is not steady after {limit} steps, x[{component}] changes fastest; it may oscillate or grow for these \
         parameters and inputs, or events may keep it in motion"
    )]
    Unsteady {
        /// Number of steps.
        limit: usize,
        /// Component.
        component: usize,
    },
    /// Equations that the method cannot integrate.
    #[error("{what} need `Method::Implicit`")]
    Implicit {
        /// What needs an implicit method.
        what: &'static str,
    },
    /// An entry of the parameters that the dynamics do not have.
    #[error(
        "an experiment names entry {entry} of the parameters of dynamics with {count} parameters"
    )]
    Entry {
        /// Index of the entry.
        entry: usize,
        /// Number of parameters of the dynamics.
        count: usize,
    },
    /// A value of an entry of the parameters that is NaN or infinite.
    #[error(
        "entry {entry} of the parameters of the dynamics is given the value {value}; give a finite number"
    )]
    Value {
        /// Index of the entry.
        entry: usize,
        /// Value.
        value: f64,
    },
    /// A parameter of the model without influence.
    #[error(
        "no experiment uses parameter {parameter} of the model, which has {count}; put the inputs that are given last among \
         the parameters of the dynamics, and number own parameters without gaps"
    )]
    Unused {
        /// Index of the parameter.
        parameter: usize,
        /// Number of parameters.
        count: usize,
    },
    /// A function of an event that is NaN.
    #[error(
        "the function of event {index} is NaN at t = {}; check it for the state there, or bound the parameters",
        number(*t)
    )]
    UndefinedEvent {
        /// Time.
        t: f64,
        /// Index of the event.
        index: usize,
    },
    /// Events that fire for ever.
    #[error(
        "event {index} fires for ever: there were {count} events up to t = {}; make its jump lead away from the event, or stop \
         the state where its events accumulate",
        number(*t)
    )]
    Endless {
        /// Time of the last event.
        t: f64,
        /// Index of the last event.
        index: usize,
        /// Number of events since the inputs changed.
        count: usize,
    },
    /// The step to an event, which is not found.
    #[error(
        "event {index} is not found by a step from t = {}; if steps were kept, choose them anew for these parameters",
        number(*t)
    )]
    LostEvent {
        /// Time before the step.
        t: f64,
        /// Index of the event.
        index: usize,
    },
    /// An event that the steps do not lead to that were kept.
    #[error(
        "event {index} fires before t = {}, but not there or not as the first at the parameters for which the steps were kept; choose \
         the steps anew for these parameters",
        number(*t)
    )]
    NewEvent {
        /// Time after the step.
        t: f64,
        /// Index of the event.
        index: usize,
    },
    /// An event whose time has no derivative.
    #[error(
        "the function of event {index} touches 0 at t = {} without passing through, so that the time of the event has no \
         derivative; change the parameters a little, or give the event a function with a slope there",
        number(*t)
    )]
    GrazedEvent {
        /// Time.
        t: f64,
        /// Index of the event.
        index: usize,
    },
    /// Products by `pull_back` that are not those of the rate.
    #[error(
        "`pull_back` disagrees with the derivative of the rate at t = {}: wᵀ(∂f/∂x v + ∂f/∂θ v) is {} by the rate and {} by \
         `pull_back`; check its terms and signs",
        number(*t), number(*rate), number(*pulled)
    )]
    PulledBack {
        /// Time.
        t: f64,
        /// Product by the derivative of the rate.
        rate: f64,
        /// Product by `pull_back`.
        pulled: f64,
    },
    /// A function of the dynamics that automatic differentiation refuses.
    #[error("{function} of the dynamics: {error}")]
    Function {
        /// Which function it is.
        function: &'static str,
        /// Why it is refused.
        error: automatic::Error,
    },
    /// A failure in one of several experiments.
    #[error("experiment {index}: {error}")]
    Experiment {
        /// Index of the experiment.
        index: usize,
        /// Failure.
        error: Box<Self>,
    },
    /// A time that is no number, or infinite before the last.
    #[error(
        "time {index} is {}; times are numbers, and only the last may be `inf`, which stands for the steady state",
        number(*time)
    )]
    Time {
        /// Index of the time.
        index: usize,
        /// Time.
        time: f64,
    },
    /// Times that do not increase from the start.
    #[error(
        "time {index} is {}, after {}; give times in increasing order, none before the start",
        number(*time), number(*before)
    )]
    Times {
        /// Index of the time.
        index: usize,
        /// Time.
        time: f64,
        /// Time before it, or the start.
        before: f64,
    },
}

impl Error {
    /// Returns the error of one of several experiments.
    pub(super) fn of_experiment(index: usize, error: crate::error::Error) -> crate::error::Error {
        match error.of::<Self>() {
            Some(own) => {
                let error = Box::new(own.clone());
                Self::Experiment { index, error }.into()
            }
            None => error,
        }
    }
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Initial { .. } => "Initial",
            Self::NotFinite { .. } => "NotFinite",
            Self::Vanished { .. } => "Vanished",
            Self::TooMany { .. } => "TooMany",
            Self::Unsolved { .. } => "Unsolved",
            Self::Inconsistent { .. } => "Inconsistent",
            Self::Unsteady { .. } => "Unsteady",
            Self::Implicit { .. } => "Implicit",
            Self::Entry { .. } => "Entry",
            Self::Value { .. } => "Value",
            Self::Unused { .. } => "Unused",
            Self::UndefinedEvent { .. } => "UndefinedEvent",
            Self::Endless { .. } => "Endless",
            Self::LostEvent { .. } => "LostEvent",
            Self::NewEvent { .. } => "NewEvent",
            Self::GrazedEvent { .. } => "GrazedEvent",
            Self::PulledBack { .. } => "PulledBack",
            Self::Function { error, .. } => error.kind(),
            Self::Experiment { error, .. } => error.kind(),
            Self::Time { .. } => "Time",
            Self::Times { .. } => "Times",
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
