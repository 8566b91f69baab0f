//! The race as a user meets it: natural gradients win where their metric is that of the loss, and every row is accounted for.

use crate::program::{self, program};

use serde_json::Value;

/// Runs the race on one problem, and returns its rows.
fn rows(problem: &str) -> Vec<Value> {
    let out = program::folder("race", problem);
    let arguments = ["--quick", "--json", "--problem", problem, "--out"];
    let output = program("race").args(arguments).arg(&out).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    program::has_pictures(&out, &[problem]);
    let csv = std::fs::read_to_string(out.join("race.csv")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    for line in csv.lines() {
        // Text stands in quotation marks, and none of it holds another one.
        let outside = line.split('"').step_by(2);
        let commas: usize = outside.map(|text| text.matches(',').count()).sum();
        assert_eq!(commas, 14, "{line}");
    }
    rows
}

/// Steps to a goal of the row with this loss, method and metric.
fn steps(rows: &[Value], [loss, method, metric]: [&str; 3], goal: &str) -> Option<u64> {
    let wanted =
        |row: &&Value| row["loss"] == loss && row["method"] == method && row["metric"] == metric;
    let row = rows.iter().find(wanted);
    let row = row.unwrap_or_else(|| panic!("no row {loss}, {method}, {metric}"));
    row[goal]["steps"].as_u64()
}

#[test]
fn matched_metrics_win_on_the_mixture() {
    let rows = rows("mixture");
    let natural = "natural gradient";
    for (loss, metric) in [("L²", "L²"), ("KL", "Fisher-Rao"), ("½W₂²", "W₂")] {
        let matched = steps(&rows, [loss, natural, metric], "to_1e-6").unwrap();
        assert!(matched <= 10, "{loss}: {matched}");
        let plain = steps(&rows, [loss, "gradient", "—"], "to_1e-6");
        assert!(plain.is_none_or(|plain| plain > 3 * matched), "{loss}");
    }
    let outcome = |row: &Value| row["outcome"].as_str().unwrap().to_string();
    let reached = rows.iter().filter(|row| !row["to_1e-6"].is_null());
    assert!(reached.clone().count() > 20 && reached.clone().all(|row| outcome(row) == "reached"));
    // A metric that does not match the loss still gets there.
    assert!(steps(&rows, ["L²", natural, "W₂"], "to_1e-6").is_some());
    // The entropic loss says that it has no second derivative here.
    let newton = rows.iter().filter(|row| row["method"] == "Newton");
    let entropic: Vec<&Value> = newton.filter(|row| row["loss"] == "½W₂²").collect();
    let outcome = outcome(entropic[0]);
    assert!(outcome.contains("second derivative"), "{outcome}");
}

#[test]
fn every_method_that_adapts_finds_the_field() {
    let rows = rows("darcy");
    for method in ["Gauss-Newton by choice", "Gauss-Newton by CG"] {
        assert!(steps(&rows, ["data", method, "own"], "to_1e-6").unwrap() <= 20);
    }
    assert!(steps(&rows, ["data", "Newton", "—"], "to_1e-6").unwrap() <= 20);
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        (
            "--problem heat",
            "none of mixture, lorenz, darcy, lotka-volterra",
        ),
        ("--seconds 0", "not a positive number"),
        ("--seconds", "--seconds needs a value"),
        ("--steps 0", "not a whole number from 1"),
        ("darcy", "unknown argument `darcy`"),
    ];
    program::refuses("race", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("race", "--problem NAME");
}
