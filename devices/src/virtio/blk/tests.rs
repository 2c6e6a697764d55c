use std::io;
use std::sync::{Arc, Mutex};

use disk::{Buf, BufMut, Image, OpenOptions, RawImage};
use vmm_sys_util::tempfile::TempFile;

use super::spec::{Status, feature, request};
use super::*;
use crate::bus::lock;
use crate::virtio::testing::{DATA, Desc, Driver, readable, writable};

const SIZE: u64 = 1 << 20;

/// A raw image that keeps a list of what was asked of it.
struct Recorder {
    raw: RawImage,
    calls: Mutex<Vec<&'static str>>,
}

impl Recorder {
    fn new(readonly: bool) -> Arc<Self> {
        Self::sized(readonly, SIZE)
    }

    fn sized(readonly: bool, size: u64) -> Arc<Self> {
        let file = TempFile::new().unwrap().into_file();
        file.set_len(size).unwrap();
        let options = OpenOptions { readonly };
        let raw = RawImage::from_file(file, "test".as_ref(), options).unwrap();
        Arc::new(Self { raw, calls: Mutex::default() })
    }

    fn note(&self, call: &'static str) {
        lock(&self.calls).push(call);
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut lock(&self.calls))
    }

    fn contents(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.raw.read_at(offset, &[BufMut::from(&mut data[..])]).unwrap();
        data
    }
}

impl Image for Recorder {
    fn size(&self) -> u64 {
        self.raw.size()
    }
    fn readonly(&self) -> bool {
        self.raw.readonly()
    }
    fn read_at(&self, offset: u64, into: &[BufMut<'_>]) -> io::Result<()> {
        self.note("read");
        self.raw.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, from: &[Buf<'_>]) -> io::Result<()> {
        self.note("write");
        self.raw.write_at(offset, from)
    }
    fn flush(&self) -> io::Result<()> {
        self.note("flush");
        self.raw.flush()
    }
    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.note("discard");
        self.raw.discard(offset, len)
    }
    fn write_zeroes(&self, offset: u64, len: u64, may_unmap: bool) -> io::Result<()> {
        self.note(if may_unmap { "unmap" } else { "zero" });
        self.raw.write_zeroes(offset, len, may_unmap)
    }
}

const HEADER: u64 = DATA;
const STATUS: u64 = DATA + 0x100;
const BODY: u64 = DATA + 0x1000;

struct Disk {
    driver: Driver,
    image: Arc<Recorder>,
}

impl Disk {
    fn new(without: u64) -> Self {
        Self::on(Recorder::new(false), without)
    }

    fn on(image: Arc<Recorder>, without: u64) -> Self {
        let driver = Driver::started(Box::new(Blk::new(image.clone(), "disk-0")), without);
        Self { driver, image }
    }

    /// A request with header and status in their places around `body`.
    fn request(&mut self, kind: u32, sector: u64, body: &[Desc]) -> Status {
        let mut header = [0; 16];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        header[8..].copy_from_slice(&sector.to_le_bytes());
        self.driver.poke(HEADER, &header);
        self.driver.poke(STATUS, &[0xff]);
        let mut chain = vec![readable(HEADER, 16)];
        chain.extend_from_slice(body);
        chain.push(writable(STATUS, 1));
        self.driver.round_trip(0, &chain);
        match self.driver.peek(STATUS, 1)[0] {
            0 => Status::Ok,
            1 => Status::IoErr,
            2 => Status::Unsupp,
            other => panic!("status {other}"),
        }
    }

    fn ranges(&mut self, kind: u32, ranges: &[(u64, u32, u32)]) -> Status {
        let mut raw = Vec::new();
        for (sector, count, flags) in ranges {
            raw.extend_from_slice(&sector.to_le_bytes());
            raw.extend_from_slice(&count.to_le_bytes());
            raw.extend_from_slice(&flags.to_le_bytes());
        }
        self.driver.poke(BODY, &raw);
        self.request(kind, 0, &[readable(BODY, raw.len() as u32)])
    }
}

#[test]
fn the_configuration_describes_the_disk() {
    let mut disk = Disk::new(0);
    let driver = &mut disk.driver;
    assert_eq!(driver.config(0, 8), SIZE / 512);
    assert_eq!(driver.config(12, 4), 254, "segments");
    assert_eq!(driver.config(20, 4), 512, "block size");
    assert_eq!(driver.config(24, 1), 3, "4 KiB physical blocks");
    assert!(driver.config(36, 4) > 0 && driver.config(48, 4) > 0);
    assert_eq!(driver.config(56, 1), 1);
    let ro = Blk::new(Recorder::new(true), "");
    let rw = Blk::new(Recorder::new(false), "");
    use crate::virtio::device::VirtioDevice;
    let changes = feature::DISCARD | feature::WRITE_ZEROES;
    assert_eq!(ro.features() & (feature::RO | changes), feature::RO);
    assert_eq!(rw.features() & (feature::RO | changes), changes);
}

#[test]
fn data_goes_to_its_sector_and_comes_back() {
    let mut disk = Disk::new(0);
    let bytes: Vec<u8> = (0..1536u32).map(|i| (i % 251) as u8).collect();
    disk.driver.poke(BODY, &bytes);
    let body = [readable(BODY, 100), readable(BODY + 100, 1436)];
    assert_eq!(disk.request(request::OUT, 3, &body), Status::Ok);
    assert_eq!(disk.image.contents(3 * 512, 1536), bytes);
    disk.driver.poke(BODY, &[0; 4096]);
    let body = [writable(BODY + 0x800, 512), writable(BODY, 1024)];
    assert_eq!(disk.request(request::IN, 3, &body), Status::Ok);
    assert_eq!(disk.driver.peek(BODY + 0x800, 512), bytes[..512]);
    assert_eq!(disk.driver.peek(BODY, 1024), bytes[512..]);
    assert_eq!(disk.driver.acknowledge(), 1);
}

#[test]
fn header_and_status_may_share_buffers_with_the_data() {
    let mut disk = Disk::new(0);
    disk.driver.poke(HEADER, &[0; 16]);
    let split = [readable(HEADER, 5), readable(HEADER + 5, 11), writable(BODY, 513)];
    disk.driver.poke(BODY, &[0xff; 513]);
    assert_eq!(disk.driver.round_trip(0, &split), 513);
    assert_eq!(disk.driver.peek(BODY, 513), [0; 513]);
}

#[test]
fn the_id_is_padded_or_cut() {
    let mut disk = Disk::new(0);
    disk.driver.poke(BODY, &[0xff; 24]);
    assert_eq!(disk.request(request::GET_ID, 0, &[writable(BODY, 20)]), Status::Ok);
    assert_eq!(disk.driver.peek(BODY, 21), b"disk-0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff");
    assert_eq!(disk.request(request::GET_ID, 0, &[writable(BODY, 3)]), Status::Ok);
    assert_eq!(disk.request(request::GET_ID, 0, &[]), Status::Ok);
    let long = Blk::new(Recorder::new(false), "123456789012345678901234567890");
    let mut driver = Driver::started(Box::new(long), 0);
    driver.poke(HEADER, &8u32.to_le_bytes());
    driver.round_trip(0, &[readable(HEADER, 16), writable(BODY, 20), writable(STATUS, 1)]);
    assert_eq!(driver.peek(BODY, 20), b"12345678901234567890");
}

#[test]
fn writes_are_flushed_at_once_only_for_drivers_that_never_flush() {
    let mut disk = Disk::new(0);
    assert_eq!(disk.request(request::OUT, 0, &[readable(BODY, 512)]), Status::Ok);
    assert_eq!(disk.image.calls(), ["write"]);
    assert_eq!(disk.request(request::FLUSH, 0, &[]), Status::Ok);
    assert_eq!(disk.image.calls(), ["flush"]);
    let mut disk = Disk::new(feature::FLUSH);
    assert_eq!(disk.request(request::OUT, 0, &[readable(BODY, 512)]), Status::Ok);
    assert_eq!(disk.ranges(request::WRITE_ZEROES, &[(0, 8, 0)]), Status::Ok);
    assert_eq!(disk.image.calls(), ["write", "flush", "zero", "flush"]);
}

#[test]
fn requests_that_are_wrong_get_an_error_and_change_nothing() {
    let mut disk = Disk::new(0);
    let last = SIZE / 512 - 1;
    for (kind, sector, body) in [
        (request::OUT, last, readable(BODY, 1024)),
        (request::OUT, last + 1, readable(BODY, 512)),
        (request::OUT, u64::MAX, readable(BODY, 512)),
        (request::OUT, 1 << 55, readable(BODY, 512)),
        (request::OUT, 0, readable(BODY, 511)),
        (request::IN, last, writable(BODY, 1024)),
        (request::IN, u64::MAX / 512, writable(BODY, 512)),
        (request::IN, 0, writable(BODY, 100)),
    ] {
        assert_eq!(disk.request(kind, sector, &[body]), Status::IoErr, "{kind} at {sector}");
    }
    assert_eq!(disk.request(99, 0, &[]), Status::Unsupp);
    assert_eq!(disk.request(request::IN, last, &[writable(BODY, 512)]), Status::Ok);
    assert_eq!(disk.image.contents(0, SIZE as usize), vec![0; SIZE as usize]);
    // No header, no status, nothing at all.
    assert_eq!(disk.driver.round_trip(0, &[readable(HEADER, 15), writable(STATUS, 1)]), 1);
    assert_eq!(disk.driver.peek(STATUS, 1), [1]);
    assert_eq!(disk.driver.round_trip(0, &[readable(HEADER, 16)]), 0);
    assert_eq!(disk.driver.round_trip(0, &[readable(HEADER, 0)]), 0);
    assert!(!disk.driver.needs_reset());
}

#[test]
fn ranges_are_discarded_and_zeroed_as_flagged() {
    let mut disk = Disk::new(0);
    disk.driver.poke(BODY, &[9; 4096]);
    assert_eq!(disk.request(request::OUT, 8, &[readable(BODY, 4096)]), Status::Ok);
    disk.image.calls();
    assert_eq!(disk.ranges(request::WRITE_ZEROES, &[(8, 2, 0), (12, 1, 1)]), Status::Ok);
    assert_eq!(disk.image.calls(), ["zero", "unmap"]);
    let now = disk.image.contents(8 * 512, 4096);
    assert_eq!(now.iter().filter(|&&x| x == 0).count(), 3 * 512);
    assert_eq!((now[0], now[1023], now[1024], now[2048]), (0, 0, 9, 0));
    assert_eq!(disk.ranges(request::DISCARD, &[(0, 8, 0)]), Status::Ok);
    assert_eq!(disk.image.calls(), ["discard"]);
}

#[test]
fn ranges_that_are_wrong_change_nothing() {
    let mut disk = Disk::new(0);
    let beyond = (SIZE / 512, 1, 0);
    for (kind, ranges, status) in [
        (request::DISCARD, &[(0, 8, 1)][..], Status::Unsupp),
        (request::WRITE_ZEROES, &[(0, 8, 2)], Status::Unsupp),
        (request::WRITE_ZEROES, &[(0, 8, 0), beyond], Status::IoErr),
        (request::DISCARD, &[(0, 8, 0), (u64::MAX, u32::MAX, 0)], Status::IoErr),
        (request::DISCARD, &[], Status::IoErr),
        (request::DISCARD, &[(0, 1, 0); 33], Status::IoErr),
    ] {
        assert_eq!(disk.ranges(kind, ranges), status, "{kind} {ranges:?}");
    }
    assert_eq!(disk.request(request::DISCARD, 0, &[readable(BODY, 15)]), Status::IoErr);
    assert!(disk.image.calls().is_empty());
}

#[test]
fn ranges_have_the_largest_length_that_was_announced() {
    let mut disk = Disk::on(Recorder::sized(false, 4 << 30), 0);
    for (kind, at, call) in
        [(request::DISCARD, 36, "discard"), (request::WRITE_ZEROES, 48, "unmap")]
    {
        let most = disk.driver.config(at, 4) as u32;
        let flags = u32::from(kind == request::WRITE_ZEROES);
        assert_eq!(disk.ranges(kind, &[(0, most + 1, flags)]), Status::IoErr);
        assert!(disk.image.calls().is_empty());
        assert_eq!(disk.ranges(kind, &[(0, most, flags)]), Status::Ok);
        assert_eq!(disk.image.calls(), [call]);
    }
}

#[test]
fn a_read_only_disk_refuses_to_change() {
    let mut disk = Disk::on(Recorder::new(true), 0);
    assert_eq!(disk.request(request::OUT, 0, &[readable(BODY, 512)]), Status::IoErr);
    assert_eq!(disk.ranges(request::DISCARD, &[(0, 8, 0)]), Status::IoErr);
    assert_eq!(disk.request(request::IN, 0, &[writable(BODY, 512)]), Status::Ok);
}

#[test]
fn a_long_queue_is_worked_off_in_turns() {
    let mut disk = Disk::new(0);
    disk.driver.start(0);
    // The rings of the driver have 16 entries; use a larger one.
    use crate::virtio::transport::mmio::reg;
    disk.driver.write(reg::STATUS, 0);
    disk.driver.write(reg::STATUS, 3);
    disk.driver.accept(1 << 32);
    disk.driver.set_up_queue(0, 128);
    disk.driver.write(reg::STATUS, 4);
    disk.driver.poke(HEADER, &[4, 0, 0, 0]);
    for _ in 0..64 {
        disk.driver.offer(0, &[readable(HEADER, 16), writable(STATUS, 1)]);
    }
    disk.driver.kick(0);
    let first = std::iter::from_fn(|| disk.driver.used(0)).count();
    assert!(first < 64, "one turn did everything");
    // No further notification: the worker remembers that there is more.
    disk.driver.turn();
    disk.driver.turn();
    assert_eq!(first + std::iter::from_fn(|| disk.driver.used(0)).count(), 64);
}
