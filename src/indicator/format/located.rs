//! A path with the format that its file is said to have.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::super::document::unknown;
use super::Format;

/// A file or folder of indicators, as the user names it: `PATH`, or `FORMAT:PATH`.
///
/// ```
/// use callhome::indicator::{Format, IndicatorPath};
///
/// let named: IndicatorPath = "csv:lists/today.txt".parse()?;
/// assert_eq!((named.format, named.path.to_str()), (Some(Format::Csv), Some("lists/today.txt")));
/// let found: IndicatorPath = "lists/today.txt".parse()?;
/// assert_eq!(found.format, None);
/// assert!("cvs:lists/today.txt".parse::<IndicatorPath>().is_err());
/// # Ok::<(), callhome::indicator::BadFormat>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct IndicatorPath {
    /// The format that it is said to have; else content must tell it.
    pub format: Option<Format>,
    /// Where it is.
    pub path: PathBuf,
}

/// What stands before the colon is no format, and there is no such file either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFormat(String);

impl IndicatorPath {
    /// The word that stands for the campaigns that are built in, unless there is a file of that name.
    pub const BUILTIN: &'static str = "builtin";

    /// Whether the built-in campaigns are meant.
    pub fn is_builtin(&self) -> bool {
        self.format.is_none() && self.path == Path::new(Self::BUILTIN) && !self.path.exists()
    }

    /// A path whose content tells its format.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { format: None, path: path.into() }
    }
}

impl FromStr for IndicatorPath {
    type Err = BadFormat;

    /// A word before a colon is a format, unless a file of the whole name is there.
    fn from_str(text: &str) -> Result<Self, BadFormat> {
        let word = |format: &str| {
            format.len() > 1
                && format.bytes().all(|byte| byte.is_ascii_lowercase() || b"-5269".contains(&byte))
        };
        let Some((format, path)) =
            text.split_once(':').filter(|(format, path)| word(format) && !path.is_empty())
        else {
            return Ok(Self::new(text));
        };
        match Format::from_name(format) {
            _ if Path::new(text).exists() => Ok(Self::new(text)),
            Some(format) => Ok(Self { format: Some(format), path: path.into() }),
            None => Err(BadFormat(unknown("format", format, Format::names()))),
        }
    }
}

impl TryFrom<String> for IndicatorPath {
    type Error = BadFormat;

    fn try_from(text: String) -> Result<Self, BadFormat> {
        text.parse()
    }
}

impl fmt::Display for IndicatorPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(format) = self.format {
            write!(f, "{}:", format.as_str())?;
        }
        write!(f, "{}", self.path.display())
    }
}
