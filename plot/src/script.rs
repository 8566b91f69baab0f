//! Text with raised and lowered parts, split into runs of one size and one typeface.

use crate::font::Face;

/// Size of raised and lowered text, relative to the line.
const SMALL: f64 = 0.72;
/// Height of raised and of lowered text above the baseline, relative to the size of the line.
const SHIFT: [f64; 2] = [0.30, -0.15];

/// Characters that only the symbol face has.
const SYMBOLS: &str = "∇‖∈→←↔↦⟨⟩∝∼≡∘⊗⊕′″∛⊤∀∃∅⋅⋯";

/// Superscript characters and the characters that are raised in their place.
const RAISED: [&str; 2] = ["⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ", "0123456789+−nT"];
/// Subscript characters and the characters that are lowered in their place.
const LOWERED: [&str; 2] = ["₀₁₂₃₄₅₆₇₈₉₊₋ₙᵢⱼₖ", "0123456789+−nijk"];
/// Characters that no face has, and their substitutes.
const SUBSTITUTES: [&str; 2] = ["∥ϕϑϵℝℒ𝒩", "‖φθεRLN"];

/// Piece of text of one size and one typeface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) face: Face,
    /// Size of the run relative to the size of the line.
    pub(crate) size: f64,
    /// Height of the baseline of the run above that of the line, relative to the size of the line.
    pub(crate) raise: f64,
}

impl Run {
    /// Returns the width of the run in pixels, in a line of size `size`.
    pub(crate) fn width(&self, size: f64) -> f64 {
        self.face.width(&self.text, size * self.size)
    }
}

/// Vertical position of a character.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Line,
    Raised,
    Lowered,
}

/// Splits a line into runs. The characters in `^{…}` are raised and those in `_{…}` lowered.
pub(crate) fn runs(line: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (c, level) in levelled(line) {
        let face = match SYMBOLS.contains(c) {
            true => Face::Symbol,
            false => Face::Text,
        };
        let (size, raise) = match level {
            Level::Line => (1.0, 0.0),
            Level::Raised => (SMALL, SHIFT[0]),
            Level::Lowered => (SMALL, SHIFT[1]),
        };
        match runs.last_mut() {
            Some(run) if run.face == face && run.raise == raise => run.text.push(c),
            _ => runs.push(Run {
                text: c.to_string(),
                face,
                size,
                raise,
            }),
        }
    }
    runs
}

/// Returns the drawn characters, each with its level.
fn levelled(line: &str) -> Vec<(char, Level)> {
    let mut drawn = Vec::new();
    let mut level = Level::Line;
    // Control characters and noncharacters have no glyph, and XML forbids them.
    let printable = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut rest = line.chars().filter(printable).peekable();
    while let Some(c) = rest.next() {
        let opens = rest.peek() == Some(&'{');
        match c {
            '^' | '_' if opens => {
                rest.next();
                level = if c == '^' {
                    Level::Raised
                } else {
                    Level::Lowered
                };
            }
            '}' if level != Level::Line => level = Level::Line,
            _ => drawn.push(drawable(c, level)),
        }
    }
    drawn
}

/// Replaces a character by a character that a face has.
fn drawable(c: char, level: Level) -> (char, Level) {
    let equivalent = |[from, to]: [&str; 2]| {
        let mut pairs = from.chars().zip(to.chars());
        pairs
            .find(|(sign, _)| *sign == c)
            .map(|(_, equivalent)| equivalent)
    };
    if let Some(equivalent) = equivalent(RAISED) {
        return (equivalent, Level::Raised);
    }
    if let Some(equivalent) = equivalent(LOWERED) {
        return (equivalent, Level::Lowered);
    }
    (equivalent(SUBSTITUTES).unwrap_or(c), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        runs(line).into_iter().map(|run| run.text).collect()
    }

    #[test]
    fn plain_text_is_one_run() {
        assert_eq!(
            texts("a plain {line} with ^ and _"),
            ["a plain {line} with ^ and _"]
        );
        assert!(runs("").is_empty());
    }

    #[test]
    fn braces_and_raised_signs_mean_the_same() {
        assert_eq!(runs("10^{−6} s"), runs("10⁻⁶ s"));
        assert_eq!(texts("θ_{k+1}²"), ["θ", "k+1", "2"]);
        let raises: Vec<f64> = runs("x²ₖ").iter().map(|run| run.raise).collect();
        assert_eq!(raises, [0.0, SHIFT[0], SHIFT[1]]);
    }

    #[test]
    fn signs_change_the_face_and_tables_pair_up() {
        let faces: Vec<Face> = runs("‖∇f‖").into_iter().map(|run| run.face).collect();
        assert_eq!(faces, [Face::Symbol, Face::Text, Face::Symbol]);
        for [from, to] in [RAISED, LOWERED, SUBSTITUTES] {
            assert_eq!(from.chars().count(), to.chars().count());
        }
    }
}
