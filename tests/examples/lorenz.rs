//! The Lorenz example as a user meets it: output, pictures, and what it says to nonsense.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

fn lorenz(arguments: &[&str]) -> Output {
    program("lorenz").args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let path = program::folder("lorenz", name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn json(output: &Output) -> Vec<Value> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

const KEYS: [&str; 16] = [
    "n",
    "flow",
    "data",
    "method",
    "loss",
    "metric",
    "start",
    "iterations",
    "iterations_to_1e3",
    "iterations_to_1e6",
    "theta",
    "relative_error",
    "error",
    "seconds",
    "counts",
    "solver_iterations",
];

#[test]
fn twin_data_are_recovered_by_every_matched_pair() {
    let out = folder("twin");
    let fits = json(&lorenz(&[
        "--data",
        "twin",
        "--quick",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]));
    let pairs: Vec<(&str, &str)> = fits
        .iter()
        .map(|f| (f["loss"].as_str().unwrap(), f["metric"].as_str().unwrap()))
        .collect();
    let expected = [
        ("kl", "fisher-rao"),
        ("l2", "l2"),
        ("h-1", "h-1"),
        ("kl", "standard"),
    ];
    assert_eq!(pairs, expected);
    for fit in &fits {
        for key in KEYS {
            assert!(
                !fit[key].is_null() || key.starts_with("iterations_to"),
                "{key} in {fit}"
            );
        }
        assert_eq!(
            (&fit["n"], &fit["flow"], &fit["data"]),
            (&12.into(), &"lorenz".into(), &"twin".into())
        );
        assert!(fit["standard_errors"].is_null());
    }
    for fit in &fits[..3] {
        assert!(fit["iterations_to_1e6"].as_u64().unwrap() <= 8, "{fit}");
        assert!(fit["relative_error"].as_f64().unwrap() < 1e-6, "{fit}");
        assert!(fit["solver_iterations"].as_u64().unwrap() > 0);
        assert!(fit["counts"]["tangent_solves"].as_u64().unwrap() > 0);
    }
    let pictures = ["measure", "marginals", "convergence", "paths"];
    program::has_pictures(&out.join("twin"), &pictures);
    let table = std::fs::read_to_string(out.join("twin/iterates.csv")).unwrap();
    assert!(table.starts_with("fit,iteration,σ,ρ,β,loss,relative_error\nKL / Fisher-Rao,0,8.0"));
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn trajectories_are_fitted_and_corrected_from_memory_and_from_files() {
    let out = folder("trajectory");
    let place = out.to_str().unwrap();
    let common = ["--loss", "kl", "--quick", "--json", "--out", place];
    let fits = json(&lorenz(&[&["--data", "trajectory"], &common[..]].concat()));
    assert_eq!(fits.len(), 2);
    let error = |fit: &Value| fit["relative_error"].as_f64().unwrap();
    assert_eq!(
        (&fits[0]["method"], &fits[1]["method"]),
        (&"descent".into(), &"correction".into())
    );
    assert!(
        error(&fits[0]) > 0.05,
        "the plain fit is biased: {}",
        fits[0]
    );
    assert!(error(&fits[1]) < 0.02, "{}", fits[1]);
    assert_eq!(fits[1]["standard_errors"].as_array().unwrap().len(), 3);
    assert!(fits[1]["simulations"].as_u64().unwrap() > 8);

    let file = out.join("orbit.csv");
    let sampling = pullback::models::trajectory::Sampling {
        duration: 200.0,
        ..Default::default()
    };
    let flow = pullback::models::flow::Lorenz;
    let truth = pullback::models::flow::Lorenz::CLASSIC;
    sampling
        .run(&flow, &truth, |_| ())
        .unwrap()
        .write_csv(&file)
        .unwrap();
    let fits = json(&lorenz(
        &[&["--data", file.to_str().unwrap()], &common[..]].concat(),
    ));
    for fit in &fits {
        for key in [
            "relative_error",
            "error",
            "iterations_to_1e3",
            "iterations_to_1e6",
        ] {
            assert!(fit[key].is_null(), "{key} needs the truth: {fit}");
        }
    }
    let theta: Vec<f64> = serde_json::from_value(fits[1]["theta"].clone()).unwrap();
    assert!(
        (theta[0] - 10.0).abs() < 0.6 && (theta[1] - 28.0).abs() < 0.2,
        "{theta:?}"
    );
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn other_flows_metrics_and_fluxes_run() {
    let out = folder("others");
    for arguments in [
        "--flow van-der-pol --n 24 --data trajectory",
        "--flow rossler --n 12",
        "--flow arctan-lorenz --flux smooth",
        "--flux point --alpha 0.002 --n 10",
        "--metric w2 --n 10",
        "--loss l2 --first-metric w2 --n 10",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let rest = ["--quick", "--json", "--out", out.to_str().unwrap()];
        let twin = ["--data", "twin"];
        let source: &[&str] = if arguments.contains("--data") {
            &[]
        } else {
            &twin
        };
        let fits = json(&lorenz(&[&words[..], source, &rest[..]].concat()));
        assert!(!fits.is_empty(), "{arguments}");
        if !arguments.contains("--metric") {
            assert!(
                fits[0]["relative_error"].as_f64().unwrap() < 0.1,
                "{arguments}: {}",
                fits[0]
            );
        }
    }
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn data_that_say_nothing_are_refused() {
    let out = folder("still");
    let still = out.join("still.csv");
    std::fs::write(&still, "1,2,20\n".repeat(1000)).unwrap();
    let output = lorenz(&["--data", still.to_str().unwrap(), "--quick"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("too few to estimate parameters"),
        "{message}"
    );
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_before_anything_is_fitted() {
    let output = lorenz(&["--data", "twin", "--quick", "--out", "Cargo.toml/out"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("--out: cannot create the folder Cargo.toml/out/twin"),
        "{message}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, i32, &str)] = &[
        ("--flo lorenz", 2, "unknown option `--flo`"),
        ("lorenz", 2, "unknown argument `lorenz`"),
        ("--flow", 2, "--flow needs a value"),
        ("--flow henon", 2, "none of lorenz, arctan-lorenz"),
        ("--n 3", 2, "not a whole number from 4 to 256"),
        ("--n 16.5", 2, "not a whole number"),
        ("--start 1,2", 2, "there are 3 parameter(s) (σ, ρ, β)"),
        ("--start 1,2,x", 2, "not a finite number"),
        ("--start 1,2,99", 2, "must lie in"),
        ("--box 0,1", 2, "--box needs 6 numbers"),
        ("--flux upwind", 2, "none of face, point, smooth"),
        ("--loss w2", 2, "none of kl, l2, h-1"),
        ("--metric w3", 2, "none of standard"),
        ("--first-metric standard", 2, "cannot be combined with"),
        ("--duration 0", 2, "`0` is not a positive number"),
        ("--duration -5", 2, "`-5` is not a positive number"),
        ("--duration inf", 2, "`inf` is not a positive number"),
        ("--seed x", 2, "not a whole number"),
        ("--alpha -1", 2, "not a number from 0 to 1000"),
        ("--alpha 1e300", 2, "`1e300` is not a number"),
        ("--noise -1", 2, "--noise: `-1` is not a number from 0"),
        (
            "--interval 1e-30 --data trajectory",
            1,
            "the duration, in intervals",
        ),
        (
            "--box 0,25,0,35,0,60 --data trajectory",
            1,
            "outside the grid",
        ),
        ("--box 1,0,0,1,0,1 --data twin", 1, "an axis of the grid"),
        ("--data nowhere.csv", 2, "`nowhere.csv` is neither twin"),
        ("--data trajektory", 2, "neither twin nor trajectory"),
        ("--seed -1", 2, "not a whole number from 0"),
        ("--first-metric w3", 2, "--first-metric: `w3` is none of"),
    ];
    for (arguments, code, sentence) in table {
        let words: Vec<&str> = arguments.split(' ').collect();
        let quick = ["--quick", "--out", "target/nonsense"];
        let output = lorenz(&[&words[..], &quick[..]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments} said\n{message}"
        );
        assert!(message.contains(sentence), "{arguments} said\n{message}");
        assert_eq!(
            message.contains("usage:"),
            *code == 2,
            "{arguments} said\n{message}"
        );
        assert!(!message.contains("panicked"), "{arguments} said\n{message}");
    }
}
