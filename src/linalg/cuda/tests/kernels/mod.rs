//! Device, vectors and comparisons for the tests of the kernels.

mod batch;
mod colours;
mod cycle;
mod krylov;
mod products;
mod resident;
mod scalars;
mod sparse;
mod steps;
mod sums;

use std::fmt::Debug;
use std::sync::{Arc, MutexGuard, OnceLock};

use crate::linalg::cuda::args::Pointer;
use crate::linalg::cuda::device::{Buffer, Device};
use crate::linalg::cuda::passes::{MAX_BLOCKS, Passes, Scalar, Width};
use crate::linalg::cuda::solve::shift_for;
use crate::linalg::cuda::{MAX_LANES, args};
use crate::linalg::operator::{Real, Side, Stencil};
use crate::random;

const SIDES: [Side; 2] = [Side::Plain, Side::Transpose];

/// Boxes in one, two and three dimensions, some with a single cell along an axis.
const SHAPES: [&[usize]; 11] = [
    &[1],
    &[2],
    &[140],
    &[3, 40],
    &[17, 19],
    &[2, 2, 2],
    &[5, 7, 6],
    &[1, 12, 13],
    &[12, 1, 13],
    &[15, 20, 1],
    &[11, 12, 9],
];

/// A box whose cells in 64 lanes are more numbers than a kernel has threads.
const LARGE: &[usize] = &[17, 18, 19];

const WHAT: (&str, usize) = ("a test", 0);

/// Guard values behind every vector, which no kernel may change.
const GUARDS: usize = 70;
const GUARD: f64 = 12_345.0;

/// Calls a check in both precisions with 1, 4 and 64 lanes.
macro_rules! in_every_precision {
    ($check:ident ( $($arg:expr),* )) => {{
        $check::<f32, 1>($($arg),*);
        $check::<f32, 4>($($arg),*);
        $check::<f32, 64>($($arg),*);
        $check::<f64, 1>($($arg),*);
        $check::<f64, 4>($($arg),*);
        $check::<f64, 64>($($arg),*);
    }};
}

/// Calls a check in double precision with 1, 4 and 64 lanes.
macro_rules! in_double {
    ($check:ident ( $($arg:expr),* )) => {{
        $check::<1>($($arg),*);
        $check::<4>($($arg),*);
        $check::<64>($($arg),*);
    }};
}
use {in_double, in_every_precision};

trait Number: Real + args::Number + Debug + PartialEq {
    const WIDTH: Width;
}

impl Number for f32 {
    const WIDTH: Width = Width::Single;
}

impl Number for f64 {
    const WIDTH: Width = Width::Double;
}

/// Returns the device, which all tests share; `None` without a device unless one is required.
fn shared() -> Option<&'static Arc<Device>> {
    static DEVICE: OnceLock<Option<Arc<Device>>> = OnceLock::new();
    let open = || match Device::open(0) {
        Ok(device) => Some(device),
        Err(e) if std::env::var_os("PULLBACK_REQUIRE_GPU").is_none() => {
            println!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    };
    DEVICE.get_or_init(open).as_ref()
}

/// Device with its lock, for the exclusive use of one test.
struct Held {
    device: &'static Arc<Device>,
    _lock: MutexGuard<'static, ()>,
}

fn device() -> Option<Held> {
    let device = shared()?;
    Some(Held {
        device,
        _lock: device.lock_stream(),
    })
}

/// Launcher with buffers for scalars and partial sums.
struct Bench {
    passes: Passes,
    scalars: Buffer,
    partial: Buffer,
}

impl Bench {
    fn new(held: &Held, cells: usize, lanes: usize) -> Self {
        let device = held.device;
        let scalars = random::normal(Scalar::COUNT * MAX_LANES, 40, 0);
        let scalars = device.store(&scalars, WHAT).unwrap();
        // NaN reveals numbers that are read before they are written.
        let partial = vec![f64::NAN; 2 * MAX_BLOCKS as usize * lanes];
        let partial = device.store(&partial, WHAT).unwrap();
        Self {
            passes: Passes {
                device: Arc::clone(device),
                shift: shift_for(lanes),
                cells: cells as u32,
                scalars: scalars.address,
                partial: partial.address,
            },
            scalars,
            partial,
        }
    }

    /// Copies a vector to the device, followed by guard numbers.
    fn store<T: Number>(&self, numbers: &[T]) -> Buffer {
        let guarded = [numbers, &[T::nearest(GUARD); GUARDS]].concat();
        self.passes.device.store(&guarded, WHAT).unwrap()
    }

    /// Copies a vector from the device and checks its guard numbers.
    fn load<T: Number>(&self, from: &Buffer) -> Vec<T> {
        let mut numbers = vec![T::ZERO; from.bytes() / size_of::<T>()];
        self.passes.device.download(from, 0, &mut numbers).unwrap();
        let guards = numbers.split_off(numbers.len() - GUARDS);
        assert_eq!(
            guards,
            [T::nearest(GUARD); GUARDS],
            "written beyond a vector"
        );
        numbers
    }

    fn all_scalars(&self) -> Vec<f64> {
        let mut numbers = vec![0.0; Scalar::COUNT * MAX_LANES];
        let device = &self.passes.device;
        device.download(&self.scalars, 0, &mut numbers).unwrap();
        numbers
    }

    fn set_scalars(&self, numbers: &[f64]) {
        self.passes
            .device
            .upload(numbers, &self.scalars, 0)
            .unwrap();
    }

    /// Returns one scalar of every lane.
    fn scalar<const W: usize>(&self, scalar: Scalar) -> [f64; W] {
        let all = self.all_scalars();
        std::array::from_fn(|l| all[scalar.start() + l])
    }

    /// Overwrites the partial sums of an earlier pass by NaN.
    fn forget_sums(&self) {
        let nans = vec![f64::NAN; self.partial.bytes() / size_of::<f64>()];
        let device = &self.passes.device;
        device.upload(&nans, &self.partial, 0).unwrap();
    }
}

fn pointers<const N: usize>(buffers: &[Buffer; N]) -> [Pointer; N] {
    buffers.each_ref().map(|b| b.address)
}

/// Returns normally distributed numbers, rounded to the precision of T.
fn numbers<T: Number>(len: usize, stream: u64) -> Vec<T> {
    let normal = random::normal(len, 7, stream);
    normal.into_iter().map(T::nearest).collect()
}

/// Returns an unsymmetric, diagonally dominant stencil.
fn stencil(shape: &[usize], gauge: f64) -> Stencil {
    assemble(shape, gauge, |[a, b, c, d]| {
        [[a + b + c, -b], [-c, d + b + c]]
    })
}

/// Returns a symmetric positive definite stencil.
fn laplacian(shape: &[usize]) -> Stencil {
    assemble(shape, 0.0, |[_, b, ..]| [[b, -b], [-b, b]])
}

fn assemble(shape: &[usize], gauge: f64, block: impl Fn([f64; 4]) -> [[f64; 2]; 2]) -> Stencil {
    let mut stencil = Stencil::new(shape);
    let cells = stencil.cells();
    for axis in 0..shape.len() {
        let stride: usize = shape[axis + 1..].iter().product();
        for lower in (0..cells).filter(|cell| cell / stride % shape[axis] + 1 < shape[axis]) {
            let entries = random::uniform(4, (0.1, 1.1), (3 * lower + axis) as u64);
            let entries = std::array::from_fn(|k| entries[k]);
            stencil.couple(axis, lower, block(entries));
        }
    }
    stencil.add_diagonal(&random::uniform(cells, (0.2, 0.7), 5));
    stencil.with_gauge(gauge)
}

/// Views interleaved numbers in groups of W lanes.
fn wide<T, const W: usize>(numbers: &[T]) -> &[[T; W]] {
    numbers.as_chunks().0
}

fn wide_mut<T, const W: usize>(numbers: &mut [T]) -> &mut [[T; W]] {
    numbers.as_chunks_mut().0
}

/// Checks that all numbers are equal or both NaN. Signs of zeros may differ: the CPU also multiplies by couplings
/// outside the box, which are zero.
fn assert_same<T: Number>(found: &[T], expected: &[T], place: &str) {
    assert_eq!(found.len(), expected.len(), "{place}");
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        let neither = [f, e].into_iter().all(|&x| Into::<f64>::into(x).is_nan());
        assert!(
            neither || f == e,
            "{place}: number {at} is {f:?}, not {e:?}"
        );
    }
}

/// Returns the pairwise sum of the terms, whose rounding error is small, and the sum of their moduli.
fn sum(terms: &[f64]) -> [f64; 2] {
    match terms {
        [] => [0.0; 2],
        [term] => [*term, term.abs()],
        _ => {
            let (a, b) = terms.split_at(terms.len() / 2);
            let ([a, size_a], [b, size_b]) = (sum(a), sum(b));
            [a + b, size_a + size_b]
        }
    }
}

/// Checks for every lane that the sum is `factor` times the sum of the lane's terms, up to rounding.
fn assert_sums<const W: usize>(found: &[f64; W], terms: &[f64], factor: f64, place: &str) {
    for (l, found) in found.iter().enumerate() {
        let lane: Vec<f64> = wide::<_, W>(terms).iter().map(|t| t[l]).collect();
        let [sum, size] = sum(&lane);
        let off = (found - factor * sum).abs();
        assert!(
            off <= 1e-14 * (factor * size).abs(),
            "{place}: the sum of lane {l} is off by {off:e}"
        );
    }
}
