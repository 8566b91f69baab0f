//! A server written for the tests alone, with several blocks and only some of the derivatives.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// What the server computes of the function
///
/// ```text
/// F(a, (b, c)) = ((a b, c²), (a + sin b, ), ())
/// ```
///
/// with inputs in two blocks, and outputs in three, of which the last is empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct ByHand {
    pub(crate) gradient: bool,
    pub(crate) jacobian: bool,
    pub(crate) hessian: bool,
    /// Returns a value too few.
    pub(crate) short: bool,
}

pub(crate) fn values(theta: &[f64]) -> [f64; 3] {
    let &[a, b, c] = theta else { panic!() };
    [a * b, c * c, a + b.sin()]
}

pub(crate) fn jacobian(theta: &[f64]) -> [[f64; 3]; 3] {
    let &[a, b, c] = theta else { panic!() };
    [[b, a, 0.0], [0.0, 0.0, 2.0 * c], [1.0, b.cos(), 0.0]]
}

/// Second derivative of output `i`.
pub(crate) fn hessian(theta: &[f64], i: usize) -> [[f64; 3]; 3] {
    let mut h = [[0.0; 3]; 3];
    match i {
        0 => (h[0][1], h[1][0]) = (1.0, 1.0),
        1 => h[2][2] = 2.0,
        _ => h[1][1] = -theta[1].sin(),
    }
    h
}

const INPUTS: [(usize, usize); 2] = [(0, 1), (1, 3)];
const OUTPUTS: [(usize, usize); 3] = [(0, 2), (2, 3), (3, 3)];

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

impl ByHand {
    /// Runs a client beside this server. Returns what the client returns and the number of requests for values or derivatives.
    pub(crate) fn beside<T>(self, client: impl FnOnce(&str) -> T) -> (T, usize) {
        let http = tiny_http::Server::http("127.0.0.1:0").unwrap();
        let url = format!("http://{}", http.server_addr());
        let (stopped, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
        let found = std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    while !stopped.load(Ordering::Relaxed) {
                        if let Ok(Some(request)) = http.recv_timeout(Duration::from_millis(20)) {
                            requests.fetch_add(self.answer(request), Ordering::Relaxed);
                        }
                    }
                });
            }
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(&url)));
            stopped.store(true, Ordering::Relaxed);
            found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (found, requests.into_inner())
    }

    fn answer(self, mut request: tiny_http::Request) -> usize {
        let mut body = String::new();
        request.as_reader().read_to_string(&mut body).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let (answer, counts) = match request.url() {
            "/Info" => (
                json!({ "protocolVersion": 1.0, "models": ["other", "by hand"] }),
                0,
            ),
            "/ModelInfo" => (self.support(), 0),
            "/InputSizes" => (json!({ "inputSizes": [1, 2] }), 0),
            "/OutputSizes" => (json!({ "outputSizes": [2, 1, 0] }), 0),
            path => (self.computed(path, &body), 1),
        };
        request
            .respond(tiny_http::Response::from_string(answer.to_string()))
            .unwrap();
        counts
    }

    fn support(self) -> Value {
        json!({ "support": {
            "Evaluate": true,
            "Gradient": self.gradient,
            "ApplyJacobian": self.jacobian,
            "ApplyHessian": self.hessian,
        }})
    }

    fn computed(self, path: &str, body: &Value) -> Value {
        assert_eq!(body["name"], "by hand");
        let blocks = body["input"].as_array().unwrap();
        let theta: Vec<f64> = blocks.iter().flat_map(numbers).collect();
        if theta[0] > 100.0 {
            return json!({ "error": { "type": "ModelError", "message": "a is too large" } });
        }
        let block = |what: &str, all: &[(usize, usize)]| all[body[what].as_u64().unwrap() as usize];
        let all = jacobian(&theta);
        let output = match path {
            "/Evaluate" => {
                let [x, y, z] = values(&theta);
                return match self.short {
                    true => json!({ "output": [[x], [z], []] }),
                    false => json!({ "output": [[x, y], [z], []] }),
                };
            }
            "/Gradient" => {
                assert!(self.gradient);
                let (rows, columns) = (block("outWrt", &OUTPUTS), block("inWrt", &INPUTS));
                let sens = numbers(&body["sens"]);
                let entry = |j: usize| {
                    (rows.0..rows.1)
                        .map(|i| sens[i - rows.0] * all[i][j])
                        .sum::<f64>()
                };
                (columns.0..columns.1).map(entry).collect::<Vec<_>>()
            }
            "/ApplyJacobian" => {
                assert!(self.jacobian);
                let (rows, columns) = (block("outWrt", &OUTPUTS), block("inWrt", &INPUTS));
                let vec = numbers(&body["vec"]);
                let entry = |i: usize| {
                    (columns.0..columns.1)
                        .map(|j| vec[j - columns.0] * all[i][j])
                        .sum::<f64>()
                };
                (rows.0..rows.1).map(entry).collect()
            }
            "/ApplyHessian" => {
                assert!(self.hessian);
                let rows = block("outWrt", &OUTPUTS);
                let (first, second) = (block("inWrt1", &INPUTS), block("inWrt2", &INPUTS));
                let (sens, vec) = (numbers(&body["sens"]), numbers(&body["vec"]));
                let entry = |j: usize| {
                    let terms =
                        (rows.0..rows.1).flat_map(|i| (second.0..second.1).map(move |l| (i, l)));
                    terms
                        .map(|(i, l)| {
                            sens[i - rows.0] * vec[l - second.0] * hessian(&theta, i)[j][l]
                        })
                        .sum::<f64>()
                };
                (first.0..first.1).map(entry).collect()
            }
            unknown => panic!("{unknown}"),
        };
        json!({ "output": output })
    }
}
