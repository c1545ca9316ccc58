//! What goes to all servers goes through the adapter, and what is local does not.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Namespace, Shared};
use crate::{
    SocketIo,
    adapter::{Adapter, Details, Selection},
    engine::Flags,
    error::AckError,
    socketio::{acks::Question, args::RawArgs, directory::Family, frames::Frames},
};

/// Notes what it is told, and is two servers.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn note(&self, what: &str, to: &Selection, more: impl std::fmt::Debug) {
        let rooms = to.rooms.as_deref().unwrap_or_default().join("+");
        let except = to.except.join("+");
        self.0.lock().unwrap().push(format!("{what} {rooms}-{except} {more:?}"));
    }

    fn noted(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Adapter for Recorder {
    fn broadcast(&self, packet: &Frames, to: &Selection, flags: Flags) {
        assert!(packet.bytes() > 0);
        self.note("emit", to, (flags.volatile, flags.compress));
    }

    fn ask(&self, _event: &Frames, to: &Selection, flags: Flags, _question: &Question) {
        self.note("ask", to, flags.volatile);
    }

    fn join(&self, who: &Selection, rooms: &[Box<str>]) {
        self.note("join", who, rooms);
    }

    fn leave(&self, who: &Selection, rooms: &[Box<str>]) {
        self.note("leave", who, rooms);
    }

    fn disconnect(&self, who: &Selection, close: bool) {
        self.note("disconnect", who, close);
    }

    fn fetch(&self, who: &Selection) -> BoxFuture<'static, Vec<Details>> {
        self.note("fetch", who, ());
        Box::pin(std::future::ready(Vec::new()))
    }

    fn server_side_emit(&self, event: &str, args: &RawArgs) {
        self.note(event, &Selection::default(), args.json());
    }

    fn server_side_ask(&self, event: &str, args: &RawArgs) -> BoxFuture<'static, Result<Vec<RawArgs>, AckError>> {
        self.server_side_emit(event, args);
        Box::pin(std::future::ready(Ok(vec![args.clone()])))
    }

    fn server_count(&self) -> BoxFuture<'static, usize> {
        Box::pin(std::future::ready(2))
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn recorded() -> (Namespace, Arc<Recorder>) {
    let recorder = Arc::<Recorder>::default();
    let mut shared = Shared::new("/x", SocketIo::builder().build().of("/").0.core.clone(), Family::Alone);
    shared.adapter = recorder.clone();
    (Namespace::new(Arc::new(shared)), recorder)
}

#[test]
fn whatever_is_for_sockets_of_all_servers_goes_through_the_adapter() {
    let (nsp, recorder) = recorded();
    nsp.emit("x", 1).unwrap();
    nsp.to(["a", "b"])
        .except("c")
        .volatile()
        .compress(false)
        .emit("x", 1)
        .unwrap();
    drop(nsp.volatile().emit_with_ack::<u8>("x", 1).unwrap());
    nsp.within("a").sockets_join(["b", "c"]);
    nsp.within("a").sockets_leave("b");
    nsp.within("a").disconnect_sockets(true);
    nsp.except("a").fetch_sockets().now_or_never().unwrap();
    let noted = [
        "emit - (false, true)",
        "emit a+b-c (true, false)",
        "ask - false",
        r#"join a- ["b", "c"]"#,
        r#"leave a- ["b"]"#,
        "disconnect a- true",
        "fetch -a ()",
    ];
    assert_eq!(recorder.noted(), noted);
}

#[test]
fn what_is_local_does_not() {
    let (nsp, recorder) = recorded();
    let local = nsp.to("a").local();
    local.emit("x", 1).unwrap();
    drop(local.emit_with_ack::<u8>("x", 1).unwrap());
    local.sockets_join("b");
    local.sockets_leave("b");
    local.disconnect_sockets(false);
    local.fetch_sockets().now_or_never().unwrap();
    assert!(recorder.noted().is_empty());
}

#[test]
fn events_between_servers_go_through_the_adapter_and_answers_come_back() {
    let (nsp, recorder) = recorded();
    nsp.server_side_emit("event", 1).unwrap();
    let answers = nsp.server_side_emit_with_ack::<u8>("question", 2);
    assert_eq!(
        recorder.noted(),
        [r#"event - "1""#, r#"question - "2""#],
        "sent at once"
    );
    assert_eq!(answers.now_or_never().unwrap().unwrap(), [2]);
    let wrong = nsp.server_side_emit_with_ack::<u8>("question", "text").now_or_never();
    assert!(matches!(wrong, Some(Err(AckError::Decode(_)))));
}
