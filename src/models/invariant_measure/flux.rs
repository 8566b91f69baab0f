//! Upwind fluxes through faces, as functions of the velocity normal to them.

use crate::check;
use crate::error::Result;

/// How the rates at which mass crosses a face follow from the velocity v normal to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Flux {
    /// The means of max(v, 0) and max(−v, 0) over the Gauss points of the face. A cell that holds a fixed point
    /// still passes mass on.
    #[default]
    FaceAveraged,
    /// max(v, 0) and max(−v, 0) at the centre of the face. Cells around a fixed point may absorb all mass.
    Point,
    /// As `FaceAveraged`, with (√(v² + w²) ± v)/2 for the two parts, which has no kink; it diffuses a little more.
    Smooth {
        /// The speed w below which the kink is rounded.
        width: f64,
    },
}

/// What crosses upward and downward, each with its slope: v⁺, v⁻, dv⁺/dv, −dv⁻/dv.
pub(super) struct Parts {
    pub(super) up: f64,
    pub(super) down: f64,
    pub(super) up_slope: f64,
    pub(super) down_slope: f64,
}

impl Flux {
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

    /// Whether a face is sampled at its Gauss points.
    pub(super) fn averages(self) -> bool {
        self != Self::Point
    }

    /// The parts of a velocity. At v = 0 the kink has slope 0 on both sides: neither cell sends anything.
    pub(super) fn parts(self, v: f64) -> Parts {
        match self {
            Self::Smooth { width } => {
                let s = v.hypot(width);
                Parts {
                    up: 0.5 * (s + v),
                    down: 0.5 * (s - v),
                    up_slope: 0.5 * (1.0 + v / s),
                    down_slope: 0.5 * (1.0 - v / s),
                }
            }
            // Written so that NaN stays NaN.
            _ => Parts {
                up: 0.5 * (v.abs() + v),
                down: 0.5 * (v.abs() - v),
                up_slope: f64::from(u8::from(v > 0.0)),
                down_slope: f64::from(u8::from(v < 0.0)),
            },
        }
    }
}
