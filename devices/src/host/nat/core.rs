//! What the protocols share: the plan of the network, the time, frames that wait for the guest,
//! and who has more to say.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use mio::{Registry, Token};

use super::arp::Neighbors;
use super::config::NatConfig;
use super::dns::ResolverList;
use super::wire::{Ipv4, Mac, Route, icmp_frame};

/// Frames of small protocols that may wait for the guest; more are dropped, as on a wire.
const REPLIES_MAX: usize = 512;

/// Somebody who has frames for the guest and makes them when asked, so that they wait in the
/// host's sockets and not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A TCP connection, by slot.
    Tcp(usize),
    /// A UDP flow, by slot.
    Udp(usize),
    /// A forwarded UDP port, by index.
    UdpForward(usize),
}

/// Sources in the order of their turns, each at most once: a source keeps its place even if its
/// slot is given to another, so the line is never longer than the tables.
#[derive(Debug, Default)]
pub(super) struct Line {
    order: VecDeque<Source>,
    waiting: [Vec<bool>; 3],
}

impl Line {
    fn place(&mut self, source: Source) -> &mut bool {
        let (kind, slot) = match source {
            Source::Tcp(slot) => (0, slot),
            Source::Udp(slot) => (1, slot),
            Source::UdpForward(index) => (2, index),
        };
        let waiting = &mut self.waiting[kind];
        if waiting.len() <= slot {
            waiting.resize(slot + 1, false);
        }
        &mut waiting[slot]
    }

    /// Puts `source` at the end, unless it is in the line already.
    pub(super) fn push(&mut self, source: Source) {
        if !std::mem::replace(self.place(source), true) {
            self.order.push_back(source);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Source> {
        let source = self.order.pop_front()?;
        *self.place(source) = false;
        Some(source)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

/// Owner of a host socket, as the poller's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Wakes the waiting thread; has no socket.
    Wake,
    /// A TCP connection, by slot.
    Tcp(usize),
    /// A listener, by index.
    TcpForward(usize),
    /// A UDP flow, by slot.
    Udp(usize),
    /// A forwarded UDP port, by index.
    UdpForward(usize),
    /// A DNS query, by slot.
    Dns(usize),
    /// An ICMP echo flow, by slot.
    Echo(usize),
}

impl Owner {
    pub(super) fn token(self) -> Token {
        let (kind, slot) = match self {
            Owner::Wake => (0, 0),
            Owner::Tcp(slot) => (1, slot),
            Owner::TcpForward(slot) => (2, slot),
            Owner::Udp(slot) => (3, slot),
            Owner::UdpForward(slot) => (4, slot),
            Owner::Dns(slot) => (5, slot),
            Owner::Echo(slot) => (6, slot),
        };
        Token(slot << 3 | kind)
    }

    pub(super) fn of(token: Token) -> Owner {
        let slot = token.0 >> 3;
        match token.0 & 7 {
            1 => Owner::Tcp(slot),
            2 => Owner::TcpForward(slot),
            3 => Owner::Udp(slot),
            4 => Owner::UdpForward(slot),
            5 => Owner::Dns(slot),
            6 => Owner::Echo(slot),
            _ => Owner::Wake,
        }
    }
}

/// Where a destination that the guest names lies on the host's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// There.
    Host(SocketAddr),
    /// A station of ours on which nothing answers at that port.
    Refused,
    /// No place that a packet could be routed to.
    Nowhere,
}

/// State common to all protocols.
pub(super) struct Core {
    pub(super) config: NatConfig,
    pub(super) now: Instant,
    pub(super) registry: Registry,
    pub(super) neighbors: Neighbors,
    pub(super) resolvers: ResolverList,
    /// Who has frames to make.
    pub(super) ready: Line,
    replies: VecDeque<Vec<u8>>,
    deadline: Option<Instant>,
}

impl Core {
    pub(super) fn new(config: NatConfig, registry: Registry, now: Instant) -> Self {
        let resolvers = ResolverList::new(config.resolvers.clone());
        Core {
            config,
            now,
            registry,
            neighbors: Neighbors::default(),
            resolvers,
            ready: Line::default(),
            replies: VecDeque::new(),
            deadline: None,
        }
    }

    /// Queues a finished frame for the guest.
    pub(super) fn reply(&mut self, frame: Vec<u8>) {
        if self.replies.len() < REPLIES_MAX {
            self.replies.push_back(frame);
        }
    }

    pub(super) fn next_reply(&mut self) -> Option<Vec<u8>> {
        self.replies.pop_front()
    }

    pub(super) fn drop_replies(&mut self) {
        self.replies.clear();
    }

    /// Whether the guest could be given a frame now.
    pub(super) fn has_output(&self) -> bool {
        !self.replies.is_empty() || self.ready.len() > 0
    }

    /// Asks for the timers to be looked at, at `at` or earlier.
    pub(super) fn arm(&mut self, at: Option<Instant>) {
        if let Some(at) = at {
            self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
        }
    }

    /// The earliest timer, if any.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Forgets the deadline if it has come; the timers arm it anew.
    pub(super) fn take_due(&mut self) -> bool {
        let due = self.deadline.is_some_and(|deadline| deadline <= self.now);
        if due {
            self.deadline = None;
        }
        due
    }

    /// The Ethernet address of one of our own stations; everything but the DNS relay is behind
    /// the gateway.
    pub(super) fn station(&self, ip: Ipv4Addr) -> Mac {
        let ip = if ip == self.config.dns { ip } else { self.config.gateway };
        let [a, b, c, d] = ip.octets();
        // Locally administered, and made of the address: stable over restarts and snapshots.
        Mac([0x52, 0x55, a, b, c, d])
    }

    /// The way to the guest at `guest` for a packet from `from`, if its Ethernet address is
    /// known; otherwise it is asked for, and its owner is woken when it answers.
    pub(super) fn route(&mut self, from: Ipv4Addr, guest: Ipv4Addr) -> Option<Route> {
        let to = self.neighbors.get(guest);
        if to.is_none() && self.neighbors.seek(guest, self.now) {
            self.ask(guest);
            let next = self.neighbors.next_request();
            self.arm(next);
        }
        Some(Route { to: to?, from: self.station(from) })
    }

    /// Where `ip`, as the guest names it, lies for a transport port.
    pub(super) fn destination(&mut self, ip: Ipv4Addr, port: u16) -> Destination {
        if ip == self.config.gateway {
            return match self.config.host_loopback && port != 0 {
                true => Destination::Host((Ipv4Addr::LOCALHOST, port).into()),
                false => Destination::Refused,
            };
        }
        if ip == self.config.dns {
            return match (port, self.resolvers.preferred()) {
                (53, Some(resolver)) => Destination::Host(resolver),
                _ => Destination::Refused,
            };
        }
        match self.is_routable(ip) && port != 0 {
            true => Destination::Host((ip, port).into()),
            false => Destination::Nowhere,
        }
    }

    /// Whether `ip` is a host somewhere out there. The host's own 127.0.0.0/8 is not: it is
    /// reached through the gateway's address or not at all.
    pub(super) fn is_routable(&self, ip: Ipv4Addr) -> bool {
        let first = ip.octets()[0];
        !(self.config.contains(ip) || first == 0 || first == 127 || first >= 224)
    }

    /// The address under which the guest sees a peer on the host's side.
    pub(super) fn seen_as(&self, peer: SocketAddr) -> Ipv4Addr {
        match peer.ip().to_canonical() {
            std::net::IpAddr::V4(ip) if self.is_routable(ip) => ip,
            _ => self.config.gateway,
        }
    }

    /// Tells the guest that the packet `ip` did not arrive. [RFC-792 p. 4]
    pub(super) fn unreachable(&mut self, ip: &Ipv4<'_>, code: u8) {
        let quoted = &ip.packet[..ip.packet.len().min(ip.packet.len() - ip.payload.len() + 8)];
        self.unreachable_quoting(ip.src, code, quoted);
    }

    /// The same for a packet of which only the beginning is at hand.
    pub(super) fn unreachable_quoting(&mut self, guest: Ipv4Addr, code: u8, quoted: &[u8]) {
        let from = self.config.gateway;
        if let Some(route) = self.route(from, guest) {
            let mut message = vec![3, code, 0, 0, 0, 0, 0, 0];
            message.extend(quoted);
            self.reply(icmp_frame(route, from, guest, &message));
        }
    }
}

/// Codes of ICMP's "destination unreachable". [RFC-792] [RFC-1122 §3.2.2.1]
pub(super) mod unreachable {
    pub(in super::super) const NET: u8 = 0;
    pub(in super::super) const HOST: u8 = 1;
    pub(in super::super) const PORT: u8 = 3;
    pub(in super::super) const PROHIBITED: u8 = 13;
}
