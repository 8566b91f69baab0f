//! What is printed.

use std::fmt::Write as _;

use pullback::linalg::Solved;

use crate::measure::{Row, TASKS, gap};

/// All rows of one backend, and what to call it.
pub struct Half {
    pub label: String,
    pub rows: [Row; 2],
}

/// Who solved what in which time, and how well the answers agree.
pub fn table(halves: &[Half]) -> String {
    let width = width(halves);
    let mut text = format!(
        "{:<10} {:<width$}  {:>7} {:>16} {:>11} {:>11} {:>11}",
        "what", "solved on", "columns", "iterations", "first call", "second call", "a column"
    );
    text += if halves.len() == 2 {
        "  difference\n"
    } else {
        "\n"
    };
    for (i, task) in TASKS.iter().enumerate() {
        for (j, half) in halves.iter().enumerate() {
            let row = &half.rows[i];
            let line = format!(
                "{:<10} {:<width$}  {:>7} {:>16} {:>11} {:>11} {:>11}  {}",
                if j == 0 { task } else { "" },
                half.label,
                row.columns,
                iterations(&row.solved),
                time(row.seconds[0]),
                time(row.seconds[1]),
                time(row.seconds[1] / row.columns as f64),
                if j == 1 {
                    difference(halves, i)
                } else {
                    String::new()
                }
            );
            text += line.trim_end();
            text.push('\n');
        }
    }
    text + &legend(halves) + &how(halves)
}

/// What the columns mean.
fn legend(halves: &[Half]) -> String {
    let calls = "\nThe first call makes ready what is made once, factors or multigrid levels; the second finds it there.\n";
    let agreement = "The difference of the two answers is the largest in any column, relative to the largest number there. Iterations \
                     stop at\na residual of 1e-11 of the right-hand side, or where rounding stops them.\n";
    match halves.len() {
        2 => format!("{calls}{agreement}"),
        _ => calls.into(),
    }
}

fn width(halves: &[Half]) -> usize {
    let labels = halves.iter().map(|half| half.label.chars().count());
    labels.max().unwrap_or(0).max("solved on".len())
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
    let width = width(halves);
    let mut text = "\nHow the systems were solved:\n".to_string();
    for (i, task) in TASKS.iter().enumerate() {
        for half in halves {
            let one = |s: &Solved| match s.iterations {
                0 => s.method.to_string(),
                n => format!("{} in up to {n} iterations", s.method),
            };
            for (j, part) in half.rows[i].solved.iter().map(one).enumerate() {
                let (task, label) = if j == 0 {
                    (*task, half.label.as_str())
                } else {
                    ("", "")
                };
                let _ = writeln!(text, "  {task:<10} {label:<width$}  {part}");
            }
        }
    }
    text + "The sketch has two systems: the weighted Laplacian of W₂, then the adjoints. LU and Cholesky factorise once and need no\n\
            iterations; BiCGSTAB and conjugate gradients iterate, helped by multigrid or by incomplete factors (DILU).\n"
}

/// How far apart the answers of a device and of the processor are.
fn difference(halves: &[Half], task: usize) -> String {
    match halves {
        [device, processor] => match gap(&device.rows[task].answer, &processor.rows[task].answer) {
            0.0 => "none, the same bits".into(),
            off => format!("{off:.1e}"),
        },
        _ => String::new(),
    }
}
