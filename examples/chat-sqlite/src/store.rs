//! What is kept: names and messages. Handlers know this file's types only, so that another database is another
//! file.
//!
//! `SQLite` works where it may block, on one connection, a call at a time and in the order in which they are asked for.

use std::{fmt, path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use tokio::{sync::Mutex, task};

/// Names that can be taken. They are kept for ever.
const MAX_PEOPLE: u32 = 10_000;
/// Messages that are kept. The oldest go first.
const MAX_MESSAGES: i64 = 10_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;

    CREATE TABLE IF NOT EXISTS people (
        id INTEGER PRIMARY KEY,
        nick TEXT NOT NULL,
        -- The name in lower case, as Unicode has it: SQLite's NOCASE knows ASCII alone.
        folded TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL
    ) STRICT;

    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person INTEGER NOT NULL REFERENCES people,
        -- The speaker's own name for it, by which it is known when it is said again.
        token TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (person, token)
    ) STRICT;
";

const SELECT: &str =
    "SELECT messages.id, nick, text, at FROM messages JOIN people ON people.id = messages.person WHERE ";

/// The database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store(Arc<Mutex<Connection>>);

/// Somebody who has a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    pub(crate) id: i64,
    /// As they spelt it first.
    pub(crate) nick: String,
}

/// Something was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Message {
    /// Later messages have greater ones.
    pub(crate) id: i64,
    pub(crate) nick: String,
    pub(crate) text: String,
    /// In milliseconds since 1970.
    pub(crate) at: i64,
}

/// What became of a message that was said.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    New(Message),
    /// It had been said, and is kept as it was.
    Before(Message),
}

/// Messages, oldest first, and whether there are older ones.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    pub(crate) more: bool,
}

/// Why somebody does not get a name.
#[derive(Debug, PartialEq)]
pub(crate) enum NoName {
    /// Somebody else has it, spelt like this.
    Taken(String),
    /// There are too many names.
    Full,
}

/// The database failed.
#[derive(Debug)]
pub(crate) struct StoreError(rusqlite::Error);

impl Store {
    /// Opens the database, and makes it if there is none.
    pub(crate) fn open(file: &Path) -> Result<Self, StoreError> {
        Self::with(Connection::open(file)?)
    }

    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Self::with(Connection::open_in_memory()?)
    }

    fn with(connection: Connection) -> Result<Self, StoreError> {
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Gives the name to who asks for it first, and to who has its key.
    pub(crate) async fn name(&self, nick: &str, key: &str) -> Result<Result<Person, NoName>, StoreError> {
        let (nick, key) = (nick.to_owned(), key.to_owned());
        self.run(move |db| {
            let folded = nick.to_lowercase();
            // The constraint decides who was first, whatever else writes into the file.
            db.execute(
                "INSERT INTO people (nick, folded, key) SELECT ?1, ?2, ?3 WHERE (SELECT count(*) FROM people) < ?4
                 ON CONFLICT (folded) DO NOTHING",
                params![nick, folded, key, MAX_PEOPLE],
            )?;
            let owner = db
                .query_row("SELECT id, nick, key FROM people WHERE folded = ?1", [folded], |row| {
                    let person = Person {
                        id: row.get(0)?,
                        nick: row.get(1)?,
                    };
                    Ok((person, row.get::<_, String>(2)?))
                })
                .optional()?;
            Ok(match owner {
                Some((person, owners)) if owners == key => Ok(person),
                Some((person, _)) => Err(NoName::Taken(person.nick)),
                None => Err(NoName::Full),
            })
        })
        .await
    }

    /// Keeps what somebody said, once for each of their tokens.
    pub(crate) async fn say(&self, person: i64, token: &str, text: &str, at: i64) -> Result<Said, StoreError> {
        let (token, text) = (token.to_owned(), text.to_owned());
        self.run(move |db| {
            let change = db.transaction()?;
            let fresh = change.execute(
                "INSERT INTO messages (person, token, text, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (person, token) DO NOTHING",
                params![person, token, text, at],
            )?;
            let which = format!("{SELECT} person = ?1 AND token = ?2");
            let message = change.query_row(&which, params![person, token], message)?;
            if fresh == 1 {
                change.execute("DELETE FROM messages WHERE id <= ?1", [message.id - MAX_MESSAGES])?;
            }
            change.commit()?;
            Ok(if fresh == 1 {
                Said::New(message)
            } else {
                Said::Before(message)
            })
        })
        .await
    }

    /// The last messages before one, or the last of all.
    pub(crate) async fn history(&self, before: Option<i64>, most: usize) -> Result<Page, StoreError> {
        self.run(move |db| {
            let which = format!("{SELECT} messages.id < ?1 ORDER BY messages.id DESC LIMIT ?2");
            let mut query = db.prepare(&which)?;
            let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
            let found = query.query_map(params![before.unwrap_or(i64::MAX), limit], message)?;
            let mut messages = found.collect::<Result<Vec<_>, _>>()?;
            let more = messages.len() > most;
            messages.truncate(most);
            messages.reverse();
            Ok(Page { messages, more })
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        // The turn is taken before the thread, so that those who wait block none.
        let mut connection = self.0.clone().lock_owned().await;
        let work = task::spawn_blocking(move || work(&mut connection));
        match work.await {
            Ok(result) => Ok(result?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        nick: row.get(1)?,
        text: row.get(2)?,
        at: row.get(3)?,
    })
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database failed: {}", self.0)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), StoreError>;

    async fn ada(store: &Store) -> Result<i64, StoreError> {
        Ok(store.name("Ada", "key").await?.expect("the name is free").id)
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.messages.iter().map(|message| &*message.text).collect()
    }

    #[tokio::test]
    async fn a_name_is_its_first_owners_in_any_case_and_script() -> Outcome {
        let store = Store::in_memory()?;
        for (first, other) in [("Ada", "aDA"), ("Zoë", "ZOË"), ("Юра", "юРА")] {
            let person = store.name(first, "key").await?.expect("the name is free");
            assert_eq!(store.name(other, "key").await?, Ok(person));
            assert_eq!(store.name(other, "guess").await?, Err(NoName::Taken(first.to_owned())));
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_constraint_keeps_a_name_unique_whoever_writes() -> Outcome {
        let store = Store::in_memory()?;
        ada(&store).await?;
        let again = store
            .run(|db| db.execute("INSERT INTO people (nick, folded, key) VALUES ('ADA', 'ada', '')", []))
            .await;
        assert!(
            again
                .unwrap_err()
                .to_string()
                .contains("UNIQUE constraint failed: people.folded")
        );
        Ok(())
    }

    #[tokio::test]
    async fn there_are_at_most_so_many_names() -> Outcome {
        let store = Store::in_memory()?;
        ada(&store).await?;
        store
            .run(|db| {
                db.execute_batch(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
                     INSERT INTO people (nick, folded, key) SELECT i, i, '' FROM n",
                )
            })
            .await?;
        assert_eq!(store.name("Ben", "key").await?, Err(NoName::Full));
        assert!(store.name("Ada", "key").await?.is_ok());
        Ok(())
    }

    #[tokio::test]
    async fn a_message_said_twice_is_kept_once() -> Outcome {
        let store = Store::in_memory()?;
        let ada = ada(&store).await?;
        let ben = store.name("Ben", "key").await?.expect("the name is free").id;
        let Said::New(first) = store.say(ada, "t1", "hello", 1).await? else {
            panic!("it was not said before");
        };
        assert_eq!(store.say(ada, "t1", "changed", 2).await?, Said::Before(first.clone()));
        // The tokens of one person are not another's.
        assert!(matches!(store.say(ben, "t1", "hello", 3).await?, Said::New(_)));
        let page = store.history(None, 10).await?;
        assert_eq!((page.messages.len(), &page.messages[0]), (2, &first));
        Ok(())
    }

    #[tokio::test]
    async fn history_is_read_upwards_page_by_page() -> Outcome {
        let store = Store::in_memory()?;
        assert_eq!(
            store.history(None, 2).await?,
            Page {
                messages: vec![],
                more: false
            }
        );
        let ada = ada(&store).await?;
        for i in 1..=5 {
            store.say(ada, &format!("t{i}"), &i.to_string(), i).await?;
        }
        let last = store.history(None, 2).await?;
        assert_eq!((texts(&last), last.more), (vec!["4", "5"], true));
        let middle = store.history(Some(last.messages[0].id), 2).await?;
        assert_eq!((texts(&middle), middle.more), (vec!["2", "3"], true));
        let first = store.history(Some(middle.messages[0].id), 2).await?;
        assert_eq!((texts(&first), first.more), (vec!["1"], false));
        let exact = store.history(Some(middle.messages[1].id), 2).await?;
        assert_eq!((texts(&exact), exact.more), (vec!["1", "2"], false));
        Ok(())
    }

    #[tokio::test]
    async fn the_oldest_messages_go_first() -> Outcome {
        let store = Store::in_memory()?;
        let ada = ada(&store).await?;
        store.say(ada, "first", "first", 1).await?;
        store
            .run(|db| db.execute("UPDATE sqlite_sequence SET seq = 10000 WHERE name = 'messages'", []))
            .await?;
        assert_eq!(texts(&store.history(None, 10).await?), ["first"]);
        store.say(ada, "next", "next", 2).await?;
        assert_eq!(texts(&store.history(None, 10).await?), ["next"]);
        Ok(())
    }

    #[tokio::test]
    async fn a_file_outlives_the_server() -> Outcome {
        let directory = std::env::temp_dir().join(format!("chat-sqlite-test-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let file = directory.join("chat.db");
        let kept = {
            let store = Store::open(&file)?;
            let mode = store.run(|db| db.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)));
            assert_eq!(mode.await?, "wal");
            store.say(ada(&store).await?, "t1", "hello", 1).await?
        };
        let store = Store::open(&file)?;
        let again = store.say(ada(&store).await?, "t1", "hello", 2).await?;
        std::fs::remove_dir_all(directory).expect("the test's files can be removed");
        let (Said::New(kept), Said::Before(again)) = (kept, again) else {
            panic!("new at first, and then known");
        };
        assert_eq!(kept, again);
        Ok(())
    }
}
