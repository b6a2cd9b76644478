//! A server for iperf3's tests of TCP and UDP, in both directions and with several streams (`-R`,
//! `--bidir`, `-P`, `-b`, `-O`); one test at a time. Other clients are told that it is busy.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pace;
mod protocol;
mod streams;
mod tcp;
mod udp;

use alloc::vec::Vec;
use core::future::Future;
use core::net::{Ipv6Addr, SocketAddr};
use core::time::Duration;
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use fata_boot::{Env, Network, Port};
use fata_net::{Stack, TcpListener, TcpStream};
use fata_task::Handle;
use protocol::{Cookie, Counts, Parameters, Refusal, Results};
use streams::Streams;

fata_boot::main!(app, Port<5201>);

type Listener = <Network as Stack>::Listener;
type Connection = <Network as Stack>::Stream;

/// How long a client may take for each step before and after the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long others wait for a connection that does not say what it is for.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

async fn app(env: Env, port: Port<5201>) -> fata_boot::Result {
    let network = env.network().await?;
    let listener = network.listen(port.into()).await?;
    log::info!("serving on port {port}");
    loop {
        let control = listener.accept().await?;
        let peer = control.peer_addr();
        match serve(&env, &network, &listener, control).await {
            Ok(()) => log::info!("a test with {peer} is done"),
            Err(refusal) => log::warn!("no test with {peer}: {refusal}"),
        }
    }
}

/// Serves one test, whose control connection has come.
async fn serve(
    env: &Env,
    network: &Network,
    listener: &Listener,
    mut control: Connection,
) -> Result<(), Refusal> {
    let tasks = &env.tasks;
    let (cookie, parameters) = patiently(tasks, agree(&mut control)).await?;
    let streams = open(tasks, network, listener, &mut control, &cookie, &parameters).await?;
    let (mut start, mut busy) = (tasks.now(), env.busy());
    let omitted = Duration::from_secs(parameters.omit.into());
    let ended = match tasks
        .timeout(omitted, until_end(&mut control, listener))
        .await
    {
        Ok(ended) => ended,
        Err(_) => {
            (start, busy) = (tasks.now(), env.busy());
            // iperf3 goes on counting the rest.
            let forget = |counts: Counts| Counts { bytes: 0, ..counts };
            streams
                .counts
                .iter()
                .for_each(|counts| counts.update(forget));
            until_end(&mut control, listener).await
        }
    };
    ended?;
    let seconds = (tasks.now() - start).as_secs_f32();
    let busy = (env.busy() - busy).as_secs_f32() / seconds * 100.0;
    let counts = streams.counts.iter().map(|counts| counts.get());
    let results = Results::new(counts, seconds, busy);
    drop(streams);
    patiently(tasks, finish(&mut control, &results)).await
}

async fn patiently<T>(
    tasks: &Handle,
    step: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let done = tasks.timeout(PATIENCE, step).await;
    done.unwrap_or(Err(Refusal::Gone))
}

/// Hears what the client wants, and asks for the data connections.
async fn agree(control: &mut impl TcpStream) -> Result<(Cookie, Parameters), Refusal> {
    let cookie = protocol::read_cookie(control).await?;
    control.write_all(&[protocol::PARAM_EXCHANGE]).await?;
    let text = protocol::read_text(control).await?;
    let parameters: Parameters = serde_json::from_slice(&text).map_err(|_| Refusal::Malformed)?;
    if let Err(refusal) = parameters.check() {
        protocol::refuse(control).await?;
        return Err(refusal);
    }
    Ok((cookie, parameters))
}

/// Waits for the streams, and has them carry data.
async fn open(
    tasks: &Handle,
    network: &Network,
    listener: &Listener,
    control: &mut Connection,
    cookie: &Cookie,
    parameters: &Parameters,
) -> Result<Streams, Refusal> {
    const START: [u8; 2] = [protocol::TEST_START, protocol::TEST_RUNNING];
    if parameters.udp {
        let peer = control.peer_addr();
        let local = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), listener.local_addr().port());
        let socket = network.bind(local).await?;
        control.write_all(&[protocol::CREATE_STREAMS]).await?;
        let joining = udp::join(&socket, peer.ip(), parameters.streams().count());
        let peers = patiently(tasks, joining).await?;
        control.write_all(&START).await?;
        return Ok(udp::carry(tasks, socket, peers, parameters));
    }
    control.write_all(&[protocol::CREATE_STREAMS]).await?;
    let mut sockets = Vec::new();
    for _ in parameters.streams() {
        sockets.push(patiently(tasks, join(tasks, listener, cookie)).await?);
    }
    control.write_all(&START).await?;
    Ok(tcp::carry(tasks, sockets, parameters))
}

/// Waits for the next data connection of this test, and lets no other one end it.
async fn join(tasks: &Handle, listener: &Listener, cookie: &Cookie) -> Result<Connection, Refusal> {
    loop {
        let mut stream = listener.accept().await?;
        let told = tasks.timeout(COOKIE_PATIENCE, protocol::read_cookie(&mut stream));
        match told.await {
            Ok(Ok(told)) if told == *cookie => return Ok(stream),
            Ok(Ok(_)) => refuse(&mut stream).await,
            _ => {}
        }
    }
}

/// Tells a client that a test is running. One that is gone already need not hear it.
async fn refuse(stream: &mut impl TcpStream) {
    let _ = stream.write_all(&[protocol::ACCESS_DENIED]).await;
}

/// Tells other clients that a test is running.
async fn deny(listener: &Listener) -> Result<(), Refusal> {
    loop {
        refuse(&mut listener.accept().await?).await;
    }
}

/// Waits for the test's end.
async fn until_end(control: &mut Connection, listener: &Listener) -> Result<(), Refusal> {
    let mut state = [0];
    match select(control.read_exact(&mut state), deny(listener)).await {
        Either::First(read) => read?,
        Either::Second(denied) => denied?,
    }
    (state[0] == protocol::TEST_END)
        .then_some(())
        .ok_or(Refusal::Malformed)
}

/// Exchanges results, and waits for the client to be content.
async fn finish(control: &mut impl TcpStream, results: &Results) -> Result<(), Refusal> {
    control.write_all(&[protocol::EXCHANGE_RESULTS]).await?;
    protocol::read_text(control).await?;
    protocol::write_results(control, results).await?;
    control.write_all(&[protocol::DISPLAY_RESULTS]).await?;
    let mut state = [0];
    control.read_exact(&mut state).await?;
    (state[0] == protocol::IPERF_DONE)
        .then_some(())
        .ok_or(Refusal::Malformed)
}
