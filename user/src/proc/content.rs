//! What the files of `/proc` say.

use std::fmt::Write as _;
use std::ops::Range;

use crate::space::{EXEC, Kind, READ, WRITE};
use crate::{Isa, Thread};

/// The auxiliary vector, as the program's stack has it.
pub(super) fn auxv<G: Isa>(t: &Thread<G>) -> Vec<u8> {
    let pairs = t.process.image.loaded.auxv.iter();
    pairs.flat_map(|(kind, value)| [kind.to_le_bytes(), value.to_le_bytes()].concat()).collect()
}

/// What the guest's memory holds, as far as it is there.
pub(super) fn range<G: Isa>(t: &Thread<G>, range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    match t.mem().read_bytes(range.start, &mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

/// A line of the host's `/proc/self/maps`.
struct Line<'a> {
    range: Range<u64>,
    /// Offset, device and inode.
    offset: u64,
    place: &'a str,
    name: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (_, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    // The device, a blank, the inode; blanks and a name.
    let device = rest.find(' ')?;
    let inode = rest[device + 1..].find(' ').map_or(rest.len(), |at| device + 1 + at);
    let name = rest.get(inode..).unwrap_or_default().trim_start();
    Some(Line { range: hex(start)?..hex(end)?, offset: hex(offset)?, place: &rest[..inode], name })
}

/// Column of the name.
const NAME: usize = 73;

fn write_line(text: &mut String, part: &Range<u64>, kind: Kind, line: &Line<'_>, name: &str) {
    let flag = |bit, letter| if kind.prot & bit != 0 { letter } else { '-' };
    let (r, w, x) = (flag(READ, 'r'), flag(WRITE, 'w'), flag(EXEC, 'x'));
    let s = if kind.shared { 's' } else { 'p' };
    let offset = if line.place.ends_with(" 0") {
        line.offset
    } else {
        line.offset + (part.start - line.range.start)
    };
    let begin = text.len();
    let Range { start, end } = part;
    // A String takes everything.
    let _ = write!(text, "{start:08x}-{end:08x} {r}{w}{x}{s} {offset:08x} {}", line.place);
    if !name.is_empty() {
        let blanks = (NAME - 1).saturating_sub(text.len() - begin);
        let _ = write!(text, "{:blanks$} {name}", "");
    }
    text.push('\n');
}

/// The guest's mappings: those of the host that are the guest's, with the guest's protection.
pub(super) fn maps<G: Isa>(t: &Thread<G>) -> Vec<u8> {
    let host = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let image = &t.process.image.loaded;
    let heap = t.process.space.heap();
    let areas = t.process.space.areas();
    let name_of = |part: &Range<u64>, name: &str| -> String {
        if part.start >= image.stack.start && part.end <= image.stack.end {
            "[stack]".to_owned()
        } else if part.contains(&image.vdso.base) {
            "[vdso]".to_owned()
        } else if name.is_empty() && part.start < heap.end && part.end > heap.start {
            "[heap]".to_owned()
        } else {
            name.to_owned()
        }
    };
    let mut text = String::new();
    for line in host.lines().filter_map(parse) {
        let first = areas.partition_point(|(area, _)| area.end <= line.range.start);
        for (area, kind) in &areas[first..] {
            if area.start >= line.range.end {
                break;
            }
            let part = area.start.max(line.range.start)..area.end.min(line.range.end);
            write_line(&mut text, &part, *kind, &line, &name_of(&part, line.name));
        }
    }
    text.into_bytes()
}

/// Field of `/proc/self/stat`, from 1, with the address of the stack.
const START_STACK: usize = 28;

/// The host's, with the guest's stack.
pub(super) fn stat<G: Isa>(t: &Thread<G>) -> Vec<u8> {
    let host = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    with_field(&host, START_STACK, t.process.image.loaded.sp).into_bytes()
}

/// The second field is a name in parentheses, which may hold blanks.
fn with_field(stat: &str, field: usize, value: u64) -> String {
    let Some(end) = stat.rfind(')') else { return stat.to_owned() };
    let (head, tail) = stat.split_at(end + 1);
    let mut fields: Vec<String> = tail.split(' ').map(str::to_owned).collect();
    if let Some(place) = fields.get_mut(field - 2) {
        *place = value.to_string();
    }
    head.to_owned() + &fields.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_replaced() {
        assert_eq!(with_field("1 (a b) S 0 7", 5, 9), "1 (a b) S 0 9");
    }

    #[test]
    fn lines_are_taken_apart_and_put_together() {
        let host = "400000-402000 r-xp 00001000 fe:00 77                 /bin/a b";
        let line = parse(host).expect("a line");
        assert_eq!(
            (line.range.clone(), line.place, line.name),
            (0x400000..0x402000, "fe:00 77", "/bin/a b")
        );
        let kind = Kind { prot: READ | EXEC, grows: false, shared: false };
        let mut text = String::new();
        write_line(&mut text, &(0x401000..0x402000), kind, &line, line.name);
        assert!(text.starts_with("00401000-00402000 r-xp 00002000 fe:00 77 "), "{text}");
        assert_eq!(text.find("/bin/a b"), Some(NAME));
        let bare = parse("7f0000-7f1000 rw-p 00000000 00:00 0").expect("a line");
        assert_eq!((bare.place, bare.name), ("00:00 0", ""));
    }
}
