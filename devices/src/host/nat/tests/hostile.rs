//! Frames that no honest guest sends.

use std::time::{Duration, SystemTime};

use super::super::NetBackend;
use super::super::wire::{
    Arp, ETHERNET, Flags, IPV4_PAYLOAD, Mac, PROTOCOL_TCP, Route, TcpHeader, icmp_frame, put_ipv4,
    sum, udp_frame,
};
use super::guest::{GATEWAY, IP, MAC};
use super::{Nat, closed_port, nat};
use crate::virtio::net::backend::FRAME_MAX;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }
}

/// A frame of each kind that the network understands, all to this machine itself: TCP to
/// `open`, where somebody listens, UDP to `closed`.
fn seeds(nat: &Nat, open: u16, closed: u16) -> Vec<Vec<u8>> {
    let route = Route { to: nat.core.station(GATEWAY), from: Mac(MAC) };
    let dns = nat.core.config.dns;
    let socket = |ip, port| std::net::SocketAddrV4::new(ip, port);
    let arp =
        Arp { operation: Arp::REQUEST, sender: (Mac(MAC), IP), target: (Mac([0; 6]), GATEWAY) };
    let mut dhcp = vec![0; 240];
    dhcp[..3].copy_from_slice(&[1, 1, 6]);
    dhcp[28..34].copy_from_slice(&MAC);
    dhcp[236..].copy_from_slice(&[99, 130, 83, 99]);
    dhcp.extend([53, 1, 3, 50, 4, 10, 0, 2, 16, 54, 4, 10, 0, 2, 2, 255]);
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x01a\x00\x00\x01\x00\x01");
    let mut seeds = vec![
        arp.frame(Mac::BROADCAST),
        udp_frame(route, socket(IP, 68), socket(GATEWAY, 67), &dhcp),
        udp_frame(route, socket(IP, 5000), socket(dns, 53), &query),
        udp_frame(route, socket(IP, 5001), socket(GATEWAY, closed), b"datagram"),
        icmp_frame(route, IP, GATEWAY, b"\x08\x00\x00\x00\x12\x34\x00\x01payload"),
    ];
    for flags in [0x02, 0x10, 0x11, 0x18, 0x04, 0x14, 0x3f] {
        let header = TcpHeader {
            src_port: 6000,
            dst_port: open,
            seq: 1000,
            ack: 2000,
            flags: Flags(flags),
            window: 100,
            mss: Some(1460),
            scale: Some(7),
        };
        let mut frame = vec![0x41; 256];
        let len = header.put(&mut frame, route, IP, GATEWAY, 64);
        frame.truncate(len);
        seeds.push(frame);
    }
    seeds
}

/// Makes the checksums right again, so that the damage gets past them.
fn mend(frame: &mut [u8]) {
    if frame.len() < IPV4_PAYLOAD + 20 || frame[12..14] != [8, 0] {
        return;
    }
    frame[14] = 0x45;
    let (src, dst) = ([26, 27, 28, 29].map(|n| frame[n]), [30, 31, 32, 33].map(|n| frame[n]));
    let len = frame.len() - IPV4_PAYLOAD;
    let protocol = frame[23];
    let route = Route {
        to: Mac(frame[..6].try_into().unwrap()),
        from: Mac(frame[6..12].try_into().unwrap()),
    };
    put_ipv4(frame, route, src.into(), dst.into(), protocol, len);
    let body = &mut frame[IPV4_PAYLOAD..];
    match protocol {
        PROTOCOL_TCP => {
            body[16..18].fill(0);
            let words = [src, dst].concat();
            let total = [words, vec![0, 6], (len as u16).to_be_bytes().to_vec(), body.to_vec()];
            let check = !sum(&total.concat());
            body[16..18].copy_from_slice(&check.to_be_bytes());
        }
        17 => {
            body[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            body[6..8].fill(0);
        }
        _ => {
            body[2..4].fill(0);
            let check = !sum(body);
            body[2..4].copy_from_slice(&check.to_be_bytes());
        }
    }
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = seeds[random.below(seeds.len())].clone();
    match random.below(8) {
        0 => {
            let len = random.below(200);
            frame = (0..len).map(|_| random.next() as u8).collect();
        }
        1 => frame.truncate(random.below(frame.len())),
        2 => frame.resize(frame.len() + random.below(3000), random.next() as u8),
        _ => {}
    }
    for _ in 0..random.below(6) {
        if !frame.is_empty() {
            let at = random.below(frame.len());
            frame[at] = match random.below(3) {
                0 => 0,
                1 => 0xff,
                _ => random.next() as u8,
            };
        }
    }
    // Nothing is to leave this machine: other destinations than the gateway's come back to it.
    if frame.len() >= ETHERNET + 20 && frame[30] != 255 {
        frame[30..34].copy_from_slice(&GATEWAY.octets());
    }
    if random.below(4) != 0 {
        mend(&mut frame);
    }
    frame
}

/// Memory of the process in bytes, as far as this host tells.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn storm(seed: u64, frames: usize) {
    println!("seed {seed:#x}");
    let mut nat = nat();
    // Its connections stand without being accepted.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let seeds = seeds(&nat, listener.local_addr().unwrap().port(), closed_port());
    let mut random = Random(seed | 1);
    let mut buffer = vec![0; FRAME_MAX];
    let (mut before, mut answers) = (0, 0);
    for n in 0..frames {
        let frame = mutate(&mut random, &seeds);
        nat.send(&frame);
        // Mostly the guest takes nothing, so that all queues are full.
        if random.below(16) == 0 {
            answers += usize::from(nat.receive(&mut buffer).is_some());
        }
        if n % 512 == 0 {
            nat.skipped += Duration::from_millis(random.next() % 5_000);
            nat.tick();
        }
        if n == frames / 4 {
            before = resident();
        }
    }
    assert!(nat.tcp.entries() <= 4096 && nat.udp.entries() <= 2048);
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    assert!(answers > frames / 100, "only {answers} answers: most frames went nowhere");
    // It still works.
    nat.skipped += Duration::from_secs(3600);
    nat.tick();
    while nat.receive(&mut buffer).is_some() {}
    nat.send(&seeds[0]);
    assert!(nat.receive(&mut buffer).is_some());
}

#[test]
fn two_hundred_thousand_bad_frames_of_a_fixed_seed() {
    storm(0x706f_6c79_7669_736f, 200_000);
}

#[test]
fn two_hundred_thousand_bad_frames_of_a_new_seed() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    storm(now.as_nanos() as u64, 200_000);
}

#[test]
fn a_guest_that_takes_nothing_costs_little() {
    let mut nat = nat();
    let seeds = seeds(&nat, 1, 1);
    let arp = &seeds[0];
    nat.send(arp);
    let before = resident();
    for _ in 0..100_000 {
        nat.send(arp);
    }
    assert!(resident().saturating_sub(before) < 16 << 20);
    let mut buffer = vec![0; FRAME_MAX];
    let mut answers = 0;
    while nat.receive(&mut buffer).is_some() {
        answers += 1;
    }
    assert_eq!(answers, 512);
}

#[test]
fn frames_for_others_and_from_others_are_ignored() {
    let mut nat = nat();
    let route = Route { to: Mac([2, 2, 2, 2, 2, 2]), from: Mac(MAC) };
    let ping = b"\x08\x00\x00\x00\x12\x34\x00\x01";
    let mut buffer = vec![0; FRAME_MAX];
    nat.send(&icmp_frame(route, IP, GATEWAY, ping));
    assert_eq!(nat.receive(&mut buffer), None);
    let route = Route { to: nat.core.station(GATEWAY), from: Mac(MAC) };
    for source in ["10.0.2.2", "10.0.2.3", "10.0.2.0", "10.0.2.255", "192.0.2.1", "0.0.0.0"] {
        nat.send(&icmp_frame(route, source.parse().unwrap(), GATEWAY, ping));
        assert_eq!(nat.receive(&mut buffer), None, "{source}");
    }
    nat.send(&icmp_frame(route, IP, GATEWAY, ping));
    assert!(nat.receive(&mut buffer).is_some());
}
