use super::*;
use crate::boot::Image;

const MIB: u64 = 1 << 20;
const CODE: [u8; 4096] = [0x1f; 4096];

fn layout(ram_size: u64, kernel: u64, initrd: u64) -> Result<Layout<'static>, BootError> {
    let kernel = Program::Image(Image { bytes: &CODE, text_offset: 0, image_size: kernel });
    Layout::new(ram_size, &Payload { kernel: Some(&kernel), initrd_len: Some(initrd) })
}

#[test]
fn kernel_and_initrd_have_their_places() {
    let found = layout(128 * MIB, 30 * MIB, 5_000_000).unwrap();
    assert_eq!((found.entry, FDT), (0x4020_0000, 0x4000_0000));
    let load = Load { part: Part::Kernel, gpa: 0x4020_0000, bytes: &CODE };
    assert_eq!(found.loads, [load]);
    let initrd = found.initrd.unwrap();
    assert_eq!((initrd.start & 0xfff, initrd.end - initrd.start), (0, 5_000_000));
    assert!(0x4800_0000 - initrd.end < 4096);
    let far = layout(8 << 30, MIB, 4096).unwrap().initrd.unwrap();
    assert_eq!(far.end, 0x8000_0000, "near the kernel");
}

#[test]
fn what_does_not_fit_is_told() {
    let says = |error: BootError, words: &str| {
        let text = error.to_string();
        assert!(text.contains(words), "{text}");
    };
    says(layout(MIB, MIB, 0).unwrap_err(), "aarch64 guest: 16 MiB");
    says(layout(1 << 41, MIB, 0).unwrap_err(), "40-bit");
    says(layout(64 * MIB, 70 * MIB, 0).unwrap_err(), "more memory");
    says(layout(64 * MIB, 30 * MIB, 50 * MIB).unwrap_err(), "overlap");
    let nothing = Payload { kernel: None, initrd_len: None };
    says(Layout::new(64 * MIB, &nothing).unwrap_err(), "nothing to boot");
}
