//! The server under test: its command is `SERVER`, by default `target/debug/server-axum`.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Contract `app`, until it is dropped.
pub struct Server {
    process: Child,
    pub url: String,
}

impl Server {
    /// # Panics
    /// When the server cannot be started.
    #[must_use]
    pub fn start(ping_interval: Duration) -> Self {
        let command = env::var("SERVER").unwrap_or_else(|_| "target/debug/server-axum".into());
        let mut words = command.split_whitespace();
        let program = words.next().expect("SERVER is empty: give the server's command");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut process = Command::new(if program.contains('/') {
            root.join(program)
        } else {
            program.into()
        })
        .args(words)
        .args(["--contract", "app", "--port", "0"])
        .env("PING_INTERVAL_MS", ping_interval.as_millis().to_string())
        .env("PING_TIMEOUT_MS", "6000")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {program} ({error}): build it, or set SERVER to its command"));
        let output = process.stdout.take().map(BufReader::new).expect("its output is piped");
        let url = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("listening on ").map(|(_, url)| url.to_owned()))
            .expect("the server ended before it listened");
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
