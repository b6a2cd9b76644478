//! The hot path: a fixed answer costs no allocation and no more than one write.

mod common;

use embedded_io_async::{Read, Write};
use fata_http::{Response, Server, handler};
use fata_task::{Handle, join, simulate};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Of this thread only: the test harness has others.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_fixed_answer_allocates_nothing() {
    const ROUNDS: usize = 1_000;
    simulate(async |tasks: Handle| {
        let (mut near, mut far) = common::duplex(4096);
        let hello = handler(async |_| Ok(Response::text("Hello, World!")));
        let server = Server::new(tasks);
        let serving = async {
            server.serve_connection(&mut far, None, &hello).await;
        };
        let asking = async {
            let mut buffer = [0; 512];
            let mut before = 0;
            for round in 0..ROUNDS + 10 {
                if round == 10 {
                    before = ALLOCATIONS.get();
                }
                near.write(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
                    .await
                    .unwrap();
                let length = near.read(&mut buffer).await.unwrap();
                assert!(buffer[..length].ends_with(b"\r\n\r\nHello, World!"));
            }
            let after = ALLOCATIONS.get();
            near.finish();
            after - before
        };
        let ((), allocations) = join(serving, asking).await;
        assert_eq!(allocations, 0);
        assert_eq!(far.writes, ROUNDS + 10);
    });
}
