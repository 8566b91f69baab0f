//! The printed table.

use std::fmt::Write as _;

use pullback::linalg::Solved;

use crate::measure::{Row, TASKS, gap};

/// Measurements on one backend, with its name.
pub struct Half {
    pub label: String,
    pub rows: [Row; 2],
}

/// Formats times, methods and differences of the results.
pub fn table(halves: &[Half]) -> String {
    let width = width(halves);
    let mut text = format!(
        "{:<10} {:<width$}  {:>7} {:>16} {:>11} {:>11} {:>11}",
        "task", "solved on", "columns", "iterations", "first call", "second call", "per column"
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

/// Explains the columns.
fn legend(halves: &[Half]) -> String {
    let calls = "\nThe first call includes the preparation (factorisations or multigrid levels), which the second call reuses.\n";
    let agreement = "Difference: largest difference of the two results in any column, relative to the largest entry of the column. Iterations \
                     stop\nat a residual of 1e-11 of the right-hand side, or at rounding level.\n";
    match halves.len() {
        2 => format!("{calls}{agreement}"),
        _ => calls.into(),
    }
}

fn width(halves: &[Half]) -> usize {
    let labels = halves.iter().map(|half| half.label.chars().count());
    labels.max().unwrap_or(0).max("solved on".len())
}

/// Formats a time in a suitable unit.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", 1e6 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}

/// Number of iterations of every method, or `direct` for a method without.
fn iterations(solved: &[Solved]) -> String {
    let one = |s: &Solved| match s.iterations {
        0 => "direct".to_string(),
        n => n.to_string(),
    };
    solved.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// Lists the methods.
fn how(halves: &[Half]) -> String {
    let width = width(halves);
    let mut text = "\nMethods:\n".to_string();
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
    text + "Adjoints solve Aᵀλ = w, A being the Jacobian of the model. The sketch solves two systems, with the weighted Laplacian of\n\
            W₂ and with Aᵀ. LU and Cholesky are direct methods; BiCGSTAB and conjugate gradients are iterative, preconditioned by\n\
            multigrid or incomplete factors (DILU).\n"
}

/// Difference between the results of the GPU and of the processor.
fn difference(halves: &[Half], task: usize) -> String {
    match halves {
        [device, processor] => match gap(&device.rows[task].answer, &processor.rows[task].answer) {
            0.0 => "none (bit for bit)".into(),
            off => format!("{off:.1e}"),
        },
        _ => String::new(),
    }
}
