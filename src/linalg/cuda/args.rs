//! What kernels take: numbers, addresses, and structures that the kernels know by the same names.

use cudarc::driver::DeviceRepr;

/// An address in the memory of the device; 0 for none.
pub(super) type Pointer = u64;

/// One side of a stencil as the kernels see it.
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

/// A matrix compressed by rows as the kernels see it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed {
    pub(super) starts: Pointer,
    pub(super) columns: Pointer,
    pub(super) values: Pointer,
    pub(super) rows: u32,
    pub(super) padding: u32,
}

/// A hyperplane of a sweep.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) plane: u32,
    pub(super) first: u32,
    pub(super) corner: u32,
}

/// Corners of sweeps that follow one another.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Corners {
    pub(super) corners: [u32; 4],
    pub(super) count: u32,
}

impl Corners {
    /// At most four: kernels read as many as are counted.
    pub(super) fn new(which: &[u32]) -> Self {
        let mut corners = [0; 4];
        assert!(
            which.len() <= corners.len(),
            "{} corners do not fit",
            which.len()
        );
        corners.iter_mut().zip(which).for_each(|(to, c)| *to = *c);
        Self {
            corners,
            count: which.len() as u32,
        }
    }
}

/// A number of a column for every lane.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Places(pub(super) [u32; super::MAX_LANES]);

// SAFETY: plain numbers in the layout of the structures of the same name in the kernels.
unsafe impl DeviceRepr for Rows {}
// SAFETY: likewise.
unsafe impl DeviceRepr for Compressed {}
// SAFETY: likewise.
unsafe impl DeviceRepr for Plane {}
// SAFETY: likewise.
unsafe impl DeviceRepr for Corners {}
// SAFETY: likewise.
unsafe impl DeviceRepr for Places {}

/// What a kernel takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    Pointer(Pointer),
    Count(u32),
    Mask(u64),
    Double(f64),
    Single(f32),
    Rows(Rows),
    Compressed(Compressed),
    Plane(Plane),
    Corners(Corners),
    Places(Places),
}

/// Blocks along x and y, and threads of a block likewise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) blocks: (u32, u32),
    pub(super) threads: (u32, u32),
}

/// Numbers whose bytes may be copied.
pub(super) trait Number: Copy {}

impl Number for f64 {}
impl Number for f32 {}
impl Number for u32 {}

pub(super) fn bytes_of<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: numbers have no padding, and bytes no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

pub(super) fn bytes_of_mut<T: Number>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes make a number.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

#[cfg(test)]
mod tests {
    use super::Corners;

    #[test]
    #[should_panic(expected = "5 corners do not fit")]
    fn no_kernel_is_told_of_more_corners_than_it_gets() {
        let four = Corners::new(&[3, 2, 1, 0]);
        assert_eq!((four.corners, four.count), ([3, 2, 1, 0], 4));
        let _ = Corners::new(&[0; 5]);
    }
}
