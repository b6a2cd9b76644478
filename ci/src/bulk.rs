use crate::PATIENCE;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

#[path = "../images/bulk/src/pattern.rs"]
pub(crate) mod pattern;

const BLOCK: usize = 64 * 1024;

/// Sends so many bytes to the sink of the image `bulk`, which checks each. Returns how long it took
/// until the sink had them all.
///
/// # Panics
/// If a byte came wrong, or for [`PATIENCE`] none came.
#[track_caller]
pub fn send_checked(address: IpAddr, bytes: u64) -> Duration {
    let mut stream = connect(address, 9);
    let start = Instant::now();
    let mut block = vec![0; BLOCK];
    let mut place = 0;
    while place < bytes {
        let length = BLOCK.min(usize::try_from(bytes - place).unwrap_or(BLOCK));
        pattern::fill(place, &mut block[..length]);
        let sent = stream.write_all(&block[..length]);
        sent.expect("the sink takes all, and finds it right");
        place += length as u64;
    }
    let finished = stream.shutdown(Shutdown::Write);
    finished.expect("the connection can be closed");
    let mut answer = [0; 8];
    let answered = stream.read_exact(&mut answer);
    answered.expect("the sink answers, if it found all bytes right");
    assert_eq!(u64::from_le_bytes(answer), bytes, "bytes that came");
    start.elapsed()
}

/// Takes so many bytes from the source of the image `bulk` and checks each. Returns how long it took.
///
/// # Panics
/// As [`send_checked`].
#[track_caller]
pub fn receive_checked(address: IpAddr, bytes: u64) -> Duration {
    let mut stream = connect(address, 19);
    let start = Instant::now();
    let asked = stream.write_all(&bytes.to_le_bytes());
    asked.expect("the source is asked");
    let (mut block, mut expected) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut place = 0;
    loop {
        let length = stream.read(&mut block).expect("the source goes on");
        if length == 0 {
            break;
        }
        let right = pattern::matches(place, &block[..length], &mut expected);
        assert!(right, "wrong bytes within {length} from {place} on");
        place += length as u64;
    }
    assert_eq!(place, bytes, "bytes that came");
    start.elapsed()
}

fn connect(address: IpAddr, port: u16) -> TcpStream {
    let stream = TcpStream::connect((address, port)).expect("the guest accepts");
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).expect("a time-out can be set");
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::pattern::{fill, matches};

    #[test]
    fn the_pattern_is_the_same_however_it_is_cut() {
        let mut whole = [0; 100];
        fill(3, &mut whole);
        for cut in 0..100 {
            let (mut first, mut second) = (vec![0; cut], vec![0; 100 - cut]);
            fill(3, &mut first);
            fill(3 + cut as u64, &mut second);
            assert_eq!([first, second].concat(), whole);
        }
    }

    #[test]
    fn a_swapped_doubled_or_changed_byte_is_seen() {
        let (mut block, mut room) = ([0; 64], [0; 64]);
        fill(0, &mut block);
        assert!(matches(0, &block, &mut room));
        assert!(!matches(8, &block, &mut room));
        for place in 0..64 {
            let mut changed = block;
            changed[place] ^= 1;
            assert!(!matches(0, &changed, &mut room));
        }
        block.swap(0, 8);
        assert!(!matches(0, &block, &mut room));
    }
}
