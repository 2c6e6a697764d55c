//! Cross-crate tests live beside this file.
