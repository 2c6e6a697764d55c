//! What a set of tables says, after checking.

use crate::error::Pos;

/// A table file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name used in error messages.
    pub file: String,
    /// Contents.
    pub text: String,
}

/// All the tables of an instruction set.
#[derive(Debug, Default)]
pub struct Table {
    /// Kinds of members.
    pub kinds: Vec<Kind>,
    /// Argument sets.
    pub sets: Vec<ArgSet>,
    /// Ways to fill an argument set from a word.
    pub formats: Vec<Format>,
    /// Sections.
    pub sections: Vec<Section>,
    /// Instructions.
    pub rows: Vec<Row>,
}

/// The kind of an argument: how it is kept and printed.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Name in the tables.
    pub name: String,
    /// Rust type: an integer or `bool`.
    pub rust: String,
    /// Function of module `fmt` that prints it; plain if there is none.
    pub print: Option<String>,
}

/// A struct of arguments.
#[derive(Clone, Debug)]
pub struct ArgSet {
    /// Name in the tables.
    pub name: String,
    /// Members: name, and index into [`Table::kinds`].
    pub members: Vec<(String, usize)>,
}

/// Bits of the word: `len` bits from bit `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Lowest bit.
    pub lo: u32,
    /// Number of bits.
    pub len: u32,
}

/// A value in the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Pieces, most significant first.
    pub pieces: Vec<Piece>,
    /// The topmost bit is a sign.
    pub signed: bool,
    /// Left shift of the value.
    pub shift: u32,
    /// Added to the shifted value.
    pub add: i64,
    /// Module of `fields` whose `decode` and `encode` translate the value.
    pub function: Option<String>,
}

impl Field {
    /// Number of bits.
    pub fn width(&self) -> u32 {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    /// The bits of the word it takes.
    pub fn mask(&self) -> u32 {
        self.pieces.iter().fold(0, |mask, piece| mask | ones(piece.len) << piece.lo)
    }

    /// The word with `raw` in this field.
    pub fn place(&self, raw: u32) -> u32 {
        let mut left = self.width();
        self.pieces.iter().fold(0, |word, piece| {
            left -= piece.len;
            word | (raw >> left & ones(piece.len)) << piece.lo
        })
    }

    /// The raw bits that stand for `value`, if it can be encoded and no function is in the way.
    pub fn raw(&self, value: i64) -> Option<u32> {
        let shifted = value.checked_sub(self.add)?;
        let raw = shifted >> self.shift;
        let (low, high) = match (self.width(), self.signed) {
            (len, true) => (-1i64 << (len - 1), (1i64 << (len - 1)) - 1),
            (len, false) => (0, (1i64 << len) - 1),
        };
        let fits = raw << self.shift == shifted && low <= raw && raw <= high;
        (fits && self.function.is_none()).then_some(raw as u32 & ones(self.width()))
    }
}

/// `len` ones.
pub fn ones(len: u32) -> u32 {
    if len >= 32 { u32::MAX } else { (1 << len) - 1 }
}

/// Where the value of a member comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// From the word.
    Field(Field),
    /// It is the same in all words of the format.
    Const(i64),
}

/// A way to fill an argument set.
#[derive(Clone, Debug)]
pub struct Format {
    /// Suffix of the generated functions.
    pub name: String,
    /// Index into [`Table::sets`].
    pub set: usize,
    /// One per member.
    pub values: Vec<Value>,
}

impl Format {
    /// The field and index of a member.
    pub fn field(&self, member: usize) -> Option<&Field> {
        match &self.values[member] {
            Value::Field(field) => Some(field),
            Value::Const(_) => None,
        }
    }
}

/// Rows of one extension.
#[derive(Clone, Debug)]
pub struct Section {
    /// Guard as written; also the name of the section.
    pub name: String,
    /// Extensions that must all be there.
    pub guards: Vec<String>,
    /// Heading in the documentation.
    pub title: String,
    /// Where the specification describes it.
    pub spec: String,
}

/// A word is not of the row if `word & mask == bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// Bits looked at.
    pub mask: u32,
    /// Their value.
    pub bits: u32,
}

/// A predicate of `fields` over the raw value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Name of the function.
    pub function: String,
    /// Its argument.
    pub field: Field,
}

/// Part of an assembly text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As it is.
    Plain(String),
    /// A member, printed by its kind.
    Member(usize),
    /// A function of `fmt` over members.
    Call(String, Vec<usize>),
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it is defined.
    pub pos: Pos,
    /// Name in the table.
    pub name: String,
    /// Name of the variant.
    pub variant: String,
    /// Bits of the instruction: 16 or 32.
    pub width: u32,
    /// Index into [`Table::sections`].
    pub section: usize,
    /// Fixed bits.
    pub mask: u32,
    /// Their values.
    pub bits: u32,
    /// Bits that the decoder ignores.
    pub ignored: u32,
    /// Index into [`Table::formats`], if there are arguments.
    pub format: Option<usize>,
    /// Words that are something else.
    pub excluded: Vec<Excluded>,
    /// Predicates that hold.
    pub predicates: Vec<Predicate>,
    /// Function of the semantics.
    pub lowering: String,
    /// Its further arguments.
    pub extra: Option<String>,
    /// Assembly text.
    pub text: Vec<Text>,
    /// The braces it is in.
    pub group: Option<usize>,
}

impl Row {
    /// Whether some word may be of both rows.
    pub fn overlaps(&self, other: &Row) -> bool {
        let both = self.mask & other.mask;
        self.width == other.width
            && (self.bits ^ other.bits) & both == 0
            && !self.excludes(other)
            && !other.excludes(self)
    }

    /// Whether all words of `other` are excluded here.
    fn excludes(&self, other: &Row) -> bool {
        let known = other.mask | self.mask;
        let bits = other.bits | self.bits;
        self.excluded.iter().any(|e| e.mask & known == e.mask && bits & e.mask == e.bits)
    }
}
