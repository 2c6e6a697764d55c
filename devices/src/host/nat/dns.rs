//! The DNS relay: a query to our DNS address goes to the host's resolvers in turn until one
//! answers. [RFC-1035 §4]
//!
//! Each query leaves from a socket of its own, connected to the resolver: a random port and the
//! kernel's filter stand against forged answers, and a resolver that is not there is noticed at
//! once. A resolver on the host's loopback (127.0.0.53) is as good as any. Queries over TCP are
//! ordinary connections to the preferred resolver.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use mio::Interest;
use mio::net::UdpSocket;

use super::config::Resolvers;
use super::core::{Core, Owner};
use super::slots::Slots;
use super::socket;
use super::wire::{IPV4, UDP, udp_frame};

pub(super) const PORT: u16 = 53;
/// Bytes of a DNS header.
const HEADER: usize = 12;
/// Queries on their way at a time; further ones are dropped and asked again by the guest.
const QUERIES_MAX: usize = 256;
/// The longest query that is relayed, in bytes.
const QUERY_MAX: usize = 4096;
/// How long a resolver may take before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// Resolvers taken from a list.
const RESOLVERS_MAX: usize = 8;
/// Attempts per query, over all resolvers.
const ATTEMPTS_MAX: usize = 6;
/// The longest resolv.conf that is read, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// The host's resolvers, as they are now.
pub(super) struct ResolverList {
    origin: Resolvers,
    addresses: Vec<SocketAddr>,
    seen: Option<Stamp>,
    /// Index of the one that answered last.
    preferred: usize,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl ResolverList {
    pub(super) fn new(origin: Resolvers) -> Self {
        let addresses = match &origin {
            Resolvers::Fixed(addresses) => addresses.clone(),
            Resolvers::File(_) => Vec::new(),
        };
        ResolverList { origin, addresses, seen: None, preferred: 0 }
    }

    /// Reads the file again if it changed since. While it cannot be read, the last good list
    /// stays.
    fn refresh(&mut self) {
        let Resolvers::File(path) = &self.origin else { return };
        let Ok(data) = fs::metadata(path) else { return };
        let stamp = Stamp { modified: data.modified().ok(), len: data.len(), inode: data.ino() };
        if self.seen == Some(stamp) {
            return;
        }
        match read_limited(path) {
            Ok(text) => {
                self.addresses = parse_resolv_conf(&text);
                self.seen = Some(stamp);
                self.preferred = 0;
            }
            Err(error) => tracing::warn!(path = %path.display(), %error, "resolvers not read"),
        }
    }

    /// The resolvers in the order in which to ask them.
    fn in_order(&mut self) -> Vec<SocketAddr> {
        self.refresh();
        let mut addresses = self.addresses.clone();
        if addresses.is_empty() && matches!(self.origin, Resolvers::File(_)) {
            // "If no nameserver entries are present, the default is to use the name server on
            // the local machine", says resolv.conf(5).
            addresses.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        let first = self.preferred.min(addresses.len());
        addresses.rotate_left(first);
        addresses
    }

    /// The resolver to ask first, if there is one.
    pub(super) fn preferred(&mut self) -> Option<SocketAddr> {
        self.in_order().first().copied()
    }

    fn answered(&mut self, resolver: SocketAddr) {
        if let Some(index) = self.addresses.iter().position(|address| *address == resolver) {
            self.preferred = index;
        }
    }
}

fn read_limited(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse_resolv_conf(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
            parse_nameserver(address)
        })
        .take(RESOLVERS_MAX)
        .collect()
}

/// An address; a link-local one may name its interface by number (`fe80::1%2`).
fn parse_nameserver(text: &str) -> Option<SocketAddr> {
    let (address, scope) = text.split_once('%').unwrap_or((text, "0"));
    Some(match address.parse().ok()? {
        IpAddr::V4(ip) => SocketAddr::from((ip, PORT)),
        IpAddr::V6(ip) => std::net::SocketAddrV6::new(ip, PORT, 0, scope.parse().ok()?).into(),
    })
}

/// Queries on their way.
pub(super) struct Dns {
    queries: Slots<Query>,
}

struct Query {
    guest: SocketAddrV4,
    message: Vec<u8>,
    /// Resolvers still to be asked, the last one first.
    left: Vec<SocketAddr>,
    /// Who is being asked; none if no attempt could be made.
    asked: Option<(SocketAddr, UdpSocket)>,
    deadline: Instant,
}

impl Query {
    /// Asks the next resolver that can be asked; false if none is left.
    fn ask_next(&mut self, core: &mut Core, slot: usize) -> bool {
        self.asked = None;
        while let Some(resolver) = self.left.pop() {
            match ask(core, slot, resolver, &self.message) {
                Ok(socket) => {
                    self.asked = Some((resolver, socket));
                    self.deadline = core.now + PATIENCE;
                    core.arm(Some(self.deadline));
                    return true;
                }
                Err(error) => tracing::debug!(%resolver, %error, "resolver cannot be asked"),
            }
        }
        false
    }
}

fn ask(core: &Core, slot: usize, resolver: SocketAddr, query: &[u8]) -> io::Result<UdpSocket> {
    let mut socket = socket::udp_to(resolver)?;
    core.registry.register(&mut socket, Owner::Dns(slot).token(), Interest::READABLE)?;
    socket.send(query)?;
    Ok(socket)
}

impl Dns {
    pub(super) fn new() -> Self {
        Dns { queries: Slots::new(QUERIES_MAX) }
    }

    /// Takes a query of the guest.
    pub(super) fn input(&mut self, core: &mut Core, guest: SocketAddrV4, message: &[u8]) {
        // Too short, too long, or an answer.
        if !(HEADER..=QUERY_MAX).contains(&message.len()) || message[2] & 0x80 != 0 {
            return;
        }
        let repeated = |query: &Query| query.guest == guest && query.message[..2] == message[..2];
        if self.queries.iter().any(|(_, query)| repeated(query)) {
            return;
        }
        let Some(slot) = self.queries.vacant() else { return };
        let order = core.resolvers.in_order();
        let mut left: Vec<_> =
            order.iter().cycle().take(ATTEMPTS_MAX.min(order.len() * 2)).copied().collect();
        left.reverse();
        let mut query =
            Query { guest, message: message.to_vec(), left, asked: None, deadline: core.now };
        if query.ask_next(core, slot) {
            let _ = self.queries.insert(query);
        } else {
            fail(core, &query);
        }
    }

    /// The socket of a query has the answer, or an error.
    pub(super) fn event(&mut self, core: &mut Core, slot: usize) {
        let Some(query) = self.queries.get_mut(slot) else { return };
        let Some((resolver, socket)) = &query.asked else { return };
        let mut answer = vec![0; usize::from(u16::MAX)];
        loop {
            match socket.recv(&mut answer) {
                // An answer to another question is none.
                Ok(len) if len < HEADER || answer[..2] != query.message[..2] => {}
                Ok(len) => {
                    core.resolvers.answered(*resolver);
                    answer.truncate(len);
                    deliver(core, query.guest, answer);
                    self.queries.remove(slot);
                    return;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        self.go_on(core, slot);
    }

    /// Asks the next resolver, or tells the guest that there is none.
    fn go_on(&mut self, core: &mut Core, slot: usize) {
        let Some(query) = self.queries.get_mut(slot) else { return };
        if !query.ask_next(core, slot) {
            fail(core, query);
            self.queries.remove(slot);
        }
    }

    /// Gives up on resolvers that keep silent.
    pub(super) fn timers(&mut self, core: &mut Core) {
        let now = core.now;
        let late: Vec<usize> = self
            .queries
            .iter()
            .filter(|(_, query)| query.deadline <= now)
            .map(|(slot, _)| slot)
            .collect();
        for slot in late {
            self.go_on(core, slot);
        }
        let next = self.queries.iter().map(|(_, query)| query.deadline).min();
        core.arm(next);
    }
}

/// Tells the guest that no resolver could answer: its own query as an answer, with SERVFAIL.
fn fail(core: &mut Core, query: &Query) {
    let mut answer = query.message.clone();
    answer[2] |= 0x80;
    answer[3] = 0x80 | 2;
    deliver(core, query.guest, answer);
}

fn deliver(core: &mut Core, guest: SocketAddrV4, mut answer: Vec<u8>) {
    let room = usize::from(core.config.mtu) - IPV4 - UDP;
    if answer.len() > room {
        truncate(&mut answer);
    }
    let dns = core.config.dns;
    if let Some(route) = core.route(dns, *guest.ip()) {
        core.reply(udp_frame(route, SocketAddrV4::new(dns, PORT), guest, &answer));
    }
}

/// Leaves the header and sets TC, so that the guest asks again by TCP. [RFC-2181 §9]
fn truncate(answer: &mut Vec<u8>) {
    answer.truncate(HEADER);
    answer[2] |= 0x02;
    // Counts of questions, answers, authorities and additional records.
    answer[4..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read_as_its_manual_says() {
        let text = "# nameserver 1.1.1.1\nsearch example.org\nnameserver 127.0.0.53\n\
                    nameserver\tfd00::1 \nnameserver fe80::1%2\nnameserver nonsense\noptions edns0";
        let found: Vec<String> = parse_resolv_conf(text).iter().map(|a| a.to_string()).collect();
        assert_eq!(found, ["127.0.0.53:53", "[fd00::1]:53", "[fe80::1%2]:53"]);
    }

    #[test]
    fn the_file_is_read_again_when_it_changes() {
        let path = std::env::temp_dir().join(format!("polyvisor-resolv-{}", std::process::id()));
        let mut list = ResolverList::new(Resolvers::File(path.clone()));
        assert_eq!(list.preferred(), Some("127.0.0.1:53".parse().unwrap()), "no file");
        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        assert_eq!(list.preferred(), Some("192.0.2.1:53".parse().unwrap()));
        fs::write(&path, "nameserver 192.0.2.2\nnameserver 192.0.2.33\n").unwrap();
        assert_eq!(list.preferred(), Some("192.0.2.2:53".parse().unwrap()));
        list.answered("192.0.2.33:53".parse().unwrap());
        assert_eq!(list.preferred(), Some("192.0.2.33:53".parse().unwrap()));
        fs::remove_file(&path).unwrap();
        assert_eq!(list.preferred(), Some("192.0.2.33:53".parse().unwrap()), "file gone");
    }
}
