use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

/// Runs futures side by side until all have ended, also if one fails: then nothing is under way
/// any more. Every one that runs is polled when one of them is woken, so this is for a few dozen.
///
/// # Errors
/// The last failure of one of them.
pub async fn all<F, E>(futures: impl IntoIterator<Item = F>) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut failure = None;
    poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failure = Some(error);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{simulate, yield_now};
    use core::cell::Cell;

    #[test]
    fn all_end_even_if_one_fails() {
        simulate(|_| async {
            let ended = Cell::new(0);
            let run = async |turns: u32| {
                for _ in 0..turns {
                    yield_now().await;
                }
                ended.set(ended.get() + 1);
                if turns == 1 { Err("one") } else { Ok(()) }
            };
            assert_eq!(all([3, 1, 2].map(run)).await, Err("one"));
            assert_eq!(ended.get(), 3);
            assert_eq!(all([2].map(run)).await, Ok(()));
        });
    }
}
