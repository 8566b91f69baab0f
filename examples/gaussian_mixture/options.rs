//! The command line.

use std::path::PathBuf;

use crate::command;
use crate::problem::{Case, Geometry, LossKind};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub cases: Vec<Case>,
    pub geometries: Vec<Geometry>,
    pub loss: LossKind,
    pub start: Option<Vec<f64>>,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
}

pub const USAGE: &str = "\
Fits a mixture of two Gaussians, 0.3 N([1,3], I) + 0.7 N([3,2], I), by gradient descent in six geometries.

usage: gaussian_mixture [options]
  --case a|b|five      what is free: a = μ₁ (the first mean), b = (w, μ₁₁), five = (w, μ₁, μ₂); all three if not given
  --metric NAME        standard, l2, w2, fisher-rao, h1 or h-1; all six if not given
  --loss NAME          l2, kl, reverse-kl, hellinger, chi2 or h-1; l2 if not given
  --start X,Y,...      one number for each free parameter (needs --case)
  --out DIR            where pictures and tables go; out/gaussian_mixture if not given
  --quick              coarser grids and basin maps, at most 100 iterations instead of 400, a few seconds in all
  --json               one JSON object a run on standard output, everything else on standard error
  --help               this text

A run ends when the loss is 1e-10 of its first value; it has reached the truth if it ends within 1e-2 of it.";

/// Reads the arguments; None when help was asked for.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        cases: vec![Case::A, Case::B, Case::Five],
        geometries: Geometry::ALL.to_vec(),
        loss: LossKind::L2,
        start: None,
        out: PathBuf::from("out/gaussian_mixture"),
        quick: false,
        json: false,
    };
    let mut arguments = command::split(arguments);
    while let Some(flag) = arguments.next() {
        let mut value = || {
            let usable = |v: &String| !v.is_empty() && !v.starts_with("--");
            let value = arguments.next().filter(usable);
            value.ok_or_else(|| format!("{flag} needs a value"))
        };
        match flag.as_str() {
            "--case" => options.cases = vec![Case::parse(&value()?)?],
            "--metric" => options.geometries = vec![Geometry::parse(&value()?)?],
            "--loss" => options.loss = LossKind::parse(&value()?)?,
            "--start" => options.start = Some(numbers(&value()?)?),
            "--out" => options.out = PathBuf::from(value()?),
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    check_start(&options)?;
    Ok(Some(options))
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(format!("--start: `{part}` is not a finite number")),
    };
    text.split(',').map(number).collect()
}

fn check_start(options: &Options) -> Result<(), String> {
    let Some(start) = &options.start else {
        return Ok(());
    };
    let [case] = options.cases[..] else {
        return Err("--start needs --case, since the cases have different parameters".into());
    };
    let names = case.names();
    if start.len() != names.len() {
        return Err(format!(
            "--start: case {} has {} parameters ({}), and {} numbers were given",
            case.name(),
            names.len(),
            names.join(", "),
            start.len()
        ));
    }
    for (name, value) in names.iter().zip(start) {
        let [lower, upper] = Case::interval(name);
        if !(lower..=upper).contains(value) {
            return Err(format!(
                "--start: {name} = {value:?} must lie in [{lower}, {upper}]"
            ));
        }
    }
    Ok(())
}
