//! A source that invents its posts: the same ones for the same seed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    post::{Draft, Topic},
    source::{Running, Source},
};

/// Invents posts, lively ones.
#[derive(Debug)]
pub(crate) struct Invented {
    dice: Mutex<Dice>,
    rate: f64,
}

impl Invented {
    /// So many posts a second, on average.
    pub(crate) fn new(seed: u16, rate: u16) -> Self {
        Self {
            dice: Mutex::new(Dice(seed.into())),
            rate: rate.into(),
        }
    }

    /// The next post, and how long it takes until then.
    fn next(&self) -> (Duration, Draft) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        // From hardly any time to twice the average.
        let wait = Duration::from_secs_f64(dice.part() * 2.0 / self.rate);
        (wait, dice.draft())
    }
}

impl Source for Invented {
    fn run<'a>(&'a self, publish: &'a (dyn Fn(Draft) + Send + Sync)) -> Running<'a> {
        Box::pin(async move {
            loop {
                let (wait, draft) = self.next();
                tokio::time::sleep(wait).await;
                publish(draft);
            }
        })
    }
}

/// Numbers that look random: `SplitMix64`.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).expect("32 bits")) / f64::from(u32::MAX)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.roll() % u64::try_from(of.len()).expect("a short list");
        &of[usize::try_from(index).expect("smaller than its length")]
    }

    /// Every fourth is about two topics.
    fn draft(&mut self) -> Draft {
        let topic = *self.pick(&Topic::ALL);
        let mut topics = vec![topic];
        let second = *self.pick(&Topic::ALL);
        if second != topic && self.roll().is_multiple_of(4) {
            topics.push(second);
        }
        let subject = self.pick(subjects(topic));
        let verb = self.pick(VERBS);
        let ending = self.pick(ENDINGS);
        let tags = topics.iter().map(|topic| format!(" #{}", topic.name()));
        Draft {
            author: (*self.pick(AUTHORS)).to_owned(),
            text: format!("{subject} {verb} {ending}{}", tags.collect::<String>()),
            topics,
        }
    }
}

const AUTHORS: &[&str] = &[
    "The Morning Kettle",
    "Orbit Weekly",
    "Mildred of No. 9",
    "Harbour Gazette",
    "Night Bus Radio",
    "Professor Plum",
    "The Slow Courier",
    "Rosa & Sons",
];

const VERBS: &[&str] = &[
    "surprises everybody",
    "is back",
    "has been seen",
    "breaks a record",
    "refuses to comment",
    "opens its doors",
    "wins again",
    "goes missing, briefly,",
    "asks for patience",
    "celebrates",
];

const ENDINGS: &[&str] = &[
    "before breakfast",
    "for the third time this week",
    "and nobody knows why",
    "in the middle of the harbour",
    "to quiet applause",
    "under a very full moon",
    "with a little help from the neighbours",
    "while the band plays on",
    "— more at eleven",
    "and it is only Monday",
];

fn subjects(topic: Topic) -> &'static [&'static str] {
    match topic {
        Topic::Space => &[
            "A small comet",
            "The second moon",
            "The lunar post office",
            "An elderly satellite",
        ],
        Topic::Tea => &[
            "The blue teapot",
            "A stubborn Assam",
            "The village kettle",
            "The biscuit committee",
        ],
        Topic::Robots => &["A polite robot", "The lawn mower", "Unit 12", "The lift that sings"],
        Topic::Cats => &[
            "The station cat",
            "A ginger kitten",
            "The mayor's tabby",
            "The cat on the printer",
        ],
        Topic::Cycling => &[
            "The hill climb",
            "A tandem",
            "The postwoman's bicycle",
            "The slowest race",
        ],
        Topic::Weather => &["A single cloud", "The west wind", "Tuesday's fog", "An honest drizzle"],
        Topic::Music => &[
            "The brass band",
            "A lost accordion",
            "The midnight choir",
            "A humming crowd",
        ],
        Topic::Gardens => &[
            "The giant pumpkin",
            "A shy orchid",
            "The hedge maze",
            "The tomato contest",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posts(seed: u16) -> Vec<(Duration, Draft)> {
        let source = Invented::new(seed, 3);
        (0..500).map(|_| source.next()).collect()
    }

    #[test]
    fn a_seed_invents_the_same_posts_again() {
        assert_eq!(posts(7), posts(7));
        assert_ne!(posts(7), posts(8));
    }

    #[test]
    fn a_post_has_a_hashtag_for_each_of_its_topics() {
        for (_, draft) in posts(7) {
            let tags: Vec<_> = draft.text.split(" #").skip(1).collect();
            let topics: Vec<_> = draft.topics.iter().map(|topic| topic.name()).collect();
            assert_eq!(tags, topics);
        }
    }

    #[test]
    fn all_topics_come_up_and_the_pace_is_what_was_asked_for() {
        let posts = posts(7);
        for topic in Topic::ALL {
            assert!(
                posts.iter().any(|(_, draft)| draft.topics.contains(&topic)),
                "{topic:?}"
            );
        }
        let seconds: f64 = posts.iter().map(|(wait, _)| wait.as_secs_f64()).sum();
        assert!((450.0..550.0).contains(&(seconds * 3.0)), "{seconds}");
    }
}
