//! The option `--backend`.

use pullback::linalg::{Cuda, Fastest};
use pullback::{Backend, Cpu, Error};

/// Names of the backends.
pub const BACKENDS: [&str; 3] = ["cpu", "cuda", "auto"];

/// A backend for linear systems, ready to use.
pub struct Solver {
    /// Its name on the command line.
    pub name: &'static str,
    pub backend: Box<dyn Backend>,
    /// The device it solves on, for people.
    pub label: String,
}

impl Solver {
    /// Reads the name of a backend and prepares it.
    pub fn open(text: &str) -> Result<Self, String> {
        let name = super::command::one_of(&BACKENDS, |name| name)(text)?;
        let (backend, label): (Box<dyn Backend>, String) = match name {
            "cuda" => {
                let cuda = Cuda::new(0).map_err(|error| {
                    let why = missing(&error);
                    format!(
                        "needs a GPU, but {why}; use cpu, or auto to use a GPU only if there is one"
                    )
                })?;
                let label = cuda.to_string();
                (Box::new(cuda), label)
            }
            "auto" => {
                let auto = Fastest::new();
                let label = auto.to_string();
                (Box::new(auto), label)
            }
            _ => (Box::new(Cpu::default()), "the processor".into()),
        };
        Ok(Self {
            name,
            backend,
            label,
        })
    }
}

/// Why no GPU can be used, without the library's advice.
pub fn missing(error: &Error) -> String {
    match error {
        Error::Device { what, detail } => format!("{what} cannot be used: {detail}"),
        other => other.to_string(),
    }
}
