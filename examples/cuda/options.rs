//! Command line of the example.

use crate::support::command::{Arguments, number, one_of};

/// Settings of a run.
pub struct Options {
    pub cells: usize,
    pub columns: usize,
    /// Whether the GPU solves only the systems for which it is estimated to be faster.
    pub auto: bool,
    pub seed: u64,
}

pub const HELP: &str = "\
Solves adjoint equations of the Lorenz invariant measure on a GPU and on the processor, and compares times and results.

usage: cuda [options]
  --cells N        [64, quick 12]  cells along each of the three axes
  --columns M      [64, quick 8]   right-hand sides, all solved at once
  --backend NAME   [cuda]          cuda: the GPU solves all systems that it can; auto: only those for which it is
                                   estimated to be faster
  --seed N         [1]             seed of the right-hand sides
  --quick          run a small problem, which takes a second without a GPU
  --help           print this text

A GPU needs a program built with `--features cuda`, NVIDIA's driver, and the compiler NVRTC. Without a GPU, only the
processor is measured.";

/// Largest number of values in a batch: 4.3 GB, and a few batches exist at the same time.
const MOST: usize = 1 << 29;

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let cells: usize = given.get("--cells", number(4..=256))?;
        let columns = given.get("--columns", number(1..=4096))?;
        let most = MOST / cells.pow(3);
        if columns > most {
            let size = 8e-9 * (columns * cells.pow(3)) as f64;
            return Err(format!(
                "--columns: {columns} columns of {cells}³ cells take {size:.0} GB, and the program needs several times \
                 that; use at most {most} columns"
            ));
        }
        Ok(Self {
            cells,
            columns,
            auto: given.get("--backend", one_of(&["cuda", "auto"], |name| name))? == "auto",
            seed: given.get("--seed", number(0..=u64::MAX))?,
        })
    }
}
