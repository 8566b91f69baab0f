//! Data and tables of measurements that make no sense.

use pullback::evolution::{Evolution, Experiment};
use pullback::loss::{
    Datum, Error, Family, Likelihood, Measurements, NoiseLevel, NoiseSource, Observable,
};
use pullback::models::dynamics::Lorenz;
use pullback::{Loss, metric};

const SOUND: Datum = Datum {
    mean: 0,
    noise: NoiseLevel::Entry(2),
    value: 1.0,
    family: Family::Gaussian,
};

fn refused(datum: Datum) -> pullback::Error {
    Likelihood::new(3, [SOUND, datum]).unwrap_err()
}

#[test]
fn data_that_are_missing_or_elsewhere_are_named() {
    let missing = Datum {
        value: f64::NAN,
        ..SOUND
    };
    let found = refused(missing);
    assert_eq!(found.of(), Some(&Error::Missing { datum: 1 }));
    assert!(found.to_string().contains("Likelihood::present"));
    let entry = |what, entry| Error::Entry {
        datum: 1,
        what,
        entry,
        entries: 3,
    };
    let found = refused(Datum { mean: 3, ..SOUND });
    assert_eq!(found.of(), Some(&entry("mean", 3)));
    let noise = NoiseLevel::Entry(7);
    let found = refused(Datum { noise, ..SOUND });
    assert_eq!(found.of(), Some(&entry("noise level", 7)));
    assert!(Likelihood::new(3, []).is_err());
    assert!(Likelihood::present(3, [missing]).is_err());
}

#[test]
fn data_without_a_density_are_named() {
    let value = |value, family| Datum {
        value,
        family,
        ..SOUND
    };
    let noise = |sigma| Datum {
        noise: NoiseLevel::Given(sigma),
        ..SOUND
    };
    let student = |freedom| value(1.0, Family::Student { freedom });
    for (datum, kind, text) in [
        (
            value(f64::INFINITY, Family::Gaussian),
            "NotFinite",
            "value of a datum",
        ),
        (
            value(0.0, Family::LogNormal),
            "NotPositive",
            "value of a datum",
        ),
        (
            value(-1.0, Family::Log10Normal),
            "NotPositive",
            "value of a datum",
        ),
        (noise(0.0), "NotPositive", "noise level of a datum"),
        (noise(f64::NAN), "NotFinite", "noise level of a datum"),
        (student(-1.0), "NotPositive", "degrees of freedom"),
        (student(f64::INFINITY), "NotFinite", "degrees of freedom"),
    ] {
        let found = refused(datum);
        let message = found.to_string();
        assert_eq!(found.kind(), kind, "{message}");
        let named = message.contains(text) && message.contains("index 1");
        assert!(named, "{message}");
    }
}

#[test]
fn states_outside_the_domain_are_named_and_have_an_infinite_value() {
    let loss = Likelihood::new(3, [SOUND]).unwrap();
    let logarithmic = Datum {
        family: Family::Log10Normal,
        ..SOUND
    };
    let logarithmic = Likelihood::new(3, [logarithmic]).unwrap();
    loss.check(&[-1.0, f64::NAN, 0.1]).unwrap();
    for (loss, rho, text) in [
        (
            &loss,
            [1.0, 1.0, 0.0],
            "noise level of datum 0 is 0 (entry 2 of the state)",
        ),
        (
            &loss,
            [1.0, 1.0, -2.0],
            "noise level of datum 0 is -2 (entry 2 of the state)",
        ),
        (
            &logarithmic,
            [0.0, 1.0, 1.0],
            "mean of datum 0 is 0 (entry 0 of the state)",
        ),
        (
            &logarithmic,
            [-0.5, 1.0, 1.0],
            "mean of datum 0 is -0.5 (entry 0 of the state)",
        ),
    ] {
        assert_eq!(loss.value(&rho), f64::INFINITY);
        let message = loss.check(&rho).unwrap_err().to_string();
        assert!(message.contains(text), "{message}");
        let (cpu, metric) = (pullback::Cpu::default(), loss.metric().unwrap());
        assert!(metric.at(&rho, &cpu).is_err());
    }
    let nan = [f64::NAN, 1.0, 1.0];
    assert!(loss.value(&nan).is_nan() && loss.check(&nan).is_err());
    assert!(loss.value(&[1.0, 1.0, f64::NAN]).is_nan());
    assert!(loss.value(&[1.0]).is_nan() && loss.check(&[1.0]).is_err());
}

#[test]
fn the_metric_refuses_covectors_of_unused_entries() {
    let loss = Likelihood::new(3, [SOUND]).unwrap();
    let (cpu, metric) = (pullback::Cpu::default(), loss.metric().unwrap());
    let rho = [1.0, 1.0, 1.0];
    let root: Box<dyn metric::Root> = metric.at(&rho, &cpu).unwrap();
    assert_eq!(root.lifted_dim(), 2);
    assert!(root.dual(&[1.0, 0.0, 1.0]).is_ok());
    let found = root.dual(&[0.0, 1.0, 0.0]).unwrap_err();
    assert_eq!(found.kind(), "NotInRange");
}

fn failure(text: &str) -> Error {
    let found = Measurements::parse(text).unwrap_err();
    found.of::<Error>().unwrap().clone()
}

/// The line, the column and the text that a message must name.
fn names(found: &Error, [line, column, text]: [&str; 3]) {
    let message = found.to_string();
    let parts = [
        format!("line {line}"),
        format!("column `{column}`"),
        format!("`{text}`"),
    ];
    for part in parts {
        assert!(message.contains(&part), "{part} is not in: {message}");
    }
}

#[test]
fn tables_that_cannot_be_read_say_where() {
    for (text, [line, column, cell]) in [
        ("observable,time,value\na,one,2", ["2", "time", "one"]),
        ("observable,time,value\na,,2", ["2", "time", ""]),
        ("observable,time,value\na,-inf,2", ["2", "time", "-inf"]),
        ("observable;time;value\n\na;1,5;2", ["3", "time", "1,5"]),
        (
            "observable,time,value\na,1,2\na,2,<LOD",
            ["3", "value", "<LOD"],
        ),
        ("observable,time,value\na,1,inf", ["2", "value", "inf"]),
        ("observable,time,value\n,1,2", ["2", "observable", ""]),
        (
            "observableId\tsimulationConditionId\ttime\tmeasurement\na\t\t1\t2",
            ["2", "simulationConditionId", ""],
        ),
        (
            "observable,time,value\n\"a,1,2",
            ["2", "in quotes", "a,1,2"],
        ),
    ] {
        names(&failure(text), [line, column, cell]);
    }
    let found = failure("observable,time,value\na,1\n");
    let cells = Error::Cells {
        line: 2,
        found: 2,
        expected: 3,
    };
    assert_eq!(found, cells);
    for (text, column, problem) in [
        ("", "observable` or `observableId", "is missing"),
        (
            "observable,time,valeu\na,1,2",
            "value` or `measurement",
            "is missing",
        ),
        (
            "observable,time,value,measurement",
            "measurement",
            "is given twice",
        ),
    ] {
        let message = failure(text).to_string();
        let expected = format!("the column `{column}` {problem}");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn tables_that_fit_no_likelihood_say_where() {
    const TABLE: &str = "observable,time,value,noise\na,1,2,0.1\nb,2,-3,sd_b\na,3,4,\n";
    let observable = |name, family, noise| Observable {
        name,
        family,
        noise,
    };
    let (gaussian, column) = (Family::Gaussian, NoiseSource::Column);
    let given = NoiseSource::Given(0.1);
    let measured = Measurements::parse(TABLE).unwrap();
    let of = |outputs, observables: &[Observable<'_>]| {
        measured
            .likelihood_in_order(outputs, observables)
            .unwrap_err()
    };
    let a = observable("a", gaussian, given);
    for (observables, expected) in [
        (
            [a, observable("c", gaussian, given)],
            ["3", "observable", "b"],
        ),
        (
            [a, observable("b", Family::LogNormal, given)],
            ["3", "value", "-3"],
        ),
        (
            [a, observable("b", gaussian, column)],
            ["3", "noise", "sd_b"],
        ),
        (
            [
                observable("a", gaussian, column),
                observable("b", gaussian, given),
            ],
            ["4", "noise", ""],
        ),
    ] {
        let found = of(2, &observables);
        names(found.of().unwrap(), expected);
    }
    let b = observable("b", gaussian, given);
    assert_eq!(of(1, &[a, b]).kind(), "Option");
    let far = observable("b", gaussian, NoiseSource::Output(2));
    assert_eq!(of(2, &[a, far]).kind(), "Option");
    assert_eq!(of(2, &[a, a]).kind(), "Twice");
    let zero = observable("b", gaussian, NoiseSource::Given(0.0));
    assert_eq!(of(2, &[a, zero]).kind(), "Option");
    let bare = Measurements::parse("observable,time,value\na,1,2").unwrap();
    let found = bare.likelihood_in_order(1, &[observable("a", gaussian, column)]);
    let message = found.unwrap_err().to_string();
    assert!(message.contains("no column `noise`"), "{message}");
}

#[test]
fn noise_levels_that_are_not_used_are_refused() {
    let observable = |name, noise| Observable {
        name,
        family: Family::Gaussian,
        noise,
    };
    let table = "observable,time,value,noise\na,1,2,0.1\nb,2,-3,sd_b\n";
    let measured = Measurements::parse(table).unwrap();
    let of = |outputs, observables: &[Observable<'_>]| {
        measured
            .likelihood_in_order(outputs, observables)
            .unwrap_err()
    };
    let [a, b] = ["a", "b"].map(|name| observable(name, NoiseSource::Given(0.1)));
    // No observable is the noise level of another, or its own.
    for output in 0..2 {
        let own = observable("b", NoiseSource::Output(output));
        assert_eq!(of(3, &[a, own]).kind(), "Option");
    }
    // A number that is not used is refused, the name of a parameter is not.
    for noise in [NoiseSource::Given(0.2), NoiseSource::Output(2)] {
        let found = of(3, &[observable("a", noise), b]);
        names(found.of().unwrap(), ["2", "noise", "0.1"]);
        let named = observable("b", noise);
        assert!(measured.likelihood_in_order(3, &[a, named]).is_ok());
    }
}

#[test]
fn experiments_that_do_not_belong_to_the_table_are_named() {
    let table = "observable,condition,time,value\na,low,1,2\na,high,3,4\n";
    let measured = Measurements::parse(table).unwrap();
    let a = Observable {
        name: "a",
        family: Family::Gaussian,
        noise: NoiseSource::Given(1.0),
    };
    let at = |times: &[f64], name: &str| Experiment::new(times.to_vec()).named(name);
    for (experiments, kind, parts) in [
        (
            vec![at(&[1.0], "low"), at(&[3.0], "")],
            "NoExperiment",
            ["`high`", "`low`, ``"],
        ),
        (
            vec![at(&[1.0], "low"), at(&[3.0], "high"), at(&[3.0], "high")],
            "SameName",
            ["`high`", "Condition::experiment"],
        ),
        (
            vec![at(&[1.0], "low"), at(&[1.0, 2.0], "high")],
            "Unobserved",
            ["`high`", "t = 3"],
        ),
    ] {
        let model = Evolution::over(Lorenz::new([1.0; 3]).unwrap(), experiments).unwrap();
        let found = measured.likelihood(&model, &[a]).unwrap_err();
        let message = found.to_string();
        assert_eq!(found.kind(), kind, "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}

#[test]
fn measurements_without_a_density_are_named_by_the_table() {
    let table = "observable,condition,time,value\na,low,0.5,1\nb,low,2,NA\nb,high,2,3\n";
    let measured = Measurements::parse(table).unwrap();
    let of = |name| Observable {
        name,
        family: Family::LogNormal,
        noise: NoiseSource::Output(2),
    };
    let loss = measured.likelihood_in_order(3, &[of("a"), of("b")]);
    let loss = loss.unwrap();
    // Three outputs at two times of the first condition, and at one of the second.
    for (entry, value, text) in [
        (
            2,
            -0.1,
            "the noise level of `a` in condition `low` at t = 0.5 (line 2) is -0.1",
        ),
        (
            7,
            -1e-13,
            "the mean of `b` in condition `high` at t = 2 (line 4) is -1e-13",
        ),
        (
            8,
            f64::NAN,
            "the noise level of `b` in condition `high` at t = 2 (line 4) is NaN",
        ),
    ] {
        let mut rho = [1.0; 9];
        rho[entry] = value;
        let found = loss.check(&rho).unwrap_err();
        assert_eq!(found.kind(), "Domain");
        let message = found.to_string();
        assert!(message.contains(text), "{message}");
        // The entry of a state that has lost the first time.
        let part = loss.part(&[6, 7, 8]).unwrap();
        assert_eq!(part.check(&rho[6..]).is_err(), entry > 5);
    }
    let message = loss.check(&[1.0; 6]).unwrap_err().to_string();
    assert!(message.contains("outputs per time"), "{message}");
}

#[test]
fn present_data_keep_their_numbers() {
    let missing = Datum {
        value: f64::NAN,
        ..SOUND
    };
    let far = Datum { mean: 9, ..SOUND };
    let found = Likelihood::present(3, [missing, SOUND, far]).unwrap_err();
    assert!(found.to_string().contains("datum 2"), "{found}");
    let loss = Likelihood::present(3, [missing, SOUND]).unwrap();
    let found = loss.check(&[1.0, 1.0, 0.0]).unwrap_err();
    assert!(found.to_string().contains("datum 1"), "{found}");
}
