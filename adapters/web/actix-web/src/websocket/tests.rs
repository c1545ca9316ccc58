use std::{cell::Cell, io::IoSlice, time::Duration};

use tokio::{
    task::{LocalSet, yield_now},
    time::timeout,
};

use super::*;

/// A life that has more to do each time it is told so, with how often it was polled.
#[derive(Default)]
struct Busy {
    has_more: Cell<bool>,
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Busy {
    fn poll(&self, cx: &mut Context<'_>, written: &Written) -> Poll<()> {
        self.polls.set(self.polls.get() + 1);
        self.waker.replace(Some(cx.waker().clone()));
        if self.has_more.take() {
            written.put(&[IoSlice::new(&[0; SURELY_WRITTEN + 1])]);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn give_more(&self) {
        self.has_more.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    async fn is_polled(&self, times: usize) {
        for _ in 0..100 {
            if self.polls.get() == times {
                return;
            }
            yield_now().await;
        }
        panic!("polled {} times instead of {times}", self.polls.get());
    }
}

fn body<F: Future<Output = ()>>(life: F, written: Written) -> Body<F> {
    Body {
        carried: Carried::new(life, written),
        yielded: 0,
        stand_in: None,
    }
}

#[tokio::test]
async fn a_life_that_has_more_to_do_goes_on_while_the_body_waits_and_ends_with_it() {
    let busy = Rc::new(Busy::default());
    let written = Written::default();
    let life = poll_fn({
        let (busy, written) = (busy.clone(), written.clone());
        move |cx| busy.poll(cx, &written)
    });
    let mut body = body(life, written);
    let rounds = async {
        // The first time it is the making of the stand-in that polls, the second time a wake-up.
        for polls in [2, 4] {
            busy.give_more();
            assert!(poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.is_some());
            busy.is_polled(polls).await;
        }
    };
    let local = LocalSet::new();
    local.run_until(rounds).await;
    drop(body);
    // Ready when all its tasks have ended, the stand-in among them.
    timeout(Duration::from_secs(20), local).await.expect("in time");
    assert_eq!(Rc::strong_count(&busy), 1);
}

#[tokio::test]
async fn a_body_that_is_polled_for_nothing_leaves_the_life_alone() {
    let busy = Rc::new(Busy::default());
    let written = Written::default();
    let life = poll_fn({
        let (busy, written) = (busy.clone(), written.clone());
        move |cx| busy.poll(cx, &written)
    });
    let mut body = body(life, written);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(Pin::new(&mut body).poll_next(&mut cx).is_pending());
    }
    assert_eq!(busy.polls.get(), 1);
}

#[tokio::test]
async fn a_life_that_had_to_stop_writing_goes_on_and_its_end_ends_the_body() {
    const LARGE: usize = 200_000;
    let written = Written::default();
    let mut left = LARGE;
    let life = poll_fn({
        let written = written.clone();
        move |_| {
            left -= written.put(&[IoSlice::new(&vec![0; left])]);
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        }
    });
    let mut body = body(life, written);
    LocalSet::new()
        .run_until(async {
            let mut yielded = 0;
            while let Some(Ok(bytes)) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
                yielded += bytes.len();
            }
            assert_eq!(yielded, LARGE);
        })
        .await;
}
