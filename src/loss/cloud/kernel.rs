//! Radial kernels.

use crate::check;
use crate::error::Result;

/// Radial kernel k(x, y), a function of the distance r = |x − y|.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// −r, the kernel of the energy distance. It has no width to choose, and feels any distance.
    Energy,
    /// exp(−r²/2w²) with the width w. Clouds that are several widths apart do not feel each other.
    Gaussian(f64),
    /// (1 + r²/w²)^{−1/2} with the width w, which decreases slowly.
    InverseMultiquadric(f64),
}

impl Kernel {
    /// Checks the width.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Energy => Ok(()),
            Self::Gaussian(width) | Self::InverseMultiquadric(width) => {
                check::positive("the width of a kernel", &[width])?;
                let square = width * width;
                check::option(
                    "the width of a kernel",
                    width,
                    square.is_normal() && square.recip().is_normal(),
                    "give one whose square is a number, of about the size of distances between points",
                )
            }
        }
    }

    /// Returns κ, κ′ and κ″ of k = κ(q) at q = r². The derivatives of −r at r = 0, where it has a kink, count as 0.
    #[inline(always)]
    pub(super) fn derivatives(self, q: f64) -> [f64; 3] {
        match self {
            Self::Energy if q == 0.0 => [0.0; 3],
            Self::Energy => {
                let r = q.sqrt();
                [-r, -0.5 / r, 0.25 / (r * q)]
            }
            Self::Gaussian(width) => {
                let a = -0.5 / (width * width);
                let k = (a * q).exp();
                [k, a * k, a * a * k]
            }
            Self::InverseMultiquadric(width) => {
                let a = (width * width).recip();
                let (base, k) = (1.0 + a * q, (1.0 + a * q).sqrt().recip());
                [k, -0.5 * a * k / base, 0.75 * a * a * k / (base * base)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn derivatives_are_those_of_the_values() {
        for kernel in [
            Kernel::Energy,
            Kernel::Gaussian(1.3),
            Kernel::InverseMultiquadric(0.7),
        ] {
            let (q, h) = (1.7, 1e-5);
            let [ahead, here, behind] = [q + h, q, q - h].map(|q| kernel.derivatives(q));
            for order in 0..2 {
                let slope = (ahead[order] - behind[order]) / (2.0 * h);
                assert!((slope / here[order + 1] - 1.0).abs() < 1e-8, "{kernel:?}");
            }
        }
    }
}
