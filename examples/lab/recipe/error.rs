//! What is wrong with a recipe, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A fault in a recipe: file, line, and what to change.
#[derive(Debug)]
pub struct RecipeError {
    file: PathBuf,
    line: Option<usize>,
    reason: String,
}

impl RecipeError {
    /// A fault of the whole file.
    pub fn new(file: &Path, reason: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), line: None, reason: reason.to_string() }
    }

    /// A fault in the table that begins on this line.
    pub fn at(file: &Path, line: usize, reason: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), line: Some(line), reason: reason.to_string() }
    }
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        write!(f, "{}", self.file.strip_prefix(root).unwrap_or(&self.file).display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason.trim_end())
    }
}

impl std::error::Error for RecipeError {}
