use super::phy::Adapter;
use super::shared::Shared;
use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use fata_net::Net;
use fata_task::{Handle, Sleep, yield_now};
use fata_time::Instant;

/// Drives a stack for ever: takes in a batch of frames, lets the applications answer,
/// sends their answers as one batch, and waits for the next event.
pub(super) async fn run<N: Net>(stack: Rc<Shared>, mut adapter: Adapter<N>, tasks: Handle) {
    let mut timer = Timer(None);
    loop {
        stack.engine.borrow_mut().ingress(&mut adapter);
        // The tasks that the frames have woken run now, before this one.
        yield_now().await;
        stack.wake.clear();
        let deadline = {
            let mut engine = stack.engine.borrow_mut();
            engine.egress(&mut adapter);
            engine.deadline()
        };
        adapter.device().flush();
        stack.engine.borrow_mut().device_counters = adapter.device().counters();
        timer.set(deadline, &tasks);
        poll_fn(|context| poll_event(&stack, adapter.device(), &mut timer, context)).await;
    }
}

/// The timer for the next deadline. It is left where it is while that moves into the future,
/// because every segment moves it and hardly any is ever reached.
struct Timer(Option<(Instant, Sleep)>);

impl Timer {
    fn set(&mut self, deadline: Option<Instant>, tasks: &Handle) {
        let Some(deadline) = deadline else {
            return;
        };
        if self.0.as_ref().is_none_or(|(due, _)| *due > deadline) {
            self.0 = Some((deadline, tasks.sleep_until(deadline)));
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((_, sleep)) = &mut self.0 else {
            return Poll::Pending;
        };
        let result = Pin::new(sleep).poll(context);
        if result.is_ready() {
            self.0 = None;
        }
        result
    }
}

/// Waits for the device, the applications and the timer, whichever is first.
fn poll_event<N: Net>(
    stack: &Shared,
    device: &mut N,
    timer: &mut Timer,
    context: &mut Context<'_>,
) -> Poll<()> {
    let device = device.poll_ready(context);
    let wake = stack.wake.poll_wait(context);
    let timer = timer.poll(context);
    if device.is_ready() || wake.is_ready() || timer.is_ready() {
        return Poll::Ready(());
    }
    Poll::Pending
}
