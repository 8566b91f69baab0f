//! Input that makes no sense is an error that names the file, the place in it and the remedy.

use std::fs;
use std::path::PathBuf;

use crate::support::bad::{check, row};
use pullback::Result;
use pullback::models::trajectory::Trajectory;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bad_input_files");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn one(point: [f64; 3]) -> Trajectory {
    Trajectory {
        points: vec![point],
        dim: 2,
        interval: None,
    }
}

fn text(name: &str, text: &[u8]) -> Result<Trajectory> {
    let path = path(name);
    fs::write(&path, text).unwrap();
    Trajectory::read_csv(&path, 2)
}

#[test]
fn text_files() {
    check(vec![
        row("absent", "File", "absent.csv, opening it", || {
            Trajectory::read_csv(path("absent.csv"), 2)
        }),
        row("dimension", "Option", "two or three", || {
            Trajectory::read_csv(path("absent.csv"), 1)
        }),
        row("empty", "File", "there are no numbers", || {
            text("empty.csv", b"\n\n")
        }),
        row("header only", "File", "there are no numbers", || {
            text("header.csv", b"x,y\n")
        }),
        row("typo", "File", "line 3: `2..5` is not a number", || {
            text("typo.csv", b"x,y\n1,2\n2..5,3\n")
        }),
        row("typo in line 1", "File", "line 1: `a`", || {
            text("first.csv", b"1,a\n1,2\n")
        }),
        row("two headers", "File", "line 2: `m`", || {
            text("units.csv", b"x,y\nm,m\n1,2\n")
        }),
        row("decimal comma", "File", "decimal point", || {
            text("comma.csv", b"1,5;2,5\n")
        }),
        row(
            "one column",
            "File",
            "line 1: found 1 column(s) instead of 2",
            || text("one.csv", b"1\n2\n"),
        ),
        row("four columns", "File", "3 with the time first", || {
            text("four.csv", b"1 2 3 4\n")
        }),
        row(
            "change",
            "File",
            "line 2: the number of columns changes",
            || text("change.csv", b"1 2 3\n1 2\n"),
        ),
        row("NaN", "File", "line 2: NaN is not finite", || {
            text("nan.csv", b"1 2\n1 nan\n")
        }),
        row("overflow", "File", "inf is not finite", || {
            text("inf.csv", b"1 1e999\n")
        }),
        row("binary", "File", "UTF-8", || {
            text("binary.csv", &array("plain"))
        }),
        row("NaN written", "NotFinite", "the points", || {
            let nan = [f64::NAN; 3];
            one(nan).write_csv(path("never.csv"))
        }),
        row("no folder", "File", "writing it", || {
            one([1.0; 3]).write_csv(path("no/folder.csv"))
        }),
    ]);
}

fn array(name: &str) -> Vec<u8> {
    let file: Value = serde_json::from_str(include_str!("../reference/trajectories.json")).unwrap();
    let hex = file["arrays"][name].as_str().unwrap();
    let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn npy(name: &str, bytes: &[u8]) -> Result<Trajectory> {
    let path = path(name).with_extension("npy");
    fs::write(&path, bytes).unwrap();
    Trajectory::read_npy(&path, 3)
}

/// A file of version 1 with this header and without data.
fn header(text: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[test]
fn arrays() {
    check(vec![
        row("absent", "File", "opening it", || {
            Trajectory::read_npy(path("absent.npy"), 3)
        }),
        row("text", "File", "numpy.save", || npy("text", b"1 2 3")),
        row("big-endian", "File", "a.astype('<f8')", || {
            npy("big", &array("big_endian"))
        }),
        row("integers", "File", "a.astype('<f8')", || {
            npy("integers", &array("integers"))
        }),
        row("vector", "File", "points × coordinates", || {
            npy("vector", &array("vector"))
        }),
        row("two columns", "File", "header: found 2", || {
            npy("two", &array("single"))
        }),
        row("version 9", "File", "version 9", || {
            npy("nine", b"\x93NUMPY\x09\x00\x00\x00")
        }),
    ]);
}

#[test]
fn shapes_of_arrays() {
    let huge =
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999999, 9999999999), }";
    let unsized_ = "{'descr': '<f8', 'fortran_order': False}";
    check(vec![
        row("huge", "File", "does not match", || {
            npy("huge", &header(huge))
        }),
        row(
            "no rows of 8 TB",
            "File",
            "header: found 1000000000000",
            || {
                npy(
                    "bomb",
                    &header(
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000), }",
                    ),
                )
            },
        ),
        row(
            "no rows of 2⁶⁴",
            "File",
            "header: found 18446744073709551615",
            || {
                npy(
                    "most",
                    &header(
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 18446744073709551615), }",
                    ),
                )
            },
        ),
        row("no shape", "File", "`shape`", || {
            npy("shape", &header(unsized_))
        }),
        row("no columns", "File", "header: found 0", || {
            npy(
                "none",
                &header("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0), }"),
            )
        }),
        row("no rows", "File", "no numbers", || {
            npy(
                "rows",
                &header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }"),
            )
        }),
    ]);
}

#[test]
fn arrays_cut_anywhere_are_refused() {
    let whole = array("plain");
    for length in 0..whole.len() {
        let error = npy("cut", &whole[..length]).unwrap_err();
        assert_eq!(error.kind(), "File", "{length}: {error}");
    }
    assert!(npy("cut", &whole).is_ok());
}

/// What is written can be read again, and the rest is not written.
#[test]
fn trajectories_that_no_file_gives_back_are_not_written() {
    let with = |points: usize, interval| Trajectory {
        points: vec![[1.0, 2.0, 0.0]; points],
        dim: 2,
        interval,
    };
    let faulty = [
        (0, None, "number of points"),
        (0, Some(1.0), "number of points"),
        (1, Some(1.0), "equal times"),
        (3, Some(f64::NAN), "interval"),
        (3, Some(f64::INFINITY), "interval"),
        (3, Some(0.0), "interval"),
        (3, Some(-0.1), "interval"),
        (3, Some(1e308), "interval"),
    ];
    for (points, interval, named) in faulty {
        let trajectory = with(points, interval);
        for written in [
            trajectory.write_csv(path("never.csv")),
            trajectory.write_npy(path("never.npy")),
        ] {
            let error = written.unwrap_err();
            assert_eq!(error.kind(), "Option", "{points} {interval:?}: {error}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }
    assert!(!path("never.csv").exists() && !path("never.npy").exists());
    for (points, interval) in [
        (1, None),
        (2, Some(1e-300)),
        (3, Some(0.1)),
        (2, Some(1e308)),
    ] {
        let trajectory = with(points, interval);
        trajectory.write_csv(path("again.csv")).unwrap();
        trajectory.write_npy(path("again.npy")).unwrap();
        assert_eq!(
            Trajectory::read_csv(path("again.csv"), 2).unwrap(),
            trajectory
        );
        assert_eq!(
            Trajectory::read_npy(path("again.npy"), 2).unwrap(),
            trajectory
        );
    }
}
