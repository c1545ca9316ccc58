//! What is posted, and about what.

use serde::{Deserialize, Serialize};

/// What a post may be about. Each is a room, by the name that clients use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Topic {
    Space,
    Tea,
    Robots,
    Cats,
    Cycling,
    Weather,
    Music,
    Gardens,
}

impl Topic {
    pub(crate) const ALL: [Self; 8] = [
        Self::Space,
        Self::Tea,
        Self::Robots,
        Self::Cats,
        Self::Cycling,
        Self::Weather,
        Self::Music,
        Self::Gardens,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Tea => "tea",
            Self::Robots => "robots",
            Self::Cats => "cats",
            Self::Cycling => "cycling",
            Self::Weather => "weather",
            Self::Music => "music",
            Self::Gardens => "gardens",
        }
    }
}

/// A post that has no number yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Draft {
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) topics: Vec<Topic>,
}

/// The event `post`, and an item of `history`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Post {
    pub(crate) id: u64,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) draft: Draft,
}
