//! The server's side of the process of the clients: they do as they are told by lines on their standard
//! input, and answer each when it is done.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

pub(crate) struct Commander {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    answer: String,
}

impl Commander {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args([crate::AS_CLIENTS, &server.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run again");
        Self {
            orders: child.stdin.take().expect("it is piped"),
            answers: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
            answer: String::with_capacity(64),
        }
    }

    /// Returns once it is done. Allocates nothing.
    pub(crate) fn tell(&mut self, order: &str) {
        self.answer.clear();
        let told = self.orders.write_all(order.as_bytes());
        told.and_then(|()| self.orders.write_all(b"\n"))
            .and_then(|()| self.answers.read_line(&mut self.answer))
            .expect("the clients listen");
        assert_eq!(self.answer.trim_end(), "done", "the clients could not {order}");
    }

    /// The end of its orders ends it.
    pub(crate) fn stop(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        child.wait().expect("the clients stop");
    }
}
