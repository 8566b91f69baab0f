//! Losses of a moved bump against their closed forms.

use crate::program::{self, program};

#[test]
fn losses_of_a_moved_bump_are_those_of_two_gaussians() {
    let out = program::folder("geometries", "all");
    let output = program("geometries")
        .args(["--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    program::has_pictures(&out, &["losses", "metrics"]);
    std::fs::remove_dir_all(&out).unwrap();

    // Of two Gaussians of deviation σ at a distance s, ½‖ρ − q‖² is proportional to 1 − exp(−s²/4σ²), and ½‖√ρ − √q‖² to
    // 1 − exp(−s²/8σ²). The divergence is s²/2σ², until the floor of the model shows.
    let variance = 0.7_f64.powi(2);
    let l2 = |s: f64| 1.0 - (-s * s / (4.0 * variance)).exp();
    let hellinger = |s: f64| 1.0 - (-s * s / (8.0 * variance)).exp();
    let expected = [
        ("L²", [2.0, 4.0, 6.0].map(|s| Some(l2(s) / l2(1.0)))),
        (
            "Hellinger",
            [2.0, 4.0, 6.0].map(|s| Some(hellinger(s) / hellinger(1.0))),
        ),
        ("Kullback-Leibler", [Some(4.0), None, None]),
        // ½W₂² of a translation is ½s², with and without an entropy.
        ("W₂²", [4.0, 16.0, 36.0].map(Some)),
        ("entropic W₂²", [4.0, 16.0, 36.0].map(Some)),
    ];
    for (name, ratios) in expected {
        let row = text.lines().find(|line| line.starts_with(name)).unwrap();
        let printed = row[name.len()..]
            .split_whitespace()
            .map(|word| word.parse::<f64>().unwrap());
        for (printed, ratio) in printed.zip(ratios) {
            // Two digits are printed.
            assert!(
                ratio.is_none_or(|ratio| (printed - ratio).abs() < 0.011),
                "{row}"
            );
        }
    }
}

#[test]
fn nonsense_is_refused() {
    program::refuses("geometries", &[("--nonsense", "--nonsense")]);
    program::helps("geometries", "--out");
}
