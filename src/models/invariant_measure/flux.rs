//! Upwind fluxes through faces, as functions of the normal velocity.

use crate::check;
use crate::error::Result;

/// Rates at which mass crosses a face, as functions of the normal velocity v on the face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Flux {
    /// The means of max(v, 0) and max(−v, 0) over the Gauss points of the face. Cells with a fixed point keep an
    /// outflow.
    #[default]
    FaceAveraged,
    /// The values max(v, 0) and max(−v, 0) at the centre of the face. Cells around a fixed point may absorb all mass.
    Point,
    /// The means of (√(v² + w²) ± v)/2 over the Gauss points of the face. These rates are smooth in v and slightly more
    /// diffusive than `FaceAveraged`.
    Smooth {
        /// Speed w below which the kink at v = 0 is rounded.
        width: f64,
    },
}

/// Upward and downward parts of a velocity v = v⁺ − v⁻, with their slopes.
pub(super) struct Parts {
    /// Upward part v⁺.
    pub(super) up: f64,
    /// Downward part v⁻.
    pub(super) down: f64,
    /// Slope dv⁺/dv of the upward part.
    pub(super) up_slope: f64,
    /// Negative slope −dv⁻/dv of the downward part.
    pub(super) down_slope: f64,
}

impl Flux {
    /// Checks that the width of a smooth flux is positive and finite.
    pub(super) fn check(self) -> Result<()> {
        let Self::Smooth { width } = self else {
            return Ok(());
        };
        let sound = width > 0.0 && width.is_finite();
        check::option(
            "the width of a smooth flux",
            width,
            sound,
            "give a positive speed",
        )
    }

    /// Whether the flux averages over the Gauss points of a face.
    pub(super) fn averages(self) -> bool {
        self != Self::Point
    }

    /// Splits a velocity into its parts. At v = 0 both slopes of the kink are 0, since no mass crosses in either
    /// direction.
    pub(super) fn parts(self, v: f64) -> Parts {
        match self {
            Self::Smooth { width } => {
                // v⁺ − v⁻ = v, and v⁺v⁻ = w²/4 > 0: both rates are positive, so that all cells communicate.
                // (In floating point s = |v| from |v| ≈ 10⁸ w on, and the smaller rate is 0.) s = √(v² + w²)
                // has ds/dv = v/s.
                let s = v.hypot(width);
                Parts {
                    up: 0.5 * (s + v),
                    down: 0.5 * (s - v),
                    up_slope: 0.5 * (1.0 + v / s),
                    down_slope: 0.5 * (1.0 - v / s),
                }
            }
            // The flux v⁺ρ_l − v⁻ρ_u = v(ρ_l + ρ_u)/2 − |v|(ρ_u − ρ_l)/2 is a central flux with the
            // additional diffusion |v|h/2. This is the price of rates that are not negative, without which
            // densities could be negative.
            // max(±v, 0) = (|v| ± v)/2, which keeps a NaN, unlike `f64::max`.
            _ => Parts {
                up: 0.5 * (v.abs() + v),
                down: 0.5 * (v.abs() - v),
                up_slope: f64::from(u8::from(v > 0.0)),
                down_slope: f64::from(u8::from(v < 0.0)),
            },
        }
    }
}
