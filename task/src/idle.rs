use fata_time::Instant;

/// How the executor's platform passes the time when no task is ready.
pub trait Idle {
    /// Signals the [`Event`](crate::Event)s of what has happened since the last call.
    /// Must not wait. Called between rounds while tasks are ready.
    fn poll(&self);

    /// Like [`poll`](Self::poll), but waits until there is something to signal, or until
    /// `deadline`. Called when no task is ready. May return early.
    fn wait(&self, deadline: Option<Instant>);

    /// The function that ends a [`wait`](Self::wait) early, or keeps the next one from waiting. It
    /// is called when a task is woken during a wait, so by other threads too. A platform whose tasks
    /// are woken by nothing but what it signals itself needs none.
    fn unparker(&self) -> Option<Unparker> {
        None
    }
}

/// Ends a wait of [`Idle`] from any thread.
#[cfg(not(fata_vm))]
pub type Unparker = alloc::sync::Arc<dyn Fn() + Send + Sync>;

/// There is none: a machine's tasks are woken by nothing but what its platform signals itself.
#[cfg(fata_vm)]
pub type Unparker = core::convert::Infallible;

#[cfg(not(fata_vm))]
pub(crate) fn unpark(unparker: Unparker) {
    unparker();
}

#[cfg(fata_vm)]
pub(crate) fn unpark(unparker: Unparker) {
    match unparker {}
}
