//! The user-mode network: a guest's way to the network through the host's own sockets, without
//! privileges, helper processes or configuration of the host.
//!
//! The guest sees an Ethernet with a gateway (10.0.2.2), a DNS relay (10.0.2.3) and a DHCP server
//! that leases it 10.0.2.15. Its connections, datagrams and pings leave from sockets of this
//! process, as if the process were the guest. Servers on the host's loopback answer at the
//! gateway's address, and ports of the host can be made to lead to the guest ([`HostFwd`]).
//!
//! | what | how |
//! |---|---|
//! | ARP | the gateway and the DNS relay answer; guests' addresses are learnt ([`arp`]) |
//! | DHCP | leases from 10.0.2.15 on, renewals, host name, MTU ([`dhcp`]) |
//! | DNS | relayed to the host's resolvers in turn, over UDP and TCP ([`dns`]) |
//! | TCP | out and, for forwarded ports, in ([`tcp`]) |
//! | UDP | out, one socket per port of the guest, and in by forwarded ports ([`udp`]) |
//! | ICMP | echo: of our stations always, further if the host permits ping sockets ([`icmp`]) |
//!
//! **Left out**: IPv6 (nothing answers, no router is advertised, so guests use IPv4); IP
//! fragments in either direction (dropped; TCP never makes them, and UDP is limited to the MTU);
//! multicast and broadcast but for DHCP; IP options and time to live; UDP errors that come from
//! beyond the host.
//!
//! **Bounds**, whatever the guest does: 4,096 TCP connections with at most 256 KiB each way (32
//! KiB beyond the first 512), 1,024 UDP ports, 1,024 UDP peers of forwarded ports, 256 DNS
//! queries, 64 echo flows, 512 waiting replies. Everything else waits in the host's sockets until
//! the guest takes it. The process needs that many open files for that many connections.
//!
//! **Threads**: none. A poller of the operating system watches all sockets and is itself the one
//! descriptor of [`NetBackend::poll_fds`]. The worker of the card waits for it, calls
//! [`NetBackend::tick`], hands over what the guest sent and takes frames until there are none.
//!
//! **Why an own TCP end** and not smoltcp's: each of its sockets owns buffers of their full size
//! from the start (two gigabytes for 4,096 connections) and every poll visits every socket, while
//! here a SYN must wait for the host's connection before it is answered at all, and the link
//! loses nothing, which leaves of TCP only the part in `tcp/endpoint.rs`. smoltcp is the guest in
//! the tests, so both check each other.

mod arp;
mod config;
mod core;
mod dhcp;
mod dns;
mod icmp;
mod slots;
mod socket;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod wire;

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Waker};

pub use self::config::{HostFwd, HostFwdError, NatConfig, NatError, Protocol, Resolvers};
use self::core::{Core, Owner, Source};
use self::dhcp::Leases;
use self::dns::Dns;
use self::icmp::Echo;
use self::tcp::TcpTable;
use self::udp::UdpTable;
use self::wire::{ETHERTYPE_ARP, ETHERTYPE_IPV4, Ethernet, Ipv4, Mac, TcpHeader, Udp};
use crate::virtio::net::backend::NetBackend;

/// Socket events taken at a time.
const EVENTS: usize = 1024;

/// The user-mode network of one network card.
pub struct Nat {
    poll: Poll,
    events: Events,
    waker: Waker,
    /// The poller was made ready for output that nobody has asked for since.
    woken: Cell<bool>,
    core: Core,
    leases: Leases,
    dns: Dns,
    echo: Echo,
    udp: UdpTable,
    tcp: TcpTable,
    forwards: Vec<(HostFwd, SocketAddr)>,
    /// What tests add to the time.
    #[cfg(test)]
    skipped: Duration,
}

impl std::fmt::Debug for Nat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nat").field("config", &self.core.config).finish_non_exhaustive()
    }
}

impl Nat {
    /// Sets the network up and listens on the forwarded ports.
    pub fn new(config: NatConfig) -> Result<Nat, NatError> {
        config.check()?;
        let poll = Poll::new().map_err(NatError::Poller)?;
        let waker = Waker::new(poll.registry(), Owner::Wake.token()).map_err(NatError::Poller)?;
        let registry = poll.registry().try_clone().map_err(NatError::Poller)?;
        let wanted = config.hostfwd.clone();
        let mut nat = Nat {
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
            woken: Cell::new(false),
            leases: Leases::new(&config),
            core: Core::new(config, registry, Instant::now()),
            dns: Dns::new(),
            echo: Echo::new(),
            udp: UdpTable::new(),
            tcp: TcpTable::new(),
            forwards: Vec::new(),
            #[cfg(test)]
            skipped: Duration::ZERO,
        };
        for forward in wanted {
            let bound = match forward.protocol {
                Protocol::Tcp => nat.tcp.listen(&nat.core, &forward),
                Protocol::Udp => nat.udp.listen(&nat.core, &forward),
            }
            .map_err(|error| NatError::listen(&forward, error))?;
            nat.forwards.push((forward, bound));
        }
        Ok(nat)
    }

    /// The forwarded ports with the addresses on which the host really listens: port 0 has
    /// become the one that the host chose.
    pub fn forwards(&self) -> &[(HostFwd, SocketAddr)] {
        &self.forwards
    }

    fn set_time(&mut self) {
        self.core.now = Instant::now();
        #[cfg(test)]
        {
            self.core.now += self.skipped;
        }
    }

    /// Takes in what happened to the sockets, waiting for it at most `wait`.
    fn poll_sockets(&mut self, wait: Duration) {
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait)) {
            if error.kind() != io::ErrorKind::Interrupted {
                tracing::error!(%error, "the user-mode network cannot poll its sockets");
            }
            return;
        }
        self.set_time();
        let core = &mut self.core;
        for event in &self.events {
            let failed = event.is_error();
            let readable = event.is_readable() || event.is_read_closed() || failed;
            let writable = event.is_writable() || event.is_write_closed() || failed;
            match Owner::of(event.token()) {
                Owner::Wake => {}
                Owner::Tcp(slot) => self.tcp.event(core, slot, readable, writable),
                Owner::TcpForward(index) => self.tcp.forward_event(core, index),
                Owner::Udp(slot) => self.udp.event(core, slot),
                Owner::UdpForward(index) => self.udp.forward_event(core, index),
                Owner::Dns(slot) => self.dns.event(core, slot),
                Owner::Echo(slot) => self.echo.event(core, slot),
            }
        }
    }

    fn timers(&mut self) {
        let core = &mut self.core;
        core.arp_timers();
        self.dns.timers(core);
        self.echo.timers(core);
        self.udp.timers(core);
        self.tcp.timers(core);
    }

    /// Everything that waited for a guest's Ethernet address may go on.
    fn wake(&mut self) {
        self.tcp.wake(&mut self.core);
        self.udp.wake(&mut self.core);
    }

    fn arp(&mut self, packet: &[u8]) {
        if self.core.arp(packet) {
            self.wake();
        }
    }

    fn ipv4(&mut self, from: Mac, packet: &[u8]) {
        let Some(ip) = Ipv4::parse(packet) else { return };
        let core = &mut self.core;
        if ip.protocol == wire::PROTOCOL_UDP
            && let Some(udp) = Udp::parse(&ip)
            && udp.dst_port == dhcp::SERVER_PORT
            && (ip.dst.is_broadcast()
                || ip.dst == core.config.gateway
                || ip.dst == core.config.broadcast())
        {
            return core.dhcp(&mut self.leases, udp.payload);
        }
        if !core.config.is_guest(ip.src) || !from.is_unicast() {
            return;
        }
        let awaited = core.neighbors.learn(ip.src, from);
        match ip.protocol {
            wire::PROTOCOL_TCP => {
                if let Some((header, data)) = TcpHeader::parse(&ip) {
                    self.tcp.input(core, &ip, &header, data);
                }
            }
            wire::PROTOCOL_UDP => {
                if let Some(udp) = Udp::parse(&ip) {
                    self.udp_input(&ip, &udp);
                }
            }
            wire::PROTOCOL_ICMP => self.echo.input(core, &ip),
            _ => {}
        }
        if awaited {
            self.wake();
        }
    }

    fn udp_input(&mut self, ip: &Ipv4<'_>, udp: &Udp<'_>) {
        let core = &mut self.core;
        if ip.dst == core.config.dns && udp.dst_port == dns::PORT {
            let guest = SocketAddrV4::new(ip.src, udp.src_port);
            self.dns.input(core, guest, udp.payload);
        } else {
            self.udp.input(core, ip, udp);
        }
    }
}

impl NetBackend for Nat {
    fn send(&mut self, frame: &[u8]) {
        let Some(ethernet) = Ethernet::parse(frame) else { return };
        let ours = |mac| {
            mac == self.core.station(self.core.config.gateway)
                || mac == self.core.station(self.core.config.dns)
        };
        if ethernet.dst != Mac::BROADCAST && !ours(ethernet.dst) {
            return;
        }
        self.set_time();
        match ethernet.ethertype {
            ETHERTYPE_ARP => self.arp(ethernet.payload),
            ETHERTYPE_IPV4 => self.ipv4(ethernet.src, ethernet.payload),
            // IPv6 above all: without an answer, the guest goes on with IPv4.
            _ => {}
        }
    }

    fn receive(&mut self, buf: &mut [u8]) -> Option<usize> {
        self.woken.set(false);
        self.tcp.flush(&mut self.core);
        while let Some(frame) = self.core.next_reply() {
            // A frame longer than the buffer is lost, as on a wire; buffers hold any frame.
            if let Some(to) = buf.get_mut(..frame.len()) {
                to.copy_from_slice(&frame);
                return Some(frame.len());
            }
        }
        // Each is asked at most once: who has nothing now is not asked forever.
        for _ in 0..self.core.ready.len() {
            let core = &mut self.core;
            let made = match core.ready.pop()? {
                Source::Tcp(slot) => self.tcp.output(core, slot, buf),
                Source::Udp(slot) => self.udp.output(core, slot, buf),
                Source::UdpForward(index) => self.udp.forward_output(core, index, buf),
            };
            if made.is_some() {
                return made;
            }
        }
        None
    }

    fn poll_fds(&self) -> Vec<(RawFd, i16)> {
        // What the guest sent may have been answered without any socket being ready. One signal
        // suffices until somebody asks for frames: a guest without buffers cannot take them.
        if self.core.has_output() && !self.woken.replace(true) {
            // It cannot fail but for a full counter, which is a signal too.
            let _ = self.waker.wake();
        }
        vec![(self.poll.as_raw_fd(), libc::POLLIN)]
    }

    fn tick(&mut self) -> Option<u64> {
        self.poll_sockets(Duration::ZERO);
        self.set_time();
        self.tcp.flush(&mut self.core);
        if self.core.take_due() {
            self.timers();
        }
        let left = self.core.deadline()?.saturating_duration_since(self.core.now);
        Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }

    fn mtu(&self) -> Option<u16> {
        Some(self.core.config.mtu)
    }

    fn reset(&mut self) {
        // Connections stay: a driver that was loaded anew still owns them, and a guest that was
        // restarted answers their next segment, or probe, with a RST.
        self.core.drop_replies();
        self.core.neighbors.forget();
    }
}
