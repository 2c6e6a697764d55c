use std::collections::BTreeMap;

use super::*;
use crate::riscv64::Exts;

/// A blob read back: property values by path. Knows what `[DT-0.4 §5]` says, no more.
fn read(blob: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap()) as usize;
    let text = |at: usize| {
        let len = blob[at..].iter().position(|byte| *byte == 0).unwrap();
        std::str::from_utf8(&blob[at..at + len]).unwrap().to_owned()
    };
    assert_eq!((word(0), word(4)), (0xd00d_feed, blob.len()));
    let (mut at, strings) = (word(8), word(12));
    let mut nodes: Vec<String> = Vec::new();
    let mut properties = BTreeMap::new();
    loop {
        let token = word(at);
        at += 4;
        match token {
            1 => {
                let name = text(at);
                at += (name.len() + 4) & !3;
                nodes.push(name);
            }
            2 => drop(nodes.pop().unwrap()),
            3 => {
                let (len, name) = (word(at), text(strings + word(at + 4)));
                let value = blob[at + 8..at + 8 + len].to_vec();
                at += 8 + ((len + 3) & !3);
                let path = format!("{}/{name}", nodes.join("/"));
                assert!(properties.insert(path.clone(), value).is_none(), "{path} twice");
            }
            4 => {}
            9 => break,
            token => panic!("token {token}"),
        }
    }
    assert!(nodes.is_empty());
    properties
}

fn cells(value: &[u8]) -> Vec<u32> {
    value.as_chunks::<4>().0.iter().map(|cell| u32::from_be_bytes(*cell)).collect()
}

fn fdt(model: &Model) -> Fdt<'_> {
    Fdt {
        harts: 2,
        model,
        ram_size: 512 << 20,
        virtio_slots: 8,
        bootargs: Some("console=ttyS0"),
        initrd: Some(0x8800_0000..0x8812_3456),
        rng_seed: &[7; 32],
    }
}

#[test]
fn the_board_is_described() {
    let model = Model::default();
    let tree = read(&fdt(&model).build().unwrap());
    let cells = |path: &str| cells(&tree[path]);
    let text = |path: &str| String::from_utf8(tree[path].clone()).unwrap();
    assert_eq!(cells("/memory@80000000/reg"), [0, 0x8000_0000, 0, 0x2000_0000]);
    assert_eq!(text("/chosen/bootargs"), "console=ttyS0\0");
    assert_eq!(text("/chosen/stdout-path"), "/soc/serial@10000000\0");
    assert_eq!(cells("/chosen/linux,initrd-start"), [0, 0x8800_0000]);
    assert_eq!(cells("/chosen/linux,initrd-end"), [0, 0x8812_3456]);
    assert_eq!(tree["/chosen/rng-seed"], [7; 32]);
    assert_eq!(cells("/cpus/timebase-frequency"), [10_000_000]);
    for hart in 0..2 {
        let cpu = |name: &str| format!("/cpus/cpu@{hart}/{name}");
        assert_eq!(cells(&cpu("reg")), [hart]);
        assert_eq!(text(&cpu("riscv,isa")), format!("{}\0", model.isa_string()));
        assert_eq!(text(&cpu("riscv,isa-base")), "rv64i\0");
        assert_eq!(text(&cpu("mmu-type")), "riscv,sv57\0");
        assert!(text(&cpu("riscv,isa-extensions")).starts_with("i\0m\0a\0f\0d\0c\0zicntr\0"));
        assert_eq!(
            cells(&format!("/cpus/cpu-map/cluster0/core{hart}/cpu")),
            cells(&cpu("phandle"))
        );
    }
    let intc = |hart: u32| cells(&format!("/cpus/cpu@{hart}/interrupt-controller/phandle"))[0];
    let (first, second) = (intc(0), intc(1));
    assert_eq!(
        cells("/soc/clint@2000000/interrupts-extended"),
        [first, 3, first, 7, second, 3, second, 7]
    );
    assert_eq!(
        cells("/soc/plic@c000000/interrupts-extended"),
        [first, 11, first, 9, second, 11, second, 9]
    );
    assert_eq!(cells("/soc/plic@c000000/reg"), [0, 0xc00_0000, 0, 0x60_0000]);
    assert_eq!(cells("/soc/serial@10000000/interrupts"), [10]);
    assert_eq!(cells("/soc/rtc@101000/interrupts"), [11]);
    for slot in 1..=8 {
        let virtio = |name: &str| format!("/soc/virtio_mmio@1000{slot}000/{name}");
        assert_eq!(cells(&virtio("interrupts")), [slot]);
        assert_eq!(cells(&virtio("reg")), [0, 0x1000_0000 + 0x1000 * slot, 0, 0x1000]);
        assert_eq!(cells(&virtio("interrupt-parent")), cells("/soc/plic@c000000/phandle"));
    }
    for (name, value) in [("poweroff", 0x5555), ("reboot", 0x7777)] {
        assert_eq!(cells(&format!("/{name}/value")), [value]);
        assert_eq!(cells(&format!("/{name}/regmap")), cells("/soc/test@100000/phandle"));
    }
}

#[test]
fn what_is_absent_is_not_mentioned() {
    let model = Model { exts: Exts::BASE };
    let fdt = Fdt {
        harts: 1,
        virtio_slots: 0,
        bootargs: None,
        initrd: None,
        rng_seed: &[],
        ..fdt(&model)
    };
    let tree = read(&fdt.build().unwrap());
    for absent in ["virtio", "bootargs", "initrd", "rng-seed", "cpu@1"] {
        assert!(!tree.keys().any(|path| path.contains(absent)), "{absent}");
    }
    assert_eq!(tree["/cpus/cpu@0/riscv,isa"], b"rv64i_zicsr\0");
}

#[test]
fn phandles_are_unique_for_any_number_of_harts() {
    let model = Model::default();
    for harts in [1, 2, 3, 64, HARTS_MAX] {
        let tree = read(&Fdt { harts, ..fdt(&model) }.build().unwrap());
        let mut handles: Vec<_> =
            tree.iter().filter(|(path, _)| path.ends_with("/phandle")).map(|(_, v)| v).collect();
        assert_eq!(handles.len(), 2 + 2 * harts);
        handles.sort();
        handles.dedup();
        assert_eq!(handles.len(), 2 + 2 * harts);
    }
}

#[test]
fn limits() {
    let model = Model::default();
    let error = |fdt: Fdt| fdt.build().unwrap_err();
    assert_eq!(
        error(Fdt { harts: 0, ..fdt(&model) }),
        FdtError::Harts { harts: 0, most: HARTS_MAX }
    );
    assert_eq!(
        error(Fdt { harts: 513, ..fdt(&model) }),
        FdtError::Harts { harts: 513, most: HARTS_MAX }
    );
    assert_eq!(
        error(Fdt { virtio_slots: 9, ..fdt(&model) }),
        FdtError::VirtioSlots { slots: 9, most: VIRTIO_SLOTS }
    );
    let bootargs = Some("a\0b");
    assert_eq!(error(Fdt { bootargs, ..fdt(&model) }), FdtError::CommandLine);
    let long = "x".repeat(600_000);
    let outcome = error(Fdt { bootargs: Some(&long), ..fdt(&model) });
    assert!(matches!(outcome, FdtError::TooLarge { len: 600_000.., .. }), "{outcome}");
    assert!(outcome.to_string().contains("shorten the command line"));
}

/// The windows of the board do not touch each other, and each slot has an interrupt of its own.
#[test]
fn the_map_has_no_overlaps() {
    let mut windows = vec![RESET_ROM, FINISHER, RTC, ACLINT, PLIC, UART];
    windows.extend((0..VIRTIO_SLOTS).map(virtio));
    windows.sort_by_key(|window| window.base);
    for pair in windows.windows(2) {
        assert!(pair[0].range().end <= pair[1].base, "{pair:x?}");
    }
    assert!(windows.last().unwrap().range().end <= RAM_BASE);
    let mut irqs: Vec<_> = (0..VIRTIO_SLOTS).map(virtio_irq).chain([UART_IRQ, RTC_IRQ]).collect();
    irqs.sort();
    irqs.dedup();
    assert_eq!(irqs.len(), VIRTIO_SLOTS + 2);
    assert!(irqs.iter().all(|irq| (1..=PLIC_SOURCES).contains(irq)));
}
