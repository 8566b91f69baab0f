//! From the text of a request to the text of an answer.

use pullback::{Error, Result};
use serde_json::{Value, json};

use crate::answers::Answers;
use crate::wire::{Failure, Info, ModelInfo, Reason, Request, VERSION};

/// Functions of a server with their names.
pub(crate) type Functions<'a> = [(String, Box<dyn Answers + 'a>)];

/// Answer with its status in HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Failure of a request, with a type in words of the protocol.
struct Refusal {
    status: u16,
    kind: &'static str,
    message: String,
}

type Answered<T> = std::result::Result<T, Refusal>;

fn invalid(message: String) -> Refusal {
    Refusal {
        status: 400,
        kind: "InvalidInput",
        message,
    }
}

fn failed(error: &Error) -> Refusal {
    Refusal {
        status: 500,
        kind: "ModelFailure",
        message: error.to_string(),
    }
}

/// Answers a request.
pub(crate) fn answer(functions: &Functions<'_>, path: &str, body: &str) -> Answer {
    let found = match path {
        "/Info" => Ok(info(functions)),
        _ => about_model(functions, path, body),
    };
    match found {
        Ok(value) => Answer {
            status: 200,
            body: value.to_string(),
        },
        Err(refusal) => Answer {
            status: refusal.status,
            body: written(&refusal),
        },
    }
}

fn written(refusal: &Refusal) -> String {
    let failure = Failure {
        error: Reason {
            kind: refusal.kind.to_owned(),
            message: refusal.message.clone(),
        },
    };
    serde_json::to_string(&failure).unwrap_or_default()
}

fn info(functions: &Functions<'_>) -> Value {
    let info = Info {
        version: VERSION,
        models: functions.iter().map(|(name, _)| name.clone()).collect(),
    };
    json!(info)
}

fn about_model(functions: &Functions<'_>, path: &str, body: &str) -> Answered<Value> {
    let request: Request = serde_json::from_str(body).map_err(|reason| {
        invalid(format!(
            "the request is not what UM-Bridge 1.0 sends: {reason}"
        ))
    })?;
    let (_, function) = functions
        .iter()
        .find(|(name, _)| *name == request.name)
        .ok_or_else(|| Refusal {
            status: 400,
            kind: "ModelNotFound",
            message: format!("there is no model '{}'", request.name),
        })?;
    if !matches!(&request.config, Value::Null) && request.config != json!({}) {
        return Err(invalid(format!(
            "the model '{}' has no configuration; send an empty one",
            request.name
        )));
    }
    let (inputs, outputs) = function.sizes();
    match path {
        "/InputSizes" => Ok(json!({ "inputSizes": [inputs] })),
        "/OutputSizes" => Ok(json!({ "outputSizes": [outputs] })),
        "/ModelInfo" => Ok(json!(ModelInfo {
            support: function.support()
        })),
        _ => computed(function.as_ref(), path, &request),
    }
}

/// Computes values and derivatives.
fn computed(function: &dyn Answers, path: &str, request: &Request) -> Answered<Value> {
    let (inputs, outputs) = function.sizes();
    let theta = parameters(request, inputs)?;
    let covector = || vector("sens", request.sens.as_ref(), outputs);
    let direction = || vector("vec", request.vec.as_ref(), inputs);
    let found = match path {
        "/Evaluate" => {
            let values = finite(function.value(theta))?;
            return Ok(json!({ "output": [values] }));
        }
        "/Gradient" => {
            first(&[("outWrt", request.out_wrt), ("inWrt", request.in_wrt)])?;
            function.gradient(theta, covector()?)
        }
        "/ApplyJacobian" => {
            first(&[("outWrt", request.out_wrt), ("inWrt", request.in_wrt)])?;
            function.tangent(theta, direction()?)
        }
        "/ApplyHessian" => {
            first(&[
                ("outWrt", request.out_wrt),
                ("inWrt1", request.in_wrt1),
                ("inWrt2", request.in_wrt2),
            ])?;
            match function.curvature(theta, covector()?, direction()?) {
                Ok(None) => return Err(unsupported(&request.name)),
                Ok(Some(product)) => Ok(product),
                Err(error) => Err(error),
            }
        }
        unknown => {
            return Err(Refusal {
                status: 404,
                kind: "UnsupportedFeature",
                message: format!("there is nothing at {unknown}"),
            });
        }
    };
    Ok(json!({ "output": finite(found)? }))
}

fn unsupported(name: &str) -> Refusal {
    Refusal {
        status: 400,
        kind: "UnsupportedFeature",
        message: format!("the model '{name}' has no second derivatives"),
    }
}

/// Returns the parameters, which are one block.
fn parameters(request: &Request, expected: usize) -> Answered<&[f64]> {
    match request.input.as_deref() {
        Some([theta]) if theta.len() == expected => Ok(theta),
        Some([theta]) => Err(invalid(format!(
            "the input has {} numbers, but the model has {expected} parameters",
            theta.len()
        ))),
        Some(blocks) => Err(invalid(format!(
            "the input has {} blocks, but the model has one",
            blocks.len()
        ))),
        None => Err(invalid("the input is missing".to_owned())),
    }
}

fn vector<'r>(what: &str, given: Option<&'r Vec<f64>>, expected: usize) -> Answered<&'r [f64]> {
    let given = given.ok_or_else(|| invalid(format!("{what} is missing")))?;
    match given.len() == expected {
        true => Ok(given),
        false => Err(invalid(format!(
            "{what} has {} numbers, but needs {expected}",
            given.len()
        ))),
    }
}

/// Checks that blocks are the first and only ones.
fn first(blocks: &[(&str, Option<usize>)]) -> Answered<()> {
    match blocks.iter().find(|(_, block)| block.unwrap_or(0) != 0) {
        None => Ok(()),
        Some((what, _)) => Err(invalid(format!(
            "{what} must be 0, since there is one block"
        ))),
    }
}

/// Checks that numbers can be written in JSON.
fn finite(found: Result<Vec<f64>>) -> Answered<Vec<f64>> {
    let found = found.map_err(|error| failed(&error))?;
    match found.iter().position(|value| !value.is_finite()) {
        None => Ok(found),
        Some(index) => Err(Refusal {
            status: 500,
            kind: "InvalidOutput",
            message: format!(
                "the answer is {} at index {index}, which JSON cannot hold",
                found[index]
            ),
        }),
    }
}
