//! The example on the accuracy of sketches as a user meets it: figures, pictures, and what it says to nonsense.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

fn accuracy(arguments: &[&str]) -> Output {
    program("sketch_accuracy").args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    program::folder("sketch", name)
}

/// The output of a quick run with these options, as text and as JSON.
fn quick(name: &str, arguments: &[&str]) -> (String, Value) {
    let out = folder(name);
    let rest = ["--quick", "--json", "--out", out.to_str().unwrap()];
    let output = accuracy(&[arguments, &rest[..]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    program::has_pictures(&out, &["error", "length"]);
    std::fs::remove_dir_all(&out).unwrap();
    (text, serde_json::from_slice(&output.stdout).unwrap())
}

/// The entry of an array that belongs to m = 256, the last.
fn last(array: &Value) -> f64 {
    let all = array.as_array().unwrap();
    assert_eq!(all.len(), 9, "{array}");
    all[8].as_f64().unwrap()
}

const METHODS: [&str; 8] = [
    "solve_explained",
    "solve",
    "raw",
    "natural",
    "literal",
    "corrected",
    "spanning_solve",
    "spanning_natural",
];

#[test]
fn lengths_are_right_but_for_the_published_one_and_errors_are_those_of_the_laws() {
    let (text, all) = quick("both", &[]);
    assert_eq!(
        (&all["n"], &all["seeds"], &all["p"]),
        (&8.into(), &32.into(), &3.into())
    );
    assert_eq!(
        all["m"],
        serde_json::json!([1, 2, 4, 8, 16, 32, 64, 128, 256])
    );
    for (metric, k) in [("l2", 512.0), ("w2", 1344.0)] {
        let found = &all[metric];
        assert_eq!(found["k"].as_f64(), Some(k));
        // Adjoints and tangents are each solved to 10⁻¹⁰ or so.
        assert!(found["adjoint_gap"].as_f64().unwrap() < 1e-8, "{metric}");
        let at = |method: &str, what: &str| last(&found["directions"][method][what]);
        for method in METHODS {
            let (length, error) = (at(method, "length"), at(method, "length_error"));
            if method == "literal" {
                // To first order in 1/(k + m), and by three percent of chance.
                let short = 256.0 / (256.0 + k);
                assert!((length / short - 1.0).abs() < 0.05, "{metric}: {length}");
                continue;
            }
            // The raw inverse is too long by 4/252.
            let slack = if method == "raw" { 0.016 } else { 0.0 };
            let off = (length - 1.0).abs();
            assert!(
                off < 4.0 * error + slack + 1e-9,
                "{metric}, {method}: {length} ± {error}"
            );
            assert!(off < 0.06, "{metric}, {method}: {length}");
        }
        assert!(at("solve_explained", "error") < 1e-8);
        assert!(at("solve", "error") < 0.3 * at("natural", "error"));
        assert!(at("spanning_natural", "error") < 0.1 * at("natural", "error"));
        let matrix = |name: &str| last(&found["matrices"][name]["error"]);
        // √(p/m), which a median of 32 draws of √((p + 1)/m) may miss by a third.
        let ratio = matrix("plain") / (3.0_f64 / 256.0).sqrt();
        assert!((0.7..1.5).contains(&ratio), "{metric}: {ratio}");
        assert!(matrix("spanning") < 0.1 * matrix("plain"));
        assert!(matrix("published_square") > 1.0);
    }
    for sentence in ["metric L²", "metric W₂", "1.00: exact", "p tangent solves"] {
        assert!(
            text.contains(sentence),
            "`{sentence}` is missing in\n{text}"
        );
    }
}

#[test]
fn what_is_not_defined_is_null_and_options_are_heard() {
    let (text, all) = quick("options", &["--metric", "w2", "--n=6", "--seeds", "5"]);
    assert!(all["l2"].is_null() && !text.contains("metric L²"));
    assert_eq!((&all["n"], &all["seeds"]), (&6.into(), &5.into()));
    let directions = &all["w2"]["directions"];
    let nulls = |method: &str, what: &str| {
        let all = directions[method][what].as_array().unwrap();
        all.iter().take_while(|x| x.is_null()).count()
    };
    for (method, error, length) in [
        ("solve_explained", 0, 2),
        ("solve", 0, 3),
        ("raw", 2, 3),
        ("natural", 3, 3),
        ("literal", 0, 3),
        ("corrected", 0, 3),
        ("spanning_solve", 2, 2),
        ("spanning_natural", 3, 3),
    ] {
        let found = (nulls(method, "error"), nulls(method, "length"));
        assert_eq!(found, (error, length), "{method}");
    }
}

#[test]
fn the_figures_do_not_depend_on_the_number_of_threads() {
    let run = |threads: &str| {
        let out = folder(&format!("threads-{threads}"));
        let arguments = ["--quick", "--seeds", "4", "--n", "5", "--json"];
        program::on_threads("sketch_accuracy", &arguments, (&out, threads))
    };
    assert!(run("1") == run("3"));
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--sed 3", "unknown option `--sed`"),
        ("w2", "unknown argument `w2`"),
        ("--metric", "--metric needs a value"),
        ("--metric --json", "--metric needs a value"),
        ("--metric h1", "none of l2, w2"),
        ("--n 3", "not a whole number from 4 to 32"),
        ("--n 12.5", "not a whole number"),
        ("--n 1000", "not a whole number from 4 to 32"),
        ("--seeds 1", "not a whole number from 2 to 10000"),
        ("--seeds -4", "not a whole number"),
    ];
    program::refuses("sketch_accuracy", table);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let file = folder("file");
    std::fs::write(&file, "").unwrap();
    let place = file.join("inside");
    let arguments = ["--quick", "--n", "4", "--seeds", "2", "--out"];
    let output = accuracy(&[&arguments[..], &[place.to_str().unwrap()]].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("inside"), "{message}");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn help_is_on_standard_output() {
    program::helps("sketch_accuracy", "--seeds N");
}
