//! Table of the intervals.

use std::fmt;

use super::result::{End, Identifiability, Profile, Profiles};
use crate::error::number;
use crate::posterior::plain;

/// Widest text of a column, in characters.
fn widest<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

impl fmt::Display for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.level;
        let head = [
            "parameter".to_string(),
            "value".to_string(),
            format!("{percent} % interval"),
            "from the covariance".to_string(),
        ];
        let rows: Vec<[String; 4]> = self.profiles.iter().map(|p| self.cells(p)).collect();
        let all = || std::iter::once(&head).chain(&rows);
        let [a, b, c, d] = [0, 1, 2, 3].map(|k| widest(all().map(|row| &row[k])));
        for (i, [name, value, interval, wald]) in all().enumerate() {
            let break_ = if i > 0 { "\n" } else { "" };
            write!(
                f,
                "{break_}{name:a$}  {value:>b$}  {interval:>c$}  {wald:>d$}"
            )?;
        }
        for profile in &self.profiles {
            self.notes(f, profile)?;
        }
        if let Some(better) = &self.better {
            write!(
                f,
                "\nthe fit is not the minimum: the profile of {} found the objective {} below the {} of the fit; run the descent \
                 from `better.theta`, and compute the profiles again",
                self.names[better.parameter],
                number(better.objective),
                number(self.objective)
            )?;
        }
        let [objective, threshold] = [self.objective, self.threshold].map(|x| plain(x, 0.0));
        write!(
            f,
            "\nobjective {objective}, threshold + {threshold}; {}",
            self.counts
        )
    }
}

impl Profiles {
    /// Returns the cells of a row: name, value, and both intervals.
    fn cells(&self, profile: &Profile) -> [String; 4] {
        let (j, (low, high)) = (profile.parameter, profile.interval);
        let fit = self.theta[j];
        // Digits follow the standard error, or what the interval has instead of it.
        let finite = |x: &f64| x.is_finite() && *x > 0.0;
        let wald = profile.wald.map(|(low, high)| 0.5 * (high - low));
        let widths = [wald, Some(high - fit), Some(fit - low)];
        let width = widths.into_iter().flatten().find(finite);
        let error = width.map_or(0.0, |width| width / self.quantile);
        let text = |x: f64| match x.is_finite() {
            true => plain(x, error),
            false => if x > 0.0 { "∞" } else { "−∞" }.to_string(),
        };
        let left = match &profile.ends[0] {
            End::Open { .. } => format!("({}", text(low)),
            End::Failed { .. } => format!("[< {}", text(low)),
            _ => format!("[{}", text(low)),
        };
        let right = match &profile.ends[1] {
            End::Open { .. } => format!("{})", text(high)),
            End::Failed { .. } => format!("> {}]", text(high)),
            _ => format!("{}]", text(high)),
        };
        let interval = match profile.identifiability {
            Identifiability::Fixed => "held by its bounds".to_string(),
            _ => format!("{left}, {right}"),
        };
        let wald = match profile.wald {
            None => "–".to_string(),
            Some((low, high)) if low == high => "held by its bound".to_string(),
            Some((low, _)) if low.is_infinite() => "undetermined".to_string(),
            Some((low, high)) => format!("[{}, {}]", text(low), text(high)),
        };
        [self.names[j].clone(), text(fit), interval, wald]
    }

    /// Writes a line for every end that is no crossing, and for the runs that failed.
    fn notes(&self, f: &mut fmt::Formatter<'_>, profile: &Profile) -> fmt::Result {
        let name = &self.names[profile.parameter];
        let (first, last) = (
            &profile.points[0],
            &profile.points[profile.points.len() - 1],
        );
        match profile.identifiability {
            Identifiability::Structural => {
                let [from, to] = [first, last].map(|point| plain(point.value, 0.0));
                write!(
                    f,
                    "\n{name}: structurally unidentifiable: the objective is constant at all points from {from} to {to}"
                )?;
            }
            Identifiability::Fixed => {}
            _ => {
                for (end, point, side) in [
                    (&profile.ends[0], first, "below"),
                    (&profile.ends[1], last, "above"),
                ] {
                    let value = plain(point.value, 0.0);
                    let rise = 100.0 * (point.objective - self.objective) / self.threshold;
                    match end {
                        End::Crossed => {}
                        End::Bound => write!(
                            f,
                            "\n{name}: ends at its bound {value}, with {rise:.0} % of the threshold"
                        )?,
                        End::Open { .. } => write!(
                            f,
                            "\n{name}: practically unidentifiable from {side}: at {value} the objective has risen by {rise:.0} % \
                             of the threshold"
                        )?,
                        End::Failed { reason } => {
                            write!(f, "\n{name}: not followed beyond {value}: {reason}")?;
                        }
                    }
                }
            }
        }
        if let Some(last) = profile.rejected.last() {
            let count = profile.rejected.len();
            let runs = if count == 1 { "run" } else { "runs" };
            write!(
                f,
                "\n{name}: {count} {runs} rejected, the last at {}: {}",
                plain(last.value, 0.0),
                last.reason
            )?;
        }
        Ok(())
    }
}
