//! The resolver against a scripted server, both on a stack of their own, on an in-memory link
//! and under a fake clock.

mod answers;
mod hostile;
mod servers;

use core::net::SocketAddr;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use embedded_io_async::{Read, Write};
use fata_net::resolver::{Family, Limits};
use fata_net::testing::dns::*;
use fata_net::{Link, ResolveError, Resolver, Stack, TcpListener, UdpSocket};
use fata_task::Handle;
use fata_task::simulate;
use fata_tcpip::{Config, Ipv4Config, Ipv6Config, TcpIp};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::vec;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const SERVER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const HOST_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const HOST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// Step of a server about a question, one after the other.
enum Act {
    Send(Vec<u8>),
    /// From another port.
    Forge(Vec<u8>),
    Wait(Duration),
}

use Act::{Forge, Send, Wait};

type Script = Rc<dyn Fn(&Asked) -> Vec<Act>>;

/// The network of one test.
struct Rig {
    tasks: Handle,
    stack: TcpIp,
    resolver: Resolver<TcpIp>,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl Rig {
    /// A resolver and its servers, which follow `script`. The clock starts at zero.
    async fn new(
        tasks: &Handle,
        servers: &'static [IpAddr],
        script: impl Fn(&Asked) -> Vec<Act> + 'static,
    ) -> Self {
        let (far, near) = Link::pair(256);
        let far = TcpIp::start(tasks, far, config(1), 1);
        let near = TcpIp::start(tasks, near, config(2), 2);
        let server = Server {
            tasks: tasks.clone(),
            stack: far,
            script: Rc::new(script),
            asked: Rc::default(),
        };
        for address in [SERVER, SERVER_V6] {
            tasks.spawn(server.clone().serve_datagrams(address));
            tasks.spawn(server.clone().serve_streams(address));
        }
        let asked = Rc::clone(&server.asked);
        let resolver = Resolver::new(
            tasks,
            near.clone(),
            || servers.to_vec(),
            Limits::default(),
            [7; 32],
        );
        fata_task::yield_now().await;
        Self {
            tasks: tasks.clone(),
            stack: near,
            resolver,
            asked,
        }
    }

    /// The questions so far, by their time.
    fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Questions so far, in order, such as `a.example. 1`.
    fn log(&self) -> Vec<String> {
        let asked = self.asked();
        let line = |asked: &Asked| std::format!("{} {}", asked.name(), asked.kind());
        asked.iter().map(line).collect()
    }

    async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let found = self.resolver.lookup_family(host, Family::Ipv4).await;
        found.map(|found| found.as_slice().to_vec())
    }

    async fn sleep(&self, seconds: u64) {
        self.tasks.sleep(Duration::from_secs(seconds)).await;
    }

    fn seconds(&self) -> u64 {
        self.tasks.now().as_millis() / 1_000
    }
}

#[derive(Clone)]
struct Server {
    tasks: Handle,
    stack: TcpIp,
    script: Script,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl Server {
    fn acts(&self, asked: Asked) -> Vec<Act> {
        let acts = (self.script)(&asked);
        self.asked.borrow_mut().push(asked);
        acts
    }

    async fn serve_datagrams(self, server: IpAddr) {
        let bind = |port| self.stack.bind(SocketAddr::new(server, port));
        let socket = Rc::new(bind(53).await.expect("the port is free"));
        let other = Rc::new(bind(54).await.expect("the port is free"));
        let mut buffer = [0; 1_232];
        loop {
            let received = socket.receive_from(&mut buffer).await;
            let (length, client) = received.expect("receiving goes on");
            let acts = self.acts(Asked {
                bytes: buffer[..length].to_vec(),
                at: self.tasks.now().as_millis(),
                server,
                client,
                stream: false,
            });
            let (tasks, socket, other) =
                (self.tasks.clone(), Rc::clone(&socket), Rc::clone(&other));
            self.tasks.spawn(async move {
                for act in acts {
                    let sent = match act {
                        Send(bytes) => socket.send_to(&bytes, client).await,
                        Forge(bytes) => other.send_to(&bytes, client).await,
                        Wait(time) => {
                            tasks.sleep(time).await;
                            Ok(())
                        }
                    };
                    sent.expect("the client can be reached");
                }
            });
        }
    }

    async fn serve_streams(self, server: IpAddr) {
        let listener = self.stack.listen(SocketAddr::new(server, 53)).await;
        let listener = listener.expect("the port is free");
        loop {
            let mut stream = listener.accept().await.expect("accepting goes on");
            let server = self.clone();
            let address = listener.local_addr().ip();
            self.tasks.spawn(async move {
                let mut length = [0; 2];
                stream.read_exact(&mut length).await.expect("a length");
                let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut bytes).await.expect("a question");
                let acts = server.acts(Asked {
                    bytes,
                    at: server.tasks.now().as_millis(),
                    server: address,
                    client: fata_net::TcpStream::peer_addr(&stream),
                    stream: true,
                });
                for act in acts {
                    match act {
                        Send(bytes) | Forge(bytes) => {
                            let length = (bytes.len() as u16).to_be_bytes();
                            let framed = [&length[..], &bytes].concat();
                            if stream.write_all(&framed).await.is_err() {
                                return;
                            }
                        }
                        Wait(time) => server.tasks.sleep(time).await,
                    }
                }
            });
        }
    }
}

fn config(last: u8) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address: Ipv4Addr::new(10, 0, 0, last),
            prefix: 24,
            gateway: None,
        },
        ipv6: Ipv6Config::Static {
            address: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()),
            prefix: 64,
            gateway: None,
        },
        ..Config::default()
    }
}

/// Answers with one address of the family that is asked for.
fn plain(asked: &Asked) -> Vec<Act> {
    let record = match asked.kind() {
        A => address("host.example.", HOST_V4, 60),
        AAAA => address("host.example.", HOST_V6, 60),
        _ => pointer("7.2.0.192.in-addr.arpa.", "Host.example.", 60),
    };
    vec![Send(asked.answer(0, &[record], &[]))]
}
