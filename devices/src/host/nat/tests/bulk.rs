//! How fast bulk data goes through, with a guest that costs next to nothing: it sends ready-made
//! segments and acknowledges in batches. Prints MB/s; asserts only that all arrives.

use std::io::{Read, Write};
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::super::NetBackend;
use super::super::wire::{ETHERNET, Flags, IPV4_PAYLOAD, Ipv4, Mac, Route, TCP, TcpHeader};
use super::guest::{GATEWAY, IP, MAC};
use super::{Nat, NatConfig, config, server};
use crate::virtio::net::backend::FRAME_MAX;

const TOTAL: usize = 256 << 20;
/// Frames between two looks at the other direction, as a card's queue makes them.
const BATCH: usize = 64;

struct Peer {
    nat: Nat,
    route: Route,
    remote: SocketAddrV4,
    frame: Vec<u8>,
    seq: u32,
    ack: u32,
    acked: u32,
    window: u32,
    received: usize,
    mss: usize,
}

impl Peer {
    fn connect(port: u16, mtu: u16) -> Peer {
        let nat = Nat::new(NatConfig { mtu, ..config() }).unwrap();
        let route = Route { to: nat.core.station(GATEWAY), from: Mac(MAC) };
        let mss = usize::from(mtu) - 40;
        let remote = SocketAddrV4::new(GATEWAY, port);
        let frame = vec![0x5a; FRAME_MAX];
        let mut peer = Peer {
            nat,
            route,
            remote,
            frame,
            seq: 1,
            ack: 0,
            acked: 0,
            window: 0,
            received: 0,
            mss,
        };
        peer.send(Flags::SYN, 0);
        while peer.ack == 0 {
            peer.turn();
        }
        peer.send(Flags::ACK, 0);
        peer
    }

    fn send(&mut self, flags: Flags, len: usize) {
        let syn = flags.has(Flags::SYN);
        let header = TcpHeader {
            src_port: 50_000,
            dst_port: self.remote.port(),
            seq: self.seq,
            ack: self.ack,
            flags,
            window: u16::MAX,
            mss: syn.then_some(self.mss as u16),
            scale: syn.then_some(5),
        };
        let len_frame = header.put(&mut self.frame, self.route, IP, GATEWAY, len);
        self.nat.send(&self.frame[..len_frame]);
        self.seq = self.seq.wrapping_add(len as u32 + u32::from(syn));
    }

    /// Takes what is there; true if there was something.
    fn turn(&mut self) -> bool {
        self.nat.tick();
        let mut buffer = std::mem::take(&mut self.frame);
        let before = self.received;
        let mut any = false;
        for _ in 0..BATCH {
            let Some(len) = self.nat.receive(&mut buffer) else { break };
            any = true;
            let ip = Ipv4::parse(&buffer[ETHERNET..len]).unwrap();
            // The checksum is the guest driver's business and is not measured.
            let header_len = usize::from(ip.payload[12] >> 4) * 4;
            let field = |at: usize| u32::from_be_bytes(ip.payload[at..at + 4].try_into().unwrap());
            let (seq, data) = (field(4), ip.payload.len() - header_len);
            if ip.payload[13] & Flags::SYN.0 != 0 {
                self.ack = seq.wrapping_add(1);
            } else {
                assert!(data == 0 || seq == self.ack, "out of order");
                self.ack = self.ack.wrapping_add(data as u32);
            }
            self.received += data;
            self.acked = field(8);
            let shift = if header_len > TCP { 0 } else { 3 };
            self.window = u32::from(u16::from_be_bytes([ip.payload[14], ip.payload[15]])) << shift;
        }
        self.frame = buffer;
        if self.received > before {
            self.send(Flags::ACK, 0);
        }
        if !any {
            self.nat.poll_sockets(Duration::from_millis(1));
        }
        any
    }

    fn upload(&mut self) {
        let mut left = TOTAL;
        while left > 0 {
            for _ in 0..BATCH {
                let edge = self.acked.wrapping_add(self.window);
                let len = self.mss.min(left);
                if (edge.wrapping_sub(self.seq) as i32) < len as i32 || left == 0 {
                    break;
                }
                self.send(Flags::ACK, len);
                left -= len;
            }
            self.turn();
        }
        while self.acked != self.seq {
            self.turn();
        }
    }
}

fn report(what: &str, mtu: u16, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let speed = TOTAL as f64 / seconds / 1e6;
    println!("{what}, MTU {mtu}: {speed:.0} MB/s ({:.1} Gbit/s)", speed * 8.0 / 1e3);
}

fn upload(mtu: u16) {
    let (port, served) = server(|mut stream| {
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        while total < TOTAL {
            total += stream.read(&mut buffer).unwrap();
        }
        total
    });
    let mut peer = Peer::connect(port, mtu);
    let start = Instant::now();
    peer.upload();
    // What was acknowledged may still be on its way to the host.
    while !served.is_finished() {
        peer.turn();
    }
    assert_eq!(served.join().unwrap(), TOTAL);
    report("guest to host", mtu, start);
}

fn download(mtu: u16) {
    let (port, served) = server(|mut stream| {
        let chunk = vec![0x77; 1 << 20];
        for _ in 0..TOTAL / chunk.len() {
            stream.write_all(&chunk).unwrap();
        }
    });
    let mut peer = Peer::connect(port, mtu);
    let start = Instant::now();
    while peer.received < TOTAL {
        peer.turn();
    }
    report("host to guest", mtu, start);
    served.join().unwrap();
    assert_eq!(peer.received, TOTAL);
}

#[test]
fn upload_throughput() {
    upload(1500);
    upload(65_520);
}

#[test]
fn download_throughput() {
    download(1500);
    download(65_520);
}

#[test]
fn payload_starts_where_the_header_ends() {
    assert_eq!(IPV4_PAYLOAD + TCP, 54);
}
