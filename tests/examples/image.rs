//! The example of pictures as a user meets it: digits, Fashion-MNIST's files, and what it says to nonsense.

use crate::program::{self, program};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Rows of a run by their method: losses of the plain network, and of that with outputs in other units.
fn losses(found: &Value, outputs: &str, method: &str) -> f64 {
    let rows = found[outputs].as_array().unwrap();
    let row = rows.iter().find(|row| row["method"] == method).unwrap();
    // The path begins before the first step or epoch.
    let path = row["path"].as_array().unwrap();
    let last = &path[path.len() - 1];
    last[1].as_f64().unwrap()
}

#[test]
fn digits_are_fitted_in_all_ways_and_only_the_diagonal_damping_ignores_units() {
    let out = program::folder("image", "quick");
    let mut command = program("image");
    let output = command
        .args([
            "--quick", "--steps", "10", "--hidden", "16", "--json", "--out",
        ])
        .arg(&out)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let diagonal = losses(&found, "scaled", "GGN + λ diag G");
    let identity = losses(&found, "scaled", "GGN + λI");
    assert!(
        diagonal <= 1e-3 && identity >= 0.5,
        "{diagonal:e}, {identity:e}\n{text}"
    );
    for method in [
        "SGD",
        "Adam",
        "K-FAC",
        "KWNG + λI",
        "GGN + λI",
        "GGN + λ diag G",
    ] {
        let loss = losses(&found, "plain", method);
        assert!(loss < 1.0, "{method}: {loss}\n{text}");
    }
    assert!(text.contains("not CIFAR-10"), "{text}");
    program::has_pictures(&out, &["losses"]);
    let table = fs::read_to_string(out.join("fits.csv")).unwrap();
    assert_eq!(table.lines().count(), 13, "{table}");
    fs::remove_dir_all(&out).unwrap();
}

/// Writes an idx file of bytes.
fn write_idx(folder: &Path, name: &str, (sizes, bytes): (&[u32], &[u8])) {
    let mut all = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| all.extend(size.to_be_bytes()));
    all.extend(bytes);
    fs::write(folder.join(name), all).unwrap();
}

#[test]
fn files_of_fashion_mnist_are_read() {
    let folder = program::folder("image", "files");
    fs::create_dir_all(&folder).unwrap();
    // Ten classes of noise that differ by their brightness.
    for (stem, count) in [("train", 60_u32), ("t10k", 20)] {
        let labels: Vec<u8> = (0..count).map(|n| (n % 10) as u8).collect();
        let pixels = labels.iter().flat_map(|y| (0..16).map(move |i| 20 * y + i));
        let pixels: Vec<u8> = pixels.collect();
        let images = format!("{stem}-images-idx3-ubyte");
        write_idx(&folder, &images, (&[count, 4, 4], &pixels));
        write_idx(
            &folder,
            &format!("{stem}-labels-idx1-ubyte"),
            (&[count], &labels),
        );
    }
    let out = folder.join("out");
    let run = || {
        let mut command = program("image");
        command.args(["--quick", "--steps", "1", "--epochs", "1", "--fashion"]);
        command.arg(&folder);
        command.arg("--out").arg(&out).output().unwrap()
    };
    let output = run();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("Fashion-MNIST") && text.contains("60 samples") && text.contains("16-64-10"),
        "{text}"
    );
    fs::write(
        folder.join("t10k-labels-idx1-ubyte"),
        [0, 0, 8, 1, 0, 0, 0, 9, 1],
    )
    .unwrap();
    let message = String::from_utf8(run().stderr).unwrap();
    assert!(message.contains("ends before its 9 bytes"), "{message}");
    let labels: (&[u32], &[u8]) = (&[3], &[0, 1, 2]);
    write_idx(&folder, "t10k-labels-idx1-ubyte", labels);
    let message = String::from_utf8(run().stderr).unwrap();
    assert!(message.contains("20 images, but 3 labels"), "{message}");
    fs::remove_file(folder.join("t10k-labels-idx1-ubyte")).unwrap();
    fs::write(folder.join("t10k-labels-idx1-ubyte.gz"), "no gzip").unwrap();
    let message = String::from_utf8(run().stderr).unwrap();
    assert!(message.contains("gzip cannot unpack"), "{message}");
    fs::remove_file(folder.join("train-images-idx3-ubyte")).unwrap();
    let message = String::from_utf8(run().stderr).unwrap();
    assert!(message.contains("dataset-fashion-mnist"), "{message}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    let table: &[(&str, &str)] = &[
        ("--cifar", "unknown option `--cifar`"),
        ("--samples 3", "not a whole number from 50"),
        ("--hidden 0", "not a whole number from 1"),
    ];
    program::refuses("image", table);
}

#[test]
fn help_is_on_standard_output() {
    program::helps("image", "--fashion DIR");
}
