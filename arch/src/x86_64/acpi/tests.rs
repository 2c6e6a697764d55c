use super::*;

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The table at `gpa`, whole and with a right checksum.
fn table<'a>(tables: &'a Tables, gpa: u64, signature: &[u8]) -> &'a [u8] {
    let bytes = &tables.bytes[(gpa - tables.base) as usize..];
    assert_eq!(&bytes[..4], signature);
    let bytes = &bytes[..u32_at(bytes, 4) as usize];
    assert_eq!(sum(bytes), 0, "checksum of {}", String::from_utf8_lossy(signature));
    bytes
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn a_guest_finds_every_table() {
    let tables = tables(3, 2).unwrap();
    assert_eq!((tables.base, tables.rsdp), (0xe_0000, 0xe_0000));
    let rsdp = &tables.bytes[..36];
    assert_eq!((&rsdp[..8], sum(&rsdp[..20]), sum(rsdp)), (&b"RSD PTR "[..], 0, 0));
    let xsdt = table(&tables, u64_at(rsdp, 24), b"XSDT");
    assert_eq!(xsdt.len(), 36 + 2 * 8);
    let fadt = table(&tables, u64_at(xsdt, 36), b"FACP");
    // Hardware-reduced, with a reset register.
    assert_eq!(u32_at(fadt, 112) & (1 << 20 | 1 << 10), 1 << 20 | 1 << 10);
    assert_eq!((u64_at(fadt, 120), fadt[128]), (0x602, 1));
    assert_eq!((u64_at(fadt, 248), u64_at(fadt, 260)), (0x600, 0x601));
    let dsdt = table(&tables, u64_at(fadt, 140), b"DSDT");
    for name in [&b"COM1"[..], b"RTC_", b"PWRB", b"GED_", b"_EVT", b"VR00", b"VR01", b"_S5_"] {
        assert!(has(dsdt, name), "{}", String::from_utf8_lossy(name));
    }
    assert!(!has(dsdt, b"VR02"));
    let madt = table(&tables, u64_at(xsdt, 44), b"APIC");
    assert_eq!((u32_at(madt, 36), u32_at(madt, 40)), (0xfee0_0000, 0));
    // Three local APICs of 8 bytes, then the I/O APIC of 12.
    assert_eq!(madt.len(), 44 + 3 * 8 + 12);
    assert_eq!(&madt[44 + 16..44 + 24], [0, 8, 2, 2, 1, 0, 0, 0]);
    assert_eq!((madt[68], u32_at(madt, 72), u32_at(madt, 76)), (1, 0xfec0_0000, 0));
}

#[test]
fn the_largest_machine_fits() {
    let tables = tables(CPUS_MAX, VIRTIO_SLOTS).unwrap();
    assert!(tables.bytes.len() as u64 <= ACPI_TABLES.size);
}
