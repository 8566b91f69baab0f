//! Compiled-in fonts and the size of text set in them.

use crate::script::{Run, runs};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::sync::OnceLock;

/// Height of the middle of a capital above the baseline, relative to the nominal size.
///
/// Capitals of the text face are 0.693 em high, and the nominal size is 1.121 em.
pub(crate) const MIDDLE: f64 = 0.5 * 0.693 / 1.121;

/// Line spacing relative to the nominal size.
pub(crate) const LEADING: f64 = 1.2;

/// Extra width of a space, which is narrow in the text face, relative to the nominal size.
const WORD_GAP: f64 = 0.04;

/// Magnification at which text is measured, because the font reports whole pixels.
const MAGNIFICATION: f64 = 16.0;

/// Typeface of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// Face with Latin and Greek letters, digits and common symbols.
    Text,
    /// Face with mathematical symbols that the text face lacks.
    Symbol,
}

impl Face {
    /// Returns the name of the face in SVG files, followed by substitutes for viewers without that font.
    fn family(self) -> &'static str {
        match self {
            Face::Text => "Ubuntu, Arial, Helvetica, Liberation Sans, sans-serif",
            Face::Symbol => "DejaVu Sans, Hack, Cambria Math, sans-serif",
        }
    }

    /// Returns the height of the em square relative to the nominal size, which spans ascender to descender.
    pub(crate) fn em(self) -> f64 {
        match self {
            Face::Text => 1.0 / 1.121,
            Face::Symbol => 1.0 / 1.164,
        }
    }

    /// Returns the font of the face at a size. The first call registers all faces.
    pub(crate) fn sized(self, size: f64) -> FontDesc<'static> {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        // If a registration fails, drawing text reports that the font is not available.
        REGISTERED.get_or_init(|| {
            let register =
                |face: Face, bytes| register_font(face.family(), FontStyle::Normal, bytes).is_ok();
            let text = register(Face::Text, epaint_default_fonts::UBUNTU_LIGHT);
            register(Face::Symbol, epaint_default_fonts::HACK_REGULAR) && text
        });
        FontDesc::new(FontFamily::Name(self.family()), size, FontStyle::Normal)
    }

    /// Returns the width of plain text in pixels.
    pub(crate) fn width(self, text: &str, size: f64) -> f64 {
        let spaces = text.matches(' ').count() as f64;
        match self.sized(size * MAGNIFICATION).box_size(text) {
            Ok((width, _)) => f64::from(width) / MAGNIFICATION + spaces * WORD_GAP * size,
            // Without a font, the estimate is 0.6 of the size per character.
            Err(_) => 0.6 * size * text.chars().count() as f64,
        }
    }

    /// Returns the white space to the left of a character in pixels, which is assumed to equal that on the
    /// right.
    pub(crate) fn bearing(self, sign: char, size: f64) -> f64 {
        let sign = sign.to_string();
        // The font draws a character from the left end of its ink, so the number of inked columns is the
        // width without the white space on either side: bearing = (width − ink)/2.
        let mut ink = 0;
        let mut record = |x: i32, _: i32, _: f32| {
            ink = ink.max(x + 1);
            Ok::<(), std::fmt::Error>(())
        };
        match self
            .sized(size * MAGNIFICATION)
            .draw(&sign, (0, 0), &mut record)
        {
            Ok(_) => 0.5 * (self.width(&sign, size) - f64::from(ink) / MAGNIFICATION),
            Err(_) => 0.0,
        }
    }
}

/// Returns the width of a line of text in pixels, including raised and lowered parts.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let widths = runs(text).into_iter().map(|run: Run| run.width(size));
    widths.sum()
}

/// Text broken into lines, with a size at which every line fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) lines: Vec<String>,
    pub(crate) size: f64,
}

impl Block {
    /// Breaks text between words. A single word that is too wide reduces the size of the whole text.
    pub(crate) fn fit(text: &str, available: f64, size: f64) -> Block {
        let lines: Vec<String> = text
            .lines()
            .flat_map(|line| wrap(line, available, size))
            .collect();
        let widest = lines.iter().map(|l| width(l, size)).fold(0.0, f64::max);
        let shrink = if widest > available {
            available / widest
        } else {
            1.0
        };
        Block {
            lines,
            size: size * shrink.max(0.1),
        }
    }

    /// Returns the height of all lines, or zero without lines.
    pub(crate) fn height(&self) -> f64 {
        self.lines.len() as f64 * self.size * LEADING
    }

    /// Returns the width of the widest line.
    pub(crate) fn width(&self) -> f64 {
        let widths = self.lines.iter().map(|l| width(l, self.size));
        widths.fold(0.0, f64::max)
    }
}

/// Breaks a line between words into parts that are at most `available` wide, unless a word is wider.
fn wrap(text: &str, available: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= available => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_grows_with_text_and_size() {
        assert!(width("", 14.0) == 0.0);
        assert!(width("ab", 14.0) > width("a", 14.0));
        assert!((width("abc", 28.0) / width("abc", 14.0) - 2.0).abs() < 0.02);
    }

    #[test]
    fn long_text_is_broken_and_never_too_wide() {
        let text = "a rather long title with one extraordinarilylongwordthatcannotbebroken inside";
        for available in [40.0, 120.0, 400.0] {
            let block = Block::fit(text, available, 16.0);
            assert!(block.width() <= available * 1.01, "{block:?}");
        }
        assert!(Block::fit("", 100.0, 16.0).lines.is_empty());
    }
}
