//! Tables of measurements, against the same data given one by one.

use pullback::Loss;
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Experiment};
use pullback::loss::{
    Datum, Family, Likelihood, Measurements, NoiseLevel, NoiseSource, Observable,
};

/// Columns in the order of PEtab, with a column that is ignored, missing values, replicates and a steady state.
const PETAB: &str = "observableId\tpreequilibrationConditionId\tsimulationConditionId\tmeasurement\ttime\tobservableParameters\tnoiseParameters
prey\t\tlow\t1.5\t2\tscale\tsd
prey\t\tlow\t1.7\t2\tscale\tsd
prey\trest\thigh\t2.5\tinf\tscale\tsd
hunters\t\tlow\t0.5\t0\t\t0.1
hunters\trest\thigh\tNA\t1\t\t0.1
hunters\trest\thigh\t0.7\tinf\t\t0.2
prey\t\thigh\t3.5\t-0.0\tscale\tsd
prey\t\thigh\t\t0\tscale\tsd
";

const PREY: Observable<'_> = Observable {
    name: "prey",
    family: Family::LogNormal,
    noise: NoiseSource::Output(2),
};
const HUNTERS: Observable<'_> = Observable {
    name: "hunters",
    family: Family::Gaussian,
    noise: NoiseSource::Column,
};

#[test]
fn conditions_times_and_rows_are_those_of_the_text() {
    let measured = Measurements::parse(PETAB).unwrap();
    let conditions: Vec<_> = measured
        .conditions()
        .iter()
        .map(|c| {
            (
                c.name.as_str(),
                c.preequilibration.as_deref(),
                c.times.clone(),
            )
        })
        .collect();
    assert_eq!(
        conditions,
        [
            ("low", None, vec![0.0, 2.0]),
            ("high", Some("rest"), vec![1.0, f64::INFINITY]),
            ("high", None, vec![0.0]),
        ]
    );
    let rows = measured.rows();
    assert_eq!(rows.len(), 8);
    assert_eq!((rows[5].line, rows[5].condition, rows[5].time), (7, 1, 1));
    assert!(rows[4].value.is_nan() && rows[7].value.is_nan());
    assert_eq!(rows[5].noise, "0.2");
}

/// Entry of the state for condition c, time t and output o, counted by hand: 3 outputs, and 2, 2 and 1 times.
fn entry(c: usize, t: usize, o: usize) -> usize {
    [0, 6, 12][c] + 3 * t + o
}

#[test]
fn the_likelihood_is_that_of_the_data_one_by_one() {
    let prey = |c, t, value| Datum {
        mean: entry(c, t, 0),
        noise: NoiseLevel::Entry(entry(c, t, 2)),
        value,
        family: Family::LogNormal,
    };
    let hunters = |c, t, value, sigma| Datum {
        mean: entry(c, t, 1),
        noise: NoiseLevel::Given(sigma),
        value,
        family: Family::Gaussian,
    };
    let data = [
        prey(0, 1, 1.5),
        prey(0, 1, 1.7),
        prey(1, 1, 2.5),
        hunters(0, 0, 0.5, 0.1),
        hunters(1, 1, 0.7, 0.2),
        prey(2, 0, 3.5),
    ];
    let expected = Likelihood::new(15, data).unwrap();
    let measured = Measurements::parse(PETAB).unwrap();
    let observables = [PREY, HUNTERS];
    let found = measured.likelihood_in_order(3, &observables).unwrap();
    assert_eq!(found.count(), 6);
    let rho: Vec<f64> = (0..15).map(|i| 1.0 + 0.1 * f64::from(i)).collect();
    assert_eq!(found.values(&rho).unwrap(), expected.values(&rho).unwrap());
    let gradient = |loss: &Likelihood| {
        let mut u = vec![0.0; 15];
        loss.gradient(&rho, &mut u);
        u
    };
    assert_eq!(gradient(&found), gradient(&expected));
}

/// Separators, orders of columns, quotes, blanks, line ends and a byte order mark make no difference.
#[test]
fn tables_that_say_the_same_are_the_same() {
    let plain = "observable,condition,time,value\n\"a\",x,1,2\nb,\"y\",3.5,1e-2\n";
    let rows = |text: &str| {
        let measured = Measurements::parse(text).unwrap();
        let rows = measured.rows().iter();
        let rows: Vec<_> = rows
            .map(|r| (r.observable.clone(), r.condition, r.time, r.value))
            .collect();
        (measured.conditions().to_vec(), rows)
    };
    let expected = rows(plain);
    assert_eq!(expected.1[1], ("b".to_string(), 1, 0, 0.01));
    for other in [
        "\u{feff}observable;condition;time;value\r\na;x;1;2\r\nb;y;3.5;0.01\r\n",
        "# a comment, first\nobservable,condition,time,value\na,x,1,2\n  # and, then, another\nb,y,3.5,1e-2",
        "value\ttime\tcondition\tobservable\n2\t1\tx\ta\n\n.01\t3.5\ty\tb",
        "  time , observable , note , value , condition\n 1 , a , \"one, two\" , 2.0 , x\n 3.5 , b , , 1E-2 , y ",
    ] {
        assert_eq!(rows(other), expected, "{other}");
    }
    let quoted = rows("observable,condition,time,value\n\"a \"\"b\"\", c\",x,1,2");
    assert_eq!(quoted.1[0].0, "a \"b\", c");
    let hash = rows("observable,condition,time,value\n\"#1\",x,1,2");
    assert_eq!(hash.1[0].0, "#1");
    let single = Measurements::parse("time;value;observable\n1;2;a\n0;3;a").unwrap();
    assert_eq!(single.conditions().len(), 1);
    assert_eq!(single.conditions()[0].name, "");
    assert_eq!(single.conditions()[0].times, [0.0, 1.0]);
}

/// ẋ = −θ₀ x from x = θ₁, with noise level 1.
struct Decay;

impl Dynamics for Decay {
    fn dims(&self) -> (usize, usize) {
        (1, 2)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[1];
    }
}

/// Two doses with equal times, whose lines are shuffled so that the larger comes first.
const SHUFFLED: &str = "observable,condition,time,value
x,high,2,4.1
x,low,1,0.8
x,high,1,6.2
x,low,2,0.3
";

/// −ln p of the four values, by the closed form x = dose exp(−θ t).
fn by_hand(rate: f64) -> f64 {
    let data = [
        (1.0, 1.0, 0.8),
        (1.0, 2.0, 0.3),
        (10.0, 1.0, 6.2),
        (10.0, 2.0, 4.1),
    ];
    let half = |(dose, t, y): (f64, f64, f64)| 0.5 * (y - dose * (-rate * t).exp()).powi(2);
    let constant = 0.5 * std::f64::consts::TAU.ln();
    data.into_iter().map(|datum| half(datum) + constant).sum()
}

#[test]
fn the_order_of_the_experiments_makes_no_difference() {
    let measured = Measurements::parse(SHUFFLED).unwrap();
    let x = Observable {
        name: "x",
        family: Family::Gaussian,
        noise: NoiseSource::Given(1.0),
    };
    let value = |experiments: Vec<Experiment>| {
        let model = Evolution::over(Decay, experiments).unwrap();
        let loss = measured.likelihood(&model, &[x]).unwrap();
        loss.value(&model.predict(&[0.4]).unwrap())
    };
    let at = |name: &str, dose| Experiment::new(vec![1.0, 2.0]).named(name).given(1, dose);
    let made = measured.conditions().iter().map(|condition| {
        let dose = if condition.name == "low" { 1.0 } else { 10.0 };
        condition.experiment().given(1, dose)
    });
    let spare = Experiment::new(vec![0.5, 1.0, 1.5, 2.0, 7.0]);
    for experiments in [
        made.collect(),
        vec![at("low", 1.0), at("high", 10.0)],
        vec![at("high", 10.0), at("low", 1.0)],
        vec![
            spare.clone().given(1, 3.0),
            spare.clone().named("low").given(1, 1.0),
            at("high", 10.0),
        ],
    ] {
        let found = value(experiments);
        assert!((found - by_hand(0.4)).abs() < 1e-7, "{found}");
    }
}

/// A condition before the start is a part of the name.
#[test]
fn conditions_make_experiments_with_their_names_and_times() {
    let measured = Measurements::parse(PETAB).unwrap();
    let conditions = measured.conditions().iter();
    let experiments: Vec<_> = conditions.map(|c| c.experiment()).collect();
    let names: Vec<&str> = experiments.iter().map(Experiment::name).collect();
    assert_eq!(names, ["low", "high after rest", "high"]);
    assert_eq!(experiments[1].times(), [1.0, f64::INFINITY]);
}
