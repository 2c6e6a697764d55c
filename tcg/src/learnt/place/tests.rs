use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::*;
use crate::learnt::table::merge;

const KEY: u64 = 42;

/// A folder that goes with its owner.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(format!("polyvisor-learnt-{process}-{number}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn place(&self) -> Place {
        Place::new(self.0.join("a/b/learnt"), "vax", KEY)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left is left in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn learn(place: &Place, page: u64) -> Option<()> {
    place.update(|old| merge(old, &[(page, &[1])], KEY, FILE_BYTES))
}

fn knows(place: &Place, page: u64) -> bool {
    place.read().is_some_and(|table| table.find(page).is_some())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_written_is_read_and_is_the_users_alone() {
    let (folder, place) = {
        let t = Temporary::new();
        let p = t.place();
        (t, p)
    };
    assert!(place.read().is_none());
    assert_eq!(learn(&place, 1), Some(()));
    assert_eq!(learn(&place, 2), Some(()));
    assert!(knows(&place, 1) && knows(&place, 2) && !knows(&place, 3));
    for path in ["a", "a/b", "a/b/learnt"] {
        assert_eq!(mode(&folder.0.join(path)), 0o700, "{path}");
    }
    assert_eq!(mode(&place.file()), 0o600);
    let names: Vec<_> = fs::read_dir(&place.folder).unwrap().flatten().collect();
    assert_eq!(names.len(), 2, "the file and the lock: {names:?}");
    // Machines of another kind have a file of their own.
    assert!(Place::new(place.folder.clone(), "vax", KEY + 1).read().is_none());
}

#[test]
fn nothing_is_made_where_there_is_no_home() {
    let folder = Temporary::new();
    let place = Place::new(folder.0.join("home/.cache/polyvisor/learnt"), "vax", KEY);
    assert_eq!(learn(&place, 1), None);
    assert!(!folder.0.join("home").exists());
}

#[test]
fn what_others_may_write_is_not_trusted() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    for path in [place.file(), place.folder.clone()] {
        let before = mode(&path);
        for wrong in [before | 0o020, before | 0o002] {
            set_mode(&path, wrong);
            assert!(!knows(&place, 1), "{path:?} {wrong:o}");
        }
        set_mode(&path, before);
        assert!(knows(&place, 1));
    }
    set_mode(&place.folder, 0o777);
    assert_eq!(learn(&place, 2), None);
    set_mode(&place.folder, 0o700);
    // A name that leads elsewhere.
    let moved = folder.0.join("elsewhere");
    fs::rename(place.file(), &moved).unwrap();
    symlink(&moved, place.file()).unwrap();
    assert!(!knows(&place, 1));
}

#[test]
fn a_file_of_another_user_is_not_trusted() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    let data = fs::metadata(place.file()).unwrap();
    assert!(trusts(&data, data.uid()));
    assert!(!trusts(&data, data.uid() + 1));
    let own = user().expect("tests run as one user");
    assert!(place.read_as(own).is_some());
    assert!(place.read_as(own + 1).is_none());
}

#[test]
fn a_process_with_the_rights_of_two_users_is_none() {
    assert_eq!(single("\t1000\t1000\t1000\t1000"), Some(1000));
    for other in 0..4 {
        let mut numbers = ["1000"; 4];
        numbers[other] = "0";
        assert_eq!(single(&numbers.join("\t")), None, "{numbers:?}");
    }
    assert_eq!(single(""), None);
    assert_eq!(single("x x"), None);
}

#[test]
fn garbage_is_as_if_it_were_not_there_and_is_replaced() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    let good = fs::read(place.file()).unwrap();
    let large = vec![0; FILE_BYTES + 1];
    for garbage in [&b""[..], b"x", &good[..good.len() - 1], &large] {
        fs::write(place.file(), garbage).unwrap();
        assert!(place.read().is_none(), "{} bytes", garbage.len());
        assert_eq!(learn(&place, 2), Some(()));
        assert!(knows(&place, 2) && !knows(&place, 1));
    }
}

#[test]
fn what_is_in_the_way_stays_there() {
    let folder = Temporary::new();
    let place = folder.place();
    for (make, gone) in [("a", "a"), ("a/b/learnt", "a/b/learnt")] {
        let path = folder.0.join(make);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"a file").unwrap();
        assert_eq!(learn(&place, 1), None);
        assert!(place.read().is_none());
        fs::remove_file(folder.0.join(gone)).unwrap();
    }
    fs::create_dir_all(place.file().join("full")).unwrap();
    assert!(place.read().is_none());
    assert_eq!(learn(&place, 1), None);
    assert!(place.file().is_dir());
    assert!(!place.folder.join("new").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_read_only() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    set_mode(&place.folder, 0o500);
    // The superuser may write all the same.
    let may = fs::write(place.folder.join("probe"), b"").is_ok();
    assert_eq!(learn(&place, 2).is_some(), may);
    assert!(knows(&place, 1));
    assert_eq!(knows(&place, 2), may);
    set_mode(&place.folder, 0o700);
}

#[test]
fn who_comes_second_does_not_wait() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    let lock = File::open(place.folder.join(LOCK)).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(learn(&place, 2), None);
    assert!(knows(&place, 1));
    lock.unlock().unwrap();
    assert_eq!(learn(&place, 2), Some(()));
}

#[test]
fn writers_at_the_same_time_leave_a_whole_file() {
    const THREADS: u64 = 8;
    let folder = Temporary::new();
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (place, start) = (folder.place(), &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..50 {
                    let written = learn(&place, thread * 1000 + n);
                    // It is there even if others have written since.
                    assert!(written.is_none() || knows(&place, thread * 1000 + n));
                }
            });
        }
    });
    let place = folder.place();
    assert!(place.read().is_some());
}

#[test]
fn the_folder_has_a_bound() {
    let folder = Temporary::new();
    let place = folder.place();
    learn(&place, 1).unwrap();
    let others: Vec<_> = (0..6).map(|n| place.folder.join(format!("old{n}{SUFFIX}"))).collect();
    for (age, other) in others.iter().enumerate() {
        fs::write(other, vec![0; FILE_BYTES]).unwrap();
        let time = SystemTime::now() - std::time::Duration::from_secs(1000 - age as u64);
        File::options().write(true).open(other).unwrap().set_modified(time).unwrap();
    }
    let stranger = place.folder.join("stranger");
    fs::write(&stranger, b"not ours").unwrap();
    learn(&place, 2).unwrap();
    let left: Vec<bool> = others.iter().map(|other| other.exists()).collect();
    assert_eq!(left, [false, false, false, true, true, true]);
    assert!(stranger.exists() && knows(&place, 1) && knows(&place, 2));
}

#[test]
fn this_process_is_at_home() {
    assert!(is_home());
    assert!(user().is_some());
}
