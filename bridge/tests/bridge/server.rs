//! Answers of our server, and both ends together.

use pullback::automatic::{Automatic, Equation, Scalar};
use pullback::faer::{MatRef, mat};
use pullback::{Bounds, Cpu, Descent, Linearisation, Model, loss::L2Misfit, verify};
use pullback_umbridge::{Remote, Server};
use serde_json::json;

use crate::{beside, post};

/// Kepler's equation ρᵢ − e sin ρᵢ = n tᵢ at the times 1, 2, 3, with θ = (e, n).
struct Kepler;

impl Equation for Kepler {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], g: &mut [S]) {
        for i in 0..3 {
            g[i] = rho[i] - theta[0] * rho[i].sin() - theta[1] * (i + 1) as f64;
        }
    }
}

const THETA: [f64; 2] = [0.3, 0.5];

#[test]
fn both_ends_give_the_numbers_of_the_model() {
    let model = Automatic::new(Kepler);
    beside(
        Server::new().model("kepler", &model).threads(2),
        |listening| {
            let remote = Remote::connect(&listening.url(), "kepler")
                .unwrap()
                .parallel(2);
            let cpu = Cpu::default();
            let (mut rho, mut far) = ([0.0; 3], [0.0; 3]);
            model.solve(&THETA, &mut rho, &cpu).unwrap();
            remote.solve(&THETA, &mut far, &cpu).unwrap();
            assert_eq!(rho, far);
            let v = mat![[0.3, 1.0], [-0.8, 0.1]];
            let w = mat![[0.2, 1.0], [1.5, -1.0], [0.7, 0.4]];
            let here = Linearisation::new(&model, &rho, &THETA, &cpu).unwrap();
            let there = Linearisation::new(&remote, &rho, &THETA, &cpu).unwrap();
            assert!(
                (here.tangent(v.as_ref()).unwrap() - there.tangent(v.as_ref()).unwrap()).norm_max()
                    < 1e-15
            );
            assert!(
                (here.adjoint(w.as_ref()).unwrap() - there.adjoint(w.as_ref()).unwrap()).norm_max()
                    < 1e-15
            );
            assert!(verify::model(&remote, &THETA, 1).unwrap().passed());
        },
    );
}

#[test]
fn second_derivatives_pass_through() {
    let model = Automatic::new(Kepler);
    beside(Server::new().model("kepler", &model), |listening| {
        let remote = Remote::connect(&listening.url(), "kepler").unwrap();
        let cpu = Cpu::default();
        let z = remote.linearise(&[0.0; 3], &THETA, &cpu).unwrap();
        let (w, v) = ([0.4, -1.0, 0.6], mat![[0.7], [-0.2]]);
        let curvature = z.curvature(&w).unwrap().unwrap();
        let [_, found] = curvature
            .terms(v.as_ref(), MatRef::from_column_major_slice(&[0.0; 3], 3, 1))
            .unwrap();
        // Differences of Jᵀw along v: h² is their error.
        let pulled = |sign: f64| {
            let h = 1e-5 * sign;
            let theta = [THETA[0] + h * v[(0, 0)], THETA[1] + h * v[(1, 0)]];
            let mut rho = [0.0; 3];
            model.solve(&theta, &mut rho, &cpu).unwrap();
            Linearisation::new(&model, &rho, &theta, &cpu)
                .unwrap()
                .pull_back(&w)
                .unwrap()
        };
        let (above, below) = (pulled(1.0), pulled(-1.0));
        for j in 0..2 {
            let expected = (above[j] - below[j]) / 2e-5;
            assert!(
                (found[(j, 0)] - expected).abs() < 1e-8,
                "{} {expected}",
                found[(j, 0)]
            );
        }
    });
}

#[test]
fn a_posterior_is_minus_the_objective_and_lowest_outside_the_bounds() {
    let model = Automatic::new(Kepler);
    let loss = L2Misfit::euclidean(vec![0.7, 1.3, 1.8]).unwrap();
    let bounds = Bounds::new(vec![0.0, 0.0], vec![0.9, 2.0]).unwrap();
    let descent = Descent::new(&model, &loss).bounds(&bounds);
    beside(Server::new().posterior("kepler", &descent), |listening| {
        let ask = |path: &str, theta: [f64; 2], more: (&str, serde_json::Value)| {
            let mut body = json!({ "name": "kepler", "input": [theta], "config": {}, "outWrt": 0, "inWrt": 0 });
            body[more.0] = more.1;
            let (status, answer) = post(&listening.url(), path, &body.to_string());
            assert_eq!(status, 200, "{answer}");
            answer["output"].clone()
        };
        let none = || ("more", json!(0));
        let evaluation = descent.gradient(&THETA).unwrap();
        assert_eq!(evaluation.value, descent.objective(&THETA).unwrap());
        assert_eq!(ask("Evaluate", THETA, none()), json!([[-evaluation.value]]));
        let gradient = ask("Gradient", THETA, ("sens", json!([2.0])));
        let expected: Vec<f64> = evaluation.gradient.iter().map(|g| -2.0 * g).collect();
        assert_eq!(gradient, json!(expected));
        let along = ask("ApplyJacobian", THETA, ("vec", json!([1.0, 0.0])));
        assert_eq!(along, json!([-evaluation.gradient[0]]));
        assert_eq!(ask("Evaluate", [0.95, 0.5], none()), json!([[f64::MIN]]));
        assert_eq!(
            ask("Gradient", [0.95, 0.5], ("sens", json!([1.0]))),
            json!([-0.0, -0.0])
        );
    });
}

#[test]
fn answers_do_not_depend_on_earlier_requests() {
    let model = Automatic::new(Kepler);
    beside(Server::new().model("kepler", &model), |listening| {
        let ask = |theta: [f64; 2]| {
            let body = json!({ "name": "kepler", "input": [theta] });
            post(&listening.url(), "Evaluate", &body.to_string()).1
        };
        let first = ask(THETA);
        ask([0.8, 1.9]);
        assert_eq!(ask(THETA), first);
    });
}

#[test]
fn wrong_requests_are_refused_in_words() {
    let model = Automatic::new(Kepler);
    beside(Server::new().model("kepler", &model), |listening| {
        let cases = [
            (
                "Evaluate",
                json!({ "name": "newton", "input": [[0.3, 0.5]] }),
                "ModelNotFound",
                "no model 'newton'",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler" }),
                "InvalidInput",
                "the input is missing",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": [[0.3]] }),
                "InvalidInput",
                "1 numbers",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": [[0.3], [0.5]] }),
                "InvalidInput",
                "2 blocks",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": 3 }),
                "InvalidInput",
                "not what UM-Bridge",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": [[0.3, "x"]] }),
                "InvalidInput",
                "not what UM-Bridge",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": [[0.3, 0.5]], "config": { "level": 1 } }),
                "InvalidInput",
                "no configuration",
            ),
            (
                "Gradient",
                json!({ "name": "kepler", "input": [[0.3, 0.5]] }),
                "InvalidInput",
                "sens is missing",
            ),
            (
                "Gradient",
                json!({ "name": "kepler", "input": [[0.3, 0.5]], "sens": [1.0] }),
                "InvalidInput",
                "needs 3",
            ),
            (
                "Gradient",
                json!({ "name": "kepler", "input": [[0.3, 0.5]], "sens": [1.0, 1.0, 1.0], "inWrt": 1 }),
                "InvalidInput",
                "inWrt must be 0",
            ),
            (
                "ApplyJacobian",
                json!({ "name": "kepler", "input": [[0.3, 0.5]] }),
                "InvalidInput",
                "vec is missing",
            ),
            (
                "Evaluate",
                json!({ "name": "kepler", "input": [[1e308, 1e308]] }),
                "ModelFailure",
                "",
            ),
            (
                "Sample",
                json!({ "name": "kepler", "input": [[0.3, 0.5]] }),
                "UnsupportedFeature",
                "nothing at /Sample",
            ),
        ];
        for (path, body, kind, message) in cases {
            let (status, answer) = post(&listening.url(), path, &body.to_string());
            let error = &answer["error"];
            assert!(
                status >= 400 && error["type"] == kind,
                "{body}: {status} {answer}"
            );
            assert!(
                error["message"].as_str().unwrap().contains(message),
                "{body}: {answer}"
            );
        }
        let (status, answer) = post(&listening.url(), "Evaluate", "no JSON");
        assert!(
            status == 400 && answer["error"]["type"] == "InvalidInput",
            "{answer}"
        );
    });
}
