//! Keeps datagrams on the way to an echo server and counts those that come back:
//! `udp-load ADDRESS:PORT IN-FLIGHT SECONDS`. Prints the rate a second, and how many got lost.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const SIZE: usize = 64;
/// When nothing has come back for so long, everything on the way is lost.
const LOST: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, in_flight, seconds] = &arguments[..] else {
        return Err("usage: udp-load ADDRESS:PORT IN-FLIGHT SECONDS".into());
    };
    let server: SocketAddr = server.parse()?;
    let in_flight: u64 = in_flight.parse()?;
    let duration = Duration::from_secs(seconds.parse()?);
    let any: SocketAddr = if server.is_ipv4() {
        "0.0.0.0:0".parse()?
    } else {
        "[::]:0".parse()?
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(LOST))?;
    let start = Instant::now();
    let (came, lost) = load(&socket, in_flight, start + duration)?;
    println!("rate {:.1}", came as f64 / start.elapsed().as_secs_f64());
    println!("lost {lost}");
    Ok(())
}

/// How many datagrams came back until then, and how many did not.
fn load(socket: &UdpSocket, in_flight: u64, end: Instant) -> std::io::Result<(u64, u64)> {
    let (message, mut answer) = ([b'x'; SIZE], [0; 2 * SIZE]);
    let (mut came, mut lost, mut on_the_way) = (0, 0, 0);
    while Instant::now() < end {
        while on_the_way < in_flight {
            socket.send(&message)?;
            on_the_way += 1;
        }
        match socket.recv(&mut answer) {
            Ok(_) => {
                came += 1;
                on_the_way = on_the_way.saturating_sub(1);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                lost += on_the_way;
                on_the_way = 0;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((came, lost))
}
