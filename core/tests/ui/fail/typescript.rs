//! What TypeScript cannot be told of.

use serde::{Deserialize, Serialize};
use tower_socketio::{
    Ack, AckSender, Args, Data, EmitEvent, EventError, EventResponse, namespace, namespace_methods, typescript::Events,
};

#[derive(Serialize, Deserialize)]
struct Login {
    name: String,
}

#[derive(Default)]
struct Chat;

#[namespace(typescript)]
impl Chat {
    #[event]
    async fn login(&self, Data(_login): Data<Login>) {}

    #[event]
    async fn two(&self, Data(_login): Data<Args<(u8, Login)>>) {}

    #[event]
    async fn answer(&self) -> Result<Ack<Login>, EventError> {
        unreachable!("it does not compile")
    }

    #[event(ack = Login)]
    async fn later(&self, _ack: AckSender) {}
}

#[derive(Default)]
struct Unnamed;

#[namespace(typescript)]
impl Unnamed {
    #[event]
    async fn answer(&self) -> impl EventResponse + use<> {
        Ack(1)
    }
}

#[derive(Default)]
struct Untyped;

#[namespace]
impl Untyped {
    #[event(ack = bool)]
    async fn later(&self, _ack: AckSender) {}

    #[event(answer = bool)]
    async fn unknown(&self) {}
}

#[namespace_methods]
trait Rooms {
    #[event]
    async fn enter(&self) {}
}

#[derive(Default)]
struct WithTrait;

impl Rooms for WithTrait {}

#[namespace(typescript, Rooms)]
impl WithTrait {}

#[derive(EmitEvent)]
#[event(typescript)]
enum Emitted {
    Said(Login),
    Object { login: Login },
}

#[derive(EmitEvent)]
struct Silent;

#[derive(Default)]
struct Plain;

#[namespace]
impl Plain {}

fn main() {
    let _ = Events::new().receives::<Plain>().emits::<Silent>();
}
