//! The examples as a user meets them: output, pictures, and what they say to nonsense.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

fn mixture(arguments: &[&str]) -> Output {
    program("gaussian_mixture")
        .args(arguments)
        .output()
        .unwrap()
}

fn folder(name: &str) -> PathBuf {
    program::folder("mixture", name)
}

#[test]
fn small_examples_run_and_recover() {
    for (name, expected) in [
        ("quickstart", "[0.300000, -2.000000, 2.000000]"),
        ("own_model", "a: estimate 1.2070 ± 0.0119"),
        ("own_metric", "estimate [1.0000"),
        ("residual_only", "1.200 ± 0.025"),
    ] {
        let output = program(name).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name} failed: {text}");
        assert!(text.contains(expected), "{name} printed\n{text}");
        assert!(text.contains("converged"), "{name} printed\n{text}");
    }
}

#[test]
fn the_curve_fit_prints_its_tables_and_draws_its_band_and_profiles() {
    let out = folder("curve");
    let output = program("curve_fit")
        .args(["--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    // NIST certifies 0.39797285797 ± 0.014984928198.
    let row = text.lines().find(|line| line.starts_with("θ5 ")).unwrap();
    assert!(
        row.contains("0.398 ± 0.015") && row.contains("[0.367, 0.429]"),
        "{row}"
    );
    let profile = text.lines().rfind(|line| line.starts_with("θ5 ")).unwrap();
    assert_eq!(profile.matches('[').count(), 2, "{profile}");
    program::has_pictures(&out, &["fit", "profiles"]);
    std::fs::remove_dir_all(&out).unwrap();
    let wrong = program("curve_fit").arg("--start").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn json_has_one_object_a_run_and_all_files_are_written() {
    let out = folder("json");
    let output = mixture(&[
        "--case",
        "b",
        "--quick",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let runs: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let metrics: Vec<&str> = runs.iter().map(|r| r["metric"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["standard", "l2", "w2", "fisher-rao", "h1", "h-1"]);
    for run in &runs {
        assert_eq!((&run["case"], &run["loss"]), (&"b".into(), &"l2".into()));
        assert_eq!(run["start"], serde_json::json!([0.7, -1.5]));
        for key in ["iterations", "final_loss", "seconds"] {
            assert!(run[key].is_number(), "{key} in {run}");
        }
        assert!(run["converged"].is_boolean());
        assert_eq!(run["theta"].as_array().unwrap().len(), 2);
    }
    let recovered = |r: &&Value| r["metric"] != "standard";
    for run in runs.iter().filter(recovered) {
        assert!(
            (run["theta"][0].as_f64().unwrap() - 0.3).abs() < 1e-3,
            "{run}"
        );
    }
    let pictures = ["paths", "convergence", "quadratic_models", "basins"];
    let stems = pictures.map(|picture| format!("case_b_{picture}"));
    program::has_pictures(&out, &stems.each_ref().map(String::as_str));
    let table = std::fs::read_to_string(out.join("case_b_trajectories.csv")).unwrap();
    assert!(table.starts_with("metric,iteration,w,μ₁₁,loss,gradient,scale,seconds\n"));
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn every_loss_can_be_chosen() {
    let out = folder("losses");
    for loss in ["kl", "reverse-kl", "hellinger", "chi2", "h-1"] {
        let arguments = [
            "--case",
            "five",
            "--metric",
            "fisher-rao",
            "--loss",
            loss,
            "--quick",
        ];
        let rest = ["--json", "--out", out.to_str().unwrap()];
        let output = mixture(&[&arguments[..], &rest[..]].concat());
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(run["loss"], loss);
        assert!(run["reached_truth"].as_bool().unwrap(), "{run}");
    }
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence_and_exit_code_2() {
    let table: &[(&[&str], &str)] = &[
        (&["--cse", "a"], "unknown option `--cse`"),
        (&["a"], "unknown argument `a`"),
        (&["--case"], "--case needs a value"),
        (&["--case", "--json"], "--case needs a value"),
        (
            &["--case=a", "--case", "b"],
            "--case is given more than once",
        ),
        (&["--case", "c"], "none of a, b, five"),
        (&["--metric", "w3"], "none of standard, l2, w2"),
        (&["--loss", "l1"], "none of l2, kl"),
        (&["--start", "1,2"], "needs --case"),
        (&["--case", "a", "--start", "1"], "there are 2 parameter(s)"),
        (&["--case", "a", "--start", "1,nan"], "not a finite number"),
        (&["--case", "a", "--start", "1,x"], "not a finite number"),
        (&["--case", "b", "--start", "1.5,0"], "must lie in [0, 1]"),
        (&["--case", "a", "--start", "1e3,0"], "must lie in [-4, 10]"),
    ];
    for (arguments, sentence) in table {
        let output = mixture(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(message.contains(sentence), "{arguments:?} said\n{message}");
        assert!(message.contains("usage:"), "{arguments:?} said\n{message}");
    }
}

#[test]
fn help_is_on_standard_output() {
    program::helps("gaussian_mixture", "--metric NAME");
}
