//! Arguments of kernels: scalars, device addresses, and structures that the kernels define under the same
//! names.

use cudarc::driver::DeviceRepr;

/// Address in device memory, where 0 is the null pointer.
pub(super) type Pointer = u64;

/// Stencil matrix, or its transpose, in the layout of the kernels: arrays of coefficients on a box of cells.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) centre: Pointer,
    pub(super) lower: [Pointer; 3],
    pub(super) upper: [Pointer; 3],
    pub(super) inverse: Pointer,
    pub(super) shape: [u32; 3],
    pub(super) cells: u32,
}

/// Matrix in compressed row storage (CSR) in the layout of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed {
    pub(super) starts: Pointer,
    pub(super) columns: Pointer,
    pub(super) values: Pointer,
    pub(super) rows: u32,
    pub(super) padding: u32,
}

/// Hyperplane t₀ + t₁ + t₂ = `plane` of a sweep. `first` is its smallest t₀, and bit d of `corner` reverses
/// axis d.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) plane: u32,
    pub(super) first: u32,
    pub(super) corner: u32,
}

/// Corners of the box at which consecutive sweeps start.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Corners {
    pub(super) corners: [u32; 4],
    pub(super) count: u32,
}

impl Corners {
    /// Packs up to four corners.
    ///
    /// # Panics
    /// Panics with more than four, because the kernels would read past the end of the array.
    pub(super) fn new(which: &[u32]) -> Self {
        let mut corners = [0; 4];
        assert!(
            which.len() <= corners.len(),
            "at most 4 corners fit, not {}",
            which.len()
        );
        corners.iter_mut().zip(which).for_each(|(to, c)| *to = *c);
        Self {
            corners,
            count: which.len() as u32,
        }
    }
}

/// Column number of every lane; `u32::MAX` for a lane without a column.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Places(pub(super) [u32; super::MAX_LANES]);

// SAFETY: `repr(C)` and plain numbers, in the layout of the kernels' structure `Rows`.
unsafe impl DeviceRepr for Rows {}
// SAFETY: `repr(C)` and plain numbers, in the layout of the kernels' structure `Compressed`.
unsafe impl DeviceRepr for Compressed {}
// SAFETY: `repr(C)` and plain numbers, in the layout of the kernels' structure `Plane`.
unsafe impl DeviceRepr for Plane {}
// SAFETY: `repr(C)` and plain numbers, in the layout of the kernels' structure `Corners`.
unsafe impl DeviceRepr for Corners {}
// SAFETY: `repr(C)` and plain numbers, in the layout of the kernels' structure `Places`.
unsafe impl DeviceRepr for Places {}

/// One argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    Pointer(Pointer),
    Count(u32),
    Mask(u64),
    Double(f64),
    Rows(Rows),
    Compressed(Compressed),
    Plane(Plane),
    Corners(Corners),
    Places(Places),
}

/// Launch configuration: blocks along x and y, and threads of a block along x and y.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) blocks: (u32, u32),
    pub(super) threads: (u32, u32),
}

/// Number type that is copied to and from the device byte by byte.
pub(super) trait Number: Copy {}

impl Number for f64 {}
impl Number for f32 {}
impl Number for u32 {}

pub(super) fn bytes_of<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: `Number` is implemented for types without padding, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

pub(super) fn bytes_of_mut<T: Number>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: `Number` is implemented for types without padding for which every bit pattern is valid; bytes need no
    // alignment.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

#[cfg(test)]
mod tests {
    use super::Corners;

    #[test]
    #[should_panic(expected = "at most 4 corners fit, not 5")]
    fn more_corners_than_the_kernels_hold_are_refused() {
        let four = Corners::new(&[3, 2, 1, 0]);
        assert_eq!((four.corners, four.count), ([3, 2, 1, 0], 4));
        let _ = Corners::new(&[0; 5]);
    }
}
