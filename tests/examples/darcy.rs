//! The Darcy example as a user meets it.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

fn darcy(arguments: &[&str]) -> Output {
    program("darcy").args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    program::folder("darcy", name)
}

#[test]
fn every_direction_finds_the_same_field() {
    let mut objectives = Vec::new();
    for direction in ["auto", "cg", "nystrom", "data", "dual", "sketch"] {
        let out = folder(direction);
        let path = out.display().to_string();
        let run = darcy(&[
            "--quick",
            "--n=20",
            "--points=60",
            "--json",
            "--out",
            &path,
            "--direction",
            direction,
        ]);
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success(), "{errors}");
        let found: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(found["parameters"], 400);
        assert_eq!(found["observations"], 60);
        assert_eq!(found["direction"], direction);
        for key in ["n", "outer_iterations", "solves", "seconds"] {
            assert!(found[key].is_number(), "{key} in {found}");
        }
        assert!(
            errors.contains("within two standard deviations"),
            "{errors}"
        );
        let picture = std::fs::read(out.join("darcy.png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000);
        std::fs::remove_dir_all(&out).unwrap();
        objectives.push(found["objective"].as_f64().unwrap());
    }
    let least = objectives.iter().copied().fold(f64::INFINITY, f64::min);
    let most = objectives.iter().copied().fold(0.0, f64::max);
    assert!(most <= 1.0001 * least, "{objectives:?}");
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    let rows: [(&[&str], &str); 10] = [
        (&["--n", "3"], "4 to 2048"),
        (&["--n"], "needs a value"),
        (&["--points", "many"], "`many` is not a whole number"),
        (&["--noise", "0"], "not a positive number"),
        (&["--noise", "NaN"], "not a positive number"),
        (&["--range", "-1"], "not a positive number"),
        (&["--rank", "0"], "whole number from 1"),
        (&["--direction", "down"], "none of auto"),
        (&["--colour", "red"], "unknown option"),
        (&["128"], "unknown argument"),
    ];
    for (arguments, reason) in rows {
        let run = darcy(arguments);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
