//! Profiles of parameters, their points and the ends of their intervals.

use crate::descent::Counts;

/// Point of a profile: the minimum over the other parameters at a fixed value of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Value of the profiled parameter.
    pub value: f64,
    /// Lowest objective that was found at this value.
    pub objective: f64,
    /// Signed root ζ = ± √(2 (f − f̂)/s²) of the increase, with the sign of θⱼ − θ̂ⱼ; 0 where the objective is not above that
    /// of the fit. The variance s² is 1 for known noise. ζ is a straight line if the model is linear.
    pub zeta: f64,
    /// All parameters at the minimum.
    pub theta: Vec<f64>,
}

/// End of an interval.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The objective crosses its threshold.
    Crossed,
    /// The parameter reaches its bound, where the objective is below the threshold.
    Bound,
    /// The objective is below the threshold as far as the profile was followed. The interval extends to ±∞, or to the end
    /// of the domain of a transform or a bound.
    Open {
        /// Last value of the parameter.
        reached: f64,
    },
    /// The profile could not be followed to its threshold. The interval extends to the last point at least.
    Failed {
        /// Reason of the last failure.
        reason: String,
    },
}

/// What a profile says of its parameter (Raue et al., Bioinformatics 25, 2009).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifiability {
    /// The objective crosses its threshold on both sides, or on one side with a bound on the other.
    Identifiable,
    /// The objective has a minimum, but on at least one side nothing limits the parameter, or only its bounds do.
    Practical,
    /// The objective is constant along the profile: other parameters make up for every change of this one.
    Structural,
    /// The profile could not be followed on at least one side.
    Unknown,
    /// The bounds of the descent hold the parameter fixed.
    Fixed,
}

impl Identifiability {
    /// Judges a parameter by the ends of its interval, and by whether its profile is `constant`.
    pub(super) fn of(ends: &[End; 2], constant: bool) -> Self {
        let any = |kind: fn(&End) -> bool| ends.iter().any(kind);
        match constant {
            _ if any(|end| matches!(end, End::Failed { .. })) => Self::Unknown,
            true => Self::Structural,
            _ if any(|end| matches!(end, End::Open { .. })) => Self::Practical,
            _ if any(|end| *end == End::Crossed) => Self::Identifiable,
            _ => Self::Practical,
        }
    }
}

/// Run that failed or did not converge.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Value of the profiled parameter.
    pub value: f64,
    /// Reason of the rejection.
    pub reason: String,
}

/// Profile of one parameter, with its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Index of the parameter.
    pub parameter: usize,
    /// Points in the order of their values. The fit is one of them, and so are the crossings of the threshold.
    pub points: Vec<Point>,
    /// Index of the fit among the points.
    pub fit: usize,
    /// Confidence interval of the parameter.
    pub interval: (f64, f64),
    /// Lower and upper end of the interval.
    pub ends: [End; 2],
    /// What the profile says of the parameter.
    pub identifiability: Identifiability,
    /// Interval from the covariance at the fit, θ̂ ± t σ, for comparison; None if the descent has no metric.
    pub wald: Option<(f64, f64)>,
    /// Runs that failed or did not converge, in order. The profile was continued by smaller steps after each.
    pub rejected: Vec<Rejection>,
}

/// Point below the fit that a profile found: the fit is not the minimum.
#[derive(Clone, Debug, PartialEq)]
pub struct Better {
    /// Index of the parameter whose profile found the point.
    pub parameter: usize,
    /// Objective of the point.
    pub objective: f64,
    /// All parameters of the point.
    pub theta: Vec<f64>,
}

/// Profiles of several parameters. `Display` prints a table of the intervals.
#[must_use = "profiles say whether their intervals are closed, and whether the fit is the minimum"]
#[derive(Clone, Debug)]
pub struct Profiles {
    /// Names of all parameters.
    pub names: Vec<String>,
    /// Parameters of the fit.
    pub theta: Vec<f64>,
    /// Objective f̂ of the fit.
    pub objective: f64,
    /// Increase f − f̂ of the objective at the ends of the intervals.
    pub threshold: f64,
    /// Number t of standard errors of the level, the |ζ| of the ends.
    pub quantile: f64,
    /// Confidence level of the intervals.
    pub level: f64,
    /// Profiles in the order in which the parameters were given.
    pub profiles: Vec<Profile>,
    /// Lowest point below the fit, if a profile found one. The intervals still refer to the fit: run the descent from here
    /// and compute the profiles again.
    pub better: Option<Better>,
    /// Total cost of all runs, except of those that failed at their start. The covariance is not included.
    pub counts: Counts,
}

impl Profiles {
    /// Returns the profile of a parameter, if it was computed.
    pub fn of(&self, parameter: usize) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.parameter == parameter)
    }
}
