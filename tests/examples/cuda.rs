//! The choice of a backend as a user meets it, on machines with a GPU and on those without.

use crate::program::{self, program};
use std::path::PathBuf;
use std::process::Output;

use pullback::linalg::Cuda;
use serde_json::Value;

fn run(name: &str, arguments: &[&str]) -> Output {
    program(name).args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    program::folder("cuda", name)
}

/// The examples that solve where they are told to, with arguments that make them short.
const SHORT: [(&str, &[&str]); 2] = [
    ("lorenz", &["--quick", "--data", "twin", "--n", "8"]),
    ("darcy", &["--quick", "--n", "12", "--points", "20"]),
];

/// What an example prints with --json on a backend, without times, and what it says besides.
fn solved(name: &str, arguments: &[&str], backend: &str) -> (Vec<Value>, String) {
    let out = folder(&format!("{name}-{backend}"));
    let rest = ["--json", "--out", out.to_str().unwrap()];
    let chosen = ["--backend", backend];
    let output = run(name, &[arguments, &rest, &chosen].concat());
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name} on {backend}: {words}");
    std::fs::remove_dir_all(&out).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let object = |line: &str| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["backend"], backend);
        let all = object.as_object_mut().unwrap();
        all.remove("backend");
        all.remove("seconds");
        object
    };
    (text.lines().map(object).collect(), words)
}

#[test]
fn without_a_device_auto_gives_the_same_bits_as_the_processor() {
    for (name, arguments) in SHORT {
        let (here, words) = solved(name, arguments, "cpu");
        assert!(words.contains("solved on the processor\n"), "{words}");
        let (chosen, words) = solved(name, arguments, "auto");
        assert_eq!(here.len(), chosen.len());
        if Cuda::new(0).is_ok() {
            assert!(words.contains("where that is faster"), "{words}");
            continue;
        }
        assert_eq!(here, chosen, "{name}");
        let reason = "solved on the processor, for want of ";
        assert!(words.contains(reason), "{words}");
    }
}

#[test]
fn a_device_solves_or_its_absence_is_a_wrong_input() {
    for (name, arguments) in SHORT {
        if let Ok(cuda) = Cuda::new(0) {
            let (_, words) = solved(name, arguments, "cuda");
            assert!(words.contains(&format!("solved on {cuda}")), "{words}");
            continue;
        }
        let output = run(name, &[arguments, &["--backend", "cuda"]].concat());
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(output.stdout.is_empty());
        for part in [
            "usage:",
            "--backend: `cuda` needs a GPU, but",
            "cannot be used",
            "or auto",
        ] {
            assert!(words.contains(part), "{name} said\n{words}");
        }
    }
}

#[test]
fn backends_that_nobody_knows_are_refused() {
    for (name, _) in SHORT {
        for (value, sentence) in [
            (
                "--backend=gpu",
                "--backend: `gpu` is none of cpu, cuda, auto",
            ),
            ("--backend", "--backend needs a value"),
        ] {
            let output = run(name, &[value]);
            let words = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {value}: {words}");
            assert!(words.contains(sentence), "{name} {value} said\n{words}");
            assert!(words.contains("usage:"), "{name} {value} said\n{words}");
        }
    }
}

#[test]
fn the_gpu_and_the_processor_stand_side_by_side() {
    for backend in ["cuda", "auto"] {
        let output = run("cuda", &["--quick", "--backend", backend]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let (table, _) = text.split_once("The first call includes").unwrap();
        let (_, table) = table.split_once("per column").unwrap();
        let rows = table.lines().skip(1).filter(|line| !line.is_empty());
        let expected = if Cuda::new(0).is_ok() {
            assert!(text.contains("Difference: largest difference"), "{text}");
            4
        } else {
            assert!(text.contains("No GPU: "), "{text}");
            assert!(text.contains("--features cuda"), "{text}");
            assert!(text.contains("nvidia-cuda-nvrtc"), "{text}");
            2
        };
        assert_eq!(rows.count(), expected, "{text}");
        for part in ["12×12×12 cells, 8 columns", "adjoints", "W₂ sketch"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--cell 8", "unknown option `--cell`"),
        ("64", "unknown argument `64`"),
        ("--cells", "--cells needs a value"),
        ("--cells --quick", "--cells needs a value"),
        (
            "--cells 3",
            "--cells: `3` is not a whole number from 4 to 256",
        ),
        ("--cells 8.5", "not a whole number"),
        ("--columns 0", "--columns: `0` is not a whole number from 1"),
        ("--columns many", "--columns: `many` is not"),
        ("--seed 1 --seed=2", "--seed is given more than once"),
        (
            "--columns 64 --cells 256",
            "--columns: 64 columns of 256³ cells",
        ),
        ("--backend gpu", "--backend: `gpu` is none of cuda, auto"),
        ("--backend cpu", "--backend: `cpu` is none of cuda, auto"),
        ("--seed -1", "--seed: `-1` is not a whole number from 0"),
    ];
    program::refuses("cuda", table);
    program::helps("cuda", "--backend NAME");
}
