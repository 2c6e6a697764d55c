//! ARP: our two stations answer, and the guests' Ethernet addresses are learnt. [RFC-826]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::core::Core;
use super::wire::{Arp, Mac};

/// Guests known at a time; a network has one, or a few behind a bridge in the guest.
const KNOWN_MAX: usize = 256;
/// Guests asked for at a time.
const SOUGHT_MAX: usize = 64;
/// Between two requests for the same guest.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);
/// Requests until a guest is held to be absent.
const REQUESTS_MAX: u32 = 60;

/// Which Ethernet address a guest's IPv4 address has.
#[derive(Debug, Default)]
pub(super) struct Neighbors {
    known: HashMap<Ipv4Addr, Mac>,
    /// The one that spoke last: most often there is only one.
    latest: Option<(Ipv4Addr, Mac)>,
    sought: HashMap<Ipv4Addr, Search>,
}

#[derive(Debug)]
struct Search {
    next: Instant,
    requests: u32,
}

impl Neighbors {
    pub(super) fn get(&self, ip: Ipv4Addr) -> Option<Mac> {
        match self.latest {
            Some((latest, mac)) if latest == ip => Some(mac),
            _ => self.known.get(&ip).copied(),
        }
    }

    /// Notes where `ip` is; true if somebody waited for it.
    pub(super) fn learn(&mut self, ip: Ipv4Addr, mac: Mac) -> bool {
        if self.latest == Some((ip, mac)) {
            return false;
        }
        self.latest = Some((ip, mac));
        if !self.known.contains_key(&ip) && self.known.len() >= KNOWN_MAX {
            // A guest that invents addresses costs itself a few ARP exchanges.
            self.known.clear();
        }
        self.known.insert(ip, mac);
        self.sought.remove(&ip).is_some()
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.latest = None;
    }

    /// Begins to look for `ip`; true if a request is due for it.
    pub(super) fn seek(&mut self, ip: Ipv4Addr, now: Instant) -> bool {
        if self.sought.contains_key(&ip) || self.sought.len() >= SOUGHT_MAX {
            return false;
        }
        self.sought.insert(ip, Search { next: now + REQUEST_INTERVAL, requests: 1 });
        true
    }

    pub(super) fn next_request(&self) -> Option<Instant> {
        self.sought.values().map(|search| search.next).min()
    }

    /// Guests for which another request is due.
    fn due(&mut self, now: Instant) -> Vec<Ipv4Addr> {
        self.sought.retain(|_, search| search.next > now || search.requests < REQUESTS_MAX);
        let mut due = Vec::new();
        for (ip, search) in &mut self.sought {
            if search.next <= now {
                search.next = now + REQUEST_INTERVAL;
                search.requests += 1;
                due.push(*ip);
            }
        }
        due
    }
}

impl Core {
    /// Takes an ARP packet; true if it answers a question of ours.
    pub(super) fn arp(&mut self, packet: &[u8]) -> bool {
        let Some(arp) = Arp::parse(packet) else { return false };
        let (mac, ip) = arp.sender;
        let mut answered = false;
        if self.config.is_guest(ip) && mac.is_unicast() {
            answered = self.neighbors.learn(ip, mac);
        }
        let target = arp.target.1;
        let ours = target == self.config.gateway || target == self.config.dns;
        // A probe comes from 0.0.0.0 and is answered too: the address is taken. [RFC-5227 §2.1]
        if arp.operation == Arp::REQUEST && ours && mac.is_unicast() {
            let station = self.station(target);
            let reply = Arp { operation: Arp::REPLY, sender: (station, target), target: (mac, ip) };
            self.reply(reply.frame(mac));
        }
        answered
    }

    /// Asks the network who has `guest`.
    pub(super) fn ask(&mut self, guest: Ipv4Addr) {
        let gateway = self.config.gateway;
        let request = Arp {
            operation: Arp::REQUEST,
            sender: (self.station(gateway), gateway),
            target: (Mac([0; 6]), guest),
        };
        self.reply(request.frame(Mac::BROADCAST));
    }

    /// Repeats the requests that nobody answered.
    pub(super) fn arp_timers(&mut self) {
        for guest in self.neighbors.due(self.now) {
            self.ask(guest);
        }
        let next = self.neighbors.next_request();
        self.arm(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_asked_for_once_a_second_and_not_forever() {
        let (mut neighbors, start) = (Neighbors::default(), Instant::now());
        let ip = Ipv4Addr::new(10, 0, 2, 15);
        assert!(neighbors.seek(ip, start));
        assert!(!neighbors.seek(ip, start));
        assert!(neighbors.due(start).is_empty());
        let mut now = start;
        let mut requests = 1;
        while neighbors.next_request().is_some() {
            now += REQUEST_INTERVAL;
            requests += neighbors.due(now).len();
        }
        assert_eq!(requests, REQUESTS_MAX as usize);
    }

    #[test]
    fn the_tables_are_bounded() {
        let (mut neighbors, now) = (Neighbors::default(), Instant::now());
        for n in 0..10_000u32 {
            neighbors.learn(Ipv4Addr::from(n), Mac([2; 6]));
            neighbors.seek(Ipv4Addr::from(!n), now);
        }
        assert!(neighbors.known.len() <= KNOWN_MAX && neighbors.sought.len() <= SOUGHT_MAX);
        assert!(neighbors.learn(Ipv4Addr::from(!0), Mac([2; 6])));
    }
}
