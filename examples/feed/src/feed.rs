//! The producer, one for all: it runs while somebody is subscribed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use warp_socketio::{EncodeError, Namespace, Socket};

use crate::{
    post::{Draft, Post, Topic},
    source::Source,
};

/// How many posts of a topic a new subscriber is shown.
pub(crate) const HISTORY: usize = 20;

/// The rate is that of the last seconds.
const WINDOW: Duration = Duration::from_secs(5);

/// What is produced, and for how many. Whoever changes it also tells so before the next change: all clients hear of
/// all posts in the same order. Emitting never waits.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    source: Box<dyn Source>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    posts: u64,
    history: BTreeMap<Topic, VecDeque<Post>>,
    recent: VecDeque<Instant>,
    readers: usize,
    /// Aborted when it is dropped.
    producer: Option<JoinSet<()>>,
}

/// The event `history`.
#[derive(Serialize)]
struct History<'a> {
    topic: Topic,
    posts: Vec<&'a Post>,
}

/// The event `rate`.
#[derive(Serialize)]
struct Rate {
    posts_a_second: f64,
    readers: usize,
}

impl Feed {
    pub(crate) fn new(source: impl Source) -> Self {
        Self(Arc::new(Shared {
            source: Box::new(source),
            state: Mutex::default(),
        }))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.lock().producer.is_some()
    }

    /// One more is subscribed to something. The first one begins the producer.
    pub(crate) fn enter(&self, namespace: &Namespace) {
        let mut state = self.lock();
        state.readers += 1;
        state.producer.get_or_insert_with(|| {
            let mut tasks = JoinSet::new();
            tasks.spawn(self.clone().produce(namespace.clone()));
            tasks.spawn(self.clone().tell_rate(namespace.clone()));
            tasks
        });
    }

    /// One is subscribed to nothing any more. The last one ends the producer.
    pub(crate) fn leave(&self, namespace: &Namespace) {
        let mut state = self.lock();
        state.readers -= 1;
        if state.readers == 0 {
            state.producer = None;
            state.recent.clear();
            namespace.emit("rate", state.rate()).expect("numbers can be sent");
        }
    }

    /// Shows the last posts of a topic, and all that follow: none is missed, and none comes twice.
    pub(crate) fn subscribe(&self, socket: &Socket, topic: Topic) -> Result<(), EncodeError> {
        let state = self.lock();
        let posts = state.history.get(&topic).into_iter().flatten().collect();
        socket.emit("history", History { topic, posts })?;
        socket.join(topic.name());
        Ok(())
    }

    fn publish(&self, namespace: &Namespace, draft: Draft) {
        let mut state = self.lock();
        state.posts += 1;
        state.recent.push_back(Instant::now());
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let post = Post {
            id: state.posts,
            at: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            draft,
        };
        let mut readers = namespace.local();
        for &topic in &post.draft.topics {
            let history = state.history.entry(topic).or_default();
            history.push_back(post.clone());
            if history.len() > HISTORY {
                history.pop_front();
            }
            readers = readers.to(topic.name());
        }
        if !post.draft.topics.is_empty() {
            readers.emit("post", post).expect("text can be sent");
        }
    }

    async fn produce(self, namespace: Namespace) {
        loop {
            self.0.source.run(&|draft| self.publish(&namespace, draft)).await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn tell_rate(self, namespace: Namespace) {
        let mut second = interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let rate = self.lock().rate();
            // Volatile: who is too slow for it gets the next one. Posts are not.
            namespace.volatile().emit("rate", rate).expect("numbers can be sent");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn rate(&mut self) -> Rate {
        while self.recent.front().is_some_and(|post| post.elapsed() > WINDOW) {
            self.recent.pop_front();
        }
        let posts = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        Rate {
            posts_a_second: f64::from(posts) / WINDOW.as_secs_f64(),
            readers: self.readers,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use warp_socketio::{
        SocketIo,
        testing::{self, TestError},
    };

    use super::*;
    use crate::{invented::Invented, reader::Reader, source::Running};

    fn serve(source: impl Source) -> (SocketIo, Feed) {
        let feed = Feed::new(source);
        let io = SocketIo::builder().state(feed.clone()).build();
        io.of("/feed").serve::<Reader>();
        (io, feed)
    }

    /// In virtual time: all that is to be done has been done then.
    async fn settle() {
        sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_producer_runs_while_somebody_is_subscribed() -> Result<(), TestError> {
        let (io, feed) = serve(Invented::new(7, 40));
        let mut first = testing::connect(&io, "/feed").await?;
        let second = testing::connect(&io, "/feed").await?;
        assert!(!feed.is_running());
        for (client, topic) in [(&first, "tea"), (&second, "cats"), (&second, "tea")] {
            let _: Value = client.emit_with_ack("subscribe", topic).await?;
            assert!(feed.is_running());
        }
        let post: Value = first.recv("post").await?;
        assert!(post["topics"].as_array().unwrap().contains(&json!("tea")));
        first.drop_connection().await?;
        let left: Value = second.emit_with_ack("unsubscribe", "tea").await?;
        assert_eq!(left, json!(["cats"]));
        settle().await;
        assert!(feed.is_running());
        second.close().await?;
        settle().await;
        assert!(!feed.is_running());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_posts_come_first_and_none_twice() -> Result<(), TestError> {
        let (io, _) = serve(Invented::new(7, 40));
        let early = testing::connect(&io, "/feed").await?;
        let _: Value = early.emit_with_ack("subscribe", "music").await?;
        sleep(Duration::from_secs(300)).await;

        let mut late = testing::connect(&io, "/feed").await?;
        for _ in 0..2 {
            let _: Value = late.emit_with_ack("subscribe", "music").await?;
        }
        let history: Value = late.recv("history").await?;
        let posts = history["posts"].as_array().unwrap();
        assert_eq!(posts.len(), HISTORY);
        let mut ids: Vec<u64> = posts.iter().filter_map(|post| post["id"].as_u64()).collect();
        for _ in 0..10 {
            let post: Value = late.recv("post").await?;
            ids.extend(post["id"].as_u64());
        }
        assert_eq!(ids.len(), HISTORY + 10);
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert!(late.recv::<Value>("history").await.is_err(), "a second history");
        Ok(())
    }

    /// Says something, and ends.
    struct Short;

    impl Source for Short {
        fn run<'a>(&'a self, publish: &'a (dyn Fn(Draft) + Send + Sync)) -> Running<'a> {
            Box::pin(async {
                publish(Draft {
                    author: "Short".to_owned(),
                    text: "is over".to_owned(),
                    topics: vec![Topic::Tea, Topic::Cats],
                });
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_ends_is_asked_again_and_two_topics_are_one_post() -> Result<(), TestError> {
        let (io, _) = serve(Short);
        let mut client = testing::connect(&io, "/feed").await?;
        for topic in ["tea", "cats"] {
            let _: Value = client.emit_with_ack("subscribe", topic).await?;
        }
        let begin = Instant::now();
        let first: Value = client.recv("post").await?;
        for next in 1..5 {
            let post: Value = client.recv("post").await?;
            assert_eq!(post["id"].as_u64(), first["id"].as_u64().map(|id| id + next));
        }
        assert!(begin.elapsed() >= Duration::from_secs(4));
        Ok(())
    }
}
