//! `GET /blk?rw=r|w&bs=N&n=N&rand=0|1&span=N&qd=N`: reads or writes of the disk, as the bench
//! wants them. It overwrites the disk.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::cell::Cell;
use fata_block::{Block, Error};
use fata_http::Request;
use fata_task::Handle;
use rand_core::{Rng, SeedableRng};

/// The most bytes that the requests of one job have in memory at once.
const MOST_MEMORY: u64 = 64 << 20;

/// The work to do.
#[derive(Clone, Copy)]
struct Job {
    writes: bool,
    /// Bytes of a request, and how many of them.
    size: u64,
    count: u64,
    random: bool,
    /// Bytes of the disk that are used, from its beginning.
    span: u64,
    /// Requests under way.
    depth: u64,
}

impl Job {
    fn parse(request: &Request<'_>) -> Option<Self> {
        let value = |name| request.query_value(name);
        let number = |name| value(name)?.parse::<u64>().ok();
        let job = Self {
            writes: value("rw")? == "w",
            size: number("bs")?,
            count: number("n")?,
            random: number("rand")? != 0,
            span: number("span")?,
            depth: number("qd")?,
        };
        let sane = job.size > 0
            && job.depth > 0
            && job.span >= job.size
            && job.size.checked_mul(job.depth)? <= MOST_MEMORY;
        sane.then_some(job)
    }
}

/// Does a job, and says what came of it: bytes done, microseconds, and whether there was an error.
pub async fn measure(
    tasks: &Handle,
    disk: Rc<impl Block + 'static>,
    request: &Request<'_>,
) -> String {
    let Some(job) = Job::parse(request) else {
        return "0 0 err=22\n".into();
    };
    let next = Rc::new(Cell::new(0));
    // Filled before the clock starts, as in the Linux guest.
    let buffers = vec![vec![0x5a; job.size as usize]; job.depth as usize];
    let start = tasks.now();
    let workers: Vec<_> = buffers
        .into_iter()
        .zip(0..)
        .map(|(buffer, seed)| {
            let work = work(Rc::clone(&disk), job, Rc::clone(&next), buffer, seed);
            tasks.spawn(work)
        })
        .collect();
    let (mut done, mut error) = (0, false);
    for worker in workers {
        match worker.await {
            Ok(Ok(bytes)) => done += bytes,
            _ => error = true,
        }
    }
    if job.writes {
        error |= disk.flush().await.is_err();
    }
    let microseconds = (tasks.now() - start).as_micros();
    format!("{done} {microseconds} err={}\n", if error { 5 } else { 0 })
}

/// Does requests, one after another, until all of the job are taken.
async fn work(
    disk: Rc<impl Block>,
    job: Job,
    next: Rc<Cell<u64>>,
    mut buffer: Vec<u8>,
    seed: u64,
) -> Result<u64, Error> {
    let mut numbers = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let sectors = job.size / disk.geometry().sector_size as u64;
    let places = job.span / job.size;
    let mut done = 0;
    while next.get() < job.count {
        let number = next.replace(next.get() + 1);
        let place = if job.random {
            numbers.next_u64()
        } else {
            number
        } % places;
        let sector = place * sectors;
        buffer = if job.writes {
            disk.write(sector, buffer).await?
        } else {
            disk.read(sector, buffer).await?
        };
        done += job.size;
    }
    Ok(done)
}
