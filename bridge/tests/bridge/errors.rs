//! Connections that cannot be made.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback_umbridge::{Error, Remote, Server};

use crate::beside;

struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
        out[1] = theta[0] * 2.0;
    }
}

fn kind(url: &str, name: &str) -> Error {
    let error = Remote::connect(url, name).map(|_| ()).unwrap_err();
    error.of::<Error>().unwrap().clone()
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let error = kind("http://127.0.0.1:9", "line");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("check that the server is running"),
        "{error}"
    );
    for url in ["", "127.0.0.1", "ftp://127.0.0.1", "http://"] {
        assert!(
            matches!(kind(url, "line"), Error::Unreachable { .. }),
            "{url}"
        );
    }
}

#[test]
fn a_server_of_something_else_is_told() {
    let http = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", http.server_addr());
    for answer in [
        "<html>hello</html>",
        "{}",
        r#"{"protocolVersion": 2.0, "models": ["line"]}"#,
    ] {
        let found = std::thread::scope(|threads| {
            threads.spawn(|| {
                http.recv()
                    .unwrap()
                    .respond(tiny_http::Response::from_string(answer))
            });
            kind(&url, "line")
        });
        assert!(matches!(found, Error::Foreign { .. }), "{answer}: {found}");
    }
}

#[test]
fn a_model_that_is_not_there_is_told_with_those_that_are() {
    let model = Curve::new(Line);
    beside(Server::new().model("line", &model), |listening| {
        let error = kind(&listening.url(), "lines");
        assert!(
            error.to_string().contains("no model 'lines', but 'line'"),
            "{error}"
        );
    });
    beside(Server::new(), |listening| {
        let error = kind(&listening.url(), "line");
        assert!(error.to_string().contains("but none at all"), "{error}");
    });
}

#[test]
fn an_address_in_use_is_told() {
    let model = Curve::new(Line);
    let listening = Server::new()
        .model("line", &model)
        .listen("127.0.0.1:0")
        .unwrap();
    let address = listening.url().replace("http://", "");
    for address in [address.as_str(), "nonsense", "256.0.0.1:1"] {
        let error = Server::new().listen(address).map(|_| ()).unwrap_err();
        assert!(
            matches!(error.of::<Error>(), Some(Error::Address { .. })),
            "{error}"
        );
    }
}
