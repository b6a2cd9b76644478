use super::*;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::future::poll_fn;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Poll;
use fata_task::{Executor, Idle, Unparker, join_array};
use fata_time::{Clock, HostClock, Instant};
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, format, process, thread};

/// A file that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(bytes: u64) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fata-block-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        File::create_new(&path).unwrap().set_len(bytes).unwrap();
        Self(path)
    }

    fn open(&self, access: Access) -> FileDisk {
        FileDisk::start(DiskFile::open(&self.0, access).unwrap()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

struct Park;

impl Idle for Park {
    fn poll(&self) {}

    fn wait(&self, deadline: Option<Instant>) {
        match deadline {
            None => thread::park(),
            Some(deadline) => thread::park_timeout(deadline - HostClock.now()),
        }
    }

    fn unparker(&self) -> Option<Unparker> {
        let owner = thread::current();
        Some(Arc::new(move || owner.unpark()))
    }
}

fn run<F: Future>(test: F) -> F::Output {
    Executor::new(HostClock).block_on(&Park, test)
}

#[test]
fn what_is_written_stays() {
    let scratch = Scratch::new(4 * 512);
    let disk = scratch.open(Access::ReadWrite);
    assert_eq!(disk.geometry().sectors, 4);
    run(async {
        assert_eq!(disk.write(1, vec![7; 1024]).await, Ok(vec![7; 1024]));
        assert_eq!(disk.flush().await, Ok(()));
        assert_eq!(disk.write_zeroes(2, 1).await, Ok(()));
        let expected = [[0; 512], [7; 512], [0; 512], [0; 512]].concat();
        assert_eq!(disk.read(0, vec![1; 2048]).await, Ok(expected.clone()));
        drop(disk);
        assert_eq!(fs::read(&scratch.0).unwrap(), expected);
        let disk = scratch.open(Access::ReadOnly);
        assert_eq!(disk.read(0, vec![1; 2048]).await, Ok(expected));
        assert_eq!(disk.write(0, vec![1; 512]).await, Err(Error::ReadOnly));
        assert_eq!(disk.discard(0, 1).await, Err(Error::ReadOnly));
        assert_eq!(disk.flush().await, Ok(()));
    });
}

#[test]
fn what_cannot_be_done_is_refused() {
    let scratch = Scratch::new(4 * 512);
    let disk = scratch.open(Access::ReadWrite);
    run(async {
        assert_eq!(disk.read(4, vec![0; 512]).await, Err(Error::OutOfRange));
        assert_eq!(disk.write(0, vec![0; 100]).await, Err(Error::Misaligned));
        assert_eq!(disk.write_zeroes(1, u64::MAX).await, Err(Error::OutOfRange));
        assert_eq!(disk.read(4, Vec::new()).await, Ok(Vec::new()));
        assert_eq!(disk.discard(0, 0).await, Ok(()));
    });
}

#[test]
fn many_requests_are_under_way_at_once() {
    const COUNT: usize = 200;
    let scratch = Scratch::new(COUNT as u64 * 512);
    let disk = &scratch.open(Access::ReadWrite);
    run(async {
        let writes = core::array::from_fn::<_, COUNT, _>(|index| {
            disk.write(index as u64, vec![index as u8; 512])
        });
        for (index, written) in join_array(writes).await.into_iter().enumerate() {
            assert_eq!(written, Ok(vec![index as u8; 512]));
        }
        disk.flush().await.unwrap();
        let reads =
            core::array::from_fn::<_, COUNT, _>(|index| disk.read(index as u64, vec![0; 512]));
        for (index, read) in join_array(reads).await.into_iter().enumerate() {
            assert_eq!(read, Ok(vec![index as u8; 512]));
        }
    });
}

#[test]
fn long_requests_are_done_in_full() {
    const LENGTH: usize = 3 << 20;
    let scratch = Scratch::new(LENGTH as u64);
    let disk = scratch.open(Access::ReadWrite);
    let bytes: Vec<u8> = (0..LENGTH).map(|index| (index / 511) as u8).collect();
    run(async {
        disk.write(0, bytes.clone()).await.unwrap();
        assert!(disk.read(0, vec![0; LENGTH]).await == Ok(bytes));
        disk.write_zeroes(0, (LENGTH / 512) as u64).await.unwrap();
        assert!(disk.read(0, vec![1; LENGTH]).await == Ok(vec![0; LENGTH]));
    });
}

#[test]
fn requests_may_be_dropped_at_any_time() {
    let scratch = Scratch::new(64 * 512);
    let disk = scratch.open(Access::ReadWrite);
    run(async {
        for round in 0..200 {
            let mut requests: Vec<_> = (0..20)
                .map(|sector| Box::pin(disk.write(sector, vec![round as u8 + 1; 512])))
                .collect();
            poll_fn(|context| {
                requests.retain_mut(|request| request.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            // Some have begun by now, some not.
            drop(requests);
        }
        // Nothing that was dropped holds up, or changes, what comes after it.
        disk.write(40, vec![9; 512]).await.unwrap();
        assert_eq!(disk.read(40, vec![0; 512]).await, Ok(vec![9; 512]));
    });
}

#[test]
fn discarded_sectors_give_their_room_back() {
    use std::os::unix::fs::MetadataExt;
    const SECTORS: u64 = 8 << 11;
    let scratch = Scratch::new(SECTORS * 512);
    let disk = scratch.open(Access::ReadWrite);
    let blocks = || fs::metadata(&scratch.0).unwrap().blocks();
    run(async {
        let written = vec![1; SECTORS as usize * 512];
        disk.write(0, written).await.unwrap();
        disk.flush().await.unwrap();
        let before = blocks();
        disk.discard(0, SECTORS).await.unwrap();
        // A file system that cannot do that takes no notice.
        assert!(blocks() < before / 2 || blocks() == before);
        assert_eq!(disk.write(5, vec![2; 512]).await, Ok(vec![2; 512]));
        assert_eq!(disk.read(5, vec![0; 512]).await, Ok(vec![2; 512]));
    });
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let scratch = Scratch::new(8 * 512);
    let disk = scratch.open(Access::ReadWrite);
    File::options()
        .write(true)
        .open(&scratch.0)
        .unwrap()
        .set_len(1_000)
        .unwrap();
    assert_eq!(run(disk.read(1, vec![0; 1024])), Err(Error::Io));
}

#[test]
fn two_programs_do_not_write_the_same_disk() {
    let scratch = Scratch::new(512);
    let open = |access| DiskFile::open(&scratch.0, access);
    let writer = open(Access::ReadWrite).unwrap();
    assert_eq!(open(Access::ReadWrite).unwrap_err(), OpenError::InUse);
    assert_eq!(open(Access::ReadOnly).unwrap_err(), OpenError::InUse);
    drop(writer);
    let readers = [
        open(Access::ReadOnly).unwrap(),
        open(Access::ReadOnly).unwrap(),
    ];
    assert_eq!(open(Access::ReadWrite).unwrap_err(), OpenError::InUse);
    drop(readers);
    let disk = FileDisk::start(open(Access::ReadWrite).unwrap()).unwrap();
    assert_eq!(open(Access::ReadWrite).unwrap_err(), OpenError::InUse);
    drop(disk);
    open(Access::ReadWrite).unwrap();
}

#[test]
fn what_is_no_disk_is_refused() {
    let open = |path: &Path| DiskFile::open(path, Access::ReadOnly).unwrap_err();
    let scratch = Scratch::new(1_000);
    let (bytes, sector_size) = (1_000, 512);
    assert_eq!(open(&scratch.0), OpenError::Uneven { bytes, sector_size });
    assert_eq!(open(&Scratch::new(0).0), OpenError::Empty);
    assert_eq!(open(&env::temp_dir()), OpenError::NoDisk);
    assert_eq!(open(Path::new("/dev/null")), OpenError::NoDisk);
    assert_eq!(
        open(&scratch.0.join("under-a-file")),
        OpenError::Host(rustix::io::Errno::NOTDIR)
    );
    assert_eq!(open(&scratch.0.with_extension("none")), OpenError::Missing);
    let folder = DiskFile::open(&env::temp_dir(), Access::ReadWrite);
    assert_eq!(folder.unwrap_err(), OpenError::NoDisk);
}

/// A request, as far as a disk in memory can answer it the same way.
#[derive(Clone, Debug)]
enum Step {
    Read(u64, usize),
    Write(u64, usize, u8),
    WriteZeroes(u64, u64),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let sector = 0..20_u64;
    let length = prop_oneof![Just(100_usize), (0..6_usize).prop_map(|count| count * 512)];
    prop_oneof![
        (sector.clone(), length.clone()).prop_map(|(sector, length)| Step::Read(sector, length)),
        (sector.clone(), length, any::<u8>())
            .prop_map(|(sector, length, byte)| Step::Write(sector, length, byte)),
        (sector, 0..6_u64).prop_map(|(sector, count)| Step::WriteZeroes(sector, count)),
        Just(Step::Flush),
    ]
}

async fn take(disk: &impl Block, step: Step) -> Result<Vec<u8>, Error> {
    match step {
        Step::Read(sector, length) => disk.read(sector, vec![0; length]).await,
        Step::Write(sector, length, byte) => disk.write(sector, vec![byte; length]).await,
        Step::WriteZeroes(sector, count) => {
            disk.write_zeroes(sector, count).await.map(|()| Vec::new())
        }
        Step::Flush => disk.flush().await.map(|()| Vec::new()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn it_does_what_a_disk_in_memory_does(steps in proptest::collection::vec(step(), 1..40)) {
        let scratch = Scratch::new(16 * 512);
        let (disk, model) = (scratch.open(Access::ReadWrite), crate::RamDisk::new(512, 16));
        run(async {
            for step in steps {
                let expected = take(&model, step.clone()).await;
                prop_assert_eq!(take(&disk, step).await, expected);
            }
            drop(disk);
            prop_assert_eq!(fs::read(&scratch.0).unwrap(), model.into_bytes());
            Ok(())
        })?;
    }
}
