//! The lab: makes the project's captures from the recipes in `tests/cases`.
//!
//! ```text
//! recipe  ->  play  ->  stage  ->  wire (ip, tunnel, link)  ->  capture (pcap, pcapng, compress)
//! TOML        steps     packets    frames                       files in pcaps/, and their manifest
//! ```
//!
//! Everything follows from the recipe and its seed, so the same files come out everywhere.
//! `README.md` beside this file explains the language of the recipes.

mod capture;
mod load;
mod manifest;
mod message;
mod play;
mod random;
mod recipe;
mod shelf;
mod stage;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Makes the project's captures from the recipes in tests/cases.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the captures, and the manifest if all of them are made
    Build {
        #[command(flatten)]
        choice: Choice,
        /// Folder for the captures [default: pcaps, or target/lab with --large]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Makes the captures in memory and compares them with the committed ones
    Check {
        #[command(flatten)]
        choice: Choice,
    },
    /// Names the captures and what they show
    List {
        #[command(flatten)]
        choice: Choice,
    },
    /// Writes a capture or a list for benchmarks: gigabytes that follow from a seed
    Load {
        #[command(subcommand)]
        what: load::Load,
    },
}

/// Which captures are meant.
#[derive(Args)]
struct Choice {
    /// Only those of this folder of tests/cases
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Those that are too large to be committed, and only those
    #[arg(long)]
    large: bool,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Load { what } => load::make(&what),
        Command::Build { choice, out } => shelf::build(choice.case.as_deref(), choice.large, out),
        Command::Check { choice } => shelf::check(choice.case.as_deref()),
        Command::List { choice } => shelf::list(choice.case.as_deref(), choice.large),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}
