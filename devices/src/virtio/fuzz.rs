//! Random drivers: register writes, ring memory and chains, from plausible to absurd. Whatever
//! they do, a device neither panics nor hangs, every buffer it gives back is one that it was
//! given room for, and after a reset it serves a proper driver again.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use disk::{Buf, BufMut, Image, OpenOptions, RawImage};

use super::blk::Blk;
use super::console::Console;
use super::device::VirtioDevice;
use super::net::{Net, NetBackend};
use super::rng::Rng;
use super::testing::{DATA, Desc, Driver, INDIRECT, NEXT, RAM, RAM_LEN, Random, WRITE};
use super::transport::mmio::{REGION_LEN, reg};
use crate::device::{Access, Device};
use crate::host::char::NullSink;

const STEPS: u32 = 100_000;

/// Sends frames back, and now and then one of its own.
struct Echo(Vec<Vec<u8>>, Random);

impl NetBackend for Echo {
    fn send(&mut self, frame: &[u8]) {
        self.0.truncate(8);
        self.0.push(frame.to_vec());
    }
    fn receive(&mut self, buf: &mut [u8]) -> Option<usize> {
        if let Some(frame) = self.0.pop() {
            buf[..frame.len()].copy_from_slice(&frame);
            return Some(frame.len());
        }
        (self.1.below(4) == 0).then(|| 14 + self.1.below(3000) as usize)
    }
    fn poll_fds(&self) -> Vec<(std::os::fd::RawFd, i16)> {
        Vec::new()
    }
    fn tick(&mut self) -> Option<u64> {
        None
    }
}

/// An image that is never made durable: a hundred thousand steps would wait for the host's disk.
struct Unsynced(RawImage);

impl Image for Unsynced {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn readonly(&self) -> bool {
        self.0.readonly()
    }
    fn read_at(&self, offset: u64, into: &[BufMut<'_>]) -> io::Result<()> {
        self.0.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, from: &[Buf<'_>]) -> io::Result<()> {
        self.0.write_at(offset, from)
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.0.discard(offset, len)
    }
    fn write_zeroes(&self, offset: u64, len: u64, may_unmap: bool) -> io::Result<()> {
        self.0.write_zeroes(offset, len, may_unmap)
    }
}

fn blk() -> Box<dyn VirtioDevice> {
    let file = vmm_sys_util::tempfile::TempFile::new().unwrap().into_file();
    file.set_len(1 << 16).unwrap();
    let image = RawImage::from_file(file, "fuzz".as_ref(), OpenOptions::default()).unwrap();
    Box::new(Blk::new(Arc::new(Unsynced(image)), "fuzz"))
}

fn net() -> Box<dyn VirtioDevice> {
    Box::new(Net::new(Box::new(Echo(Vec::new(), Random::new(3))), [2, 0, 0, 0, 0, 1]))
}

fn rng() -> Box<dyn VirtioDevice> {
    Box::new(Rng::from_source(Box::new(io::repeat(1))))
}

fn console() -> Box<dyn VirtioDevice> {
    let console = Console::new(Box::new(NullSink)).unwrap();
    console.input().receive(&[b'x'; 60_000]);
    Box::new(console)
}

/// A number that is likely to be a limit of something.
fn edge(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => random.next(),
        1 => random.below(64),
        2 => RAM + random.below(RAM_LEN),
        3 => DATA + random.below(0x4000),
        4 => (1u64 << random.below(64)).wrapping_sub(random.below(3)),
        _ => random.pick(&[0, 1, RAM + RAM_LEN - 1, RAM + RAM_LEN, RAM - 1, u64::MAX, 0xffff]),
    }
}

fn random_desc(random: &mut Random, hostile: bool) -> Desc {
    let len = match random.below(4) {
        0 => random.pick(&[0, 1, 12, 16, 17, 511, 512, 513]),
        1 => random.below(20) as u32,
        _ => random.below(4096) as u32,
    };
    Desc {
        addr: if hostile { edge(random) } else { DATA + random.below(0x8000) },
        len: if hostile { edge(random) as u32 } else { len },
        flags: if hostile { random.next() as u16 & 7 } else { 0 },
        next: if hostile { random.next() as u16 } else { 0 },
    }
}

/// A chain that is mostly well-formed, with a header that is mostly a known request's. True if
/// it is not, and may have the device write into the rings.
fn offer_chain(driver: &mut Driver, random: &mut Random, queue: usize) -> bool {
    let hostile = random.below(20) == 0;
    let header = DATA + 0x9000;
    let unknown = random.next() as u32;
    let kind = random.pick(&[0, 1, 4, 8, 11, 13, unknown]);
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 4]);
    let sector = if random.below(8) == 0 { edge(random) } else { random.below(130) };
    bytes.extend_from_slice(&sector.to_le_bytes());
    bytes.extend_from_slice(&random.below(130).to_le_bytes());
    bytes.extend_from_slice(&(random.below(16) | random.below(3) << 32).to_le_bytes());
    driver.poke(header, &bytes);
    let mut chain = vec![Desc { addr: header, len: 16, flags: 0, next: 0 }];
    if random.below(3) == 0 {
        chain[0].len = 32;
    }
    let data = random.below(5);
    let turn = random.below(data + 1);
    for i in 0..data {
        let mut desc = random_desc(random, hostile);
        desc.flags ^= if i >= turn { WRITE } else { 0 };
        desc.len = if random.below(2) == 0 { desc.len & !511 } else { desc.len };
        chain.push(desc);
    }
    if random.below(8) != 0 {
        chain.push(Desc { addr: DATA + 0x9100, len: 1, flags: WRITE, next: 0 });
    }
    if random.below(6) == 0 {
        let table = DATA + 0xa000 + random.below(3);
        for (i, desc) in chain.iter().enumerate() {
            let last = i + 1 == chain.len();
            let flags = desc.flags | if last { 0 } else { NEXT };
            let linked = Desc { flags, next: i as u16 + 1, ..*desc };
            driver.put_desc(table + 16 * i as u64, linked);
        }
        let len = 16 * chain.len() as u32;
        chain = vec![Desc { addr: table, len, flags: INDIRECT, next: 0 }];
    }
    driver.offer(queue, &chain);
    hostile
}

/// Scribbles over the rings of a queue.
fn scribble(driver: &Driver, random: &mut Random, queue: usize) {
    let ring = driver.rings[queue];
    let size = u64::from(ring.size);
    let at = match random.below(4) {
        0 => ring.avail + 2,
        1 => ring.avail + random.below(6 + 2 * size - 1),
        2 => ring.used + random.below(6 + 8 * size - 1),
        _ => ring.desc + random.below(16 * size - 1),
    };
    let value = edge(random).to_le_bytes();
    let len = random.pick(&[1, 2]);
    driver.poke(at, &value[..len]);
}

/// Takes used elements and checks them, as far as the rings were left alone.
fn drain(driver: &mut Driver, queue: usize, trusted: bool) -> u64 {
    let mut count = 0;
    for _ in 0..64 {
        let Some((head, len)) = driver.used(queue) else { break };
        if trusted {
            assert!(head < driver.rings[queue].size);
            assert!(u64::from(len) <= 16 * 4096, "wrote {len} bytes");
        }
        count += 1;
    }
    count
}

fn run(make: fn() -> Box<dyn VirtioDevice>, seed: u64) {
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    let mut driver = Driver::started(make(), 0);
    let queues = driver.rings.len() as u64;
    let (mut served, mut broken, mut trusted) = (0, 0, true);
    for _ in 0..STEPS {
        let queue = random.below(queues) as usize;
        match random.below(200) {
            0..80 => trusted &= !offer_chain(&mut driver, &mut random, queue),
            80..130 => driver.kick(queue),
            130..170 => served += drain(&mut driver, queue, trusted),
            170..172 => {
                scribble(&driver, &mut random, queue);
                trusted = false;
            }
            172..182 => driver.turn(),
            182..186 => {
                let size = random.pick(&[1, 2, 4, 4, 8]);
                let offset = random.below(REGION_LEN - 8) / u64::from(size) * u64::from(size);
                driver.mmio.read(Access { region: 0, offset, size });
            }
            186..188 => {
                let offset = random.below(REGION_LEN / 4) * 4;
                let value = edge(&mut random) as u32;
                driver.write(offset, value);
                trusted = false;
            }
            188 => {
                let state = driver.mmio.save();
                driver.mmio.restore(&state).unwrap();
            }
            189..192 => {
                driver.acknowledge();
            }
            _ => {}
        }
        let dead = driver.read(reg::STATUS) & 0xff != 0xf;
        if dead || random.below(2000) == 0 {
            broken += u64::from(dead);
            let without = random.pick(&[0, 1 << 29, 1 << 15, 1 << 9]);
            driver.start(without);
            trusted = true;
        }
    }
    driver.start(0);
    println!("{served} chains came back, {broken} drivers broke their device");
    assert!(served > u64::from(STEPS) / 100, "only {served} chains came back");
    assert!(broken > 10, "only {broken} drivers broke their device");
}

fn both_seeds(make: fn() -> Box<dyn VirtioDevice>) {
    run(make, 0x7669_7274_696f);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    run(make, now.as_nanos() as u64);
}

#[test]
fn blk_survives_random_drivers() {
    both_seeds(blk);
}

#[test]
fn net_survives_random_drivers() {
    both_seeds(net);
}

#[test]
fn rng_survives_random_drivers() {
    both_seeds(rng);
}

#[test]
fn console_survives_random_drivers() {
    both_seeds(console);
}

/// A worker on its own thread, and a vCPU that configures, resets, saves and feeds the device
/// meanwhile.
fn race(make: fn() -> Box<dyn VirtioDevice>) {
    let mut random = Random::new(7);
    let mut driver = Driver::started(make(), 0);
    let spare = driver.mmio.worker().unwrap();
    let worker = std::mem::replace(&mut driver.worker, spare);
    let stop = worker.stop_handle();
    let thread = std::thread::spawn(move || worker.run());
    let queues = driver.rings.len() as u64;
    for _ in 0..20_000 {
        let queue = random.below(queues) as usize;
        match random.below(100) {
            0..60 => {
                offer_chain(&mut driver, &mut random, queue);
                driver.write(reg::QUEUE_NOTIFY, queue as u32);
            }
            60..70 => scribble(&driver, &mut random, queue),
            70..80 => {
                let offset = random.below(REGION_LEN / 4) * 4;
                driver.write(offset, edge(&mut random) as u32);
            }
            80..90 => {
                driver.config(random.below(64), 4);
            }
            90..94 => {
                let state = driver.mmio.save();
                driver.mmio.restore(&state).unwrap();
            }
            _ => driver.start(random.pick(&[0, 1 << 29])),
        }
    }
    driver.start(0);
    stop.stop();
    driver.worker = thread.join().unwrap().unwrap();
    // The device that came back is whole.
    driver.offer(0, &[Desc { addr: DATA, len: 512, flags: WRITE, next: 0 }]);
    driver.turn();
    assert!(!driver.needs_reset());
}

#[test]
fn workers_and_vcpus_may_race() {
    for make in [blk, net, rng, console] {
        race(make);
    }
}
