//! A peer that is made of single packets.

use super::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::*;

/// Fields of a segment that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) sequence: TcpSeqNumber,
    pub(super) acknowledged: Option<TcpSeqNumber>,
    pub(super) length: usize,
    pub(super) control: TcpControl,
}

/// The other end of the link of a stack.
pub(super) struct Peer {
    pub(super) link: Link,
    pub(super) source: Ipv4Addr,
    /// The sequence number of its SYNs.
    pub(super) sequence: TcpSeqNumber,
    server: EthernetAddress,
    /// Its own hardware address.
    pub(super) hardware: EthernetAddress,
    /// The second half of the VLAN tag of its frames, if they have one.
    pub(super) tag: Option<u16>,
}

/// The port of peers, if nothing else is said.
pub(super) const PORT: u16 = 40_000;
/// The sequence number of SYNs, if nothing else is said.
pub(super) const SEQUENCE: TcpSeqNumber = TcpSeqNumber(1_000);

/// An empty segment.
pub(super) fn segment(
    sequence: TcpSeqNumber,
    acknowledged: Option<TcpSeqNumber>,
) -> TcpRepr<'static> {
    TcpRepr {
        src_port: 0,
        dst_port: 0,
        control: TcpControl::None,
        seq_number: sequence,
        ack_number: acknowledged,
        window_len: 60_000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    }
}

impl Peer {
    pub(super) fn new(link: Link) -> Self {
        Self {
            hardware: EthernetAddress(link.mac().0),
            link,
            source: CLIENT,
            tag: None,
            sequence: SEQUENCE,
            server: EthernetAddress([2, 0, 0, 0, 0, 1]),
        }
    }

    pub(super) fn flush(&mut self) {
        self.link.flush();
    }

    pub(super) fn mac(&self) -> EthernetAddress {
        self.hardware
    }

    /// Sends one frame that `fill` writes behind the Ethernet header.
    pub(super) fn send(
        &mut self,
        protocol: EthernetProtocol,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        let (source, destination) = (self.mac(), self.server);
        let room = self.tag.map_or(0, |_| 4);
        let sent = self.link.transmit(room + 14 + length, |bytes| {
            let mut frame = EthernetFrame::new_unchecked(&mut bytes[room..]);
            frame.set_src_addr(source);
            frame.set_dst_addr(destination);
            frame.set_ethertype(protocol);
            fill(frame.payload_mut());
            if let Some(tag) = self.tag {
                bytes.copy_within(4..16, 0);
                bytes[12..14].copy_from_slice(&[0x81, 0]);
                bytes[14..16].copy_from_slice(&tag.to_be_bytes());
            }
        });
        assert_eq!(sent, Ok(()));
    }

    /// Asks for the stack's address, which tells it this one's.
    pub(super) async fn introduce(&mut self, target: Ipv4Addr) {
        self.arp(ArpOperation::Request, EthernetAddress([0; 6]), target);
    }

    /// Tells the stack this one's address, as if it had asked.
    pub(super) fn reply(&mut self) {
        self.arp(ArpOperation::Reply, self.server, SERVER);
    }

    fn arp(&mut self, operation: ArpOperation, hardware: EthernetAddress, target: Ipv4Addr) {
        let message = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: self.mac(),
            source_protocol_addr: self.source,
            target_hardware_addr: hardware,
            target_protocol_addr: target,
        };
        self.send(EthernetProtocol::Arp, message.buffer_len(), |bytes| {
            message.emit(&mut ArpPacket::new_unchecked(bytes));
        });
        self.flush();
    }

    pub(super) fn ipv4(
        &mut self,
        protocol: IpProtocol,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        let header = Ipv4Repr {
            src_addr: self.source,
            dst_addr: SERVER,
            next_header: protocol,
            payload_len: length,
            hop_limit: 64,
        };
        self.send(EthernetProtocol::Ipv4, 20 + length, |bytes| {
            let mut packet = Ipv4Packet::new_unchecked(bytes);
            header.emit(&mut packet, &ChecksumCapabilities::default());
            fill(packet.payload_mut());
        });
    }

    /// Sends a segment; `segment` says what is special about it.
    pub(super) fn segment(&mut self, port: u16, to: u16, segment: TcpRepr<'_>) {
        self.segment_with(port, to, segment, |_| ());
    }

    /// Sends a segment that `change` has changed.
    pub(super) fn segment_with(
        &mut self,
        port: u16,
        to: u16,
        segment: TcpRepr<'_>,
        change: impl FnOnce(&mut [u8]),
    ) {
        let segment = TcpRepr {
            src_port: port,
            dst_port: to,
            ..segment
        };
        let source = self.source;
        self.ipv4(IpProtocol::Tcp, segment.buffer_len(), |bytes| {
            segment.emit(
                &mut TcpPacket::new_unchecked(bytes),
                &source.into(),
                &SERVER.into(),
                &ChecksumCapabilities::default(),
            );
            change(bytes);
        });
    }

    pub(super) fn datagram(&mut self, port: u16, to: u16, payload: &[u8]) {
        let (header, source) = (
            UdpRepr {
                src_port: port,
                dst_port: to,
            },
            self.source,
        );
        self.ipv4(IpProtocol::Udp, UDP_HEADER_LEN + payload.len(), |bytes| {
            header.emit(
                &mut UdpPacket::new_unchecked(bytes),
                &source.into(),
                &SERVER.into(),
                payload.len(),
                |bytes| bytes.copy_from_slice(payload),
                &ChecksumCapabilities::default(),
            );
        });
    }

    pub(super) fn syn(&mut self, port: u16, to: u16) {
        let syn = TcpRepr {
            control: TcpControl::Syn,
            ..segment(self.sequence, None)
        };
        self.segment(port, to, syn);
    }

    /// Opens a connection. Returns the sequence number of the server's first byte.
    pub(super) async fn handshake(&mut self, tasks: &Handle, port: u16, to: u16) -> TcpSeqNumber {
        self.syn(port, to);
        self.flush();
        let answer = self.wait_for(tasks, port, |_| true).await;
        assert_eq!(answer.control, TcpControl::Syn);
        let next = answer.sequence + 1;
        self.segment(port, to, segment(self.sequence + 1, Some(next)));
        self.flush();
        next
    }

    /// The next segment to `port` that fits. Answers ARP requests meanwhile.
    pub(super) async fn wait_for(
        &mut self,
        tasks: &Handle,
        port: u16,
        fits: impl Fn(Segment) -> bool,
    ) -> Segment {
        for _ in 0..1_000 {
            while let Some(frame) = self.link.receive() {
                let segment = tcp_segment(&frame, port);
                self.link.recycle(frame);
                if let Some(segment) = segment.filter(|segment| fits(*segment)) {
                    return segment;
                }
            }
            tasks.sleep(Duration::from_millis(1)).await;
        }
        panic!("no such segment came");
    }

    /// The next segment to `port` that has come already.
    pub(super) fn take(&mut self, port: u16) -> Option<Segment> {
        self.take_with(|frame| tcp_segment(frame, port))
    }

    /// The next segment to any port that has come already, and the port that it came from.
    pub(super) fn take_any(&mut self) -> Option<(u16, Segment)> {
        self.take_with(|frame| {
            // Behind the headers of Ethernet and IPv4.
            let ports = frame.get(34..38)?;
            let port = |place: usize| u16::from_be_bytes([ports[place], ports[place + 1]]);
            Some((port(0), tcp_segment(frame, port(2))?))
        })
    }

    fn take_with<R>(&mut self, read: impl Fn(&[u8]) -> Option<R>) -> Option<R> {
        while let Some(frame) = self.link.receive() {
            let found = read(&frame);
            self.link.recycle(frame);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The next frame for which `read` finds something.
    pub(super) async fn receive<R>(
        &mut self,
        tasks: &Handle,
        read: impl Fn(&[u8]) -> Option<R>,
    ) -> Option<R> {
        for _ in 0..20_000 {
            while let Some(frame) = self.link.receive() {
                let found = read(&frame);
                self.link.recycle(frame);
                if found.is_some() {
                    return found;
                }
            }
            tasks.sleep(Duration::from_millis(1)).await;
        }
        None
    }
}

fn tcp_segment(frame: &[u8], port: u16) -> Option<Segment> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 || packet.next_header() != IpProtocol::Tcp {
        return None;
    }
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    let segment = TcpPacket::new_checked(packet.payload()).ok()?;
    let checksums = ChecksumCapabilities::default();
    let parsed = TcpRepr::parse(&segment, &source, &destination, &checksums).ok()?;
    (parsed.dst_port == port).then_some(Segment {
        sequence: parsed.seq_number,
        acknowledged: parsed.ack_number,
        length: parsed.payload.len(),
        control: parsed.control,
    })
}

/// A connection that a peer has opened from [`PORT`] to port 80 of a stack, and the sequence
/// number of the first byte that the stack will send.
pub(super) async fn accepted(tasks: &Handle) -> (TcpIp, TcpStream, Peer, TcpSeqNumber) {
    let (device, link) = Link::pair(256);
    let stack = TcpIp::start(tasks, device, server_config(), 1);
    let listener = stack.listen(everywhere(80)).await;
    let listener = listener.expect("the port is free");
    let mut peer = Peer::new(link);
    peer.introduce(SERVER).await;
    let next = peer.handshake(tasks, PORT, 80).await;
    let stream = listener.accept().await.expect("accepted");
    (stack, stream, peer, next)
}
