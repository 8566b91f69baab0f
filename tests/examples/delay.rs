//! The example of the measure in delay coordinates as a user meets it.

use crate::program::{self, program};
use serde_json::Value;

#[test]
fn one_coordinate_determines_all_parameters() {
    let out = program::folder("delay_measure", "fit");
    let arguments = ["--quick", "--json", "--out", out.to_str().unwrap()];
    let run = program("delay_measure").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&run.stdout).unwrap();
    let worst = |fit: &str| {
        let deviations = found[fit]["deviations"].as_array().unwrap();
        let sizes = deviations.iter().map(|d| d.as_f64().unwrap().abs());
        sizes.fold(0.0, f64::max)
    };
    assert!(found["second"]["converged"] == true, "{found}");
    // In per cent, of a trajectory a fifth as long as that of the page.
    assert!(worst("second") < 2.0 && worst("first") < 15.0, "{found}");
    assert!(worst("second") < worst("first"), "{found}");
    assert!(text.contains("claimed"), "{text}");
    program::has_pictures(&out, &["delay_measure"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    program::helps("delay_measure", "--replicates");
    program::refuses(
        "delay_measure",
        &[
            ("--n 2", "4 to 32"),
            ("--duration 0", "not a positive number"),
            ("--lag 0", "1 to 10000"),
            ("--seed", "needs a value"),
        ],
    );
}
