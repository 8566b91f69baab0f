//! Models over HTTP: both ends, and each end alone.

mod by_hand;
mod client;
mod errors;
mod server;

use pullback_umbridge::{Listening, Server};

/// Runs a client beside a server, which listens on a free port.
fn beside<T>(server: Server<'_>, client: impl FnOnce(&Listening<'_>) -> T) -> T {
    let listening = server.listen("127.0.0.1:0").unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| listening.serve());
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(&listening)));
        listening.stop();
        found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sends a request as text, and returns the status and the answer.
fn post(url: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.post(format!("{url}/{path}")).send(body).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    (answer.status().as_u16(), value)
}
