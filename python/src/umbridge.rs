//! Models of other programs, and models for other programs, over UM-Bridge.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

use pullback::{Cpu, Model};
use pullback_umbridge::{Remote, Server};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::descend::{Parts, Settings, model_of};
use crate::error::raise;
use crate::objective::Loss;
use crate::ready::ReadyModel;
use crate::stopping::Stopping;
use crate::watch::Watch;

/// Model of a server, and how to use it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Address {
    url: String,
    name: String,
    /// Configuration in JSON.
    config: Option<String>,
    parallel: usize,
    differences: Option<f64>,
}

impl Address {
    fn connect(&self, config: Option<serde_json::Value>) -> pullback::Result<Remote> {
        let mut model = Remote::connect(&self.url, &self.name)?.parallel(self.parallel);
        if let Some(config) = config {
            model = model.configured(config)?;
        }
        Ok(match self.differences {
            Some(step) => model.differences(step),
            None => model,
        })
    }
}

/// Connects with a model of a server.
#[pyfunction]
pub(crate) fn remote(py: Python<'_>, address: Address) -> PyResult<ReadyModel> {
    let config = address.config.as_deref().map(serde_json::from_str);
    let config = config.transpose();
    let config = config.map_err(|reason| PyValueError::new_err(format!("config: {reason}")))?;
    let model = py.detach(|| address.connect(config)).map_err(raise)?;
    let shape = vec![model.state_dim()];
    Ok(ReadyModel::new(model, shape))
}

/// Returns a model that forgets exceptions of earlier requests.
fn forgetful(model: Arc<dyn Model + Send + Sync>, watch: Arc<Watch>) -> Stopping {
    Stopping {
        model,
        watch,
        forgetful: true,
    }
}

/// What a server answers for.
struct Functions {
    models: Vec<(String, Stopping)>,
    posteriors: Vec<(String, Parts)>,
}

/// Objects with their names and, for posteriors, what belongs to them.
type Named<T> = Vec<(String, T)>;

impl Functions {
    /// Answers requests until a message comes. Sends the address, or why there is none, first.
    fn serve(
        &self,
        (address, threads): (&str, usize),
        started: &Sender<pullback::Result<String>>,
        stop: &Receiver<()>,
    ) {
        let cpu = Cpu::default();
        let posteriors = self.posteriors.iter();
        let descents: Vec<_> = posteriors
            .map(|(name, parts)| (name, parts.descent(&cpu)))
            .collect();
        let mut server = Server::new().threads(threads);
        for (name, model) in &self.models {
            server = server.model(name, model);
        }
        for (name, descent) in &descents {
            server = server.posterior(name, descent);
        }
        let listening = match server.listen(address) {
            Ok(listening) => listening,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(Ok(listening.url())).is_ok() {
            std::thread::scope(|threads| {
                threads.spawn(|| listening.serve());
                // The other end is dropped, or says that it is enough.
                let _ = stop.recv();
                listening.stop();
            });
        }
    }
}

/// Server that answers in a thread of its own.
#[pyclass(frozen, module = "pullback")]
pub(crate) struct Serving {
    #[pyo3(get)]
    url: String,
    running: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

#[pymethods]
impl Serving {
    #[new]
    fn new(
        py: Python<'_>,
        models: Named<Bound<'_, PyAny>>,
        posteriors: Named<(Bound<'_, PyAny>, PyRef<'_, Loss>, Settings<'_>)>,
        address: String,
        threads: usize,
    ) -> PyResult<Self> {
        let mut functions = Functions {
            models: Vec::new(),
            posteriors: Vec::new(),
        };
        for (name, object) in models {
            let watch = Arc::new(Watch::new());
            let (model, _) = model_of(&object, &watch)?;
            functions.models.push((name, forgetful(model, watch)));
        }
        for (name, (object, loss, settings)) in posteriors {
            let watch = Arc::new(Watch::new());
            let mut parts = Parts::new(&object, &loss, settings, &watch)?;
            parts.model = Arc::new(forgetful(parts.model, watch));
            functions.posteriors.push((name, parts));
        }
        let (started, start) = channel();
        let (enough, stop) = channel();
        let thread = spawn(move || functions.serve((&address, threads), &started, &stop));
        let url = py.detach(move || start.recv());
        let url = url.map_err(|_| PyRuntimeError::new_err("the server ended before it began"))?;
        Ok(Self {
            url: url.map_err(raise)?,
            running: Mutex::new(Some((enough, thread))),
        })
    }

    /// Ends the server, after the requests that are being answered.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            let running = self.running.lock().ok().and_then(|mut slot| slot.take());
            if let Some((enough, thread)) = running {
                let _ = enough.send(());
                let _ = thread.join();
            }
        });
    }
}
