use std::fs::File;
use std::sync::Mutex;

use vm_memory::GuestAddress;

use super::*;

#[derive(Default)]
struct Log(Mutex<Vec<(u64, usize)>>);

impl DmaWatch for Log {
    fn written(&self, gpa: u64, len: usize) {
        self.0.lock().unwrap().push((gpa, len));
    }
}

const RAM: Want = Want { gpa: 0x8000_0000, len: 0x10_0000, readonly: false };
const ROM: Want = Want { gpa: 0x1000, len: 0x1000, readonly: true };

fn memory() -> (GuestMemory, Arc<Log>) {
    let log = Arc::new(Log::default());
    let watch: Arc<dyn DmaWatch> = log.clone();
    (GuestMemory::new(&[ROM, RAM], &watch).unwrap(), log)
}

#[test]
fn all_views_show_the_same_bytes() {
    let (memory, log) = memory();
    memory.write(0x8000_1234, b"abc").unwrap();
    let mut seen = [0; 3];
    memory.dma().read_slice(&mut seen, GuestAddress(0x8000_1234)).unwrap();
    assert_eq!(&seen, b"abc");
    log.0.lock().unwrap().clear();
    memory.dma().write_slice(b"xy", GuestAddress(0x8000_2000)).unwrap();
    assert_eq!(*log.0.lock().unwrap(), [(0x8000_2000, 2)]);
    let slots = memory.slots();
    assert_eq!((slots[1].gpa, slots[1].memory.len(), slots[1].readonly), (RAM.gpa, 1 << 20, false));
}

#[test]
fn devices_do_not_reach_read_only_memory() {
    let (memory, _) = memory();
    memory.write(0x1000, &[1, 2, 3]).unwrap();
    assert!(memory.dma().write_slice(&[0], GuestAddress(0x1000)).is_err());
    assert!(memory.slots()[0].readonly);
}

#[test]
fn nothing_is_written_where_no_memory_is() {
    let (memory, _) = memory();
    for (gpa, len) in [(0, 1), (0x800f_ffff, 2), (u64::MAX, 2), (0x8010_0000, 1)] {
        assert!(memory.write(gpa, &vec![0; len]).is_err(), "{gpa:#x}");
    }
}

#[test]
fn clearing_gives_the_pages_back() {
    let watch: Arc<dyn DmaWatch> = Arc::new(Log::default());
    for backing in [Backing::Anonymous, Backing::memfd(ROM.len + RAM.len).unwrap()] {
        let memory = GuestMemory::on(backing, &[ROM, RAM], &watch).unwrap();
        memory.write(0x1000, &[7]).unwrap();
        memory.write(0x8000_0000, &[7; 8192]).unwrap();
        memory.clear().unwrap();
        let mut seen = [1; 8192];
        memory.dma().read_slice(&mut seen, GuestAddress(0x8000_0000)).unwrap();
        assert_eq!(seen, [0; 8192]);
        let rom = memory.slots().remove(0).memory;
        memory.pieces[0].region.read_slice(&mut seen[..1], MemoryRegionAddress(0)).unwrap();
        assert_eq!((rom.len(), seen[0]), (0x1000, 0));
    }
}

#[test]
fn a_file_is_read_straight_into_memory() {
    let (memory, _) = memory();
    let mut file = File::open(std::env::current_exe().unwrap()).unwrap();
    memory.read_from(0x8000_0100, 4, &mut file).unwrap();
    let mut seen = [0; 4];
    memory.dma().read_slice(&mut seen, GuestAddress(0x8000_0100)).unwrap();
    assert_eq!(&seen, b"\x7fELF");
}

#[test]
fn impossible_amounts_are_refused() {
    let watch: Arc<dyn DmaWatch> = Arc::new(Log::default());
    let want = Want { len: 1 << 55, ..RAM };
    let error = GuestMemory::new(&[want], &watch).err().unwrap().to_string();
    assert!(error.contains("--memory"), "{error}");
}
