//! The example on many starts as a user meets it: the certified fit, pictures, and what it says to nonsense.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

fn multistart(arguments: &[&str]) -> Output {
    program("multistart").args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    program::folder("multistart", name)
}

#[test]
fn the_certified_fit_is_the_lowest_of_many_optima() {
    let out = folder("quick");
    let output = multistart(&["--quick", "--json", "--out", out.to_str().unwrap()]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let optima = found["optima"].as_array().unwrap();
    assert!(optima.len() > 5, "{found}");
    let losses: Vec<f64> = optima
        .iter()
        .map(|o| o["objective"].as_f64().unwrap())
        .collect();
    assert!(losses.is_sorted(), "{losses:?}");
    // Half of the certified sum of squares.
    let off = losses[0] / 394.269_893_34 - 1.0;
    assert!(off.abs() < 1e-9, "{losses:?}");
    assert_eq!(optima[0]["standard_errors"].as_array().unwrap().len(), 9);
    for part in [
        "60 starts:",
        "certified by NIST",
        "difference",
        "stopped by",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    program::has_pictures(&out, &["waterfall", "fits"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn the_results_depend_on_the_seed_and_not_on_the_number_of_threads() {
    let run = |seed: &str, threads: &str| {
        let out = folder(&format!("threads-{seed}-{threads}"));
        let arguments = ["--starts", "12", "--json", "--seed", seed];
        program::on_threads("multistart", &arguments, (&out, threads))
    };
    let one = run("1", "1");
    assert!(one == run("1", "3") && one != run("2", "3"));
}

#[test]
fn a_single_start_is_enough_for_table_and_pictures() {
    let out = folder("single");
    let output = multistart(&["--starts=1", "--out", out.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("1 start:"),
        "{text}"
    );
    assert!(out.join("fits.png").exists());
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--start 3", "unknown option `--start`"),
        ("12", "unknown argument `12`"),
        ("--starts", "--starts needs a value"),
        ("--starts 0", "not a whole number from 1 to 100000"),
        ("--starts 1.5", "not a whole number"),
        ("--seed -1", "not a whole number from 0"),
    ];
    program::refuses("multistart", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("multistart", "--starts N");
}
