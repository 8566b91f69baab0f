//! Runs that are taken step by step. Each lives in a thread of its own, with the descent that it borrows from.

use std::path::PathBuf;
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pullback::descent::{Run, Saved};
use pullback::{Descent, Error, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::vector;
use crate::descend::{Parts, Settings};
use crate::error::{in_python, in_python_words, raise};
use crate::objective::Loss;
use crate::outcome::{Outcome, history};
use crate::threads;
use crate::watch::{Interruptible, Watch};

/// Time between two looks for Ctrl-C while a step is taken.
const INTERVAL: Duration = Duration::from_millis(20);

/// What a session asks its thread.
enum Request {
    /// Takes a step.
    Step,
    /// Returns the run at rest.
    Saved,
    /// Returns the outcome, with the uncertainty if it was asked for.
    Outcome,
}

/// What the thread answers.
enum Answer {
    /// The run stands at a point, or has ended there.
    Point(Point),
    Saved(Box<Saved>),
    Outcome(Box<Outcome>),
}

/// Current point of a run.
#[derive(Clone)]
struct Point {
    theta: Vec<f64>,
    loss: f64,
    /// Name and message of the reason for stopping, once the run has ended.
    stop: Option<(&'static str, String)>,
}

/// Run in progress.
#[pyclass(frozen, module = "pullback._pullback")]
pub(crate) struct Session {
    channels: Mutex<Channels>,
    point: Mutex<Point>,
    watch: Arc<Watch>,
    /// Process of the thread.
    process: u32,
}

/// Ways to the thread and back. One lock for both gives every request its own answer.
struct Channels {
    requests: Sender<Request>,
    answers: Receiver<Result<Answer>>,
}

#[pymethods]
impl Session {
    /// Begins a run at `theta0`, or resumes one from the bytes `saved`.
    #[new]
    fn new(
        model: &Bound<'_, PyAny>,
        loss: &Loss,
        theta0: &Bound<'_, PyAny>,
        settings: Settings<'_>,
        saved: Option<&[u8]>,
    ) -> PyResult<Self> {
        let watch = Arc::new(Watch::new());
        let start = vector("theta0", theta0)?;
        let saved = saved.map(Saved::from_bytes).transpose().map_err(raise)?;
        let parts = Parts::new(model, loss, settings, &watch)?;
        let (requests, asked) = channel();
        let (answer, answers) = channel();
        let pool = threads::own_pool()?;
        let watching = Arc::clone(&watch);
        // The thread ends when the session is gone, and with it the sender of requests.
        let work = move || {
            let backend = Interruptible::new(&watching);
            let worker = Worker {
                descent: parts.descent(&backend),
                parts: &parts,
                backend: &backend,
                watch: &watching,
            };
            worker.serve(&asked, &answer, saved.ok_or(start));
        };
        thread::Builder::new()
            .name("pullback run".to_string())
            .spawn(move || match pool {
                Some(pool) => pool.install(work),
                None => work(),
            })?;
        let session = Self {
            channels: Mutex::new(Channels { requests, answers }),
            point: Mutex::new(Point {
                theta: Vec::new(),
                loss: f64::NAN,
                stop: None,
            }),
            watch,
            process: process::id(),
        };
        session.ask(model.py(), None)?;
        Ok(session)
    }

    /// Takes a step. Returns the reason for stopping once the run has ended.
    fn step(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        self.ask(py, Some(Request::Step))?;
        Ok(self.point().stop.map(|(name, _)| name))
    }

    #[getter]
    fn theta<'py>(&self, py: Python<'py>) -> Bound<'py, numpy::PyArray1<f64>> {
        numpy::PyArray1::from_vec(py, self.point().theta)
    }

    #[getter]
    fn loss(&self) -> f64 {
        self.point().loss
    }

    /// Name and message of the reason for stopping, once the run has ended.
    #[getter]
    fn stop(&self) -> Option<(&'static str, String)> {
        self.point().stop
    }

    /// Returns the iterates by columns.
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match self.ask(py, Some(Request::Saved))? {
            Some(Answer::Saved(saved)) => history(py, saved.history()),
            _ => Err(lost()),
        }
    }

    /// Returns the run at rest as bytes.
    fn saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match self.ask(py, Some(Request::Saved))? {
            Some(Answer::Saved(saved)) => {
                let bytes = py.detach(|| saved.to_bytes()).map_err(raise)?;
                Ok(PyBytes::new(py, &bytes))
            }
            _ => Err(lost()),
        }
    }

    /// Writes the run to a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        match self.ask(py, Some(Request::Saved))? {
            Some(Answer::Saved(saved)) => py.detach(|| saved.write(path)).map_err(raise),
            _ => Err(lost()),
        }
    }

    /// Returns the outcome so far, as `descend` does.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match self.ask(py, Some(Request::Outcome))? {
            Some(Answer::Outcome(outcome)) => {
                let dictionary = outcome.dictionary(py)?;
                in_python_words(&dictionary)?;
                dictionary.set_item("interrupted", false)?;
                Ok(dictionary)
            }
            _ => Err(lost()),
        }
    }
}

impl Session {
    fn point(&self) -> Point {
        let point = self.point.lock();
        point.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes a request to the thread, waits for its answer without the interpreter lock, and keeps a point. Without a request it waits
    /// for the first point. Python handles signals in its main thread only, so that Ctrl-C is noticed here and not by the thread of the
    /// run.
    fn ask(&self, py: Python<'_>, request: Option<Request>) -> PyResult<Option<Answer>> {
        if self.process != process::id() {
            return Err(lost());
        }
        py.detach(|| {
            let channels = self.channels.lock();
            let channels = channels.unwrap_or_else(PoisonError::into_inner);
            if let Some(request) = request {
                channels.requests.send(request).map_err(|_| lost())?;
            }
            let answer = loop {
                match channels.answers.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => self.watch.check_signals(),
                    other => break other.map_err(|_| lost())?,
                }
            };
            // A step that was taken counts, even if Ctrl-C came at its end.
            let answer = answer.map(|answer| match answer {
                Answer::Point(point) => {
                    *self.point.lock().unwrap_or_else(PoisonError::into_inner) = point;
                    None
                }
                other => Some(other),
            });
            self.watch.conclude(answer)
        })
    }
}

/// Returns the exception of a thread that is gone, as in a process that was forked.
fn lost() -> PyErr {
    PyRuntimeError::new_err(
        "the run has no thread in this process, which was forked; pickle the run before, or save it and load it here",
    )
}

/// Descent in the thread of a session.
struct Worker<'a> {
    descent: Descent<'a>,
    parts: &'a Parts,
    backend: &'a Interruptible<'a>,
    watch: &'a Watch,
}

impl<'a> Worker<'a> {
    /// Begins at the start or resumes what was saved, and answers requests until there are no more.
    fn serve(
        &self,
        asked: &Receiver<Request>,
        answer: &Sender<Result<Answer>>,
        from: std::result::Result<Saved, Vec<f64>>,
    ) {
        let begun = match &from {
            Ok(saved) => self.descent.resume(saved),
            Err(start) => self.descent.begin(start),
        };
        let begun = begun.and_then(|run| Ok((run.saved()?, run)));
        let (mut before, mut run) = match begun {
            Ok((saved, run)) => (saved, Some(run)),
            Err(error) => {
                // If nobody waits for the answer, there is nobody to tell.
                let _ = answer.send(Err(error));
                return;
            }
        };
        let mut next = run.as_ref().map(point).map(Ok);
        loop {
            let reply = match next.take() {
                Some(begun) => begun,
                None => match asked.recv() {
                    Ok(request) => self.reply(&request, &mut run, &mut before),
                    Err(_) => return,
                },
            };
            if answer.send(reply).is_err() {
                return;
            }
        }
    }

    /// Answers a request. `before` is the run before its last step.
    fn reply(
        &self,
        request: &Request,
        slot: &mut Option<Run<'a>>,
        before: &mut Saved,
    ) -> Result<Answer> {
        let run = match slot {
            Some(run) => run,
            // The last step was interrupted, and its trials were rejected for that reason alone. The run goes on from before.
            None => slot.insert(self.descent.resume(before)?),
        };
        match request {
            Request::Saved => Ok(Answer::Saved(Box::new(run.saved()?))),
            Request::Outcome => {
                let mut outcome = Outcome::new(run.report(), false);
                self.parts
                    .complete(&mut outcome, &self.descent, self.backend)?;
                Ok(Answer::Outcome(Box::new(outcome)))
            }
            Request::Step => {
                *before = run.saved()?;
                let stepped = run.step();
                if self.watch.raised() {
                    *slot = None;
                    return Err(interrupted());
                }
                stepped?;
                Ok(point(run))
            }
        }
    }
}

/// Returns the error of a step with an exception, which the watch has kept.
fn interrupted() -> Error {
    Error::custom("the step raised an exception")
}

fn point(run: &Run<'_>) -> Answer {
    Answer::Point(Point {
        theta: run.theta().to_vec(),
        loss: run.loss(),
        stop: run
            .stop()
            .map(|stop| (stop.name(), in_python(&stop.to_string()))),
    })
}

/// Returns the parameters of a saved run and its bytes.
#[pyfunction]
pub(crate) fn saved_theta<'py>(
    py: Python<'py>,
    path: PathBuf,
) -> PyResult<(Bound<'py, numpy::PyArray1<f64>>, Bound<'py, PyBytes>)> {
    let read =
        || Saved::read(&path).and_then(|saved| Ok((saved.theta().to_vec(), saved.to_bytes()?)));
    let (theta, bytes) = py.detach(read).map_err(raise)?;
    Ok((
        numpy::PyArray1::from_vec(py, theta),
        PyBytes::new(py, &bytes),
    ))
}
