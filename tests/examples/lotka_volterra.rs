//! The example of hares and lynx as a user meets it: the wrong optimum, the rescue, pictures, and what it says to nonsense.

use crate::program::{self, program};
use serde_json::Value;

#[test]
fn a_growing_window_rescues_the_fit() {
    let out = program::folder("lotka_volterra", "rescue");
    let mut command = program("lotka_volterra");
    let output = command
        .args(["--json", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let squares = |entry: &Value| entry["sum_of_squares"].as_f64().unwrap();
    assert!(squares(&found["direct"]) > 10.0, "{found}");
    let windows = found["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 4);
    // The optimum as SciPy finds it: LSODA to 1e-10 and `least_squares` on the logarithms of all parameters.
    let expected = [
        0.54015898, 0.02716536, 0.02369464, 0.79638605, 34.602425, 5.8445065,
    ];
    assert!(
        (squares(&windows[3]) / 2.018661155 - 1.0).abs() < 1e-6,
        "{found}"
    );
    let theta = windows[3]["theta"].as_array().unwrap();
    for (found, expected) in theta.iter().zip(expected) {
        let found = found.as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
    }
    for part in [
        "All 21 years at once",
        "95 % interval",
        "by a factor of 1.27",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    program::has_pictures(&out, &["fit", "windows"]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for part in [
        "Hares and lynx, 1900 to 1920",
        "x(1900)",
        "34.6",
        "Residuals by year",
    ] {
        assert!(page.contains(part), "`{part}` is missing in the page");
    }
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--start 3", "unknown option `--start`"),
        ("12", "unknown argument `12`"),
        ("--out", "--out needs a value"),
    ];
    program::refuses("lotka_volterra", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("lotka_volterra", "--out DIR");
}
