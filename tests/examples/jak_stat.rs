//! The example of STAT5 as a user meets it: the published fit, pictures, and what it says to nonsense.

use crate::program::{self, program};
use serde_json::Value;

#[test]
fn few_starts_find_the_published_fit() {
    let out = program::folder("jak_stat", "quick");
    let mut command = program("jak_stat");
    let command = command.args(["--quick", "--json", "--out"]).arg(&out);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The published log-likelihood is −138.22200.
    let best = found["log_likelihood"].as_f64().unwrap();
    assert!((best + 138.222).abs() < 1e-3, "{best}\n{text}");
    assert_eq!(found["profiles"].as_array().unwrap().len(), 9);
    for part in [
        "68 of 80 starts had only a short run",
        "12 starts:",
        "published is -138.2220",
        "correlation",
        "Profile likelihoods",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    program::has_pictures(&out, &["waterfall", "fit", "profiles"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--start 3", "unknown option `--start`"),
        ("12", "unknown argument `12`"),
        ("--starts 0", "not a whole number from 1 to 100000"),
    ];
    program::refuses("jak_stat", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("jak_stat", "--runs N");
}
