//! UDP: a socket of the host for each port of the guest, and forwarded ports.
//!
//! A guest's port keeps one socket for all its peers, so that protocols whose answers come from
//! another port (TFTP) and peers that meet through a third party work; datagrams are let in only
//! from addresses that the guest has written to from that port. They wait in the host's socket
//! until the guest has room. An ICMP error from the network beyond does not reach the guest, one
//! that the host's own routing gives does.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::UdpSocket;

use super::config::HostFwd;
use super::core::{Core, Destination, Owner, Source, unreachable};
use super::slots::Slots;
use super::socket::Refusal;
use super::wire::{IPV4, Ipv4, UDP, UDP_PAYLOAD, Udp, put_udp};

/// Ports of guests with a socket at a time; the one idle for longest makes room.
const FLOWS_MAX: usize = 1024;
/// Peers of forwarded ports at a time, likewise.
const PEERS_MAX: usize = 1024;
/// Addresses that a port has written to and is open for, the latest ones.
const CONTACTS_MAX: usize = 32;
/// Datagrams looked at for one that the guest gets.
const READS_MAX: usize = 64;
/// A port without traffic is given up after this. [RFC-4787 §4.3]
const IDLE: Duration = Duration::from_secs(300);

/// The UDP side of the network.
pub(super) struct UdpTable {
    by_guest: HashMap<SocketAddrV4, usize>,
    flows: Slots<Flow>,
    forwards: Vec<Forward>,
    peers: HashMap<Pair, Peer>,
}

/// A port of the guest.
struct Flow {
    guest: SocketAddrV4,
    socket: UdpSocket,
    /// Host-side addresses that may write here.
    contacts: Vec<IpAddr>,
    used: Instant,
}

/// A forwarded port of the host.
struct Forward {
    guest: SocketAddrV4,
    socket: UdpSocket,
}

/// Two ends as the guest sees them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    guest: SocketAddrV4,
    remote: SocketAddrV4,
}

/// Somebody who wrote to a forwarded port.
struct Peer {
    forward: usize,
    address: SocketAddr,
    used: Instant,
}

impl UdpTable {
    pub(super) fn new() -> Self {
        UdpTable {
            by_guest: HashMap::new(),
            flows: Slots::new(FLOWS_MAX),
            forwards: Vec::new(),
            peers: HashMap::new(),
        }
    }

    /// Listens for a forwarded port; returns the address it got.
    pub(super) fn listen(&mut self, core: &Core, forward: &HostFwd) -> io::Result<SocketAddr> {
        let mut socket = UdpSocket::bind(forward.host)?;
        let bound = socket.local_addr()?;
        let token = Owner::UdpForward(self.forwards.len()).token();
        core.registry.register(&mut socket, token, Interest::READABLE)?;
        let ip = forward.guest.unwrap_or(core.config.guest);
        let guest = SocketAddrV4::new(ip, forward.guest_port);
        self.forwards.push(Forward { guest, socket });
        Ok(bound)
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.flows.len() + self.peers.len()
    }

    /// Takes a datagram of the guest.
    pub(super) fn input(&mut self, core: &mut Core, ip: &Ipv4<'_>, udp: &Udp<'_>) {
        let guest = SocketAddrV4::new(ip.src, udp.src_port);
        let remote = SocketAddrV4::new(ip.dst, udp.dst_port);
        let sent = if let Some(peer) = self.peers.get_mut(&Pair { guest, remote }) {
            peer.used = core.now;
            self.forwards[peer.forward].socket.send_to(udp.payload, peer.address).map(drop)
        } else {
            match core.destination(ip.dst, udp.dst_port) {
                Destination::Host(to) => self.send(core, guest, to, udp.payload),
                Destination::Refused => return core.unreachable(ip, unreachable::PORT),
                Destination::Nowhere => return,
            }
        };
        if let Err(error) = sent
            && let Refusal::Unreachable(code) = Refusal::of(&error)
        {
            core.unreachable(ip, code);
        }
    }

    fn send(
        &mut self,
        core: &mut Core,
        guest: SocketAddrV4,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let slot = match self.by_guest.get(&guest) {
            Some(slot) => *slot,
            None => self.open(core, guest)?,
        };
        let Some(flow) = self.flows.get_mut(slot) else { return Ok(()) };
        flow.used = core.now;
        if !flow.contacts.contains(&to.ip()) {
            if flow.contacts.len() == CONTACTS_MAX {
                flow.contacts.remove(0);
            }
            flow.contacts.push(to.ip());
        }
        match flow.socket.send_to(payload, to) {
            // An error that an earlier datagram brought home, or a full buffer: UDP may lose.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => Ok(()),
            sent => sent.map(drop),
        }
    }

    fn open(&mut self, core: &mut Core, guest: SocketAddrV4) -> io::Result<usize> {
        if self.flows.is_full() {
            let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.used).map(|(slot, _)| slot);
            oldest.and_then(|slot| self.close(slot));
        }
        let mut socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
        let full = || io::Error::from(ErrorKind::WouldBlock);
        let slot = self.flows.vacant().ok_or_else(full)?;
        core.registry.register(&mut socket, Owner::Udp(slot).token(), Interest::READABLE)?;
        let flow = Flow { guest, socket, contacts: Vec::new(), used: core.now };
        let slot = self.flows.insert(flow).map_err(|_| full())?;
        self.by_guest.insert(guest, slot);
        core.arm(Some(core.now + IDLE));
        Ok(slot)
    }

    fn close(&mut self, slot: usize) -> Option<()> {
        let flow = self.flows.remove(slot)?;
        self.by_guest.remove(&flow.guest);
        Some(())
    }

    /// The socket of a guest's port has datagrams.
    pub(super) fn event(&mut self, core: &mut Core, slot: usize) {
        if self.flows.get(slot).is_some() {
            core.ready.push(Source::Udp(slot));
        }
    }

    /// The socket of a forwarded port has datagrams.
    pub(super) fn forward_event(&mut self, core: &mut Core, index: usize) {
        if index < self.forwards.len() {
            core.ready.push(Source::UdpForward(index));
        }
    }

    /// The Ethernet address of a guest became known: everything may go on.
    pub(super) fn wake(&mut self, core: &mut Core) {
        let slots: Vec<usize> = self.flows.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.event(core, slot);
        }
        for index in 0..self.forwards.len() {
            self.forward_event(core, index);
        }
    }

    /// Makes the next frame of a guest's port in `buf`, out of what its peers wrote.
    ///
    /// While the guest's Ethernet address is unknown the datagrams stay in the socket, and
    /// [`UdpTable::wake`] comes back to them.
    pub(super) fn output(&mut self, core: &mut Core, slot: usize, buf: &mut [u8]) -> Option<usize> {
        let flow = self.flows.get_mut(slot)?;
        let route = core.route(core.config.gateway, *flow.guest.ip())?;
        let contacts = &flow.contacts;
        let taken = take(core, &flow.socket, buf, |from| contacts.contains(&from.ip()));
        let mut made = None;
        if let Taken::Datagram { len, from } = taken {
            flow.used = core.now;
            let remote = SocketAddrV4::new(core.seen_as(from), from.port());
            made = Some(put_udp(buf, route, remote, flow.guest, len));
        }
        if taken != Taken::Nothing {
            self.event(core, slot);
        }
        made
    }

    /// Makes the next frame out of what was written to a forwarded port.
    pub(super) fn forward_output(
        &mut self,
        core: &mut Core,
        index: usize,
        buf: &mut [u8],
    ) -> Option<usize> {
        let forward = self.forwards.get(index)?;
        let guest = forward.guest;
        let route = core.route(core.config.gateway, *guest.ip())?;
        let taken = take(core, &forward.socket, buf, |_| true);
        let mut made = None;
        if let Taken::Datagram { len, from } = taken {
            let remote = SocketAddrV4::new(core.seen_as(from), from.port());
            self.meet(core, Pair { guest, remote }, index, from);
            made = Some(put_udp(buf, route, remote, guest, len));
        }
        if taken != Taken::Nothing {
            self.forward_event(core, index);
        }
        made
    }

    /// Notes where the guest's answer to `pair` has to go.
    fn meet(&mut self, core: &mut Core, pair: Pair, forward: usize, address: SocketAddr) {
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&pair) {
            let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.used).map(|(pair, _)| *pair);
            oldest.and_then(|pair| self.peers.remove(&pair));
        }
        self.peers.insert(pair, Peer { forward, address, used: core.now });
        core.arm(Some(core.now + IDLE));
    }

    /// Gives up idle ports and peers.
    pub(super) fn timers(&mut self, core: &mut Core) {
        let now = core.now;
        let idle: Vec<usize> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.used + IDLE <= now)
            .map(|(slot, _)| slot)
            .collect();
        for slot in idle {
            self.close(slot);
        }
        self.peers.retain(|_, peer| peer.used + IDLE > now);
        let flows = self.flows.iter().map(|(_, flow)| flow.used);
        let next = flows.chain(self.peers.values().map(|peer| peer.used)).min();
        core.arm(next.map(|used| used + IDLE));
    }
}

/// What a socket had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// Only what the guest does not get; there may be more.
    Refuse,
    Datagram {
        len: usize,
        from: SocketAddr,
    },
}

/// Reads the next datagram that is `wanted` to its place in the frame `buf`.
fn take(
    core: &Core,
    socket: &UdpSocket,
    buf: &mut [u8],
    wanted: impl Fn(SocketAddr) -> bool,
) -> Taken {
    let most = usize::from(core.config.mtu) - IPV4 - UDP;
    // One byte more shows a datagram that is too long for the network.
    let Some(room) = buf.get_mut(UDP_PAYLOAD..UDP_PAYLOAD + most + 1) else {
        return Taken::Nothing;
    };
    for _ in 0..READS_MAX {
        match socket.recv_from(room) {
            Ok((len, from)) if len <= most && wanted(from) => {
                return Taken::Datagram { len, from };
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Taken::Nothing,
            // Unwanted, or the error of an earlier datagram.
            Ok(_) | Err(_) => {}
        }
    }
    Taken::Refuse
}
