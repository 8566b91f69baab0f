//! The example of curvature as a user meets it: counts, directions, three informations, pictures.

use crate::program::{self, program};

#[test]
fn the_signal_determines_few_combinations_and_the_empirical_information_misleads() {
    let out = program::folder("relaxation", "all");
    let output = program("relaxation")
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("5 of 40 combinations"), "{text}");
    // Estimates by probes hold the exact effective dimensions.
    let counts: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("by probes,"))
        .collect();
    assert_eq!(counts.len(), 4, "{text}");
    for line in counts {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| words[i].parse::<f64>().unwrap();
        assert!((number(1) - number(6)).abs() < 3.0 * number(3), "{line}");
    }
    let steps = |name: &str| -> usize {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!(
        steps("exact") <= 2 && steps("sampled") <= 8 && steps("empirical") > 15,
        "{text}"
    );
    program::has_pictures(&out, &["spectrum", "combinations", "fisher"]);
    std::fs::remove_dir_all(&out).unwrap();
    program::refuses("relaxation", &[("--decays 3", "unknown option `--decays`")]);
    program::helps("relaxation", "--out DIR");
}
