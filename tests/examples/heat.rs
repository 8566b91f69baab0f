//! The heat example as a user meets it.

use crate::program::{self, program};

use serde_json::Value;

#[test]
fn the_conductivity_of_a_bar_is_found() {
    let out = program::folder("heat", "bar");
    let arguments = ["--quick", "--json", "--out", out.to_str().unwrap()];
    let run = program("heat_conductivity")
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (&found["cells"], &found["data"]),
        (&Value::from(40), &Value::from(160))
    );
    assert_eq!(found["converged"], true, "{text}");
    // A band of two standard deviations holds the truth in about 95 % of all cells, which are correlated.
    assert!(
        found["within_two_deviations"].as_f64().unwrap() > 0.8,
        "{text}"
    );
    assert!(text.contains("conductivity along the bar"), "{text}");
    program::has_pictures(&out, &["heat_conductivity"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    program::helps("heat_conductivity", "--sensors");
    program::refuses(
        "heat_conductivity",
        &[
            ("--cells 3", "8 to 2000"),
            ("--noise 0", "not a positive number"),
            ("--sensors", "needs a value"),
        ],
    );
}
