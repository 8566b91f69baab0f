//! Formatting of errors: names of the variants, numbers in readable form, and messages about a lack of
//! memory.

use std::fmt;

use super::Error;

impl Error {
    /// Returns the name of the variant of the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dimension { .. } => "Dimension",
            Self::NotFinite { .. } => "NotFinite",
            Self::NotPositive { .. } => "NotPositive",
            Self::Negative { .. } => "Negative",
            Self::NoMass { .. } => "NoMass",
            Self::NotNormalised { .. } => "NotNormalised",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::Bounds { .. } => "Bounds",
            Self::GridAxes { .. } => "GridAxes",
            Self::GridTooCoarse { .. } => "GridTooCoarse",
            Self::Singular { .. } => "Singular",
            Self::NotPositiveDefinite { .. } => "NotPositiveDefinite",
            Self::Parts => "Parts",
            Self::NotSymmetric { .. } => "NotSymmetric",
            Self::Overflow { .. } => "Overflow",
            Self::Stagnation { .. } => "Stagnation",
            Self::Newton { .. } => "Newton",
            Self::NotInRange { .. } => "NotInRange",
            Self::NotRepresented { .. } => "NotRepresented",
            Self::NoMetric => "NoMetric",
            Self::NotSparse { .. } => "NotSparse",
            Self::PriorLacks { .. } => "PriorLacks",
            Self::Option { .. } => "Option",
            Self::InfiniteStart { .. } => "InfiniteStart",
            Self::NoStart { .. } => "NoStart",
            Self::OutOfMemory { .. } => "OutOfMemory",
            Self::Device { .. } => "Device",
            Self::Module(error) => error.kind(),
            Self::Model(_) => "Model",
            Self::Custom(_) => "Custom",
            Self::MetricShape { .. } => "MetricShape",
            Self::MetricValue { .. } => "MetricValue",
            Self::NotAdjoint { .. } => "NotAdjoint",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())
    }
}

/// Formats a number with full precision: in scientific notation if |x| < 10⁻⁷ or |x| ≥ 10⁷, otherwise as a
/// decimal.
pub(crate) fn number(x: f64) -> String {
    match plain(x) {
        true => x.to_string(),
        false => format!("{x:e}"),
    }
}

fn plain(x: f64) -> bool {
    !x.is_finite() || x == 0.0 || (1e-7..1e7).contains(&x.abs())
}

/// Formats the interval [lower, upper] with both ends in full precision.
pub(super) fn interval(lower: f64, upper: f64) -> String {
    format!("[{}, {}]", number(lower), number(upper))
}

/// Formats a box as a product of intervals, with four decimals.
pub(crate) fn intervals(ranges: &[(f64, f64)]) -> String {
    let end = |x: f64| match plain(x) {
        true => format!("{x:.4}"),
        false => format!("{x:.4e}"),
    };
    let sides = ranges
        .iter()
        .map(|(a, b)| format!("[{}, {}]", end(*a), end(*b)));
    sides.collect::<Vec<_>>().join(" × ")
}

/// Describes a computation that lacks memory, with the required and the allowed amount.
pub(super) fn shortage(
    what: &str,
    size: usize,
    needed: Option<usize>,
    limit: Option<usize>,
) -> String {
    let step = format!("the {what} of a {size}×{size} matrix");
    match (needed, limit) {
        (Some(needed), Some(limit)) => format!(
            "{step} needs about {}, but the limit is {}",
            bytes(needed),
            bytes(limit)
        ),
        (Some(needed), None) => format!(
            "{step} needs about {}, more than is available",
            bytes(needed)
        ),
        _ => format!("{step} needs more memory than is available"),
    }
}

/// Returns the remedy for a lack of memory. `what` names the computation; on a device the name ends with "on
/// the device".
pub(super) fn remedy(what: &str) -> &'static str {
    if what.ends_with("on the device") {
        "use a coarser grid, solve on the processor (`Cpu`, or `linalg::Fastest`, which falls back to it), or raise the limit \
         `Cuda::memory` if it is set"
    } else {
        "use a coarser grid, fewer columns at a time or an iterative solver (`StencilSolver::Multigrid` for stencils), or \
         raise the limit `Cpu::memory`"
    }
}

/// Formats a number of bytes with a decimal unit, such as "1.5 MB".
fn bytes(count: usize) -> String {
    const UNITS: [&str; 4] = ["bytes", "kB", "MB", "GB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.95 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let digits = usize::from(unit > 0);
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_printed_with_hundreds_of_digits() {
        for (x, text) in [
            (0.0, "0"),
            (-0.25, "-0.25"),
            (1e7 - 1.0, "9999999"),
            (1e7, "1e7"),
            (-1.5e300, "-1.5e300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(x), text);
        }
        assert_eq!(interval(-1e300, 2.0), "[-1e300, 2]");
        let ranges = [(-1e300, 1.0), (0.0, 1e-300)];
        assert_eq!(
            intervals(&ranges),
            "[-1.0000e300, 1.0000] × [0.0000, 1.0000e-300]"
        );
    }

    #[test]
    fn every_error_is_short_whatever_the_numbers() {
        for x in [1e300, -1e300, 1e-300] {
            let (what, index, value) = ("a number", 0, x);
            let errors = [
                Error::NotPositive { what, index, value },
                Error::Negative { what, index, value },
                Error::NoMass { what, mass: x },
                Error::NotNormalised { what, sum: x },
                Error::OutOfRange {
                    what,
                    index,
                    value,
                    lower: x,
                    upper: x,
                },
                Error::Bounds {
                    what,
                    index,
                    lower: x,
                    upper: x,
                },
                Error::NotSymmetric {
                    what,
                    row: 0,
                    column: 1,
                    entry: x,
                    mirrored: x,
                },
                Error::Option {
                    what,
                    value,
                    remedy: "choose another value",
                },
                Error::InfiniteStart { value },
            ];
            for error in errors {
                assert!(error.to_string().len() < 260, "{error}");
            }
        }
    }

    #[test]
    fn memory_is_reported_in_readable_units() {
        assert_eq!(bytes(17), "17 bytes");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(12_345_678_901), "12.3 GB");
        let text = shortage("sparse LU", 9, Some(5_000_000), Some(2048));
        assert_eq!(
            text,
            "the sparse LU of a 9×9 matrix needs about 5.0 MB, but the limit is 2.0 kB"
        );
        assert!(remedy("sparse LU").contains("`Cpu::memory`"));
        assert!(remedy("multigrid hierarchy on the device").contains("`Cuda::memory`"));
        let text = shortage("assembly", 9, None, None);
        assert_eq!(
            text,
            "the assembly of a 9×9 matrix needs more memory than is available"
        );
    }
}
