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
        self, Ack, Acl, Data, EmitEvent, EventError, EventName, Failure, Handshake, Socket, namespace,
        namespace_methods,
    };

    /// Counts.
    #[namespace_methods(typescript, crate = io)]
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

    /// Documented.
    #[derive(Debug, EmitEvent)]
    #[event(typescript, rename_all = "kebab-case", crate = super::io)]
    pub(super) enum Said {
        /// By a person.
        Text(String),
        Moved { r#type: u8, x: f32 },
        #[cfg(any())]
        Absent(Absent),
        #[cfg(not(any()))]
        Absent,
    }

    #[derive(Debug, EmitEvent)]
    #[event(typescript, "pair of", crate = super::io)]
    pub(super) struct Pair<'a, T>(pub(super) &'a str, pub(super) T)
    where
        T: serde::Serialize + ts_rs::TS + 'static;

    macro_rules! of_a_macro {
        ($event:ident, $chat:ident, $ty:ty) => {
            #[derive(Debug, EmitEvent)]
            #[event(typescript, crate = super::io)]
            pub(super) enum $event {
                Values($ty, u8),
                Object { value: $ty, number: u8 },
            }

            #[derive(Debug, Default)]
            pub(super) struct $chat;

            #[namespace(typescript, crate = super::io)]
            impl $chat {
                #[event]
                async fn say(&self, _: Data<$ty>) -> Ack<u8> {
                    Ack(1)
                }
            }
        };
    }
    of_a_macro!(OfMacro, ChatOfMacro, String);

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

    #[namespace(typescript, Counting, crate = super::io)]
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
    let io = io::SocketIo::builder().build();
    io.of("/").serve::<chat::Chat>();
    let _ = io.emit_event(chat::Said::Text(String::new()));
    let _ = io.emit_event(chat::Said::Moved { r#type: 1, x: 0.5 });
    let _ = io.emit_event(chat::Said::Absent);
    let _ = io.emit_event(chat::Pair("a", 1));
    let _ = io.emit_event(chat::OfMacro::Values(String::new(), 1));
    let _ = io.emit_event(chat::OfMacro::Object {
        value: String::new(),
        number: 1,
    });
    let events = io::typescript::Events::new().receives::<chat::Chat>().emits::<chat::Said>();
    let events = events.receives::<chat::ChatOfMacro>().emits::<chat::OfMacro>();
    events.emits::<chat::Pair<'_, u8>>().text().unwrap();
}
