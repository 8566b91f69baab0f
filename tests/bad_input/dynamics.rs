//! Ready-made dynamics refuse starts that make no sense, and name them.

use pullback::models::dynamics::{
    Epidemic, FitzHughNagumo, Goodwin, Lorenz, LotkaVolterra, Pendulum, Robertson,
};

const NAN: f64 = f64::NAN;

/// Checks that the error says this.
fn refused<T>(found: pullback::Result<T>, part: &str) {
    let Err(error) = found else {
        panic!("accepted, but should say `{part}`")
    };
    let text = error.to_string();
    assert!(text.contains(part), "{text}");
}

#[test]
fn starts_that_make_no_sense_are_named() {
    let numbers = "the initial numbers of prey and predators";
    refused(LotkaVolterra::new([30.0, 0.0]), numbers);
    refused(LotkaVolterra::new([NAN, 1.0]), numbers);
    refused(FitzHughNagumo::new([NAN, 1.0]), "voltage and recovery");
    let concentrations = "the initial concentrations";
    refused(Robertson::new([1.0, -1e-9, 0.0]), concentrations);
    refused(Robertson::new([1.0, 0.0, NAN]), concentrations);
    refused(Goodwin::new([1.0, 1.0, 0.0]), concentrations);
    let value = Lorenz::new([1.0, 1.0, f64::INFINITY]);
    refused(value, "the initial value");
    refused(Pendulum::new(NAN, 0.0), "angle and angular velocity");
    assert!(Robertson::new([1.0, 0.0, 0.0]).is_ok());
}

#[test]
fn populations_that_make_no_sense_are_named() {
    refused(Epidemic::sir(0.0, 0.0), "the population");
    refused(Epidemic::sir(f64::INFINITY, 1.0), "the population");
    let infectious = "give a number between 0 and the population";
    refused(Epidemic::sir(10.0, 11.0), infectious);
    refused(Epidemic::seir(10.0, -1.0), infectious);
    refused(Epidemic::seir(10.0, NAN), infectious);
    assert!(Epidemic::sir(10.0, 0.0).is_ok());
}
