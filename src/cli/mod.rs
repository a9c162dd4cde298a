//! The command line: one file per command.

mod indicators;
mod loading;
mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{event::text::safe, report::Style, time::Timestamp};

/// Nothing at or above `--fail-on` was found.
pub const NOTHING_FOUND: u8 = 0;
/// Something at or above `--fail-on` was found.
pub const FOUND: u8 = 1;
/// It did not work.
pub const FAILED: u8 = 2;

/// Tells which machine of a network called home to an attacker.
#[derive(Debug, Parser)]
#[command(name = "callhome", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read capture files and say which machine called home, when, and how far it got.
    Replay(replay::ReplayArguments),
    /// Work on indicator files.
    Indicators(indicators::IndicatorsArguments),
}

/// Parses the process's arguments and runs the command.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Indicators(arguments) => indicators::indicators(&arguments),
    }
}

/// One line on standard error; names of files and entries of lists are not ours and may hold anything.
fn say(message: &str) {
    eprintln!("callhome: {}", safe(message));
}

/// The wall clock; it decides nothing but which indicators hold now.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

/// How text for a person is laid out; `is_terminal` when one may be looking.
fn terminal_style(is_terminal: bool) -> Style {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = is_terminal.then(|| std::env::var("COLUMNS").ok()?.parse().ok()).flatten();
    let default = Style::default();
    Style { colour: is_terminal && !no_colour, width: width.unwrap_or(default.width) }
}
