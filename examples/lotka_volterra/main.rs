//! Fits the numbers of hares and lynx over 21 years, and rescues a fit from a bad start by a growing window of time.

mod fit;
mod options;
mod output;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use fit::{Window, fit_all, grow};
use options::Options;
use problem::START;
use support::command::{self, Failure};
use support::output::{Printer, make_folder, note};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    printer.line(output::INTRODUCTION)?;

    let direct = fit_all(&START)?;
    printer.line(&output::direct(&direct))?;

    let windows = grow(&START)?;
    printer.line(&output::windows(&windows))?;
    let last: &Window = windows.last().ok_or("there is no window")?;
    printer.line(&output::estimates(last))?;

    printer.json(|| output::json(&direct, &windows).to_string())?;
    pictures::draw(&direct, &windows, &options.out)?;
    let picture = pictures::draw_fit(last)?.svg()?;
    fit::write_page(last, &picture, &options.out.join("report.html"))?;
    let out = options.out.display();
    note(&format!(
        "wrote pictures (PNG, SVG) and report.html to {out}"
    ));
    Ok(())
}
