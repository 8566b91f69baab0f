//! Lines of text on a canvas.

use crate::canvas::{Canvas, Drawn, rgb};
use crate::colour::Colour;
use crate::font;
use crate::layer::Point;
use crate::script::{Run, runs};
use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, TextStyle};

/// Size, alignment and direction of a line of text. The anchor is at middle height.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) size: f64,
    pub(crate) align: HPos,
    /// Whether the text runs upwards.
    pub(crate) upwards: bool,
}

impl Setting {
    pub(crate) fn new(size: f64, align: HPos) -> Setting {
        Setting {
            size,
            align,
            upwards: false,
        }
    }
}

/// Run with its position. The run starts `along` pixels after `at` in the writing direction.
struct Placed {
    run: Run,
    at: Point,
    along: f64,
    align: HPos,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    /// Writes one line of text, with its raised and lowered parts.
    pub(crate) fn text(&mut self, text: &str, at: Point, setting: Setting) -> Drawn {
        let runs = runs(text);
        let width: f64 = runs.iter().map(|run| run.width(setting.size)).sum();
        let mut along = match setting.align {
            HPos::Left => 0.0,
            HPos::Center => -0.5 * width,
            HPos::Right => -width,
        };
        let single = runs.len() == 1 && self.vector;
        for (index, run) in runs.iter().enumerate() {
            // An SVG viewer may have a wider font. A single run then stays at its anchor. Of several runs the first
            // grows to the left, away from the others.
            let align = match index {
                0 if single => setting.align,
                0 if self.vector => HPos::Right,
                _ => HPos::Left,
            };
            for part in self.parts(run) {
                let advance = part.width(setting.size);
                let placed = Placed {
                    run: part,
                    at,
                    along,
                    align,
                };
                self.run(&placed, setting)?;
                along += advance;
            }
        }
        Ok(())
    }

    /// Splits a run into pieces that the backend places correctly.
    ///
    /// Bitmaps get single characters, because their backend drops the white space to the left of each
    /// character and spaces them unevenly. An SVG gets the whole run, which keeps the text editable. The
    /// leading spaces of the run are split off, because viewers drop them.
    fn parts(&self, run: &Run) -> Vec<Run> {
        let blank = run.text.len() - run.text.trim_start().len();
        let (lead, body) = run.text.split_at(blank);
        let pieces: Vec<&str> = match self.vector {
            true => vec![lead, body],
            false => run.text.split_inclusive(|_| true).collect(),
        };
        let part = |text: &str| Run {
            text: text.to_string(),
            ..*run
        };
        pieces.into_iter().map(part).collect()
    }

    /// Draws one run.
    fn run(&mut self, placed: &Placed, setting: Setting) -> Drawn {
        let run = &placed.run;
        let text = run.text.trim_end();
        if text.is_empty() {
            return Ok(());
        }
        let size = setting.size * run.size;
        let (drop, backend_size) = self.measures(run, size);
        // The anchor lies `MIDDLE` above the baseline of the line, which lies `raise` below that of the run.
        // The backend expects the top of the run, which lies `drop` above its baseline.
        let lift = drop - (font::MIDDLE - run.raise) * setting.size;
        let width = run.face.width(text, size);
        let along = match placed.align {
            HPos::Left => placed.along,
            HPos::Center => placed.along + 0.5 * width,
            HPos::Right => placed.along + width,
        };
        // In a bitmap the run is a single character, and the backend starts it at the left edge of its ink.
        let along = match (self.vector, text.chars().next()) {
            (false, Some(first)) => along + run.face.bearing(first, size),
            _ => along,
        };
        let [x, y] = placed.at;
        let (anchor, transform) = match setting.upwards {
            true => ([x - lift, y - along], FontTransform::Rotate270),
            false => ([x + along, y - lift], FontTransform::None),
        };
        let ink = rgb(Colour::BLACK);
        let face = run
            .face
            .sized(backend_size * self.scale)
            .transform(transform);
        let text_style = TextStyle::from(face)
            .color(&ink)
            .pos(Pos::new(placed.align, VPos::Top));
        self.text_widths.push(width * self.scale);
        let anchor = self.pixel(anchor);
        let drawn = self.backend.draw_text(text, &text_style, anchor);
        drawn.map_err(|e| e.to_string())
    }

    /// Returns the height from the top of a run to its baseline, and the size to pass to the backend.
    ///
    /// In a bitmap the baseline lies half a size below the top, in an SVG 0.76 em. The SVG backend divides the size by
    /// 1.24 and takes the result as an em.
    fn measures(&self, run: &Run, size: f64) -> (f64, f64) {
        let em = run.face.em() * size;
        match self.vector {
            true => (0.76 * em, 1.24 * em),
            false => (0.5 * size, size),
        }
    }
}
