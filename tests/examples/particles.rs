//! The example of clouds as a user meets it: steps to the floor, intervals, tables, and what it says to nonsense.

use crate::program::{self, program};
use serde_json::Value;

#[test]
fn the_own_metrics_of_the_losses_need_few_steps() {
    let out = program::folder("particles", "quick");
    let mut command = program("particles");
    let command = command.args(["--quick", "--json", "--out"]).arg(&out);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for study in found["studies"].as_array().unwrap() {
        let steps = |index: usize| study["methods"][index]["steps"].as_u64().unwrap();
        assert_eq!(study["methods"][0]["reached"], true, "{text}");
        // With many kernels the metric of samples may be as good, and takes longer for a step.
        assert!(
            steps(0) <= 5
                && steps(0) <= steps(1) + 1
                && (2..6).all(|other| steps(0) < steps(other)),
            "{text}"
        );
        // Few replicates estimate the errors roughly.
        let count = study["theta"].as_array().unwrap().len();
        let covered = study["covered"].as_u64().unwrap() as usize;
        assert!(4 * covered >= 3 * count, "{covered} of {count}\n{text}");
    }
    for part in [
        "35 parameters",
        "two wells",
        "loss at the truth",
        "estimate ± standard error",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let table = std::fs::read_to_string(out.join("estimates.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 35 + 4);
    program::has_pictures(&out, &["ways", "clouds"]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--times 3", "unknown option `--times`"),
        ("--particles 3", "not a whole number from 64 to 1000000"),
        ("--replicates 1", "not a whole number from 2 to 10000"),
    ];
    program::refuses("particles", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("particles", "--replicates N");
}
