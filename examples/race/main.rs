//! Races optimisers, metrics and losses on four problems, from the same starts to the same accuracy.

mod entrants;
mod heat;
mod options;
mod output;
mod pictures;
mod problems;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use heat::Heat;
use options::Options;
use output::Lap;
use problems::Problem;
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note, write_file};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, race)
}

fn race(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let (mut all, mut tables) = (Vec::new(), String::new());
    for &which in &options.problems {
        let problem = which.build(options.quick)?;
        let laps = compete(&problem, options)?;
        printer.line(&output::table(&problem, &laps))?;
        tables += &output::markdown(&problem, &laps);
        pictures::draw(&problem, &laps, &options.out)?;
        all.extend(laps);
    }
    printer.json(|| output::json(&all).to_string())?;
    write_file(&options.out.join("race.csv"), &output::csv(&all))?;
    write_file(&options.out.join("race.md"), &tables)?;
    note(&format!(
        "wrote pictures (PNG, SVG), race.csv and race.md to {}",
        options.out.display()
    ));
    Ok(())
}

/// Runs every entrant with every loss of a problem.
fn compete(problem: &Problem, options: &Options) -> Result<Vec<Lap>, Failure> {
    let heats: Vec<Heat<'_>> = (0..problem.losses.len())
        .map(|loss| Heat::new(problem, loss, options.limits))
        .collect::<pullback::Result<_>>()?;
    let all: Vec<_> = heats
        .iter()
        .map(|heat| entrants::of(heat))
        .collect::<pullback::Result<_>>()?;
    let count = all.iter().map(Vec::len).sum();
    let bar = bar(count, &format!("{}: racing", problem.name));
    let mut laps = Vec::new();
    for (heat, entrants) in heats.iter().zip(&all) {
        for entrant in entrants {
            laps.push(heat.best(entrant));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(laps)
}
