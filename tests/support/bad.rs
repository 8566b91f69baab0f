//! Input that makes no sense, and the error it must lead to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pullback::Result;

/// What is wrong, the variant of the error, a phrase of its message (the argument or the remedy), the call.
pub(crate) type Row<'a> = (
    &'static str,
    &'static str,
    &'static str,
    Box<dyn Fn() -> Result<()> + 'a>,
);

pub(crate) fn row<'a, T>(
    what: &'static str,
    variant: &'static str,
    says: &'static str,
    call: impl Fn() -> Result<T> + 'a,
) -> Row<'a> {
    (what, variant, says, Box::new(move || call().map(drop)))
}

/// Names every row that passes, panics, or fails with another error or message.
pub(crate) fn check(rows: Vec<Row<'_>>) {
    let mut wrong = Vec::new();
    for (what, variant, says, call) in rows {
        let found = match catch_unwind(AssertUnwindSafe(call)) {
            Err(_) => "it panics".to_string(),
            Ok(Ok(())) => "it passes".to_string(),
            Ok(Err(error)) => {
                let (kind, text) = (format!("{error:?}"), error.to_string());
                if kind.starts_with(variant) && text.contains(says) {
                    continue;
                }
                format!("{kind}: {text}")
            }
        };
        wrong.push(format!(
            "{what}: expected {variant} with `{says}`, but {found}"
        ));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
