//! Table of the optima of a search.

use std::collections::BTreeMap;
use std::fmt;

use super::summary::{Fit, Optimum, Summary, tally};

/// Largest number of rows that the table shows.
const ROWS: usize = 20;

/// Number of parameters that stand beside each other, and largest number of such blocks, one below the other.
const PARAMETERS: usize = 10;
const BLOCKS: usize = 3;

/// Least width of a column of parameters.
const WIDTH: usize = 11;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut starts, converged, optima) =
            (self.starts(), self.converged(), self.optima().len());
        let reached = self.reached();
        if self.dropped() > 0 {
            writeln!(
                f,
                "{} of {starts} starts had only a short run",
                self.dropped()
            )?;
            starts -= self.dropped();
        }
        writeln!(
            f,
            "{starts} {}: {converged} converged to {optima} distinct {}{}, {} did not converge, {} failed",
            if starts == 1 { "start" } else { "starts" },
            if optima == 1 { "optimum" } else { "optima" },
            match reached {
                0 => String::new(),
                _ => format!(", {reached} reached the target"),
            },
            self.fits().len() - converged - reached,
            self.failures().len(),
        )?;
        if optima > 0 {
            self.table(f)?;
        }
        let at_target = self.fits().iter().filter(|fit| fit.reached());
        if let Some(lowest) = at_target.min_by(|a, b| a.report.loss.total_cmp(&b.report.loss)) {
            let objective = digits(lowest.report.loss, 7);
            writeln!(
                f,
                "  target reached: the lowest run, from start {}, ended at {objective}, which need not be an optimum",
                lowest.start
            )?;
        }
        let ended = |fit: &&Fit| fit.optimum.is_none() && !fit.reached();
        let loose = || self.fits().iter().filter(ended);
        for line in tally(loose().map(|fit| fit.report.stop.name().to_string())) {
            writeln!(f, "  not converged: {line}")?;
        }
        let lowest = self.lowest();
        if ended(&lowest) {
            writeln!(
                f,
                "  the lowest of these, from start {}, ended at {}, below every optimum",
                lowest.start,
                digits(lowest.report.loss, 7)
            )?;
        }
        for line in tally(
            self.failures()
                .iter()
                .map(|failure| failure.error.to_string()),
        ) {
            writeln!(f, "  failed: {line}")?;
        }
        write!(f, "  in all {}", self.counts())
    }
}

impl Summary {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stops = |optimum: &Optimum| {
            let found = |fit: &&Fit| optimum.starts.binary_search(&fit.start).is_ok();
            let own = self.fits().iter().filter(found);
            names(own.map(|fit| fit.report.stop.name()))
        };
        let shown: Vec<(&Optimum, String)> = self
            .optima()
            .iter()
            .take(ROWS)
            .map(|o| (o, stops(o)))
            .collect();
        let lengths = shown.iter().map(|(_, stops)| stops.chars().count());
        let width = lengths.max().unwrap_or(0).max("stopped by".len());
        write!(
            f,
            "  {:>3}  {:>6}  {:>13}  {:>10}  {:<width$}",
            "#", "starts", "objective", "difference", "stopped by"
        )?;
        let first = &self.names[..self.names.len().min(PARAMETERS)];
        row(f, first, first)?;
        for (k, (optimum, stops)) in shown.iter().enumerate() {
            let excess = match k {
                0 => "–".to_string(),
                _ => digits(optimum.excess, 4),
            };
            write!(
                f,
                "  {:>3}  {:>6}  {:>13}  {excess:>10}  {stops:<width$}",
                k + 1,
                optimum.starts.len(),
                digits(optimum.loss, 8),
            )?;
            row(f, first, &values(&optimum.theta))?;
            if let Some(errors) = &optimum.standard_errors {
                write!(f, "  {:>1$}", "", 42 + width)?;
                row(f, first, &deviations(errors))?;
            }
        }
        let shown: Vec<&Optimum> = shown.into_iter().map(|(optimum, _)| optimum).collect();
        self.further(f, &shown)?;
        let rest = &self.optima()[shown.len()..];
        if !rest.is_empty() {
            let starts: usize = rest.iter().map(|o| o.starts.len()).sum();
            writeln!(f, "  and {} more optima, from {starts} starts", rest.len())?;
        }
        Ok(())
    }

    /// Writes the parameters for which there is no place beside the objectives, in blocks one below the other.
    fn further(&self, f: &mut fmt::Formatter<'_>, shown: &[&Optimum]) -> fmt::Result {
        let blocks = self.names.chunks(PARAMETERS).enumerate();
        for (block, names) in blocks.skip(1).take(BLOCKS - 1) {
            let from = block * PARAMETERS;
            write!(f, "  {:>3}", "#")?;
            row(f, names, names)?;
            for (k, optimum) in shown.iter().enumerate() {
                write!(f, "  {:>3}", k + 1)?;
                row(f, names, &values(&optimum.theta[from..]))?;
                if let Some(errors) = &optimum.standard_errors {
                    write!(f, "  {:>3}", "")?;
                    row(f, names, &deviations(&errors[from..]))?;
                }
            }
        }
        match self.names.len().saturating_sub(BLOCKS * PARAMETERS) {
            0 => Ok(()),
            rest => writeln!(f, "  and {rest} more parameters"),
        }
    }
}

/// Writes the first of these cells in columns with these names, and ends the line.
fn row(f: &mut fmt::Formatter<'_>, names: &[String], cells: &[String]) -> fmt::Result {
    let mut pairs = names.iter().zip(cells);
    let width = |name: &String| name.chars().count().max(WIDTH);
    pairs.try_for_each(|(name, cell)| write!(f, "  {cell:>0$}", width(name)))?;
    writeln!(f)
}

/// Formats parameters.
fn values(theta: &[f64]) -> Vec<String> {
    theta.iter().map(|x| digits(*x, 6)).collect()
}

/// Formats standard errors.
fn deviations(errors: &[f64]) -> Vec<String> {
    let text = |e: &f64| format!("±{}", digits(*e, 2));
    errors.iter().map(text).collect()
}

/// Lists names with their numbers, as in "decrease 3, step 1".
fn names<'n>(all: impl Iterator<Item = &'n str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    all.for_each(|name| *counts.entry(name).or_default() += 1);
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    parts.join(", ")
}

/// Formats a number with this many significant digits, without an exponent where that is short.
fn digits(x: f64, count: usize) -> String {
    let decade = x.abs().log10().floor();
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    if !(-3.0..6.0).contains(&decade) {
        return format!("{x:.*e}", count.min(6) - 1);
    }
    let decimals = (count as f64 - 1.0 - decade).max(0.0) as usize;
    format!("{x:.decimals$}")
}
