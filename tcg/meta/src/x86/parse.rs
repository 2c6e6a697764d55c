//! Text to rows.

use super::row::{Low, Map, Modrm, Operand, Prefix, Row, VexL};
use super::template;
use crate::error::{Error, Pos};

/// Operands that are a fixed register or number.
const FIXED: &[&str] = &["AL", "CL", "AX", "DX", "eAX", "rAX", "FS", "GS", "1", "ST0", "STi"];
const METHODS: &str = "BCDEGHIJLMNOPQRSUVWXYZ";
const KINDS: &[&str] = &[
    "", "b", "w", "d", "q", "v", "y", "z", "p", "t", "x", "dq", "qq", "ps", "pd", "pi", "ss", "sd",
    "bs", "/2", "/4", "/8", "dd", "0",
];

/// Rows of the table `text`; `file` is what errors name.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Row>, Error> {
    let mut section = None;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let pos = Pos { file: file.into(), line: index + 1 };
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            section = Some(parse_section(head, &pos)?);
            continue;
        }
        let Some((map, title)) = &section else {
            return Err(pos.error("a row stands before the first section"));
        };
        parse_line(line, *map, title, &pos, &mut rows)?;
    }
    Ok(rows)
}

fn parse_section(head: &str, pos: &Pos) -> Result<(Map, String), Error> {
    let bad = || pos.error("a section reads [map \"title\" SPEC§n]");
    let (map, rest) = head.strip_suffix(']').and_then(|h| h.split_once(" \"")).ok_or_else(bad)?;
    let (title, tag) = rest.split_once("\" ").ok_or_else(bad)?;
    if !tag.contains('§') {
        return Err(pos.error("the section names no place in a specification"));
    }
    let map = match map {
        "one-byte" => Map::OneByte,
        "0f" => Map::M0f,
        "0f38" => Map::M0f38,
        "0f3a" => Map::M0f3a,
        _ => return Err(pos.error(format!("there is no map called {map}"))),
    };
    Ok((map, title.into()))
}

fn parse_line(
    line: &str,
    map: Map,
    section: &str,
    pos: &Pos,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [opcode, mnemonic, operands, lowering, attributes @ ..] = fields.as_slice() else {
        return Err(pos.error("a row has an opcode, a mnemonic, operands and a lowering"));
    };
    let (plain, both) = match mnemonic.strip_prefix("(v)") {
        Some(plain) => (plain, true),
        None => (*mnemonic, false),
    };
    let single = [(0, "", *operands, "")];
    let parts = if operands.starts_with('@') {
        template::parts(operands)
            .ok_or_else(|| pos.error(format!("there is no template {operands}")))?
    } else {
        &single
    };
    for (add, suffix, operands, extra) in parts {
        let mut row = Row {
            pos: pos.clone(),
            section: section.into(),
            map,
            vex: false,
            opcode: 0,
            low: Low::Opcode,
            modrm: Modrm::Absent,
            mnemonic: format!("{plain}{suffix}"),
            operands: parse_operands(operands, pos)?,
            lowering: (*lowering).into(),
            prefix: Prefix::Any,
            w: None,
            l: VexL::Ignored,
            f64: false,
            d64: false,
            only_size: None,
            sized: false,
            no_rex_b: false,
            lock: false,
            rep: None,
            alias: false,
            feature: None,
            wide_integer: false,
        };
        let mut l = None;
        let mut both = both;
        let mut avx2 = both;
        for attribute in extra.split_whitespace().chain(attributes.iter().copied()) {
            match attribute {
                "L0" => l = Some(VexL::Zero),
                "L1" => l = Some(VexL::One),
                "mmx" => both = false,
                "avx1" => avx2 = false,
                "avx2" => avx2 = true,
                _ => parse_attribute(attribute, &mut row, pos)?,
            }
        }
        parse_opcode(opcode, *add, &mut row)?;
        row.wide_integer = avx2;
        finish(row, l, both, rows)?;
    }
    Ok(())
}

/// Makes the plain and the VEX row of a line.
fn finish(mut row: Row, l: Option<VexL>, both: bool, rows: &mut Vec<Row>) -> Result<(), Error> {
    if both {
        let mut vex = row.clone();
        vex.vex = true;
        vex.feature = Some("AVX".into());
        vex.mnemonic.insert(0, 'v');
        rows.push(with_length(vex, l)?);
        row.operands.retain(|op| !op.is('H'));
    }
    if row.vex {
        row = with_length(row, l)?;
    } else if row.operand('H').is_some() || row.operand('B').is_some() {
        return Err(row.pos.error("only a VEX row has an operand in VEX.vvvv"));
    }
    rows.push(row);
    Ok(())
}

/// Works out VEX.L from the operands, unless the row says it.
fn with_length(mut row: Row, l: Option<VexL>) -> Result<Row, Error> {
    if matches!(row.prefix, Prefix::Any | Prefix::NoRep) {
        return Err(row.pos.error("a VEX row says np, 66, f3 or f2"));
    }
    row.l = l.unwrap_or_else(|| {
        if row.has_kind(&["x", "ps", "pd", "/2", "/4", "/8", "dd"]) {
            VexL::Length
        } else if row.operands.iter().any(|op| op.is_vector() && ["ss", "sd"].contains(&&*op.kind))
        {
            VexL::Ignored
        } else {
            VexL::Zero
        }
    });
    Ok(row)
}

fn parse_opcode(text: &str, add: u8, row: &mut Row) -> Result<(), Error> {
    let bad = |what: &str| row.pos.error(format!("{text}: {what}"));
    let end = text.find(['/', ':', '+', '.']).unwrap_or(text.len());
    let (byte, rest) = text.split_at(end);
    let byte = u8::from_str_radix(byte, 16).map_err(|_| bad("the opcode is no byte"))?;
    let uses_modrm = row
        .operands
        .iter()
        .any(|op| op.method.is_some_and(|m| "CDEGMNPQRSUVWH".contains(m)) || op.kind == "STi");
    row.modrm = if uses_modrm { Modrm::Reg } else { Modrm::Absent };
    match rest.as_bytes() {
        [] => {}
        b"+r" => row.low = Low::Register,
        b"+cc" => row.low = Low::Condition,
        [b'/', digit @ b'0'..=b'7'] => row.modrm = Modrm::Digit(digit - b'0'),
        [b':', ..] => {
            let exact = u8::from_str_radix(&rest[1..], 16).map_err(|_| bad("no ModRM byte"))?;
            if exact < 0xc0 {
                return Err(bad("an exact ModRM byte has mod 3"));
            }
            row.modrm = Modrm::Exact(exact);
        }
        [b'.', b'.', ..] => {}
        _ => return Err(bad("neither /digit, :modrm, +r, +cc nor a range")),
    }
    if byte & (row.low.count() - 1) != 0 {
        return Err(bad("the low bits are not the opcode's"));
    }
    row.opcode = byte + add;
    Ok(())
}

fn parse_operands(text: &str, pos: &Pos) -> Result<Vec<Operand>, Error> {
    if text == "-" {
        return Ok(Vec::new());
    }
    text.split(',').map(|code| parse_operand(code, pos)).collect()
}

fn parse_operand(code: &str, pos: &Pos) -> Result<Operand, Error> {
    if FIXED.contains(&code) {
        return Ok(Operand { method: None, kind: code.into() });
    }
    let mut chars = code.chars();
    let method = chars.next().filter(|&c| METHODS.contains(c));
    let kind = chars.as_str();
    if method.is_none() || !KINDS.contains(&kind) {
        return Err(pos.error(format!("{code} is no operand code")));
    }
    Ok(Operand { method, kind: kind.into() })
}

fn parse_attribute(attribute: &str, row: &mut Row, pos: &Pos) -> Result<(), Error> {
    match attribute {
        "np" => row.prefix = Prefix::None,
        "66" => row.prefix = Prefix::P66,
        "f3" => row.prefix = Prefix::F3,
        "f2" => row.prefix = Prefix::F2,
        "nf" => row.prefix = Prefix::NoRep,
        "VEX" => row.vex = true,
        "W0" => row.w = Some(false),
        "W1" => row.w = Some(true),
        "f64" => row.f64 = true,
        "d64" => row.d64 = true,
        "o16" => row.only_size = Some(16),
        "o32" => row.only_size = Some(32),
        "o64" => row.only_size = Some(64),
        "size" => row.sized = true,
        "norexb" => row.no_rex_b = true,
        "lock" => row.lock = true,
        "rep" => row.rep = Some(false),
        "repz" => row.rep = Some(true),
        "alias" => row.alias = true,
        _ => match attribute.strip_prefix('?') {
            Some(feature) => row.feature = Some(feature.into()),
            None => return Err(pos.error(format!("there is no attribute {attribute}"))),
        },
    }
    Ok(())
}
