//! Words for losses, metrics, directions and step rules, with their options.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Value of an option.
#[derive(Clone, FromPyObject)]
enum Value {
    Number(f64),
    Text(String),
}

/// Word with a number, or with options by their names.
#[derive(Clone, FromPyObject)]
pub(crate) struct Word(String, Option<f64>, BTreeMap<String, Value>);

impl Word {
    /// Returns the word.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Returns the values of the options that the word knows. A number alone is the first.
    pub(crate) fn options<const N: usize>(
        &self,
        argument: &str,
        known: [&str; N],
    ) -> PyResult<[Option<f64>; N]> {
        let Self(name, number, given) = self;
        let refuse = |text: String| Err(PyValueError::new_err(text));
        if N == 0 && (number.is_some() || !given.is_empty()) {
            return refuse(format!(
                "{argument}: '{name}' takes no number and no options"
            ));
        }
        if let Some(other) = given.keys().find(|name| !known.contains(&name.as_str())) {
            let known = known.join(", ");
            return refuse(format!(
                "{argument}: '{name}' has no option '{other}'; choose {known}"
            ));
        }
        let mut values = [None; N];
        for (value, option) in values.iter_mut().zip(known) {
            *value = match given.get(option) {
                None => None,
                Some(Value::Number(number)) => Some(*number),
                Some(Value::Text(text)) => {
                    return refuse(format!(
                        "the option '{option}' of {argument} must be a number, not '{text}'"
                    ));
                }
            };
        }
        if let (Some(first), Some(number)) = (values.first_mut(), number) {
            *first = Some(*number);
        }
        Ok(values)
    }

    /// Returns the text of an option, if it is given, and the word without this option.
    pub(crate) fn text(&self, option: &str) -> PyResult<(Option<String>, Self)> {
        let mut rest = self.clone();
        match rest.2.remove(option) {
            None => Ok((None, rest)),
            Some(Value::Text(text)) => Ok((Some(text), rest)),
            Some(Value::Number(number)) => Err(PyValueError::new_err(format!(
                "the option '{option}' of '{}' must be a word, not {number}",
                self.0
            ))),
        }
    }

    /// Returns the word with an option that replaces one of its name.
    pub(crate) fn with(&self, option: &str, value: f64) -> Self {
        let mut with = self.clone();
        with.2.insert(option.to_string(), Value::Number(value));
        with
    }

    /// Returns an option as a whole number.
    pub(crate) fn whole(&self, option: &str, value: f64) -> PyResult<usize> {
        // All whole numbers up to this one are floats.
        const LARGEST: f64 = 9_007_199_254_740_992.0;
        match value.fract() == 0.0 && (0.0..=LARGEST).contains(&value) {
            true => Ok(value as usize),
            false => Err(PyValueError::new_err(format!(
                "the option '{option}' of '{}' is {value}, but must be a whole number",
                self.0
            ))),
        }
    }

    /// Returns an option as a whole number, or a standard value where it is not given.
    pub(crate) fn whole_or(
        &self,
        option: &str,
        value: Option<f64>,
        standard: usize,
    ) -> PyResult<usize> {
        value.map_or(Ok(standard), |value| self.whole(option, value))
    }
}
