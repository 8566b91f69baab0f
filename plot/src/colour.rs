//! Colours: a qualitative set for curves and continuous maps for fields.

/// Colour as red, green and blue in 0..=255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Black, slightly lightened like printed ink.
    pub const BLACK: Colour = Colour(26, 26, 26);
    /// Medium grey for reference lines.
    pub const GREY: Colour = Colour(128, 128, 128);
    /// White.
    pub const WHITE: Colour = Colour(255, 255, 255);

    /// Blends towards `other`: a share of 0 gives `self`, a share of 1 gives `other`.
    ///
    /// A share outside 0..=1 is clamped. A share that is not finite counts as 0.
    pub fn mix(self, other: Colour, share: f64) -> Colour {
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let blend = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round();
        Colour(
            blend(self.0, other.0) as u8,
            blend(self.1, other.1) as u8,
            blend(self.2, other.2) as u8,
        )
    }
}

/// Eight colours for curves: blue, vermilion, green, purple, amber, sky, black, brown.
///
/// The colours stay distinguishable under colour blindness and legible on white and on pale fields. The hues follow the
/// set of Okabe and Ito. The yellow of that set is replaced and the light colours are darkened, because thin lines in
/// them vanish on white.
pub const PALETTE: [Colour; 8] = [
    Colour(0, 94, 170),
    Colour(213, 78, 0),
    Colour(0, 138, 100),
    Colour(176, 82, 146),
    Colour(214, 142, 0),
    Colour(56, 156, 216),
    Colour(26, 26, 26),
    Colour(122, 84, 48),
];

/// Continuous colour map for heat maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Pale to dark with steadily decreasing lightness, from the smallest to the largest value.
    Sequential,
    /// Blue through near-white to red, symmetric about zero.
    Diverging,
    /// White to medium grey, as a background for curves of many colours.
    Grey,
}

/// Evenly spaced colours of the sequential map, which ends before it becomes too dark for lines drawn on it.
const SEQUENTIAL: [Colour; 7] = [
    Colour(254, 253, 244),
    Colour(233, 243, 228),
    Colour(207, 230, 223),
    Colour(174, 212, 220),
    Colour(140, 190, 213),
    Colour(108, 165, 201),
    Colour(80, 138, 183),
];

/// First and last colour of the grey map.
const GREYS: [Colour; 2] = [Colour(255, 255, 255), Colour(190, 190, 190)];

/// Evenly spaced colours of the diverging map.
const DIVERGING: [Colour; 7] = [
    Colour(41, 92, 158),
    Colour(112, 160, 206),
    Colour(187, 212, 232),
    Colour(248, 247, 244),
    Colour(243, 204, 184),
    Colour(222, 140, 111),
    Colour(178, 62, 51),
];

impl Palette {
    /// Returns the colour at the position `share` in 0..=1. Values outside are clamped.
    pub fn at(self, share: f64) -> Colour {
        let stops = match self {
            Palette::Sequential => &SEQUENTIAL[..],
            Palette::Diverging => &DIVERGING[..],
            Palette::Grey => &GREYS[..],
        };
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let along = share * (stops.len() - 1) as f64;
        let left = (along.floor() as usize).min(stops.len() - 2);
        stops[left].mix(stops[left + 1], along - left as f64)
    }

    /// Returns the range of values that the map spans if the finite values lie between `low` and `high`.
    pub(crate) fn span(self, low: f64, high: f64) -> [f64; 2] {
        let nonzero = |size: f64| if size > 0.0 { size } else { 1.0 };
        match self {
            Palette::Diverging => {
                let size = nonzero(low.abs().max(high.abs()));
                [-size, size]
            }
            _ if high > low => [low, high],
            _ => [low, low + nonzero(low.abs())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Colour) -> f64 {
        let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
        0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
    }

    #[test]
    fn the_sequential_map_darkens_steadily() {
        let shades: Vec<f64> = (0..=100)
            .map(|i| luminance(Palette::Sequential.at(f64::from(i) / 100.0)))
            .collect();
        assert!(shades.windows(2).all(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn every_curve_colour_contrasts_with_white() {
        for colour in PALETTE {
            let contrast = 1.05 / (luminance(colour) + 0.05);
            assert!(contrast > 2.5, "{colour:?} has contrast {contrast}");
        }
    }

    #[test]
    fn spans_are_never_empty() {
        for palette in [Palette::Sequential, Palette::Diverging] {
            let [low, high] = palette.span(0.0, 0.0);
            assert!(high > low);
        }
        assert_eq!(Palette::Diverging.span(-1.0, 3.0), [-3.0, 3.0]);
        assert_eq!(Palette::Sequential.at(f64::NAN), SEQUENTIAL[0]);
    }
}
