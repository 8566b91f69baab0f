//! Classifies handwritten digits by a network, fitted by stochastic gradients, Adam, K-FAC, damped Gauss-Newton steps and kernels.

mod data;
mod method;
mod options;
mod output;
mod pictures;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use data::{CLASSES, Data};
use method::{Fit, Method, Problem};
use options::Options;
use output::Fits;
use pullback::Model as _;
use pullback::models::{Activation, Network};
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note, write_file};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let data = match &options.fashion {
        Some(folder) => Data::fashion(folder, 5 * options.samples)?,
        None => Data::digits(options.samples)?,
    };
    let widths = [options.hidden, CLASSES];
    let network = Network::new(&data.train.inputs, &widths, Activation::Tanh)?;
    let parameters = network.param_dim();
    printer.line(&output::introduction(&data, options, parameters))?;
    let scales: Vec<f64> = (0..CLASSES)
        .map(|c| 10.0_f64.powf(-6.0 + 7.0 * c as f64 / (CLASSES - 1) as f64))
        .collect();
    let plain = fit_all(&data, network.clone(), options)?;
    printer.line(&output::table("1. Outputs as they are", &plain))?;
    let scaled = fit_all(&data, network.output_scales(&scales)?, options)?;
    let title = "2. Outputs in ten units between 1e-6 and 10";
    printer.line(&output::table(title, &scaled))?;
    printer.line(output::VERDICT)?;
    let fits = Fits {
        parameters,
        plain,
        scaled,
    };
    printer.json(|| output::json(&fits).to_string())?;
    write_file(&options.out.join("fits.csv"), &output::csv(&fits))?;
    pictures::draw(&fits, &options.out)?;
    let out = options.out.display();
    note(&format!("wrote a picture (PNG, SVG) and fits.csv to {out}"));
    Ok(())
}

/// Fits a network in all ways.
fn fit_all(data: &Data, network: Network, options: &Options) -> Result<Vec<Fit>, Failure> {
    let methods = Method::all(network.param_dim(), [options.epochs, options.steps]);
    let problem = Problem {
        held_out: network.with_inputs(&data.test.inputs)?,
        network,
        labels: &data.train.labels,
        held_out_labels: &data.test.labels,
    };
    let bar = bar(
        methods.iter().map(|m| m.epochs).sum(),
        "epochs of all methods",
    );
    let fit = |method| problem.fit(method, options.seed, &|| bar.inc(1));
    let fits = methods.iter().map(fit).collect();
    bar.finish_and_clear();
    fits
}
