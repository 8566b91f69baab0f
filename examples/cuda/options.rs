//! The command line.

use crate::backend::Choice;
use crate::command;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub cells: Option<usize>,
    pub columns: Option<usize>,
    pub backend: Choice,
    pub seed: u64,
    pub quick: bool,
}

pub const USAGE: &str = "\
Solves the adjoints of the Lorenz invariant measure on a GPU and on the processor, and compares times and answers.

usage: cuda [options]
  --cells N        cells along each of the three axes; 64 if not given
  --columns M      right-hand sides, all solved at once; 64 if not given
  --backend NAME   cuda: all that a GPU can do is done there; auto: only what is estimated to be faster; cuda if not given
  --seed N         seed of the right-hand sides; 1 if not given
  --quick          12 cells along each axis and 8 columns unless these are given; a second without a GPU
  --help           this text

A GPU needs a program built with `--features cuda`, NVIDIA's driver, and NVRTC. Without, the processor's half is shown.";

impl Options {
    /// Cells along each axis.
    pub fn cells(&self) -> usize {
        self.cells.unwrap_or(if self.quick { 12 } else { 64 })
    }

    /// Right-hand sides.
    pub fn columns(&self) -> usize {
        self.columns.unwrap_or(if self.quick { 8 } else { 64 })
    }
}

/// Reads the arguments; None when help was asked for.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        cells: None,
        columns: None,
        backend: Choice::Cuda,
        seed: 1,
        quick: false,
    };
    let mut arguments = command::split(arguments);
    while let Some(flag) = arguments.next() {
        match flag.as_str() {
            "--quick" => options.quick = true,
            "--help" | "-h" => return Ok(None),
            flag if !flag.starts_with("--") => return Err(format!("unknown argument `{flag}`")),
            flag => {
                let usable = |v: &String| !v.is_empty() && !v.starts_with("--");
                let value = arguments.next().filter(usable);
                set(&mut options, flag, value)?;
            }
        }
    }
    check(&options)?;
    Ok(Some(options))
}

/// Sets an option that takes a value.
fn set(options: &mut Options, flag: &str, value: Option<String>) -> Result<(), String> {
    let value = || value.clone().ok_or_else(|| format!("{flag} needs a value"));
    match flag {
        "--cells" => options.cells = Some(whole(flag, &value()?, (4, 256))?),
        "--columns" => options.columns = Some(whole(flag, &value()?, (1, 4096))?),
        "--backend" => {
            let name = value()?;
            if name == Choice::Cpu.name() {
                return Err("--backend: cpu is shown in any case; name what to compare with it, cuda or auto".into());
            }
            options.backend = Choice::parse(&name, &[Choice::Cuda, Choice::Auto])?;
        }
        "--seed" => {
            let text = value()?;
            let wrong =
                |_| format!("--seed: `{text}` is not a whole number of 0 or more, in 64 bits");
            options.seed = text.parse().map_err(wrong)?;
        }
        other => return Err(format!("unknown option `{other}`")),
    }
    Ok(())
}

fn whole(flag: &str, text: &str, (least, most): (usize, usize)) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("{flag}: `{text}` is not a whole number from {least} to {most}"))
}

/// Numbers of a batch, of which a few are kept at once: 4.3 GB each.
const MOST: usize = 1 << 29;

fn check(options: &Options) -> Result<(), String> {
    let (cells, columns) = (options.cells(), options.columns());
    let room = MOST / cells.pow(3);
    match columns <= room {
        true => Ok(()),
        false => Err(format!(
            "--columns: {columns} columns of {cells}³ cells take {:.0} GB, and this example keeps several such batches; at \
             most {room} here",
            8e-9 * (columns * cells.pow(3)) as f64
        )),
    }
}
