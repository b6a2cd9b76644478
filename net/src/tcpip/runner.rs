use super::Shared;
use super::phy::Adapter;
use crate::Net;
use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use fata_task::{Handle, yield_now};

/// Drives a stack for ever: takes in a batch of frames, lets the applications answer,
/// sends their answers as one batch, and waits for the next event.
pub(super) async fn run<N: Net>(stack: Rc<Shared>, mut adapter: Adapter<N>, tasks: Handle) {
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
        let mut timer = deadline.map(|deadline| tasks.sleep_until(deadline));
        poll_fn(|context| {
            let timer = timer.as_mut().map(Pin::new);
            poll_event(&stack, adapter.device(), timer, context)
        })
        .await;
    }
}

/// Waits for the device, the applications and the timer, whichever is first.
fn poll_event<N: Net>(
    stack: &Shared,
    device: &mut N,
    timer: Option<Pin<&mut fata_task::Sleep>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let device = device.poll_ready(context);
    let wake = stack.wake.poll_wait(context);
    let timer = timer.map_or(Poll::Pending, |timer| timer.poll(context));
    if device.is_ready() || wake.is_ready() || timer.is_ready() {
        return Poll::Ready(());
    }
    Poll::Pending
}
