//! The streams of a test of TCP.

use crate::pace::Pace;
use crate::protocol::{Counts, Parameters};
use crate::streams::Streams;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::Cell;
use fata_net::TcpStream;
use fata_task::Handle;

/// Sends and receives on data connections, each in a task of its own.
pub fn carry<S: TcpStream + 'static>(
    tasks: &Handle,
    sockets: impl IntoIterator<Item = S>,
    parameters: &Parameters,
) -> Streams {
    let block: Rc<[u8]> = vec![0; parameters.block()].into();
    let pace = Pace::new(tasks.now(), parameters.bandwidth);
    let mut streams = Streams::default();
    for (socket, sends) in sockets.into_iter().zip(parameters.streams()) {
        let counts = streams.add();
        let (tasks, block) = (tasks.clone(), sends.then(|| Rc::clone(&block)));
        streams.spawn(&tasks.clone(), async move {
            match block {
                Some(block) => send(&tasks, socket, &block, pace, &counts).await,
                None => receive(socket, &counts).await,
            }
        });
    }
    streams
}

fn add(counts: &Cell<Counts>, length: usize) {
    counts.update(|counts| Counts {
        bytes: counts.bytes + length as u64,
        ..counts
    });
}

/// Sends a block again and again.
async fn send(
    tasks: &Handle,
    mut socket: impl TcpStream,
    block: &[u8],
    mut pace: Pace,
    counts: &Cell<Counts>,
) {
    loop {
        pace.wait(tasks).await;
        let Ok(length) = socket.write(block).await else {
            return;
        };
        pace.add(length);
        add(counts, length);
    }
}

async fn receive(mut socket: impl TcpStream, counts: &Cell<Counts>) {
    while let Ok(length @ 1..) = socket.fill_buf().await.map(<[u8]>::len) {
        socket.consume(length);
        add(counts, length);
    }
}
