//! TCP: each connection of the guest is one of the host.
//!
//! A SYN of the guest is answered only when the host's connection stands, so that a refusal is
//! the guest's refusal and an unreachable host is told by ICMP. Data waits in the host's socket
//! until the guest has room for it, and in the guest until the host has: the windows carry the
//! back-pressure through.

mod connection;
mod endpoint;
#[cfg(test)]
mod endpoint_tests;
mod ring;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::{TcpListener, TcpStream};

use self::connection::{Broken, Connection, Flow, Progress};
use self::endpoint::{Endpoint, Timeout, Verdict};
use super::config::HostFwd;
use super::core::{Core, Destination, Owner, Source, unreachable};
use super::slots::Slots;
use super::socket::{self, Refusal};
use super::wire::{Flags, IPV4, IPV4_PAYLOAD, Ipv4, TCP, TcpHeader};

/// Connections at a time; further ones are refused.
pub(super) const CONNECTIONS_MAX: usize = 4096;
/// Buffer of each direction of a connection.
const BUFFER: usize = 256 * 1024;
/// The same for the connections beyond the first [`LARGE_MAX`], which bounds all memory to
/// about half a gigabyte.
const BUFFER_SMALL: usize = 32 * 1024;
const LARGE_MAX: usize = 512;
/// Until when both sides of a connection must stand.
const CONNECT: Duration = Duration::from_secs(75);
/// Connections accepted from a listener at a time.
const ACCEPTS_MAX: usize = 64;
/// Between attempts to accept when the host or the table had no room.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// Data of the guest that is given to the host without waiting for the end of the batch.
const PUSH_AT: usize = 64 * 1024;
/// Where ports are tried from when the peer's own is taken.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// The TCP side of the network.
pub(super) struct TcpTable {
    by_flow: HashMap<Flow, usize>,
    connections: Slots<Connection>,
    dirty: Vec<usize>,
    forwards: Vec<Forward>,
    secret: RandomState,
    opened: u64,
}

/// A forwarded port of the host.
struct Forward {
    listener: TcpListener,
    guest: SocketAddrV4,
    /// Connections may be waiting.
    pending: bool,
}

impl TcpTable {
    pub(super) fn new() -> Self {
        TcpTable {
            by_flow: HashMap::new(),
            connections: Slots::new(CONNECTIONS_MAX),
            dirty: Vec::new(),
            forwards: Vec::new(),
            secret: RandomState::new(),
            opened: 0,
        }
    }

    /// Listens for a forwarded port; returns the address it got.
    pub(super) fn listen(&mut self, core: &Core, forward: &HostFwd) -> io::Result<SocketAddr> {
        let mut listener = TcpListener::bind(forward.host)?;
        let bound = listener.local_addr()?;
        let token = Owner::TcpForward(self.forwards.len()).token();
        core.registry.register(&mut listener, token, Interest::READABLE)?;
        let ip = forward.guest.unwrap_or(core.config.guest);
        let guest = SocketAddrV4::new(ip, forward.guest_port);
        self.forwards.push(Forward { listener, guest, pending: false });
        Ok(bound)
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.connections.len()
    }

    /// Takes a segment of the guest.
    pub(super) fn input(
        &mut self,
        core: &mut Core,
        ip: &Ipv4<'_>,
        header: &TcpHeader,
        data: &[u8],
    ) {
        let flow = Flow {
            guest: SocketAddrV4::new(ip.src, header.src_port),
            remote: SocketAddrV4::new(ip.dst, header.dst_port),
        };
        let Some(&slot) = self.by_flow.get(&flow) else {
            return self.input_unknown(core, flow, ip, header, data.len());
        };
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let verdict = connection.endpoint.segment(header, data, core.now);
        match verdict {
            Verdict::Taken => {}
            Verdict::Reset => return self.cut(slot),
            Verdict::Refuse(seq) => return reset(core, flow, seq, 0, Flags::RST),
        }
        if connection.endpoint.is_open() && connection.progress == Progress::Connected {
            connection.connect_by = None;
        }
        if connection.finished() {
            self.remove(slot);
            return;
        }
        core.arm(connection.deadline());
        let urgent = header.flags.has(Flags::PSH) || header.flags.has(Flags::FIN);
        if urgent || connection.endpoint.input.len() >= PUSH_AT {
            self.push(core, slot);
        } else if !data.is_empty() && !connection.dirty {
            connection.dirty = true;
            self.dirty.push(slot);
        }
        self.schedule(core, slot);
    }

    fn input_unknown(
        &mut self,
        core: &mut Core,
        flow: Flow,
        ip: &Ipv4<'_>,
        header: &TcpHeader,
        data_len: usize,
    ) {
        let flags = header.flags;
        if flags.has(Flags::RST) {
            return;
        }
        if flags.has(Flags::ACK) {
            return reset(core, flow, header.ack, 0, Flags::RST);
        }
        let destination = match flags.has(Flags::SYN) {
            true => core.destination(*flow.remote.ip(), flow.remote.port()),
            false => Destination::Refused,
        };
        match destination {
            Destination::Host(to) => self.open(core, flow, header, to),
            Destination::Nowhere => core.unreachable(ip, unreachable::HOST),
            Destination::Refused => {
                let occupied = data_len as u32
                    + u32::from(flags.has(Flags::SYN))
                    + u32::from(flags.has(Flags::FIN));
                let ack = header.seq.wrapping_add(occupied);
                reset(core, flow, 0, ack, Flags::RST.with(Flags::ACK, true));
            }
        }
    }

    /// Begins to connect to `to` for the guest's SYN.
    fn open(&mut self, core: &mut Core, flow: Flow, syn: &TcpHeader, to: SocketAddr) {
        let endpoint = Endpoint::held(syn, self.initial(flow), mss(core), self.buffer());
        let refused = (endpoint.reset_numbers().1, syn.seq);
        if self.connections.is_full() {
            tracing::warn!(limit = CONNECTIONS_MAX, "too many TCP connections; one refused");
            return refuse(core, flow, refused, Refusal::Reset);
        }
        let started = TcpStream::connect(to)
            .and_then(|stream| self.add(core, flow, endpoint, stream, Progress::Connecting));
        if let Err(error) = started {
            tracing::debug!(%to, %error, "no connection");
            refuse(core, flow, refused, Refusal::of(&error));
        }
    }

    fn add(
        &mut self,
        core: &mut Core,
        flow: Flow,
        endpoint: Endpoint,
        mut stream: TcpStream,
        progress: Progress,
    ) -> io::Result<usize> {
        let full = || io::Error::from(io::ErrorKind::QuotaExceeded);
        let slot = self.connections.vacant().ok_or_else(full)?;
        // Delays belong to the guest's own stack. Without the option it is only slower.
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        core.registry.register(&mut stream, Owner::Tcp(slot).token(), interest)?;
        let by = core.now + CONNECT;
        let connection = Connection::new(flow, endpoint, stream, progress, by);
        core.arm(connection.deadline());
        let slot = self.connections.insert(connection).map_err(|_| full())?;
        self.by_flow.insert(flow, slot);
        Ok(slot)
    }

    /// An initial sequence number that nobody can guess. [RFC-6528]
    fn initial(&mut self, flow: Flow) -> u32 {
        self.opened += 1;
        self.secret.hash_one((flow, self.opened)) as u32
    }

    fn buffer(&self) -> usize {
        if self.connections.len() < LARGE_MAX { BUFFER } else { BUFFER_SMALL }
    }

    /// The host's socket of a connection is ready for something.
    pub(super) fn event(&mut self, core: &mut Core, slot: usize, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.note(readable, writable);
        if connection.progress == Progress::Connecting {
            match connected(&connection.stream) {
                Ok(true) => {
                    connection.progress = Progress::Connected;
                    connection.endpoint.open();
                }
                Ok(false) => return,
                Err(error) => return self.fail(core, slot, Refusal::of(&error)),
            }
        }
        self.push(core, slot);
        self.schedule(core, slot);
    }

    /// The host's side could not be connected.
    fn fail(&mut self, core: &mut Core, slot: usize, refusal: Refusal) {
        if let Some(connection) = self.connections.get(slot) {
            let flow = connection.flow;
            let (_, ack) = connection.endpoint.reset_numbers();
            self.remove(slot);
            refuse(core, flow, (ack, ack.wrapping_sub(1)), refusal);
        }
    }

    /// Gives the host what the guest sent.
    fn push(&mut self, core: &mut Core, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.push() == Err(Broken) {
            return self.break_off(core, slot);
        }
        if connection.finished() {
            self.remove(slot);
        }
    }

    /// Gives the host what came in the batch of frames that ended.
    pub(super) fn flush(&mut self, core: &mut Core) {
        while let Some(slot) = self.dirty.pop() {
            if let Some(connection) = self.connections.get_mut(slot)
                && std::mem::take(&mut connection.dirty)
            {
                self.push(core, slot);
                self.schedule(core, slot);
            }
        }
    }

    /// Puts a connection with something for the guest into the line.
    fn schedule(&mut self, core: &mut Core, slot: usize) {
        if let Some(connection) = self.connections.get(slot)
            && connection.has_output()
        {
            core.ready.push(Source::Tcp(slot));
        }
    }

    /// Makes the next frame of a connection in `buf`.
    pub(super) fn output(&mut self, core: &mut Core, slot: usize, buf: &mut [u8]) -> Option<usize> {
        let connection = self.connections.get_mut(slot)?;
        let mss = mss(core);
        if connection.pull(usize::from(mss)) == Err(Broken) {
            self.break_off(core, slot);
            return None;
        }
        let Flow { guest, remote } = connection.flow;
        // Without an address to send to, `wake` comes back to it.
        let route = core.route(*remote.ip(), *guest.ip())?;
        // The data is put where it belongs behind a header without options; a SYN, which has
        // some, carries none.
        let start = IPV4_PAYLOAD + TCP;
        let payload = buf.get_mut(start..start + usize::from(mss))?;
        let (mut header, len) = connection.endpoint.send(payload, core.now)?;
        header.src_port = remote.port();
        header.dst_port = guest.port();
        core.arm(connection.deadline());
        let len = header.put(buf, route, *remote.ip(), *guest.ip(), len);
        if connection.finished() {
            self.remove(slot);
        } else {
            self.schedule(core, slot);
        }
        Some(len)
    }

    /// The Ethernet address of a guest became known: everything may go on.
    pub(super) fn wake(&mut self, core: &mut Core) {
        let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.schedule(core, slot);
        }
    }

    /// A listener has connections.
    pub(super) fn forward_event(&mut self, core: &mut Core, index: usize) {
        let Some(forward) = self.forwards.get_mut(index) else { return };
        forward.pending = true;
        self.accept(core, index);
    }

    fn accept(&mut self, core: &mut Core, index: usize) {
        for _ in 0..ACCEPTS_MAX {
            if self.connections.is_full() {
                break;
            }
            let forward = &mut self.forwards[index];
            match forward.listener.accept() {
                Ok((stream, peer)) => {
                    let guest = forward.guest;
                    self.accepted(core, guest, stream, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    forward.pending = false;
                    return;
                }
                // The peer left before it was accepted; what concerns the host comes again.
                Err(error) => tracing::debug!(%error, "accept"),
            }
        }
        core.arm(Some(core.now + ACCEPT_AGAIN));
    }

    fn accepted(
        &mut self,
        core: &mut Core,
        guest: SocketAddrV4,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let ip = core.seen_as(peer);
        let own = std::iter::once(peer.port());
        let flow = own
            .chain(PORTS)
            .map(|port| Flow { guest, remote: SocketAddrV4::new(ip, port) })
            .find(|flow| !self.by_flow.contains_key(flow));
        let Some(flow) = flow else { return };
        let endpoint = Endpoint::connecting(self.initial(flow), mss(core), self.buffer());
        match self.add(core, flow, endpoint, stream, Progress::Connected) {
            Ok(slot) => self.schedule(core, slot),
            Err(error) => tracing::warn!(%peer, %error, "forwarded connection lost"),
        }
    }

    /// Looks after connections whose time has come.
    pub(super) fn timers(&mut self, core: &mut Core) {
        let due: Vec<usize> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.deadline().is_some_and(|at| at <= core.now))
            .map(|(slot, _)| slot)
            .collect();
        for slot in due {
            self.timer(core, slot);
        }
        for index in 0..self.forwards.len() {
            if self.forwards[index].pending {
                self.accept(core, index);
            }
        }
        let next = self.connections.iter().filter_map(|(_, connection)| connection.deadline());
        core.arm(next.min());
    }

    fn timer(&mut self, core: &mut Core, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if is_due(connection.connect_by, core.now) {
            return match connection.progress {
                Progress::Connecting => {
                    self.fail(core, slot, Refusal::Unreachable(unreachable::HOST));
                }
                Progress::Connected => self.break_off(core, slot),
            };
        }
        if is_due(connection.endpoint.timer(), core.now) {
            match connection.endpoint.timeout() {
                Timeout::Send => self.schedule(core, slot),
                Timeout::Dead => self.break_off(core, slot),
            }
        }
    }

    /// Cuts a connection on both sides.
    fn break_off(&mut self, core: &mut Core, slot: usize) {
        if let Some(connection) = self.connections.get(slot) {
            let flow = connection.flow;
            let (seq, ack) = connection.endpoint.reset_numbers();
            self.cut(slot);
            reset(core, flow, seq, ack, Flags::RST.with(Flags::ACK, true));
        }
    }

    /// Ends a connection that the guest cut.
    fn cut(&mut self, slot: usize) {
        if let Some(connection) = self.remove(slot) {
            socket::cut(connection.stream);
        }
    }

    fn remove(&mut self, slot: usize) -> Option<Connection> {
        let connection = self.connections.remove(slot)?;
        self.by_flow.remove(&connection.flow);
        Some(connection)
    }
}

fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

fn mss(core: &Core) -> u16 {
    core.config.mtu - (IPV4 + TCP) as u16
}

/// Whether a nonblocking connection stands by now.
fn connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends the guest a RST.
fn reset(core: &mut Core, flow: Flow, seq: u32, ack: u32, flags: Flags) {
    let Flow { guest, remote } = flow;
    if let Some(route) = core.route(*remote.ip(), *guest.ip()) {
        let (src_port, dst_port) = (remote.port(), guest.port());
        let header = TcpHeader { src_port, dst_port, seq, ack, flags, ..TcpHeader::default() };
        let mut frame = vec![0; IPV4_PAYLOAD + TCP];
        header.put(&mut frame, route, *remote.ip(), *guest.ip(), 0);
        core.reply(frame);
    }
}

/// Tells the guest why its SYN, of which `numbers` are what a RST acknowledges and its own
/// number, leads nowhere.
fn refuse(core: &mut Core, flow: Flow, numbers: (u32, u32), refusal: Refusal) {
    let (ack, seq) = numbers;
    match refusal {
        Refusal::Reset => reset(core, flow, 0, ack, Flags::RST.with(Flags::ACK, true)),
        Refusal::Unreachable(code) => {
            // The SYN is gone; its addresses, ports and number are what the guest looks at.
            let Flow { guest, remote } = flow;
            let (src_port, dst_port) = (guest.port(), remote.port());
            let flags = Flags::SYN;
            let header = TcpHeader { src_port, dst_port, seq, flags, ..TcpHeader::default() };
            let mut frame = vec![0; IPV4_PAYLOAD + TCP];
            if let Some(route) = core.route(*remote.ip(), *guest.ip()) {
                header.put(&mut frame, route, *guest.ip(), *remote.ip(), 0);
                let quoted = &frame[super::wire::ETHERNET..IPV4_PAYLOAD + 8];
                core.unreachable_quoting(*guest.ip(), code, quoted);
            }
        }
    }
}
