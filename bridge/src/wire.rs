//! Messages of the protocol UM-Bridge 1.0, as they are written in JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the protocol.
pub(crate) const VERSION: f64 = 1.0;

/// What a server has.
#[derive(Deserialize, Serialize)]
pub(crate) struct Info {
    #[serde(rename = "protocolVersion")]
    pub(crate) version: f64,
    pub(crate) models: Vec<String>,
}

/// What a model computes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Support {
    pub(crate) evaluate: bool,
    pub(crate) gradient: bool,
    pub(crate) apply_jacobian: bool,
    pub(crate) apply_hessian: bool,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct ModelInfo {
    pub(crate) support: Support,
}

#[derive(Deserialize)]
pub(crate) struct InputSizes {
    #[serde(rename = "inputSizes")]
    pub(crate) sizes: Vec<usize>,
}

#[derive(Deserialize)]
pub(crate) struct OutputSizes {
    #[serde(rename = "outputSizes")]
    pub(crate) sizes: Vec<usize>,
}

/// Values of a model, a vector for every block of its output.
#[derive(Deserialize)]
pub(crate) struct Values {
    pub(crate) output: Vec<Vec<f64>>,
}

/// Product with a derivative of a model.
#[derive(Deserialize)]
pub(crate) struct Product {
    pub(crate) output: Vec<f64>,
}

/// Failure.
#[derive(Deserialize, Serialize)]
pub(crate) struct Failure {
    pub(crate) error: Reason,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Reason {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// Request about a model. Which entries there are depends on what is asked for.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Vec<Vec<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) out_wrt: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_wrt: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_wrt1: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_wrt2: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sens: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vec: Option<Vec<f64>>,
    pub(crate) config: Value,
}
