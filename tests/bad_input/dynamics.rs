//! Ready-made dynamics refuse starts that make no sense, and name them.

use pullback::models::dynamics::{
    Epidemic, FitzHughNagumo, Goodwin, Lorenz, LotkaVolterra, Pendulum, Robertson,
};

#[test]
fn starts_that_make_no_sense_are_named() {
    let nan = f64::NAN;
    let table = [
        (
            LotkaVolterra::new([30.0, 0.0]).map(drop),
            "numbers of prey and predators",
        ),
        (
            LotkaVolterra::new([nan, 1.0]).map(drop),
            "numbers of prey and predators",
        ),
        (
            FitzHughNagumo::new([nan, 1.0]).map(drop),
            "voltage and recovery",
        ),
        (Epidemic::sir(0.0, 0.0).map(drop), "the population"),
        (
            Epidemic::sir(f64::INFINITY, 1.0).map(drop),
            "the population",
        ),
        (
            Epidemic::sir(10.0, 11.0).map(drop),
            "between 0 and the population",
        ),
        (
            Epidemic::seir(10.0, -1.0).map(drop),
            "between 0 and the population",
        ),
        (
            Epidemic::seir(10.0, nan).map(drop),
            "between 0 and the population",
        ),
        (
            Robertson::new([1.0, -1e-9, 0.0]).map(drop),
            "the initial concentrations",
        ),
        (
            Robertson::new([1.0, 0.0, nan]).map(drop),
            "the initial concentrations",
        ),
        (
            Goodwin::new([1.0, 1.0, 0.0]).map(drop),
            "the initial concentrations",
        ),
        (
            Lorenz::new([1.0, 1.0, f64::INFINITY]).map(drop),
            "the initial value",
        ),
        (
            Pendulum::new(nan, 0.0).map(drop),
            "angle and angular velocity",
        ),
    ];
    for (row, (found, part)) in table.into_iter().enumerate() {
        let Err(error) = found else {
            panic!("row {row} was accepted")
        };
        let text = error.to_string();
        assert!(text.contains(part), "row {row}: {text}");
    }
    assert!(Robertson::new([1.0, 0.0, 0.0]).is_ok() && Epidemic::sir(10.0, 0.0).is_ok());
}
