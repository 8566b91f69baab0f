//! Samples with labels: handwritten digits, or clothes of Fashion-MNIST.

use std::fs;
use std::path::Path;
use std::process::Command;

use pullback::faer::Mat;
use pullback::random;

use crate::support::command::Failure;

/// Digits and their labels; the head of the file says where they come from.
const DIGITS: &str = include_str!("digits.txt");

/// Number of classes of both collections.
pub const CLASSES: usize = 10;

/// Samples, one a column, with their labels.
pub struct Samples {
    pub inputs: Mat<f64>,
    pub labels: Vec<usize>,
}

/// Samples to fit, and samples held out.
pub struct Data {
    pub name: &'static str,
    pub train: Samples,
    pub test: Samples,
}

impl Data {
    /// The digits that the example brings along, the last fifth of them, in random order, held out.
    pub fn digits(count: usize) -> Result<Self, Failure> {
        let lines = DIGITS.lines().filter(|line| !line.starts_with('#'));
        let all: Vec<(usize, Vec<f64>)> = lines.map(digit).collect::<Result<_, _>>()?;
        // Writers follow one another in the file: held-out digits are drawn from all of them.
        let keys = random::uniform(all.len(), (0.0, 1.0), 1);
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
        let order = &order[..count.min(all.len())];
        let (train, test) = order.split_at(order.len() - order.len() / 5);
        let pick = |chosen: &[usize]| Samples {
            inputs: Mat::from_fn(all[0].1.len(), chosen.len(), |i, n| all[chosen[n]].1[i]),
            labels: chosen.iter().map(|&n| all[n].0).collect(),
        };
        Ok(Self {
            name: "handwritten digits of 8 × 8 pixels",
            train: pick(train),
            test: pick(test),
        })
    }

    /// The clothes of a folder with the four files of Fashion-MNIST.
    pub fn fashion(folder: &Path, count: usize) -> Result<Self, Failure> {
        let part = |stem: &str, count| -> Result<Samples, Failure> {
            let (pictures, images) = idx(folder, &format!("{stem}-images-idx3-ubyte"), 3)?;
            let (_, labels) = idx(folder, &format!("{stem}-labels-idx1-ubyte"), 1)?;
            if pictures != labels.len() {
                let labels = labels.len();
                let text = format!("{stem}: {pictures} images, but {labels} labels");
                return Err(text.into());
            }
            let count = labels.len().min(count);
            let pixels = images.len() / labels.len();
            let pixel = |i: usize, n: usize| f64::from(images[n * pixels + i]) / 255.0;
            Ok(Samples {
                inputs: Mat::from_fn(pixels, count, pixel),
                labels: labels[..count].iter().map(|y| usize::from(*y)).collect(),
            })
        };
        Ok(Self {
            name: "clothes of 28 × 28 pixels (Fashion-MNIST)",
            train: part("train", count)?,
            test: part("t10k", count / 5)?,
        })
    }
}

/// Reads a label and pixels from 0 to 1.
fn digit(line: &str) -> Result<(usize, Vec<f64>), Failure> {
    let wrong = || format!("`{line}` is not a digit of digits.txt");
    let (label, pixels) = line.split_once(' ').ok_or_else(wrong)?;
    let pixel = |c: char| c.to_digit(17).map(|v| f64::from(v) / 16.0);
    let pixels: Option<Vec<f64>> = pixels.chars().map(pixel).collect();
    Ok((label.parse()?, pixels.ok_or_else(wrong)?))
}

/// Returns the contents of a file packed by gzip.
fn unpack(path: &Path) -> Result<Vec<u8>, Failure> {
    let output = Command::new("gzip").arg("-dc").arg(path).output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let reason = String::from_utf8_lossy(&output.stderr);
            let path = path.display();
            Err(format!("gzip cannot unpack {path}: {}", reason.trim()).into())
        }
    }
}

/// Reads an idx file of bytes with this number of axes, which may be packed by gzip. Returns the length of its first axis with all
/// bytes.
fn idx(folder: &Path, name: &str, axes: usize) -> Result<(usize, Vec<u8>), Failure> {
    let path = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    let bytes = if path.exists() {
        fs::read(&path)?
    } else if packed.exists() {
        unpack(&packed)?
    } else {
        let folder = folder.display();
        return Err(format!(
            "--fashion: {folder} has no file {name}; give the folder of Debian's package dataset-fashion-mnist, \
             /usr/share/datasets/fashion-mnist"
        )
        .into());
    };
    // Two zeros, the type 8 of bytes, the number of axes, and their lengths in four bytes each.
    let head = 4 + 4 * axes;
    if bytes.len() < head || bytes[..4] != [0, 0, 8, axes as u8] {
        return Err(format!("{name} is not an idx file of bytes with {axes} axes").into());
    }
    let sizes = bytes[4..head].chunks_exact(4);
    let sizes = sizes.map(|s| u32::from_be_bytes([s[0], s[1], s[2], s[3]]) as usize);
    let (first, count) = (sizes.clone().next().unwrap_or(0), sizes.product::<usize>());
    match bytes.len() == head + count && count > 0 {
        true => Ok((first, bytes[head..].to_vec())),
        false => Err(format!("{name} ends before its {count} bytes, or after them").into()),
    }
}
