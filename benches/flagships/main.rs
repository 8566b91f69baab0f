//! Flagship runs: one line of CSV each, beside those of the peers.
//!
//! `cargo bench --bench flagships` runs all of them, `-- NAME…` some, `-- --list` names them. A line has the name of the run, a
//! quantity, who did it and its seconds, and the work that was done where the run counts it. With `--once` a run does its work
//! once, for tools that count instructions. `benches/sitting.sh` makes the table with the peers, `benches/watch.sh` compares
//! the work and the instructions of the smallest runs with `benches/pinned.csv`.

#[path = "../support/darcy.rs"]
mod darcy;
#[path = "../support/decay.rs"]
mod decay;
mod evolution;
mod fields;
mod fits;
#[path = "../support/invariant.rs"]
mod invariant;
#[path = "../support/laplacian.rs"]
mod laplacian;
mod lorenz;
#[path = "../support/memory.rs"]
mod memory;
#[path = "../support/mixture.rs"]
mod mixture;
mod transport;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use pullback::{Report, Result};

/// Flagship run: its name, and the function that runs it.
type Run = (&'static str, fn(Repeat) -> Result<Vec<Row>>);

const RUNS: [Run; 17] = [
    ("darcy-64", |repeat| fields::darcy(64, repeat)),
    ("darcy-128", |repeat| fields::darcy(128, repeat)),
    ("darcy-256", |repeat| fields::darcy(256, repeat)),
    ("darcy-512", |repeat| fields::darcy(512, repeat.at_most(1))),
    ("laplacian-512", |repeat| fields::laplacian(512, repeat)),
    ("w2-84", |repeat| transport::step(84, repeat)),
    ("w2-256", |repeat| transport::step(256, repeat)),
    ("w2-512", |repeat| transport::step(512, repeat.at_most(3))),
    ("w2-1024", |repeat| transport::step(1024, repeat.at_most(1))),
    ("lorenz-16", |repeat| lorenz::recovery(16, repeat)),
    ("lorenz-64", |repeat| {
        lorenz::recovery(64, repeat.at_most(1))
    }),
    ("lorenz-64-solves", |repeat| lorenz::solves(64, repeat)),
    ("lorenz-128-solves", |repeat| {
        lorenz::solves(128, repeat.at_most(1))
    }),
    ("lotka-volterra", evolution::lotka_volterra),
    ("fits-10", |repeat| fits::decay(10, 20_000, repeat)),
    ("fits-1000", |repeat| fits::decay(1000, 500, repeat)),
    ("fits-1000000", |repeat| {
        fits::decay(1_000_000, 1, repeat.at_most(3))
    }),
];

/// Number of times that a run repeats its work. The shortest time counts.
#[derive(Clone, Copy)]
pub enum Repeat {
    /// The work is done once, on less data where there are many problems of a kind.
    Once,
    /// The work is done once without a clock, and then so many times.
    Times(usize),
}

impl Repeat {
    /// Returns the repeats of a run that takes seconds.
    fn at_most(self, times: usize) -> Self {
        match self {
            Self::Once => Self::Once,
            Self::Times(n) => Self::Times(n.min(times)),
        }
    }

    /// Repeats work. Returns its shortest time in seconds, and what it gave last.
    pub fn shortest<T>(self, mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
        let times = match self {
            Self::Once => 1,
            Self::Times(times) => {
                if times > 1 {
                    black_box(work()?);
                }
                times
            }
        };
        let mut timed = || -> Result<(f64, T)> {
            let clock = Instant::now();
            let result = work()?;
            Ok((clock.elapsed().as_secs_f64(), result))
        };
        let (mut least, mut last) = timed()?;
        for _ in 1..times {
            let (seconds, result) = timed()?;
            (least, last) = (least.min(seconds), result);
        }
        Ok((least, last))
    }
}

/// Line of the table.
pub struct Row {
    /// What was timed, if the run times several things.
    pub quantity: &'static str,
    pub seconds: f64,
    pub work: Option<Work>,
}

impl Row {
    pub fn new(quantity: &'static str, seconds: f64) -> Self {
        Self {
            quantity,
            seconds,
            work: None,
        }
    }

    /// Adds the number of steps.
    pub fn steps(mut self, steps: usize) -> Self {
        self.work = Some(Work {
            steps,
            ..Work::default()
        });
        self
    }

    /// Adds the work of a descent.
    pub fn of(mut self, report: &Report) -> Self {
        self.work = Some(Work {
            steps: report.iterations(),
            solves: report.counts.newton_solves
                + report.counts.tangent_solves
                + report.counts.adjoint_solves
                + report.counts.metric_solves,
            factorisations: report.counts.factorisations + report.counts.metric_factorisations,
            iterations: report.counts.solver_iterations,
        });
        self
    }
}

/// Work of a run.
#[derive(Default)]
pub struct Work {
    steps: usize,
    solves: usize,
    factorisations: usize,
    iterations: usize,
}

fn print(name: &str, rows: &[Row]) {
    for row in rows {
        let Row {
            quantity,
            seconds,
            work,
        } = row;
        let work = work.as_ref().map_or(",,,".to_owned(), |w| {
            let Work {
                steps,
                solves,
                factorisations,
                iterations,
            } = w;
            format!("{steps},{solves},{factorisations},{iterations}")
        });
        println!("{name},{quantity},pullback,{seconds:.3e},{work}");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    if has("--list") {
        RUNS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|w| RUNS.iter().all(|(name, _)| name != *w))
    {
        eprintln!("there is no run {unknown}; `--list` names them all");
        return ExitCode::FAILURE;
    }
    let repeat = if has("--once") {
        Repeat::Once
    } else {
        Repeat::Times(5)
    };
    println!("run,quantity,by,seconds,steps,solves,factorisations,iterations");
    for (name, run) in RUNS {
        if !wanted.is_empty() && !wanted.iter().any(|w| *w == name) {
            continue;
        }
        eprintln!("{name} …");
        match run(repeat) {
            Ok(rows) => print(name, &rows),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if let Some(gibibytes) = memory::peak() {
        eprintln!("{gibibytes:.2} GiB at most");
    }
    ExitCode::SUCCESS
}
