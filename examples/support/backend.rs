//! `--backend NAME`, the same in all examples that have it.

use pullback::linalg::{Cuda, Fastest};
use pullback::{Backend, Cpu, Error};

/// What solves the linear systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The processor.
    Cpu,
    /// The first GPU, or nothing.
    Cuda,
    /// A GPU where there is one and it is faster.
    Auto,
}

impl Choice {
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::Auto];

    /// One of these, by its name.
    pub fn parse(text: &str, among: &[Self]) -> Result<Self, String> {
        let found = among.iter().find(|choice| choice.name() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = among.iter().map(|choice| choice.name()).collect();
            format!("--backend: `{text}` is none of {}", names.join(", "))
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Auto => "auto",
        }
    }

    /// Makes it ready; an error names the flag, and says what is missing and what else can be asked for.
    pub fn open(self) -> Result<Opened, String> {
        Ok(match self {
            Self::Cpu => Opened::new(Cpu::default(), "the processor".into()),
            Self::Cuda => {
                let cuda = Cuda::new(0).map_err(|error| {
                    format!(
                        "--backend cuda: {}; use --backend cpu, or auto for a GPU only where there is one",
                        missing(&error)
                    )
                })?;
                let label = cuda.to_string();
                Opened::new(cuda, label)
            }
            Self::Auto => {
                let auto = Fastest::new();
                let label = auto.to_string();
                Opened::new(auto, label)
            }
        })
    }
}

/// A backend that is ready, and where it solves, in words.
pub struct Opened {
    pub backend: Box<dyn Backend>,
    pub label: String,
}

impl Opened {
    fn new(backend: impl Backend + 'static, label: String) -> Self {
        Self {
            backend: Box::new(backend),
            label,
        }
    }
}

/// What is missing for a GPU, without the advice that the library adds.
pub fn missing(error: &Error) -> String {
    match error {
        Error::Device { what, detail } => {
            format!("no GPU can be used, for want of {what}: {detail}")
        }
        other => other.to_string(),
    }
}
