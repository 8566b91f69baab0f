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
    /// Second derivative of both parts, which differ by v.
    pub(super) bend: f64,
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

    /// Returns whether the flux averages over the Gauss points of a face.
    pub(super) fn averages(self) -> bool {
        self != Self::Point
    }

    /// Splits a velocity into its parts. At v = 0 both slopes of the kink are 0, since no mass crosses in either
    /// direction. The second derivative omits the kink.
    pub(super) fn parts(self, v: f64) -> Parts {
        match self {
            Self::Smooth { width } => {
                // The rates (s ± v)/2 with s = √(v² + w²) have the difference v and the product w²/4. The
                // smaller rate is computed as w²/4 divided by the larger: the difference s − |v| cancels, and
                // is 0 from |v| ≈ 10⁸ w on.
                let s = v.hypot(width);
                let larger = 0.5 * (s + v.abs());
                let smaller = 0.25 * width * (width / larger);
                let (up, down) = match v < 0.0 {
                    true => (smaller, larger),
                    false => (larger, smaller),
                };
                // ds/dv = v/s gives the slopes (v/s ± 1)/2 = ±(s ± v)/2s.
                Parts {
                    up,
                    down,
                    up_slope: up / s,
                    down_slope: down / s,
                    // d²s/dv² = w²/s³, and half of it for each part.
                    bend: 0.5 * (width / s).powi(2) / s,
                }
            }
            // The flux v⁺ρ_l − v⁻ρ_u = v(ρ_l + ρ_u)/2 − |v|(ρ_u − ρ_l)/2 is a central flux with the
            // additional diffusion |v|h/2. This is the price of non-negative rates, without which densities
            // could be negative. max(±v, 0) = (|v| ± v)/2, which keeps a NaN, unlike `f64::max`.
            _ => Parts {
                up: 0.5 * (v.abs() + v),
                down: 0.5 * (v.abs() - v),
                up_slope: f64::from(u8::from(v > 0.0)),
                down_slope: f64::from(u8::from(v < 0.0)),
                bend: 0.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// v⁺v⁻ = w²/4 and v⁺ − v⁻ = v, even if w is far below |v|.
    #[test]
    fn the_smaller_rate_of_a_smooth_flux_keeps_its_digits() {
        for width in [1.0, 1e-4, 1e-8, 1e-12, 1e-100] {
            for v in [-0.3, 0.0, 2.0] {
                let Parts {
                    up,
                    down,
                    up_slope,
                    down_slope,
                    bend,
                } = Flux::Smooth { width }.parts(v);
                let product = up * (down / width) / width;
                assert!((product - 0.25).abs() < 1e-15, "{width} {v}: {product}");
                assert!((up - down - v).abs() < 1e-15);
                assert!((up_slope + down_slope - 1.0).abs() < 1e-15);
                assert!((up_slope - down_slope - v / v.hypot(width)).abs() < 1e-15);
                // (v² + w²)^{3/2} d²v⁺/dv² = ½ w².
                let curved = 2.0 * bend * v.hypot(width) * (v.hypot(width) / width).powi(2);
                assert!((curved - 1.0).abs() < 1e-14, "{width} {v}: {curved}");
            }
        }
    }
}
