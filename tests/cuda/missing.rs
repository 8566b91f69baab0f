//! Error messages on a machine without a device.

use pullback::Error;
use pullback::linalg::Cuda;

#[test]
fn what_is_missing_is_named() {
    match Cuda::new(0) {
        Ok(cuda) => println!("skipped: there is a device, {cuda}"),
        Err(Error::Device { what, detail }) => {
            assert!(what.contains("CUDA"), "{what}");
            assert!(!detail.is_empty());
        }
        Err(e) => panic!("{e}"),
    }
}
