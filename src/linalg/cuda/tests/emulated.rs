//! Runs all tests of `kernels` on an emulated device.

#[path = "../../../../tests/emulator/rerun.rs"]
mod rerun;

#[test]
fn every_pass_on_an_emulated_device_does_what_the_processor_does() {
    // Cargo provides no temporary directory for unit tests.
    let program = std::env::current_exe().unwrap();
    rerun::rerun(
        "cuda::tests::kernels::",
        &program.with_file_name("emulator"),
        &[],
    );
}
