//! Devices under a real kernel's drivers: a Debian on a disk, the network, random numbers.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Instant;

use crate::run::*;

/// A Debian on virtio-blk compiles and runs a program, writes files and switches off; its file
/// system is consistent, and what it wrote is there when it boots again.
#[test]
fn a_debian_on_a_disk() {
    let folder = Folder::new("debian");
    let disk = folder.file("debian.img");
    let original = this_guest().disk.expect("the guest has a disk");
    let copied = Command::new("cp")
        .args(["--sparse=always", "--reflink=auto"])
        .args([&original, &disk])
        .status()
        .expect("cp runs");
    assert!(copied.success());
    let mut rights = fs::metadata(&disk).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a temporary copy for this test")]
    rights.set_readonly(false);
    fs::set_permissions(&disk, rights).unwrap();

    let first = "cd /root && printf '#include <stdio.h>\\nint main(void)\\n\
                 {puts(\"compiled in the guest\");return 0;}\\n' >a.c && gcc -O2 a.c -o a && ./a &&\n\
                 head -c 3000000 /dev/urandom >data && sha256sum data >sum";
    run_on_disk(&disk, JIT4, first, "compiled in the guest");
    let checked = Command::new("e2fsck")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .arg("-fn")
        .arg(&disk)
        .output()
        .expect("e2fsck runs: it is in e2fsprogs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    run_on_disk(&disk, JIT, "cd /root && sha256sum -c sum && ./a", "data: OK");
}

fn run_on_disk(disk: &std::path::Path, engine: Engine, text: &str, expected: &str) {
    let mut command = kernel(engine, &format!("root=/dev/vda {}", script(text)));
    command.arg("--disk").arg(format!("path={},id=root", disk.display()));
    let mut machine = start(command);
    expect(&mut machine, expected);
    assert_eq!(expect(&mut machine, "polyvisor: exit "), "0", "{}", machine.console());
    expect_power_off(&mut machine);
}

/// The guest gets an address, and reaches a server on this host at the gateway's.
#[test]
fn the_network_leads_out() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let text = format!("head -c 100000 /dev/zero | tr '\\0' x | nc 10.0.2.2 {port}");
    let mut command = kernel(JIT, &format!("polyvisor.net {}", script(&text)));
    command.args(["--net", "user"]);
    let mut machine = start(command);
    expect(&mut machine, "polyvisor: init at ");
    server.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut connection = loop {
        match server.accept() {
            Ok((connection, _)) => break connection,
            Err(error) => assert!(Instant::now() < deadline, "the guest does not connect: {error}"),
        }
        std::thread::yield_now();
    };
    connection.set_nonblocking(false).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = Vec::new();
    connection.read_to_end(&mut seen).unwrap();
    assert!(seen.len() == 100_000 && seen.iter().all(|byte| *byte == b'x'), "{}", seen.len());
    drop(connection);
    expect_power_off(&mut machine);
}

/// A port of this host leads to a server in the guest.
#[test]
fn a_forwarded_port_leads_in() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = "nc -l -p 7 -e cat & echo listening; wait";
    let mut command = kernel(JIT, &format!("polyvisor.net {}", script(text)));
    command.arg("--net").arg(format!("user,hostfwd=tcp:127.0.0.1:{port}-:7"));
    let mut machine = start(command);
    expect(&mut machine, "listening");
    // The shell says so before its child really listens: until then, connections end at once.
    let deadline = Instant::now() + PATIENCE;
    while !echoes(port) {
        assert!(Instant::now() < deadline, "the guest does not answer");
        std::thread::yield_now();
    }
    expect_power_off(&mut machine);
}

fn echoes(port: u16) -> bool {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = [0; 5];
    let sent = connection.write_all(b"hello").and_then(|()| connection.read_exact(&mut seen));
    sent.is_ok() && &seen == b"hello"
}

/// The entropy source, the real-time clock and the disks' ids are there.
#[test]
fn the_small_devices() {
    let folder = Folder::new("small");
    let (first, second) = (folder.file("a.img"), folder.file("b.img"));
    fs::write(&first, vec![b'a'; 4096]).unwrap();
    fs::write(&second, vec![b'b'; 8192]).unwrap();
    let text = "echo rng $(cat /sys/class/misc/hw_random/rng_current)\n\
                echo random $(head -c 64 /dev/hwrng | wc -c)\n\
                echo year $(date +%Y)\n\
                echo serials $(cat /sys/block/vda/serial) $(cat /sys/block/vdb/serial)\n\
                echo readonly $(cat /sys/block/vd?/ro)\n\
                echo contents $(head -c 3 /dev/vda) $(head -c 3 /dev/vdb)";
    let mut command = kernel(JIT, &script(text));
    command.arg("--disk").arg(format!("path={},id=one", first.display()));
    command.arg("--disk").arg(format!("path={},readonly", second.display()));
    let mut machine = start(command);
    assert_eq!(expect(&mut machine, "rng "), "virtio_rng.0");
    assert_eq!(expect(&mut machine, "random "), "64");
    let year: u32 = expect(&mut machine, "year ").parse().unwrap();
    assert!(year >= 2025, "{year}");
    assert_eq!(expect(&mut machine, "serials "), "one disk1");
    assert_eq!(expect(&mut machine, "readonly "), "0 1");
    assert_eq!(expect(&mut machine, "contents "), "aaa bbb");
    expect_power_off(&mut machine);
}
