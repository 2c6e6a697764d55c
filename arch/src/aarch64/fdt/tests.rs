use super::*;

fn has(blob: &[u8], text: &str) -> bool {
    blob.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn the_tree_names_what_the_board_has() {
    let fdt = Fdt {
        cpus: 20,
        ram_size: 512 << 20,
        virtio_slots: 2,
        bootargs: Some("console=ttyAMA0"),
        initrd: Some(0x4700_0000..0x4710_0000),
        rng_seed: &[1; 32],
    };
    let blob = fdt.build().unwrap();
    for text in [
        "memory@40000000",
        "cpu@103",
        "arm,gic-v3",
        "arm,psci-1.0",
        "hvc",
        "arm,armv8-timer",
        "pl011@9000000",
        "pl031@9010000",
        "virtio_mmio@a000200",
        "console=ttyAMA0",
        "rng-seed",
    ] {
        assert!(has(&blob, text), "{text}");
    }
    assert!(!has(&blob, "virtio_mmio@a000400") && !has(&blob, "cpu@104"));
    let zero = Fdt { bootargs: Some("a\0b"), ..fdt };
    assert_eq!(zero.build(), Err(FdtError::CommandLine));
}
