//! Activations of networks and their derivatives.

/// Function s that the units of hidden layers apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The hyperbolic tangent.
    Tanh,
    /// The positive part max(x, 0). Its derivative at 0 counts as 0.
    Relu,
    /// The smooth positive part ln(1 + eˣ).
    Softplus,
}

impl Activation {
    /// Returns s(x).
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Tanh => x.tanh(),
            Self::Relu => x.max(0.0),
            // For x > 0, ln(1 + eˣ) = x + ln(1 + e⁻ˣ), where nothing overflows.
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// Returns s′(x).
    pub fn slope(self, x: f64) -> f64 {
        match self {
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Relu => f64::from(u8::from(x > 0.0)),
            Self::Softplus => logistic(x),
        }
    }

    /// Returns s″(x), which is 0 for [`Relu`](Self::Relu).
    pub fn bend(self, x: f64) -> f64 {
        match self {
            Self::Tanh => {
                let t = x.tanh();
                -2.0 * t * (1.0 - t * t)
            }
            Self::Relu => 0.0,
            Self::Softplus => logistic(x) * logistic(-x),
        }
    }

    /// Returns the variance of initial weights of a layer with these numbers of inputs and outputs, with which the sizes of
    /// signals stay about the same from layer to layer.
    pub(super) fn variance(self, inputs: usize, outputs: usize) -> f64 {
        match self {
            // Glorot and Bengio (2010), eq. 12: a compromise between signals forwards (1/inputs) and backwards (1/outputs).
            Self::Tanh | Self::Softplus => 2.0 / (inputs + outputs) as f64,
            // He et al. (2015), eq. 10: half of the units are silent.
            Self::Relu => 2.0 / inputs as f64,
        }
    }
}

/// Returns 1/(1 + e⁻ˣ).
fn logistic(x: f64) -> f64 {
    // e^{−|x|} does not overflow.
    let small = (-x.abs()).exp();
    match x < 0.0 {
        true => small / (1.0 + small),
        false => (1.0 + small).recip(),
    }
}
