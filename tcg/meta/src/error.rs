//! Errors in a table, with the place they are at.

use std::fmt;

/// A line of a table file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pos {
    /// Path as given to the generator.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
}

impl Pos {
    /// An error at this place.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error { pos: self.clone(), message: message.into() }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where.
    pub pos: Pos,
    /// What, as a sentence.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pos, self.message)
    }
}

impl std::error::Error for Error {}
