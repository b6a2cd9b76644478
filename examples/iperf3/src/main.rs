//! A server for iperf3's TCP tests, in both directions and with several streams; one test at a
//! time. Other clients are told that it is busy.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod protocol;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::error::Error;
use core::future::Future;
use core::net::Ipv6Addr;
use core::time::Duration;
use embassy_futures::select::{Either, select};
use embedded_io_async::Write;
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_net::{Stack, TcpListener, TcpStream};
use fata_task::{Handle, JoinHandle};
use protocol::{Cookie, Parameters, Refusal, Results};

#[global_allocator]
static HEAP: fata_boot::heap::Talc = fata_boot::heap::Talc::new();

fata_boot::main!(app, Options);

/// How long a client may take for each step before and after the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long others wait for a connection that does not say what it is for.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

struct Options {
    port: u16,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            port: args.option("port", "PORT", "TCP port to serve on", 5201)?,
        })
    }
}

async fn app(env: Env, options: Options) -> Result<(), Box<dyn Error>> {
    let network = env.network().await?;
    let listener = network
        .listen((Ipv6Addr::UNSPECIFIED, options.port).into())
        .await?;
    log::info!("serving on port {}", options.port);
    loop {
        let control = listener.accept().await?;
        let peer = control.peer_addr();
        match serve(&env, &listener, control).await {
            Ok(()) => log::info!("a test with {peer} is done"),
            Err(refusal) => log::warn!("no test with {peer}: {refusal}"),
        }
    }
}

/// A data connection, and the bytes that it has carried.
struct Stream {
    task: JoinHandle<()>,
    bytes: Rc<Cell<u64>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.cancel();
    }
}

/// Serves one test, whose control connection has come.
async fn serve<L: TcpListener>(
    env: &Env,
    listener: &L,
    mut control: L::Stream,
) -> Result<(), Refusal> {
    let tasks = &env.tasks;
    let (cookie, parameters) = patiently(tasks, agree(&mut control)).await?;
    let mut sockets = Vec::new();
    while sockets.len() < parameters.streams() {
        sockets.push(patiently(tasks, join(tasks, listener, &cookie)).await?);
    }
    control
        .write_all(&[protocol::TEST_START, protocol::TEST_RUNNING])
        .await?;
    let (start, busy) = (tasks.now(), env.busy());
    let block = parameters
        .reverse
        .then(|| vec![0; parameters.block()].into());
    let streams: Vec<Stream> = sockets
        .into_iter()
        .map(|socket| carry(tasks, socket, block.clone()))
        .collect();
    match select(until_end(&mut control), deny(listener)).await {
        Either::First(ended) | Either::Second(ended) => ended?,
    }
    let seconds = (tasks.now() - start).as_secs_f32();
    let busy = (env.busy() - busy).as_secs_f32() / seconds * 100.0;
    let bytes: Vec<u64> = streams.iter().map(|stream| stream.bytes.get()).collect();
    drop(streams);
    let results = Results::new(bytes.into_iter(), seconds, busy);
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
        control.write_all(&[protocol::ACCESS_DENIED]).await?;
        return Err(refusal);
    }
    control.write_all(&[protocol::CREATE_STREAMS]).await?;
    Ok((cookie, parameters))
}

/// Waits for the next data connection of this test, and lets no other one end it.
async fn join<L: TcpListener>(
    tasks: &Handle,
    listener: &L,
    cookie: &Cookie,
) -> Result<L::Stream, Refusal> {
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
async fn deny<L: TcpListener>(listener: &L) -> Result<(), Refusal> {
    loop {
        refuse(&mut listener.accept().await?).await;
    }
}

async fn until_end(control: &mut impl TcpStream) -> Result<(), Refusal> {
    let mut state = [0];
    control.read_exact(&mut state).await?;
    (state[0] == protocol::TEST_END)
        .then_some(())
        .ok_or(Refusal::Malformed)
}

/// Receives on a data connection, after it has sent a block again and again if there is one, in a
/// task of its own.
fn carry(tasks: &Handle, mut socket: impl TcpStream + 'static, block: Option<Rc<[u8]>>) -> Stream {
    let bytes = Rc::new(Cell::new(0));
    let count = Rc::clone(&bytes);
    let add = move |length: usize| count.set(count.get() + length as u64);
    let task = tasks.spawn(async move {
        if let Some(block) = block {
            while let Ok(length) = socket.write(&block).await {
                add(length);
            }
        }
        while let Ok(length @ 1..) = socket.fill_buf().await.map(<[u8]>::len) {
            socket.consume(length);
            add(length);
        }
    });
    Stream { task, bytes }
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
