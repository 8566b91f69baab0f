//! The example of a chaotic trajectory as a user meets it.

use crate::program::{self, program};
use serde_json::Value;

#[test]
fn short_windows_find_what_one_simulation_cannot() {
    let out = program::folder("chaos_shooting", "windows");
    let arguments = ["--quick", "--json", "--out", out.to_str().unwrap()];
    let run = program("chaos_shooting").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(
        found["minima_of_one_simulation"].as_u64().unwrap() > 5,
        "{found}"
    );
    assert_eq!(found["minima_of_windows"], 1);
    assert!(
        found["reduced_of_one_simulation"].as_f64().unwrap() > 5.0,
        "{found}"
    );
    let fits = found["fits"].as_array().unwrap();
    assert!(fits.iter().all(|fit| fit["converged"] == true), "{found}");
    let last = fits.last().unwrap();
    assert!(last["largest_gap"].as_f64().unwrap() < 1e-3, "{found}");
    for i in 0..3 {
        let number = |from: &Value| from[i].as_f64().unwrap();
        let error = number(&last["standard_errors"]);
        let deviation = (number(&last["theta"]) - number(&found["truth"])) / error;
        assert!(deviation.abs() < 3.0 && error < 0.2, "{found}");
    }
    assert!(text.contains("beside the truth"), "{text}");
    program::has_pictures(&out, &["chaos_shooting"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    program::helps("chaos_shooting", "--windows");
    program::refuses(
        "chaos_shooting",
        &[
            ("--windows 1", "2 to 200"),
            ("--noise 0", "not a positive number"),
            ("--seed", "needs a value"),
        ],
    );
}
