//! Asks the parameters of a method what they read of an event.
//!
//! An extractor of the application's own has no types to tell, and shall not need any. So what is known is a method
//! of [`Probe`] itself, which comes before that of a trait, which is there for all other types.

use std::marker::PhantomData;

use super::{Arguments, EventTypes};
use crate::{AckSender, Data, RawArgs};

/// A parameter's type.
#[derive(Debug)]
pub struct Probe<P>(PhantomData<fn() -> P>);

impl<P> Default for Probe<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Probe<Data<T>> {
    /// It reads a `T`.
    pub fn describe(&self, event: &mut EventTypes<'_>)
    where
        T: Arguments,
    {
        event.reads::<T>();
    }
}

impl Probe<RawArgs> {
    /// It takes whatever there is.
    pub fn describe(&self, event: &mut EventTypes<'_>) {
        event.reads::<RawArgs>();
    }
}

impl Probe<AckSender> {
    /// It may answer.
    pub fn describe(&self, event: &mut EventTypes<'_>) {
        event.may_answer();
    }
}

/// What reads nothing that is known.
pub trait Otherwise {
    /// Nothing.
    fn describe(&self, _event: &mut EventTypes<'_>) {}
}

impl<P> Otherwise for Probe<P> {}
