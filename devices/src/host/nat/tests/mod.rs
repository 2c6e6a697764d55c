//! The network from outside: a guest with smoltcp's stack on one side, servers on the loopback on
//! the other. Nothing leaves this machine.

mod bulk;
mod guest;
mod hostile;
mod small;
mod tcp;
mod udp;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::{Nat, NatConfig, NatError, Resolvers};

/// A network that never looks at this machine's resolvers.
fn config() -> NatConfig {
    NatConfig { resolvers: Resolvers::Fixed(Vec::new()), ..NatConfig::default() }
}

fn nat() -> Nat {
    Nat::new(config()).unwrap()
}

/// A thread that accepts one connection and does `work` with it; and its port.
fn server<T: Send + 'static>(
    work: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || work(listener.accept().unwrap().0)))
}

/// A port of the loopback on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => stream.write_all(&buffer[..count]).unwrap(),
        }
    }
}

/// Reproducible bytes, fast: what stands at `offset` of the stream.
fn pattern(offset: usize, into: &mut [u8]) {
    for (n, byte) in into.iter_mut().enumerate() {
        let at = (offset + n) as u64;
        *byte = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    }
}

#[test]
fn a_busy_port_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let forward: super::HostFwd = format!("tcp:127.0.0.1:{port}-:22").parse().unwrap();
    let error = Nat::new(NatConfig { hostfwd: vec![forward], ..config() }).unwrap_err();
    assert!(matches!(error, NatError::PortBusy { .. }));
    let said = error.to_string();
    assert!(said.contains(&format!("tcp port {port} of the host")), "{said}");
    assert!(said.contains("choose another host port"), "{said}");
}

#[test]
fn an_address_of_another_host_is_named() {
    let forward = "udp:192.0.2.1:0-:22".parse().unwrap();
    let error = Nat::new(NatConfig { hostfwd: vec![forward], ..config() }).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1 is not an address of this host"), "{error}");
}

#[test]
fn forwards_tell_the_port_that_the_host_chose() {
    let forward: super::HostFwd = "tcp:127.0.0.1:0-:22".parse().unwrap();
    let nat = Nat::new(NatConfig { hostfwd: vec![forward.clone()], ..config() }).unwrap();
    let [(of, bound)] = nat.forwards() else { panic!("one forward") };
    assert_eq!(*of, forward);
    assert!(bound.port() != 0 && bound.ip() == SocketAddr::from(([127, 0, 0, 1], 0)).ip());
}
