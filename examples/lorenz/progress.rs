//! Bars on standard error.

use indicatif::{ProgressBar, ProgressStyle};

pub fn bar(length: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what.to_string());
    if let Ok(style) = ProgressStyle::with_template("{msg:36} {wide_bar} {percent:>3} %  {eta:>4}")
    {
        bar.set_style(style);
    }
    bar
}
