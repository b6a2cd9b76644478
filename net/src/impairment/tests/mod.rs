//! Impairment of an in-memory link, under a fake clock: single frames, and stacks.

extern crate std;

mod frames;
mod segments;

use super::*;
use crate::Link;
use core::future::poll_fn;
use core::num::NonZeroU64;
use core::time::Duration;
use fata_task::{Either, select, simulate};
use std::vec::Vec;

/// After so long without a frame none will come.
const SILENCE: Duration = Duration::from_secs(3_600);
const LENGTH: usize = 100;

/// Runs a test with the good end of a link, and the end that is impaired.
fn with_impairment<F: Future>(
    outgoing: Impairment,
    incoming: Impairment,
    seed: u64,
    test: impl FnOnce(Handle, Link, ImpairedNet<Link>) -> F,
) -> F::Output {
    simulate(|tasks| {
        let (good, bad) = Link::pair(4_096);
        let impaired = ImpairedNet::new(bad, &tasks, outgoing, incoming, seed);
        test(tasks, good, impaired)
    })
}

/// Transmits a frame that holds a number, and otherwise zeros.
fn send(device: &mut impl Net, number: u32) {
    let sent = device.transmit(LENGTH, |frame| {
        frame.fill(0);
        frame[..4].copy_from_slice(&number.to_be_bytes());
    });
    assert_eq!(sent, Ok(()));
    device.flush();
}

fn number(frame: &[u8]) -> u32 {
    frame[..4].try_into().map_or(u32::MAX, u32::from_be_bytes)
}

/// The next frame, or `None` if none comes.
async fn next<N: Net>(tasks: &Handle, device: &mut N) -> Option<N::Frame> {
    let frame = async {
        loop {
            if let Some(frame) = device.receive() {
                return frame;
            }
            poll_fn(|context| device.poll_ready(context)).await;
        }
    };
    match select(frame, tasks.sleep(SILENCE)).await {
        Either::First(frame) => Some(frame),
        Either::Second(()) => None,
    }
}

/// All frames that come, each with the time it took to come.
async fn receive_all<N: Net>(tasks: &Handle, device: &mut N) -> Vec<(Duration, Vec<u8>)> {
    let start = tasks.now();
    let mut all = Vec::new();
    while let Some(frame) = next(tasks, device).await {
        all.push((tasks.now() - start, frame.as_ref().to_vec()));
        device.recycle(frame);
    }
    all
}

/// Sends `count` frames at once through `impairment`. Returns those that come, and the counts.
fn through(
    impairment: Impairment,
    seed: u64,
    count: u32,
) -> (Vec<(Duration, Vec<u8>)>, ImpairmentCounts) {
    with_impairment(
        Impairment::default(),
        impairment,
        seed,
        |tasks, mut good, mut bad| async move {
            for index in 0..count {
                send(&mut good, index);
            }
            let all = receive_all(&tasks, &mut bad).await;
            (all, bad.handle().incoming())
        },
    )
}

fn numbers(frames: &[(Duration, Vec<u8>)]) -> Vec<u32> {
    frames.iter().map(|(_, frame)| number(frame)).collect()
}
