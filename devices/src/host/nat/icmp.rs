//! ICMP echo. Our own stations answer themselves; what goes further leaves through a ping socket
//! of the host, one per guest and identifier, if the host's `net.ipv4.ping_group_range` permits
//! them. Where it does not, the guest is told "administratively prohibited" at once. [RFC-792]

use std::io::{ErrorKind, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::Interest;
use mio::unix::SourceFd;
use socket2::Socket;

use super::core::{Core, Owner, unreachable};
use super::slots::Slots;
use super::socket;
use super::wire::{Ipv4, icmp_frame, sum};

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
/// Echo flows at a time; the one idle for longest makes room.
const FLOWS_MAX: usize = 64;
/// A flow without traffic ends after this.
const IDLE: Duration = Duration::from_secs(30);
/// Answers taken at a time.
const READS_MAX: usize = 256;
/// Bytes of an ICMP header.
const HEADER: usize = 8;

/// Echo requests on their way.
pub(super) struct Echo {
    flows: Slots<Flow>,
}

struct Flow {
    guest: Ipv4Addr,
    remote: Ipv4Addr,
    identifier: [u8; 2],
    socket: Socket,
    used: Instant,
}

impl Echo {
    pub(super) fn new() -> Self {
        Echo { flows: Slots::new(FLOWS_MAX) }
    }

    /// Takes an ICMP message of the guest; only echo requests have an answer.
    pub(super) fn input(&mut self, core: &mut Core, ip: &Ipv4<'_>) {
        let message = ip.payload;
        if message.len() < HEADER || sum(message) != 0xffff || message[..2] != [ECHO_REQUEST, 0] {
            return;
        }
        if ip.dst == core.config.gateway || ip.dst == core.config.dns {
            if let Some(route) = core.route(ip.dst, ip.src) {
                let mut reply = message.to_vec();
                reply[0] = ECHO_REPLY;
                core.reply(icmp_frame(route, ip.dst, ip.src, &reply));
            }
            return;
        }
        if !core.is_routable(ip.dst) {
            return core.unreachable(ip, unreachable::HOST);
        }
        match self.send(core, ip) {
            Ok(()) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {}
                ErrorKind::PermissionDenied => core.unreachable(ip, unreachable::PROHIBITED),
                _ => core.unreachable(ip, unreachable::NET),
            },
        }
    }

    fn send(&mut self, core: &mut Core, ip: &Ipv4<'_>) -> std::io::Result<()> {
        let identifier = [ip.payload[4], ip.payload[5]];
        let known = self.flows.iter_mut().find_map(|(_, flow)| {
            let key = (flow.guest, flow.remote, flow.identifier);
            (key == (ip.src, ip.dst, identifier)).then_some(flow)
        });
        if let Some(flow) = known {
            flow.used = core.now;
            return flow.socket.send(ip.payload).map(drop);
        }
        let socket = socket::ping(ip.dst)?;
        if self.flows.is_full() {
            let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.used).map(|(slot, _)| slot);
            oldest.and_then(|slot| self.remove(core, slot));
        }
        let Some(slot) = self.flows.vacant() else { return Ok(()) };
        core.registry.register(
            &mut SourceFd(&socket.as_raw_fd()),
            Owner::Echo(slot).token(),
            Interest::READABLE,
        )?;
        let sent = socket.send(ip.payload).map(drop);
        let (guest, remote) = (ip.src, ip.dst);
        let flow = Flow { guest, remote, identifier, socket, used: core.now };
        core.arm(Some(core.now + IDLE));
        let _ = self.flows.insert(flow);
        sent
    }

    fn remove(&mut self, core: &Core, slot: usize) -> Option<()> {
        let flow = self.flows.remove(slot)?;
        // Closing the socket would do the same; an error changes nothing.
        let _ = core.registry.deregister(&mut SourceFd(&flow.socket.as_raw_fd()));
        Some(())
    }

    /// The socket of a flow has an answer.
    pub(super) fn event(&mut self, core: &mut Core, slot: usize) {
        let Some(flow) = self.flows.get_mut(slot) else { return };
        let limit = usize::from(core.config.mtu) - super::wire::IPV4;
        let mut message = vec![0; limit + 1];
        // Edge-triggered: read until there is nothing, an unreachable host's errors included. A
        // flood is cut off; the next message raises the edge again.
        for _ in 0..READS_MAX {
            match flow.socket.read(&mut message) {
                Ok(len) if (HEADER..=limit).contains(&len) && message[0] == ECHO_REPLY => {
                    // The kernel put its own identifier there.
                    message[4..6].copy_from_slice(&flow.identifier);
                    if let Some(route) = core.route(flow.remote, flow.guest) {
                        let reply = &message[..len];
                        core.reply(icmp_frame(route, flow.remote, flow.guest, reply));
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// Ends idle flows.
    pub(super) fn timers(&mut self, core: &mut Core) {
        let now = core.now;
        let idle: Vec<usize> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.used + IDLE <= now)
            .map(|(slot, _)| slot)
            .collect();
        for slot in idle {
            self.remove(core, slot);
        }
        let next = self.flows.iter().map(|(_, flow)| flow.used + IDLE).min();
        core.arm(next);
    }
}
