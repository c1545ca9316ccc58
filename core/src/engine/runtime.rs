//! Where the server's own tasks run.

use std::sync::{Arc, OnceLock};

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

    /// # Panics
    /// Where none is known, outside of a runtime.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.get_or_init(Handle::current)
    }
}
