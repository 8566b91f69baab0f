//! Server of models and posteriors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pullback::{Cpu, Descent, Model, Result};
use tiny_http::{Header, Response};

use crate::answers::{Answers, LogDensity, State};
use crate::dispatch::answer;
use crate::error::Error;

/// Largest time for which a thread waits before it looks whether the server was stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// Server that answers for models and for posteriors.
///
/// ```no_run
/// use pullback::models::{GaussianMixture, Parameter};
/// use pullback::{Descent, Grid, Noise, Operator, loss::Observations};
/// use pullback_umbridge::Server;
///
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let loss = Observations::new(Operator::identity(100), mixture.density(&[0.5])?, Noise::uniform(100, 0.01)?)?;
/// let descent = Descent::new(&mixture, &loss);
/// let server = Server::new().model("density", &mixture).posterior("posterior", &descent).threads(2);
/// let listening = server.listen("127.0.0.1:4242")?;
/// println!("listening on {}", listening.url());
/// listening.serve();
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Default)]
pub struct Server<'a> {
    functions: Vec<(String, Box<dyn Answers + 'a>)>,
    threads: usize,
}

impl<'a> Server<'a> {
    /// Creates a server without models.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model: its input is θ, its output the state ρ(θ). A model of the same name is replaced.
    pub fn model(self, name: &str, model: &'a dyn Model) -> Self {
        let cpu = Cpu::default();
        self.with(name, Box::new(State { model, cpu }))
    }

    /// Adds the logarithm of a density up to a constant: its input is θ, its output is −f(ρ(θ)) − R(θ), the negative objective of
    /// a descent. A function of the same name is replaced.
    ///
    /// It is the logarithm of a posterior density if the loss is a negative log-likelihood. Outside the bounds of the descent it
    /// is the lowest finite number in place of −∞, which JSON does not have. Transforms do not change it: the density is that of
    /// θ itself.
    pub fn posterior(self, name: &str, descent: &'a Descent<'a>) -> Self {
        self.with(name, Box::new(LogDensity { descent }))
    }

    /// Answers up to `count` requests at a time. The default is 1.
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = count;
        self
    }

    /// Begins to listen on an address such as `127.0.0.1:4242`. With port 0 the system chooses a free one.
    ///
    /// Anyone who reaches the address can use the models: listen on `127.0.0.1` unless the network is closed.
    ///
    /// # Errors
    /// Fails with [`Error::Address`] if the address is not valid, or in use.
    pub fn listen(self, address: &str) -> Result<Listening<'a>> {
        let http = tiny_http::Server::http(address).map_err(|reason| Error::Address {
            address: address.to_owned(),
            reason: reason.to_string(),
        })?;
        Ok(Listening {
            server: self,
            http,
            stopped: AtomicBool::new(false),
        })
    }

    fn with(mut self, name: &str, function: Box<dyn Answers + 'a>) -> Self {
        self.functions.retain(|(other, _)| other != name);
        self.functions.push((name.to_owned(), function));
        self
    }
}

/// Server that listens on an address, made by [`Server::listen`].
pub struct Listening<'a> {
    server: Server<'a>,
    http: tiny_http::Server,
    stopped: AtomicBool,
}

impl Listening<'_> {
    /// Returns the address for clients, such as `http://127.0.0.1:4242`.
    pub fn url(&self) -> String {
        format!("http://{}", self.http.server_addr())
    }

    /// Answers requests until [`stop`](Self::stop) is called by another thread.
    pub fn serve(&self) {
        std::thread::scope(|threads| {
            for _ in 1..self.server.threads {
                threads.spawn(|| self.answer_all());
            }
            self.answer_all();
        });
    }

    /// Ends [`serve`](Self::serve), after the requests that are being answered.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn answer_all(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            if let Ok(Some(request)) = self.http.recv_timeout(PATIENCE) {
                self.answer_one(request);
            }
        }
    }

    fn answer_one(&self, mut request: tiny_http::Request) {
        let mut body = String::new();
        if request.as_reader().read_to_string(&mut body).is_err() {
            body.clear();
        }
        let answer = answer(&self.server.functions, request.url(), &body);
        let mut response = Response::from_string(answer.body).with_status_code(answer.status);
        if let Ok(header) = Header::from_bytes(&b"Content-Type"[..], &b"application/json"[..]) {
            response = response.with_header(header);
        }
        // A client that has gone needs no answer.
        let _ = request.respond(response);
    }
}
