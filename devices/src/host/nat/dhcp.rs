//! The DHCP server: a lease per Ethernet address, out of a few, renewed whenever asked.
//! [RFC-2131] [RFC-2132]
//!
//! Leases are not timed: when all are taken, the one unused for longest goes to the newcomer. A
//! client that asks to keep an address of the pool that nobody else has (it remembers a lease of
//! an earlier run) keeps it.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::config::NatConfig;
use super::core::Core;
use super::wire::{Mac, Route, udp_frame};

pub(super) const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Addresses in the pool, from the guest's on.
const POOL: u32 = 16;
/// A day, in seconds.
const LEASE_S: u32 = 86_400;

/// Bytes before the options, the magic cookie included. [RFC-2131 §2]
const FIXED: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The shortest message that BOOTP relays and clients accept. [RFC-1542 §2.1]
const SHORTEST: usize = 300;

mod option {
    pub(super) const PAD: u8 = 0;
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const DNS: u8 = 6;
    pub(super) const HOSTNAME: u8 = 12;
    pub(super) const MTU: u8 = 26;
    pub(super) const BROADCAST: u8 = 28;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const KIND: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const T1: u8 = 58;
    pub(super) const T2: u8 = 59;
    pub(super) const END: u8 = 255;
}

mod kind {
    pub(super) const DISCOVER: u8 = 1;
    pub(super) const OFFER: u8 = 2;
    pub(super) const REQUEST: u8 = 3;
    pub(super) const DECLINE: u8 = 4;
    pub(super) const ACK: u8 = 5;
    pub(super) const NAK: u8 = 6;
    pub(super) const RELEASE: u8 = 7;
    pub(super) const INFORM: u8 = 8;
}

/// A client's message, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    kind: u8,
    transaction: [u8; 4],
    wants_broadcast: bool,
    client_ip: Ipv4Addr,
    client: Mac,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // A request (1), from Ethernet (1) with addresses of 6 bytes.
        if bytes.get(..3)? != [1, 1, 6] || bytes.get(FIXED - 4..FIXED)? != COOKIE {
            return None;
        }
        let client = Mac(bytes[28..34].try_into().ok()?);
        if !client.is_unicast() {
            return None;
        }
        let address = |value: &[u8]| <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from);
        let mut message = Message {
            kind: 0,
            transaction: bytes[4..8].try_into().ok()?,
            wants_broadcast: bytes[10] & 0x80 != 0,
            client_ip: address(&bytes[12..16])?,
            client,
            requested: None,
            server: None,
        };
        let mut options = &bytes[FIXED..];
        while let [code, rest @ ..] = options {
            options = match *code {
                option::PAD => rest,
                option::END => break,
                code => {
                    let len = usize::from(*rest.first()?);
                    let value = rest.get(1..1 + len)?;
                    match code {
                        option::KIND => message.kind = *value.first()?,
                        option::REQUESTED => message.requested = address(value),
                        option::SERVER => message.server = address(value),
                        _ => {}
                    }
                    &rest[1 + len..]
                }
            };
        }
        Some(message)
    }
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    ip: Ipv4Addr,
    owner: Option<Mac>,
    /// Position in the order of use; larger is later.
    used: u64,
}

/// The pool of addresses.
#[derive(Debug)]
pub(super) struct Leases {
    leases: Vec<Lease>,
    uses: u64,
}

impl Leases {
    pub(super) fn new(config: &NatConfig) -> Self {
        let first = u32::from(config.guest);
        let leases = (first..=first.saturating_add(POOL - 1))
            .map(Ipv4Addr::from)
            .filter(|ip| config.is_guest(*ip))
            .map(|ip| Lease { ip, owner: None, used: 0 })
            .collect();
        Leases { leases, uses: 0 }
    }

    /// An address for `client`: the one it has, the one it wants if that is free, any free one,
    /// or the one that was not used for longest.
    fn allocate(&mut self, client: Mac, wanted: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let lease = self.leases.iter_mut().min_by_key(|lease| match lease.owner {
            Some(owner) if owner == client => (0, 0),
            None if Some(lease.ip) == wanted => (1, 0),
            None => (2, u64::from(u32::from(lease.ip))),
            Some(_) => (3, lease.used),
        })?;
        self.uses += 1;
        (lease.owner, lease.used) = (Some(client), self.uses);
        Some(lease.ip)
    }

    /// Whether `client` may have `ip`, which from then on is its own.
    fn confirm(&mut self, client: Mac, ip: Ipv4Addr) -> bool {
        let Some(wanted) = self.leases.iter().position(|lease| lease.ip == ip) else {
            return false;
        };
        if self.leases[wanted].owner.is_some_and(|owner| owner != client) {
            return false;
        }
        self.release(client);
        self.uses += 1;
        (self.leases[wanted].owner, self.leases[wanted].used) = (Some(client), self.uses);
        true
    }

    fn release(&mut self, client: Mac) {
        for lease in self.leases.iter_mut().filter(|lease| lease.owner == Some(client)) {
            lease.owner = None;
        }
    }
}

impl Core {
    /// Answers a datagram to the DHCP server's port.
    pub(super) fn dhcp(&mut self, leases: &mut Leases, bytes: &[u8]) {
        let Some(message) = Message::parse(bytes) else { return };
        let server = self.config.gateway;
        if message.server.is_some_and(|chosen| chosen != server) {
            return;
        }
        let (kind, ip) = match message.kind {
            kind::DISCOVER => match leases.allocate(message.client, message.requested) {
                Some(ip) => (kind::OFFER, ip),
                None => return,
            },
            kind::REQUEST => {
                let ip = message.requested.unwrap_or(message.client_ip);
                match leases.confirm(message.client, ip) {
                    true => (kind::ACK, ip),
                    false => (kind::NAK, Ipv4Addr::UNSPECIFIED),
                }
            }
            // The address stays the client's own choice; only the parameters are told.
            kind::INFORM => (kind::ACK, Ipv4Addr::UNSPECIFIED),
            kind::RELEASE | kind::DECLINE => return leases.release(message.client),
            _ => return,
        };
        let reply = self.dhcp_reply(&message, kind, ip);
        // To the address it has, or is given; by broadcast if it cannot take that yet.
        // [RFC-2131 §4.1]
        let (to_ip, to) = if kind == kind::NAK {
            (Ipv4Addr::BROADCAST, Mac::BROADCAST)
        } else if !message.client_ip.is_unspecified() {
            (message.client_ip, message.client)
        } else if message.wants_broadcast || ip.is_unspecified() {
            (Ipv4Addr::BROADCAST, Mac::BROADCAST)
        } else {
            (ip, message.client)
        };
        self.reply(udp_frame(
            Route { to, from: self.station(server) },
            SocketAddrV4::new(server, SERVER_PORT),
            SocketAddrV4::new(to_ip, CLIENT_PORT),
            &reply,
        ));
    }

    fn dhcp_reply(&self, message: &Message, kind: u8, ip: Ipv4Addr) -> Vec<u8> {
        let mut reply = vec![0; FIXED];
        reply[..3].copy_from_slice(&[2, 1, 6]);
        reply[4..8].copy_from_slice(&message.transaction);
        reply[10] = u8::from(message.wants_broadcast) << 7;
        if kind == kind::ACK {
            reply[12..16].copy_from_slice(&message.client_ip.octets());
        }
        reply[16..20].copy_from_slice(&ip.octets());
        reply[28..34].copy_from_slice(&message.client.0);
        reply[FIXED - 4..].copy_from_slice(&COOKIE);
        let config = &self.config;
        let mut put = |code: u8, value: &[u8]| {
            reply.extend([code, value.len() as u8]);
            reply.extend(value);
        };
        put(option::KIND, &[kind]);
        put(option::SERVER, &config.gateway.octets());
        if kind != kind::NAK {
            if !ip.is_unspecified() {
                put(option::LEASE, &LEASE_S.to_be_bytes());
                put(option::T1, &(LEASE_S / 2).to_be_bytes());
                put(option::T2, &(LEASE_S / 8 * 7).to_be_bytes());
            }
            put(option::MASK, &config.mask().octets());
            put(option::ROUTER, &config.gateway.octets());
            put(option::DNS, &config.dns.octets());
            put(option::BROADCAST, &config.broadcast().octets());
            put(option::MTU, &config.mtu.to_be_bytes());
            if let Some(name) = &config.hostname {
                put(option::HOSTNAME, name.as_bytes());
            }
        }
        reply.push(option::END);
        reply.resize(reply.len().max(SHORTEST), 0);
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, n])
    }

    #[test]
    fn a_client_keeps_its_address_and_the_oldest_makes_room() {
        let config = NatConfig::default();
        let mut leases = Leases::new(&config);
        let first = leases.allocate(client(0), None).unwrap();
        assert_eq!(first, config.guest);
        assert_eq!(leases.allocate(client(0), None), Some(first));
        for n in 1..16 {
            assert_ne!(leases.allocate(client(n), None), Some(first));
        }
        assert!(leases.confirm(client(0), first));
        // The pool is full and client 1 is now the one that was silent for longest.
        assert_eq!(leases.allocate(client(99), None), Some(Ipv4Addr::new(10, 0, 2, 16)));
    }

    #[test]
    fn a_remembered_address_is_confirmed_only_if_free() {
        let mut leases = Leases::new(&NatConfig::default());
        let remembered = Ipv4Addr::new(10, 0, 2, 20);
        assert!(leases.confirm(client(1), remembered));
        assert!(!leases.confirm(client(2), remembered));
        assert!(!leases.confirm(client(2), Ipv4Addr::new(192, 168, 0, 1)));
        leases.release(client(1));
        assert!(leases.confirm(client(2), remembered));
    }

    #[test]
    fn options_that_run_over_the_end_are_refused() {
        let mut bytes = vec![0; FIXED];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[28] = 2;
        bytes[FIXED - 4..].copy_from_slice(&COOKIE);
        bytes.extend([option::KIND, 1, kind::DISCOVER]);
        assert_eq!(Message::parse(&bytes).unwrap().kind, kind::DISCOVER);
        for tail in [&[option::REQUESTED][..], &[option::REQUESTED, 4, 1], &[option::KIND, 0]] {
            let bytes = [&bytes, tail].concat();
            assert_eq!(Message::parse(&bytes), None);
        }
    }
}
