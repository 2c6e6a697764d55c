//! UDP out and in, and the DNS relay.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use smoltcp::wire::IpEndpoint;

use super::guest::{GATEWAY, Guest};
use super::{Nat, NatConfig, Resolvers, config, nat, server};

const DNS: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 2, 3), 53);

fn host_socket() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// What the host's socket gets, while the guest goes on.
fn take(guest: &mut Guest, socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    guest.until("a datagram on the host", |_| {
        let mut buffer = vec![0; 2000];
        let (len, from) = socket.recv_from(&mut buffer).ok()?;
        buffer.truncate(len);
        Some((buffer, from))
    })
}

#[test]
fn datagrams_go_out_and_come_back_until_the_port_is_idle() {
    let (socket, port) = host_socket();
    let mut guest = Guest::new(nat());
    let handle = guest.udp_socket(5000);
    for n in 0..100u32 {
        guest.udp(handle).send_slice(&n.to_be_bytes(), (GATEWAY, port)).unwrap();
        let (data, from) = take(&mut guest, &socket);
        socket.send_to(&data, from).unwrap();
        let (data, from) = guest.datagram(handle);
        assert_eq!(data, n.to_be_bytes());
        assert_eq!(from, IpEndpoint::from((GATEWAY, port)));
    }
    guest.skip(Duration::from_secs(299));
    assert_eq!(guest.cable.nat.udp.entries(), 1);
    guest.skip(Duration::from_secs(2));
    assert_eq!(guest.cable.nat.udp.entries(), 0);
}

#[test]
fn an_answer_from_another_port_arrives_and_one_of_a_stranger_does_not() {
    let (socket, port) = host_socket();
    let (other, other_port) = host_socket();
    let mut guest = Guest::new(nat());
    let handle = guest.udp_socket(5000);
    guest.udp(handle).send_slice(b"read file", (GATEWAY, port)).unwrap();
    let (_, from) = take(&mut guest, &socket);
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.send_to(b"stranger", from).unwrap();
    other.send_to(b"block 1", from).unwrap();
    let (data, from) = guest.datagram(handle);
    assert_eq!(data, b"block 1");
    assert_eq!(from, IpEndpoint::from((GATEWAY, other_port)));
}

#[test]
fn the_port_idle_for_longest_makes_room() {
    let (_socket, port) = host_socket();
    let mut guest = Guest::new(nat());
    for n in 0..1030 {
        let handle = guest.udp_socket(10_000 + n);
        guest.udp(handle).send_slice(b"x", (GATEWAY, port)).unwrap();
        guest.step();
        guest.sockets.remove(handle);
    }
    let entries = guest.cable.nat.udp.entries();
    // Fewer if this process may open fewer files.
    assert!((1..=1024).contains(&entries), "{entries}");
}

#[test]
fn a_forwarded_udp_port_leads_to_the_guest_and_back() {
    let forward = "udp:127.0.0.1:0-:6969".parse().unwrap();
    let nat = Nat::new(NatConfig { hostfwd: vec![forward], ..config() }).unwrap();
    let bound = nat.forwards()[0].1;
    let mut guest = Guest::new(nat);
    let handle = guest.udp_socket(6969);
    let clients = [host_socket().0, host_socket().0];
    for (n, client) in clients.iter().enumerate() {
        client.send_to(&[n as u8], bound).unwrap();
    }
    for _ in 0..2 {
        let (data, from) = guest.datagram(handle);
        guest.udp(handle).send_slice(&[data[0] + 10], from).unwrap();
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(take(&mut guest, client), (vec![n as u8 + 10], bound));
    }
}

fn query(id: u8) -> Vec<u8> {
    let mut query = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x07example\x00\x00\x01\x00\x01");
    query
}

fn answer_to(query: &[u8], len: usize) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] |= 0x80;
    answer.resize(len, 0x55);
    answer
}

fn with_resolvers(resolvers: Vec<SocketAddr>) -> Guest {
    let resolvers = Resolvers::Fixed(resolvers);
    Guest::new(Nat::new(NatConfig { resolvers, ..config() }).unwrap())
}

#[test]
fn dns_is_relayed() {
    let (resolver, _) = host_socket();
    let mut guest = with_resolvers(vec![resolver.local_addr().unwrap()]);
    let handle = guest.udp_socket(5353);
    guest.udp(handle).send_slice(&query(7), DNS).unwrap();
    let (asked, from) = take(&mut guest, &resolver);
    assert_eq!(asked, query(7));
    // An answer to something else comes first, and is not taken for this one's.
    resolver.send_to(&answer_to(&query(8), 40), from).unwrap();
    resolver.send_to(&answer_to(&query(7), 40), from).unwrap();
    let (data, from) = guest.datagram(handle);
    assert_eq!(data, answer_to(&query(7), 40));
    assert_eq!(from, IpEndpoint::from(DNS));
}

#[test]
fn a_long_answer_is_truncated_so_that_the_guest_asks_by_tcp() {
    let (resolver, _) = host_socket();
    let mut guest = with_resolvers(vec![resolver.local_addr().unwrap()]);
    let handle = guest.udp_socket(5353);
    guest.udp(handle).send_slice(&query(7), DNS).unwrap();
    let (asked, from) = take(&mut guest, &resolver);
    resolver.send_to(&answer_to(&asked, 1473), from).unwrap();
    let (data, _) = guest.datagram(handle);
    assert_eq!(data, [0, 7, 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_silent_resolver_is_passed_over_and_a_dead_one_at_once() {
    let (silent, _) = host_socket();
    let dead = host_socket().0.local_addr().unwrap();
    let (good, _) = host_socket();
    let addresses = vec![silent.local_addr().unwrap(), dead, good.local_addr().unwrap()];
    let mut guest = with_resolvers(addresses);
    let handle = guest.udp_socket(5353);
    guest.udp(handle).send_slice(&query(1), DNS).unwrap();
    take(&mut guest, &silent);
    guest.skip(Duration::from_secs(3));
    let (asked, from) = take(&mut guest, &good);
    good.send_to(&answer_to(&asked, 40), from).unwrap();
    assert_eq!(guest.datagram(handle).0, answer_to(&query(1), 40));
    // From now on it is asked first.
    guest.udp(handle).send_slice(&query(2), DNS).unwrap();
    assert_eq!(take(&mut guest, &good).0, query(2));
}

#[test]
fn without_any_resolver_the_answer_is_a_failure() {
    let mut guest = with_resolvers(vec![]);
    let handle = guest.udp_socket(5353);
    guest.udp(handle).send_slice(&query(9), DNS).unwrap();
    let (data, _) = guest.datagram(handle);
    assert_eq!((data[2] & 0x80, data[3] & 0xf), (0x80, 2));
}

#[test]
fn silent_resolvers_end_in_a_failure() {
    let (silent, _) = host_socket();
    let mut guest = with_resolvers(vec![silent.local_addr().unwrap()]);
    let handle = guest.udp_socket(5353);
    guest.udp(handle).send_slice(&query(9), DNS).unwrap();
    take(&mut guest, &silent);
    guest.skip(Duration::from_secs(3));
    guest.skip(Duration::from_secs(3));
    assert_eq!(guest.datagram(handle).0[3] & 0xf, 2);
}

#[test]
fn dns_over_tcp_is_relayed() {
    let (port, served) = server(super::echo);
    let mut guest = with_resolvers(vec![([127, 0, 0, 1], port).into()]);
    let handle = guest.connect(DNS.0, DNS.1);
    guest.established(handle);
    guest.send_all(handle, b"question");
    guest.tcp(handle).close();
    assert_eq!(guest.receive_all(handle), b"question");
    guest.join(served);
}
