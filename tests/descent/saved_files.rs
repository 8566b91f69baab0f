//! Saved runs in files: read in another process, written while a run goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use pullback::descent::{SaveError, Saved, Stop, Tolerances};
use pullback::loss::L2Misfit;
use pullback::{Descent, Report};

use crate::support::Reaction;
use crate::support::runs::{misfit, only};
use crate::support::saves::{STEPS, leak, limit, text};

fn descent() -> (Descent<'static>, [f64; 3]) {
    let (model, loss, start): (Reaction, L2Misfit, _) = misfit();
    let descent = Descent::new(leak(model), leak(loss));
    (descent.tolerances(limit()), start)
}

/// An empty folder of this test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Name of the variable with the folder in which the other process works.
const FOLDER: &str = "PULLBACK_TEST_RESUMES_IN";

#[test]
fn a_run_goes_on_in_another_process() {
    let (descent, start) = descent();
    if let Some(folder) = env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        let saved = Saved::read(folder.join("run")).unwrap();
        let report = descent.resume(&saved).unwrap().finish(|_| ()).unwrap();
        fs::write(folder.join("report"), text(&report)).unwrap();
        return;
    }
    let folder = folder("other_process");
    let whole = descent.run(&start, |_| ()).unwrap();
    let mut run = descent.begin(&start).unwrap();
    for _ in 0..5 {
        run.step().unwrap();
    }
    run.saved().unwrap().write(folder.join("run")).unwrap();
    let name = "saved_files::a_run_goes_on_in_another_process";
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(FOLDER, &folder)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let report = fs::read_to_string(folder.join("report")).unwrap();
    assert_eq!(report, text(&whole));
}

#[test]
fn a_run_is_saved_every_few_steps_and_at_the_end() {
    let folder = folder("every");
    let path = folder.join("run.pullback");
    let (descent, start) = descent();
    let whole = descent.run(&start, |_| ()).unwrap();
    let saving = descent.save_every(5, &path);
    let mut run = saving.begin(&start).unwrap();
    for step in 1..=STEPS {
        run.step().unwrap();
        let saved = path.exists().then(|| Saved::read(&path).unwrap().steps());
        assert_eq!(saved, (step >= 5).then_some(step / 5 * 5), "{step}");
    }
    assert!(run.step().unwrap().is_some());
    let last = Saved::read(&path).unwrap();
    assert_eq!((last.steps(), last.stop()), (STEPS, run.stop()));
    assert_eq!((last.theta(), last.loss()), (run.theta(), run.loss()));
    assert_eq!(names(&folder), ["run.pullback"]);
    // A run that was read writes on, to the same end.
    let resumed = saving.resume(&last).unwrap().finish(|_| ()).unwrap();
    assert_eq!(text(&resumed), text(&whole));
}

fn forgetting_seconds(report: &Report) -> (String, Stop) {
    (text(report), report.stop)
}

#[test]
fn a_run_that_has_ended_stays_so_unless_it_may_take_more_steps() {
    let (descent, start) = descent();
    let tight = Tolerances {
        iterations: 200,
        ..Tolerances::default()
    };
    let converging = descent.tolerances(tight);
    let mut run = converging.begin(&start).unwrap();
    let report = run.finish(|_| ()).unwrap();
    assert!(report.converged(), "{report}");
    let again = converging.resume(&run.saved().unwrap()).unwrap().report();
    assert_eq!(forgetting_seconds(&again), forgetting_seconds(&report));
    // A limit of steps may be raised, and an observer's word holds for its run only.
    let few = converging.tolerances(only(3));
    let mut run = few.begin(&start).unwrap();
    assert_eq!(
        run.finish(|_| ()).unwrap().stop,
        Stop::Iterations { taken: 3 }
    );
    let saved = run.saved().unwrap();
    assert!(few.resume(&saved).unwrap().stop().is_some());
    let more = few.tolerances(tight);
    let on = more.resume(&saved).unwrap().finish(|_| ()).unwrap();
    let path = |r: &Report| {
        r.history
            .iter()
            .map(|i| i.theta.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((path(&on), on.stop), (path(&report), report.stop));
    let mut run = more.begin(&start).unwrap();
    let stopped = run.finish(|s| match s.iteration {
        2 => pullback::descent::Control::Stop,
        _ => pullback::descent::Control::Continue,
    });
    assert_eq!(stopped.unwrap().stop, Stop::Observer);
    let saved = run.saved().unwrap();
    let on = more.resume(&saved).unwrap().finish(|_| ()).unwrap();
    assert_eq!(path(&on), path(&report));
}

#[test]
fn a_step_whose_file_cannot_be_written_has_been_taken() {
    let (descent, start) = descent();
    let whole = descent.run(&start, |_| ()).unwrap();
    let folder = folder("missing");
    let saving = descent.save_every(1, folder.join("no folder").join("run"));
    let mut run = saving.begin(&start).unwrap();
    let error = run.step().unwrap_err();
    assert!(
        matches!(error.of(), Some(SaveError::File { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("create the folder first"),
        "{error}"
    );
    while run.stop().is_none() {
        let _ = run.step();
    }
    assert_eq!(text(&run.report()), text(&whole));
}

/// `/dev/full` is a disk without space.
#[cfg(target_os = "linux")]
#[test]
fn a_file_survives_a_failure_to_replace_it() {
    let folder = folder("full");
    let (descent, start) = descent();
    let run = descent.begin(&start).unwrap();
    let path = folder.join("run");
    let saved = run.saved().unwrap();
    saved.write(&path).unwrap();
    // The temporary file is a link to the full disk.
    let beside = folder.join(format!(".run.{}.tmp", std::process::id()));
    std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
    let error = saved.write(&path).unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(Saved::read(&path).unwrap().theta(), start);
    assert_eq!(names(&folder), ["run"]);
}

/// Every truncated file is an error that says so.
#[test]
fn no_prefix_of_a_file_is_a_run() {
    let (descent, start) = descent();
    let mut run = descent.begin(&start).unwrap();
    run.step().unwrap();
    let bytes = run.saved().unwrap().to_bytes().unwrap();
    for length in 0..bytes.len() {
        let error = Saved::from_bytes(&bytes[..length]).unwrap_err();
        let truncated = matches!(error.of(), Some(SaveError::Truncated { .. }));
        assert!(truncated, "{length} of {}: {error}", bytes.len());
    }
}
