//! A connected client whose events are waited for.

use std::{collections::VecDeque, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use rust_socketio::{
    Event, Payload, TransportType,
    asynchronous::{Client, ClientBuilder},
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the namespace said to a client that it does not want.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// A client in one namespace.
pub struct Member {
    pub id: String,
    client: Client,
    events: UnboundedReceiver<(Event, Payload)>,
    kept: VecDeque<(Event, Payload)>,
}

impl Member {
    /// Connects and waits for the server's welcome.
    ///
    /// # Errors
    /// When the namespace refuses the client.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connect(
        url: &str,
        transport: TransportType,
        namespace: &str,
        auth: Option<Value>,
    ) -> Result<Self, Refused> {
        let (sender, events) = mpsc::unbounded_channel();
        let mut builder = ClientBuilder::new(url)
            .namespace(namespace)
            .transport_type(transport)
            .reconnect_delay(100, 100)
            .on(Event::Connect, keep(&sender, Event::Connect))
            .on(Event::Close, keep(&sender, Event::Close))
            .on(Event::Error, keep(&sender, Event::Error))
            .on_any(move |event, payload, _| {
                let _ = sender.send((event, payload)); // nobody listens any more
                async {}.boxed()
            });
        if let Some(auth) = auth {
            builder = builder.auth(auth);
        }
        let client = builder.connect().await.expect("the server lets clients connect");
        let mut member = Self {
            id: String::new(),
            client,
            events,
            kept: VecDeque::new(),
        };
        let answer = member
            .take(|event| matches!(event, Event::Connect | Event::Error))
            .await;
        if let (Event::Error, Payload::Text(reason)) = answer {
            return Err(Refused(reason[0].to_string()));
        }
        member.id = member.welcome(namespace).await;
        Ok(member)
    }

    /// The id that the server tells when it lets the client in.
    ///
    /// # Panics
    /// When that does not come, or names another namespace.
    pub async fn welcome(&mut self, namespace: &str) -> String {
        let welcome = self.next("welcome").await;
        assert_eq!(welcome[0], *namespace);
        welcome[1].as_str().expect("the id is text").to_owned()
    }

    /// # Panics
    /// When it cannot be sent.
    pub async fn emit(&self, event: &str, payload: impl Into<Payload>) {
        self.client
            .emit(event, payload)
            .await
            .expect("a connected client can emit");
    }

    /// Emits, and waits for the arguments of the ack.
    ///
    /// # Panics
    /// When there is none.
    pub async fn call(&self, event: &str, args: Vec<Value>) -> Vec<Value> {
        let (sender, mut acked) = mpsc::unbounded_channel();
        let answered = move |payload: Payload, _: Client| {
            let _ = sender.send(payload);
            async {}.boxed()
        };
        let sent = self.client.emit_with_ack(event, args, PATIENCE, answered);
        sent.await.expect("a connected client can emit");
        match timeout(PATIENCE, acked.recv()).await {
            Ok(Some(Payload::Text(mut args))) => match args.pop() {
                Some(Value::Array(args)) => args,
                other => panic!("the ack of {event} holds no list but {other:?}"),
            },
            other => panic!("waited in vain for the ack of {event}: {other:?}"),
        }
    }

    /// Waits for the next such event: its arguments.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn next(&mut self, event: &str) -> Vec<Value> {
        match self.take(|other| other.as_str() == event).await.1 {
            Payload::Text(args) => args,
            other => panic!("{event} came with {other:?}"),
        }
    }

    /// How many such events came and were not waited for. All that was sent before counts.
    pub async fn heard(&mut self, event: &str) -> usize {
        self.call("echo-ack", vec![json!("fence")]).await;
        while let Ok(got) = self.events.try_recv() {
            self.kept.push_back(got);
        }
        self.kept.iter().filter(|(other, _)| other.as_str() == event).count()
    }

    /// # Panics
    /// When it cannot.
    pub async fn close(self) {
        self.client.disconnect().await.expect("a connected client can leave");
    }

    async fn take(&mut self, wanted: impl Fn(&Event) -> bool) -> (Event, Payload) {
        if let Some(at) = self.kept.iter().position(|(event, _)| wanted(event)) {
            return self.kept.remove(at).expect("it was found");
        }
        let next = async {
            loop {
                let got = self.events.recv().await.expect("the client lives");
                if wanted(&got.0) {
                    return got;
                }
                self.kept.push_back(got);
            }
        };
        let got = timeout(PATIENCE, next).await;
        got.unwrap_or_else(|_| panic!("waited in vain; what came instead: {:?}", self.kept))
    }
}

fn keep(
    sender: &UnboundedSender<(Event, Payload)>,
    event: Event,
) -> impl FnMut(Payload, Client) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    let sender = sender.clone();
    move |payload, _| {
        let _ = sender.send((event.clone(), payload));
        async {}.boxed()
    }
}
