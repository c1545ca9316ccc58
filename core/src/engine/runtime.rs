//! Where the server's own tasks run.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use tokio::runtime::Handle;

/// The runtime that the application gave, or else the first that the server was used in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runtime(Arc<OnceLock<Handle>>);

impl Runtime {
    pub(crate) fn given(handle: Handle) -> Self {
        Self(Arc::new(OnceLock::from(handle)))
    }

    /// Takes the runtime in which this is called, if there is one and none is known.
    pub(crate) fn adopt_current(&self) {
        if let Ok(handle) = Handle::try_current() {
            self.0.get_or_init(|| handle);
        }
    }

    /// The one that serves a client in the current thread, or else the server's: not any that is current,
    /// which may be there for one call and never run again.
    pub(crate) fn nearest(&self) -> Option<Handle> {
        if IS_SERVING.get() {
            Handle::try_current().ok()
        } else {
            self.0.get().cloned()
        }
    }

    /// # Panics
    /// Where none is known, outside of a runtime.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.get_or_init(Handle::current)
    }
}

thread_local! {
    static IS_SERVING: Cell<bool> = const { Cell::new(false) };
}

/// While it is there, the thread serves a client.
pub(super) struct Serving {
    before: bool,
}

impl Serving {
    pub(super) fn begin() -> Self {
        Self {
            before: IS_SERVING.replace(true),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        IS_SERVING.set(self.before);
    }
}
