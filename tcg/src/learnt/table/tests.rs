use super::*;

const KEY: u64 = 0x1234_5678_9abc_def0;
const MOST: usize = 1 << 20;

fn table(bytes: Vec<u8>) -> Table {
    Table::new(bytes, KEY).expect("a file as it was written")
}

fn some() -> Vec<u8> {
    merge(None, &[(7, &[2, 4, 4000]), (9, &[]), (u64::MAX, &[0]), (3, &[8, 6])], KEY, MOST)
}

fn holds(table: &Table, hash: u64, offset: u16) -> bool {
    table.find(hash).is_some_and(|span| table.holds(span, offset))
}

fn all(table: &Table) -> Vec<(u64, Vec<u16>)> {
    table.pages().map(|(hash, _, offsets)| (hash, offsets)).collect()
}

#[test]
fn what_was_written_is_found() {
    let table = table(some());
    for (hash, offsets) in [(7, &[2u16, 4, 4000][..]), (9, &[]), (u64::MAX, &[0]), (3, &[6, 8])] {
        for offset in 0..=u16::MAX {
            assert_eq!(holds(&table, hash, offset), offsets.contains(&offset), "{hash} {offset}");
        }
    }
    for absent in [0, 4, 8, 10, u64::MAX - 1] {
        assert_eq!(table.find(absent), None, "{absent}");
    }
}

#[test]
fn a_file_of_another_key_or_with_any_change_is_none() {
    assert!(Table::new(some(), KEY + 1).is_none());
    let bytes = some();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(Table::new(changed, KEY).is_none(), "bit {bit} of byte {at}");
        }
        assert!(Table::new(bytes[..at].to_vec(), KEY).is_none(), "{at} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(Table::new(longer, KEY).is_none());
}

/// Whatever is in a file whose hash is right: looked at in every way, without a panic, and without
/// becoming more than it is.
#[test]
fn hostile_files_do_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut bytes = some();
        bytes.resize(HEADER + next() as usize % 200, 0);
        for _ in 0..next() % 24 {
            let at = 24 + next() as usize % (bytes.len() - 24).max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if round % 2 == 0 { next() as u8 } else { next() as u8 & 3 };
            }
        }
        let sum = hash(&bytes[HASHED_FROM..]);
        bytes[16..HASHED_FROM].copy_from_slice(&sum.to_le_bytes());
        let len = bytes.len();
        let Some(table) = Table::new(bytes, KEY) else { continue };
        accepted += 1;
        for page in 0..table.pages {
            let Some((hash, ..)) = table.row(page) else { continue };
            if let Some(span) = table.find(hash) {
                for offset in [0, 1, 4095, u16::MAX] {
                    table.holds(span, offset);
                }
            }
        }
        let listed: usize =
            all(&table).iter().map(|(_, offsets)| ROW + OFFSET * offsets.len()).sum();
        assert!(HEADER + listed <= len);
        let merged = merge(Some(&table), &[(7, &[1])], KEY, MOST);
        assert!(merged.len() <= len + ROW + OFFSET);
        assert!(holds(&self::table(merged), 7, 1));
    }
    assert!(accepted > 5_000, "{accepted}");
}

#[test]
fn merging_adds_and_forgets_nothing_while_there_is_room() {
    let first = table(some());
    let second = table(merge(Some(&first), &[(7, &[4, 6]), (8, &[1])], KEY, MOST));
    let expected: [(u64, &[u16]); 5] =
        [(3, &[6, 8]), (7, &[2, 4, 6, 4000]), (8, &[1]), (9, &[]), (u64::MAX, &[0])];
    assert_eq!(all(&second), expected.map(|(hash, offsets)| (hash, offsets.to_vec())));
}

#[test]
fn the_oldest_pages_make_room() {
    const ROOM: usize = HEADER + 10 * (ROW + OFFSET);
    let mut last: Option<Table> = None;
    for hash in 0..30 {
        // Page 0 is seen every time.
        let bytes = merge(last.as_ref(), &[(hash, &[1]), (0, &[2])], KEY, ROOM);
        assert!(bytes.len() <= ROOM);
        last = Some(table(bytes));
    }
    let kept: Vec<u64> = all(&last.unwrap()).iter().map(|(hash, _)| *hash).collect();
    assert_eq!(kept, [0, 22, 23, 24, 25, 26, 27, 28, 29]);
}
