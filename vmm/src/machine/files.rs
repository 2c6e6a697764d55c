//! Kernel, firmware and initrd as files, and the seed that kernels are given. The files are kept
//! open, not in memory, and read again when the machine is reset.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arch::boot::{Isa, Program, ProgramError, unpack};

use crate::error::Error;

/// Bytes that no kernel or firmware reaches, packed or unpacked.
const PROGRAM_MAX: u64 = 1 << 30;

/// Bytes of randomness that a kernel is given for a start.
const SEED_LEN: usize = 32;

/// Random bytes.
pub(crate) fn seed() -> Result<[u8; SEED_LEN], Error> {
    let mut seed = [0; SEED_LEN];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|source| Error::Host { what: "random bytes", source })?;
    Ok(seed)
}

/// A file to boot.
pub(crate) struct BootFile {
    part: &'static str,
    path: PathBuf,
    file: File,
    len: u64,
}

impl BootFile {
    /// Opens the file at `path`, which is for `part`.
    pub(crate) fn open(part: &'static str, path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { part, path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { part, path: path.into(), file, len: metadata.len() })
    }

    /// The same where there may be none.
    pub(crate) fn open_some(
        part: &'static str,
        path: Option<&PathBuf>,
    ) -> Result<Option<Self>, Error> {
        path.map(|path| Self::open(part, path)).transpose()
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The file, at its start.
    pub(crate) fn rewound(&self) -> Result<&File, Error> {
        (&self.file).rewind().map_err(|source| self.failed(source))?;
        Ok(&self.file)
    }

    /// The first `len` bytes, or all there are.
    pub(crate) fn read_prefix(&self, len: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(len as usize);
        self.rewound()?.take(len).read_to_end(&mut bytes).map_err(|source| self.failed(source))?;
        Ok(bytes)
    }

    /// The file, at an offset.
    pub(crate) fn at(&self, offset: u64) -> Result<&File, Error> {
        (&self.file).seek(SeekFrom::Start(offset)).map_err(|source| self.failed(source))?;
        Ok(&self.file)
    }

    /// What is in it, unpacked.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.len.min(PROGRAM_MAX) as usize);
        self.rewound()?
            .take(PROGRAM_MAX)
            .read_to_end(&mut bytes)
            .map_err(|source| self.failed(source))?;
        match unpack(&bytes, PROGRAM_MAX).map_err(|source| self.refused(source))? {
            std::borrow::Cow::Borrowed(_) => Ok(bytes),
            std::borrow::Cow::Owned(unpacked) => Ok(unpacked),
        }
    }

    /// What its unpacked bytes are: a kernel, or with `raw` perhaps plain machine code.
    pub(crate) fn parse<'a>(
        &self,
        bytes: &'a [u8],
        isa: Isa,
        raw: bool,
    ) -> Result<Program<'a>, Error> {
        let parse = if raw { Program::parse_firmware } else { Program::parse };
        parse(bytes, isa).map_err(|source| self.refused(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { part: self.part, path: self.path.clone(), source }
    }

    pub(crate) fn refused(&self, source: ProgramError) -> Error {
        Error::Program { part: self.part, path: self.path.clone(), source }
    }
}
