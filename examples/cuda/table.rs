//! What is printed.

use std::fmt::Write as _;

use pullback::Solved;

use crate::measure::{Row, TASKS, gap};

/// All rows of one backend, and what to call it.
pub struct Half {
    pub label: String,
    pub rows: [Row; 2],
}

/// Who solved what in which time, and how well the answers agree.
pub fn table(halves: &[Half]) -> String {
    let width = halves.iter().map(|h| h.label.chars().count()).max();
    let width = width.unwrap_or(0).max("solved on".len());
    let mut text = format!(
        "{:<10}  {:<width$} {:>8} {:>11} {:>12} {:>12} {:>12}\n",
        "what", "solved on", "columns", "iterations", "first call", "second call", "a column"
    );
    for (i, task) in TASKS.iter().enumerate() {
        for (j, half) in halves.iter().enumerate() {
            let row = &half.rows[i];
            let what = if j == 0 { task } else { "" };
            let _ = writeln!(
                text,
                "{what:<10}  {:<width$} {:>8} {:>11} {:>12} {:>12} {:>12}",
                half.label,
                row.columns,
                iterations(&row.solved),
                time(row.seconds[0]),
                time(row.seconds[1]),
                time(row.seconds[1] / row.columns as f64),
            );
        }
    }
    text += "\nThe first call makes ready what is made once (factors, multigrid levels), the second finds it there.\n";
    text + &how(halves) + &agreement(halves)
}

/// A time in a unit that suits it.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", 1e6 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}

/// Iterations of every method, or that there are none.
fn iterations(solved: &[Solved]) -> String {
    let one = |s: &Solved| match s.iterations {
        0 => "direct".to_string(),
        n => n.to_string(),
    };
    solved.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// The methods in words.
fn how(halves: &[Half]) -> String {
    let mut text = "\nHow the systems were solved:\n".to_string();
    for (i, task) in TASKS.iter().enumerate() {
        for half in halves {
            let parts: Vec<String> = half.rows[i].solved.iter().map(Solved::to_string).collect();
            let _ = writeln!(
                text,
                "  {task} on {}: {} columns",
                half.label,
                parts.join(", then ")
            );
        }
    }
    text
}

/// How far apart the answers are, where there are two.
fn agreement(halves: &[Half]) -> String {
    let [device, processor] = halves else {
        return String::new();
    };
    let mut text =
        "\nLargest difference of the two answers, relative to the largest number of its column:\n"
            .to_string();
    for (i, task) in TASKS.iter().enumerate() {
        let off = gap(&device.rows[i].answer, &processor.rows[i].answer);
        let words = match off {
            0.0 => "0, the same bits".to_string(),
            off => format!("{off:.1e}"),
        };
        let _ = writeln!(text, "  {task}: {words}");
    }
    text + "(iterations stop at a residual of 1e-11 of the right-hand side, or where rounding stops them)\n"
}
