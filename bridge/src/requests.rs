//! Requests to a server.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;

use crate::error::Error;
use crate::wire::{Failure, Info, InputSizes, ModelInfo, OutputSizes, Product, Request, Values};
use crate::wire::{Support, VERSION};

/// Time to wait for a connection. An answer may take as long as the model needs.
const CONNECT: Duration = Duration::from_secs(10);

/// One model of a server.
pub(crate) struct Connection {
    agent: Agent,
    url: String,
    pub(crate) name: String,
    pub(crate) config: Value,
}

impl Connection {
    /// Opens a connection and checks that the server has the model.
    pub(crate) fn open(url: &str, name: &str) -> Result<Self, Error> {
        let settings = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            // Failures come with a description in the body.
            .http_status_as_error(false)
            .build();
        let connection = Self {
            agent: settings.into(),
            url: url.trim_end_matches('/').to_owned(),
            name: name.to_owned(),
            config: Value::Object(serde_json::Map::new()),
        };
        let info: Info = connection.read("Info", None)?;
        if info.version.trunc() != VERSION {
            let reason = format!("its protocol has version {}", info.version);
            return Err(connection.foreign("Info", reason));
        }
        match info.models.iter().any(|model| model == name) {
            true => Ok(connection),
            false => Err(Error::NoModel {
                url: connection.url,
                name: name.to_owned(),
                found: info.models,
            }),
        }
    }

    pub(crate) fn support(&self) -> Result<Support, Error> {
        let info: ModelInfo = self.read("ModelInfo", Some(Request::default()))?;
        Ok(info.support)
    }

    /// Returns the sizes of the blocks of inputs and of outputs.
    pub(crate) fn sizes(&self) -> Result<[Vec<usize>; 2], Error> {
        let inputs: InputSizes = self.read("InputSizes", Some(Request::default()))?;
        let outputs: OutputSizes = self.read("OutputSizes", Some(Request::default()))?;
        Ok([inputs.sizes, outputs.sizes])
    }

    pub(crate) fn evaluate(&self, request: Request) -> Result<Vec<Vec<f64>>, Error> {
        let values: Values = self.read("Evaluate", Some(request))?;
        Ok(values.output)
    }

    /// Asks for a product with a derivative: "Gradient", "ApplyJacobian" or "ApplyHessian". It has this length.
    pub(crate) fn product(
        &self,
        what: &'static str,
        request: Request,
        length: usize,
    ) -> Result<Vec<f64>, Error> {
        let product: Product = self.read(what, Some(request))?;
        self.sized(what, length, product.output.len())?;
        Ok(product.output)
    }

    /// Checks the length of an answer.
    pub(crate) fn sized(
        &self,
        what: &'static str,
        expected: usize,
        found: usize,
    ) -> Result<(), Error> {
        match expected == found {
            true => Ok(()),
            false => Err(Error::Size {
                name: self.name.clone(),
                what,
                expected,
                found,
            }),
        }
    }

    /// Sends a request, which gets the name of the model and the configuration, and reads the answer.
    fn read<T: DeserializeOwned>(&self, what: &str, request: Option<Request>) -> Result<T, Error> {
        let body = self.send(what, request)?;
        if let Ok(failure) = serde_json::from_str::<Failure>(&body) {
            return Err(Error::Refused {
                name: self.name.clone(),
                kind: failure.error.kind,
                message: failure.error.message,
            });
        }
        serde_json::from_str(&body).map_err(|reason| {
            let begin: String = body.chars().take(80).collect();
            self.foreign(
                what,
                format!("{reason} in an answer that begins with '{begin}'"),
            )
        })
    }

    fn send(&self, what: &str, request: Option<Request>) -> Result<String, Error> {
        let url = format!("{}/{what}", self.url);
        let answer = match request {
            None => self.agent.get(&url).call(),
            Some(request) => self
                .agent
                .post(&url)
                .content_type("application/json")
                .send(self.written(request)),
        };
        let text = answer.and_then(|mut answer| {
            answer
                .body_mut()
                .with_config()
                .limit(u64::MAX)
                .read_to_string()
        });
        text.map_err(|reason| Error::Unreachable {
            url,
            reason: reason.to_string(),
        })
    }

    fn written(&self, mut request: Request) -> String {
        request.name.clone_from(&self.name);
        request.config.clone_from(&self.config);
        serde_json::to_string(&request).unwrap_or_default()
    }

    fn foreign(&self, what: &str, reason: String) -> Error {
        Error::Foreign {
            url: format!("{}/{what}", self.url),
            reason,
        }
    }
}
