//! A crate that forbids what it can: the code of the macros is as clean as its own.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    rust_2018_idioms
)]
#![forbid(unsafe_code)]

use tower_socketio as io;

mod chat {
    //! A namespace with a private and a public part.

    use super::io::{
        self, Ack, Acl, Data, EventError, EventName, Failure, Handshake, Socket, namespace, namespace_methods,
    };

    /// Counts.
    #[namespace_methods(crate = io)]
    pub(super) trait Counting {
        /// The count.
        fn count(&self) -> usize;

        #[event]
        async fn how_many(&self) -> Ack<usize> {
            Ack(self.count())
        }

        #[event]
        async fn r#type(&self, data: Data<String>) -> Ack<String>;
    }

    #[derive(Debug, Default)]
    pub(super) struct Chat;

    impl Counting for Chat {
        fn count(&self) -> usize {
            0
        }

        async fn r#type(&self, Data(text): Data<String>) -> Ack<String> {
            Ack(text)
        }
    }

    #[namespace(Counting, crate = super::io)]
    impl Chat {
        const LIMIT: usize = 8;

        #[acl]
        fn rules(_: &Handshake) -> Acl {
            Acl::only(ChatEvent::ALL)
        }

        /// Documented.
        #[event]
        async fn user_message(&self, _: Socket, Data((text, _)): Data<(String, u8)>) -> Result<Ack<usize>, EventError> {
            self.check(&text)?;
            Ok(Ack(text.len()))
        }

        #[cfg(any())]
        #[event]
        async fn absent(&self, nothing: Absent) {}

        #[cfg(not(any()))]
        #[event]
        async fn absent(&self) {}

        #[event("nine")]
        async fn nine(
            &self,
            _: Socket,
            _: Socket,
            _: Socket,
            _: Socket,
            _: Socket,
            _: Socket,
            _: Socket,
            EventName(mut name): EventName,
        ) -> Ack<String> {
            name.push('9');
            Ack(name)
        }

        #[error]
        fn failed(_: &Failure<'_>) {}

        fn check(&self, text: &str) -> Result<(), EventError> {
            if text.len() > Self::LIMIT {
                return Err(EventError::new("too long"));
            }
            Ok(())
        }
    }
}

fn main() {
    io::SocketIo::builder().build().of("/").serve::<chat::Chat>();
}
