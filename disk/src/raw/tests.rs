use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::OpenError;

/// A file that is removed at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(size: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "polyvisor-disk-{}-{}.img",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        File::create(&path).unwrap().set_len(size).unwrap();
        Self(path)
    }

    fn open(&self) -> RawImage {
        RawImage::open(&self.0, OpenOptions::default()).unwrap()
    }

    fn refused(&self, options: OpenOptions) -> OpenError {
        RawImage::open(&self.0, options).unwrap_err()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn read(image: &RawImage, offset: u64, len: usize) -> Vec<u8> {
    let mut data = vec![0xee; len];
    image.read_at(offset, &[BufMut::from(&mut data[..])]).unwrap();
    data
}

#[test]
fn scattered_writes_read_back_in_order() {
    let scratch = Scratch::new(1 << 20);
    let image = scratch.open();
    let (a, b, empty) = ([1u8; 700], [2u8; 900], [0u8; 0]);
    image.write_at(512, &[Buf::from(&a[..]), Buf::from(&empty[..]), Buf::from(&b[..])]).unwrap();
    let (mut c, mut d) = ([0u8; 1000], [0u8; 600]);
    image.read_at(512, &[BufMut::from(&mut c[..]), BufMut::from(&mut d[..])]).unwrap();
    assert!(c[..700].iter().all(|&x| x == 1) && c[700..].iter().all(|&x| x == 2));
    assert_eq!(d, [2; 600]);
    assert_eq!(read(&image, 0, 512), [0; 512]);
    image.flush().unwrap();
}

#[test]
fn more_pieces_than_one_call_takes_are_all_moved() {
    let scratch = Scratch::new(1 << 20);
    let image = scratch.open();
    let bytes: Vec<u8> = (0..3000u32).map(|i| i as u8).collect();
    let pieces: Vec<_> = bytes.iter().map(|b| Buf::from(std::slice::from_ref(b))).collect();
    image.write_at(7, &pieces).unwrap();
    assert_eq!(read(&image, 7, 3000), bytes);
}

#[test]
fn ranges_beyond_the_end_change_nothing() {
    let scratch = Scratch::new(1024);
    let image = scratch.open();
    let data = [1u8; 1024];
    for offset in [1, 1024, u64::MAX, u64::MAX - 1023] {
        let wrote = image.write_at(offset, &[Buf::from(&data[..])]);
        assert_eq!(wrote.unwrap_err().kind(), ErrorKind::InvalidInput);
        let mut into = [0u8; 1024];
        assert!(image.read_at(offset, &[BufMut::from(&mut into[..])]).is_err());
        assert!(image.discard(offset, 1024).is_err());
        assert!(image.write_zeroes(offset, 1024, true).is_err());
    }
    assert_eq!(fs::metadata(&scratch.0).unwrap().len(), 1024);
    assert_eq!(read(&image, 0, 1024), [0; 1024]);
}

#[test]
fn zeroes_and_discards_stay_within_their_range() {
    let scratch = Scratch::new(8 << 20);
    let image = scratch.open();
    let ones = vec![1u8; 8 << 20];
    image.write_at(0, &[Buf::from(&ones[..])]).unwrap();
    image.write_zeroes(4096, 4096, true).unwrap();
    image.write_zeroes(16384, 1000, false).unwrap();
    image.write_zero_bytes(32768, (5 << 20) + 77).unwrap();
    image.discard(7 << 20, 4096).unwrap();
    let now = read(&image, 0, 8 << 20);
    let zeros: usize = now.iter().filter(|&&x| x == 0).count();
    let discarded = now[7 << 20..(7 << 20) + 4096].iter().filter(|&&x| x == 0).count();
    assert_eq!(zeros - discarded, 4096 + 1000 + (5 << 20) + 77);
    assert!(now[4096..8192].iter().chain(&now[16384..17384]).all(|&x| x == 0));
    assert_eq!((now[4095], now[8192], now[17384]), (1, 1, 1));
    image.write_zeroes(0, 0, false).unwrap();
}

#[test]
fn a_read_only_image_refuses_every_change() {
    let scratch = Scratch::new(4096);
    let image = RawImage::open(&scratch.0, OpenOptions { readonly: true }).unwrap();
    let data = [1u8; 512];
    for refused in [
        image.write_at(0, &[Buf::from(&data[..])]),
        image.discard(0, 512),
        image.write_zeroes(0, 512, true),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    image.flush().unwrap();
    assert_eq!(read(&image, 0, 512), [0; 512]);
}

#[test]
fn a_writer_is_alone_and_readers_share() {
    let scratch = Scratch::new(4096);
    let readonly = OpenOptions { readonly: true };
    {
        let _writer = scratch.open();
        assert!(matches!(scratch.refused(readonly), OpenError::InUse { .. }));
        let error = scratch.refused(OpenOptions::default());
        assert!(error.to_string().contains("in use by another process"), "{error}");
    }
    let _one = RawImage::open(&scratch.0, readonly).unwrap();
    let _two = RawImage::open(&scratch.0, readonly).unwrap();
    assert!(matches!(scratch.refused(OpenOptions::default()), OpenError::InUse { .. }));
}

#[test]
fn unusable_paths_are_named_with_their_reason() {
    let empty = Scratch::new(0);
    assert!(matches!(empty.refused(OpenOptions::default()), OpenError::Empty { .. }));
    let odd = Scratch::new(1000);
    let error = odd.refused(OpenOptions::default()).to_string();
    assert!(error.contains("1000 bytes") && error.contains("512"), "{error}");
    let missing = odd.0.with_extension("missing");
    let error = RawImage::open(&missing, OpenOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }));
    assert!(error.to_string().contains(missing.to_str().unwrap()));
    let error = RawImage::open(&std::env::temp_dir(), OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("a directory"), "{error}");
    let error = RawImage::open(std::path::Path::new("/dev/null"), OpenOptions::default());
    assert!(error.unwrap_err().to_string().contains("a character device"));
}
