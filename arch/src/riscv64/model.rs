//! Which extensions a hart has, and how they are named to software.

/// An extension that the engine implements and that a model can leave out (all but [`Ext::I`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the manual's")]
pub enum Ext {
    I,
    M,
    A,
    F,
    D,
    C,
    Zicntr,
    Zicond,
    Zicsr,
    Zifencei,
    Zihintpause,
    Zba,
    Zbb,
    Zbs,
    Sstc,
    Svadu,
    Svinval,
    Svnapot,
    Svpbmt,
}

impl Ext {
    /// Every extension, in the canonical order of ISA strings `[Unpriv §36.11]`.
    pub const ALL: &'static [Ext] = &[
        Ext::I,
        Ext::M,
        Ext::A,
        Ext::F,
        Ext::D,
        Ext::C,
        Ext::Zicntr,
        Ext::Zicond,
        Ext::Zicsr,
        Ext::Zifencei,
        Ext::Zihintpause,
        Ext::Zba,
        Ext::Zbb,
        Ext::Zbs,
        Ext::Sstc,
        Ext::Svadu,
        Ext::Svinval,
        Ext::Svnapot,
        Ext::Svpbmt,
    ];

    /// The name in lower case, as in ISA strings and device trees.
    pub const fn name(self) -> &'static str {
        match self {
            Ext::I => "i",
            Ext::M => "m",
            Ext::A => "a",
            Ext::F => "f",
            Ext::D => "d",
            Ext::C => "c",
            Ext::Zicntr => "zicntr",
            Ext::Zicond => "zicond",
            Ext::Zicsr => "zicsr",
            Ext::Zifencei => "zifencei",
            Ext::Zihintpause => "zihintpause",
            Ext::Zba => "zba",
            Ext::Zbb => "zbb",
            Ext::Zbs => "zbs",
            Ext::Sstc => "sstc",
            Ext::Svadu => "svadu",
            Ext::Svinval => "svinval",
            Ext::Svnapot => "svnapot",
            Ext::Svpbmt => "svpbmt",
        }
    }
}

/// A set of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exts(u64);

impl Exts {
    /// Only what every hart has: the base integer instructions and CSR access.
    pub const BASE: Exts = Exts(1 << Ext::I as u64 | 1 << Ext::Zicsr as u64);

    /// Everything that is implemented.
    pub const fn all() -> Exts {
        let mut bits = 0;
        let mut i = 0;
        while i < Ext::ALL.len() {
            bits |= 1 << Ext::ALL[i] as u64;
            i += 1;
        }
        Exts(bits)
    }

    /// Whether the extension is in the set.
    pub const fn has(self, ext: Ext) -> bool {
        self.0 >> ext as u64 & 1 != 0
    }

    /// The set with the extension.
    pub const fn with(self, ext: Ext) -> Exts {
        Exts(self.0 | 1 << ext as u64)
    }

    /// The set without the extension.
    pub const fn without(self, ext: Ext) -> Exts {
        Exts(self.0 & !(1 << ext as u64))
    }

    /// The members, in canonical order.
    pub fn iter(self) -> impl Iterator<Item = Ext> {
        Ext::ALL.iter().copied().filter(move |ext| self.has(*ext))
    }
}

/// What kind of hart the guest sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its extensions.
    pub exts: Exts,
}

impl Default for Model {
    fn default() -> Self {
        Self { exts: Exts::all() }
    }
}

impl Model {
    /// The `riscv,isa` string: `rv64imafdc_zicntr_...` `[Unpriv §36]`.
    pub fn isa_string(&self) -> String {
        let mut isa = String::from("rv64");
        for ext in self.exts.iter() {
            if ext.name().len() > 1 {
                isa.push('_');
            }
            isa.push_str(ext.name());
        }
        isa
    }
}
