//! Trajectories in files: text in its dialects, arrays as NumPy writes them, and back.

use std::fs;
use std::path::PathBuf;

use pullback::models::flow::{Lorenz, VanDerPol};
use pullback::models::trajectory::{Sampling, Trajectory};
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trajectory_files");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn text(name: &str, text: &str, dim: usize) -> Trajectory {
    let path = path(name);
    fs::write(&path, text).unwrap();
    Trajectory::read_csv(&path, dim).unwrap()
}

/// The bytes that NumPy wrote.
fn array(name: &str) -> Vec<u8> {
    let file: Value = serde_json::from_str(include_str!("../reference/trajectories.json")).unwrap();
    let hex = file["arrays"][name].as_str().unwrap();
    let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The array of the reference script: time, then three coordinates.
fn timed() -> Trajectory {
    Trajectory {
        points: vec![[1.5, -2.0, 0.125], [3.0, 4.0, 1e-300], [5.0, 6.0, 7e7]],
        dim: 3,
        interval: Some(0.25),
    }
}

#[test]
fn text_with_any_separator_header_and_time() {
    let plain = Trajectory {
        points: vec![[1.5, -2.0, 0.0], [3.0, 4e2, 0.0]],
        dim: 2,
        interval: None,
    };
    let texts = [
        "1.5,-2\n3,4e2\n",
        "x,y\n1.5,-2\n3,4e2",
        "x;y\r\n1.5 ; -2\r\n\r\n3;4E+2\r\n",
        "# x y\n  1.5\t-2\n3   400.0\n",
        "\u{feff}x position, y position\n1.5, -2.0\n3, 400\n",
    ];
    for (i, t) in texts.iter().enumerate() {
        assert_eq!(text(&format!("plain{i}.csv"), t, 2), plain, "{t}");
    }
    let with_time = text("timed.csv", "t,x,y\n7.0,1.5,-2\n7.1,3,400\n", 2);
    assert_eq!(with_time.points, plain.points);
    assert!((with_time.interval.unwrap() - 0.1).abs() < 1e-12);
    assert_eq!(text("one.csv", "0 1 2", 2).interval, None);
    for uneven in ["0 1 2\n1 1 2\n3 1 2", "1 1 2\n0 1 2", "0 1 2\n0 1 2"] {
        let path = path("uneven.csv");
        fs::write(&path, uneven).unwrap();
        let error = Trajectory::read_csv(&path, 2).unwrap_err();
        assert!(
            error.to_string().contains("equal steps"),
            "{uneven}: {error}"
        );
    }
}

#[test]
fn arrays_as_numpy_writes_them() {
    for name in ["plain", "fortran", "version2", "version3"] {
        let path = path(name).with_extension("npy");
        fs::write(&path, array(name)).unwrap();
        assert_eq!(Trajectory::read_npy(&path, 3).unwrap(), timed(), "{name}");
    }
    let path = path("single.npy");
    fs::write(&path, array("single")).unwrap();
    let single = Trajectory::read_npy(&path, 2).unwrap();
    assert_eq!(
        single.points,
        [[1.5, -2.0, 0.0], [3.0, 4.0, 0.0], [5.0, 6.0, 0.0]]
    );
    assert_eq!(single.interval, None);
}

#[test]
fn our_arrays_are_those_of_numpy_byte_for_byte() {
    let path = path("ours.npy");
    timed().write_npy(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), array("plain"));
}

#[test]
fn what_is_written_reads_back_exactly() {
    let short = Sampling {
        duration: 1.0,
        noise: 0.3,
        ..Sampling::default()
    };
    let space = short.run(&Lorenz, &Lorenz::CLASSIC, |_| ()).unwrap();
    let mut plane = short.run(&VanDerPol, &VanDerPol::CLASSIC, |_| ()).unwrap();
    plane.interval = None;
    for (i, trajectory) in [space, plane].iter().enumerate() {
        let (csv, npy) = (path(&format!("back{i}.csv")), path(&format!("back{i}.npy")));
        trajectory.write_csv(&csv).unwrap();
        trajectory.write_npy(&npy).unwrap();
        for read in [
            Trajectory::read_csv(&csv, trajectory.dim).unwrap(),
            Trajectory::read_npy(&npy, trajectory.dim).unwrap(),
        ] {
            assert_eq!(read.points, trajectory.points);
            assert_eq!(read.interval.is_some(), trajectory.interval.is_some());
            let gap = read.interval.unwrap_or(0.0) - trajectory.interval.unwrap_or(0.0);
            assert!(gap.abs() < 1e-15);
        }
    }
}
