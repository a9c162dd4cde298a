//! Captures and lists for benchmarks: gigabytes, never committed, written as they are made.
//!
//! ```text
//! ci_mix, small, flood  ->  writer  ->  pcap file          feed  ->  lists of indicators
//! ```
//!
//! The recipes of `tests/cases` tell stories packet by packet; here only shares and sizes count. The same
//! seed gives the same bytes everywhere.

mod addresses;
mod ci_mix;
mod feed;
mod flood;
mod names;
mod small;
mod writer;

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::random::Random;
use writer::Writer;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What can be made.
#[derive(Subcommand)]
pub enum Load {
    /// A CI subnet: 70 % bulk TLS, 10 % DNS, short TLS, HTTP, SSH, NTP; IPv4 and IPv6
    CiMix {
        /// The capture
        out: PathBuf,
        /// Bytes of the capture, about
        #[arg(long, default_value_t = 1_000_000_000)]
        bytes: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Small packets: 90 % DNS, of whose questions 30 % ask for a name never seen before; SYN and RST
    DnsHeavy {
        /// The capture
        out: PathBuf,
        /// Packets
        #[arg(long, default_value_t = 5_000_000)]
        packets: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Spoofed senders: every packet is a new flow, every question a new name
    Flood {
        /// The capture
        out: PathBuf,
        /// Flows, and as many names
        #[arg(long, default_value_t = 10_000_000)]
        flows: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Lists of indicators as plain text: domains.txt and prefixes.txt
    Feed {
        /// The folder
        out: PathBuf,
        /// Domains
        #[arg(long, default_value_t = 1_000_000)]
        domains: u64,
        /// Addresses and prefixes
        #[arg(long, default_value_t = 100_000)]
        prefixes: u64,
    },
}

/// What every capture asks for.
#[derive(clap::Args)]
pub struct Common {
    /// All chance follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One question in so many asks for a domain of the feed; 0 for none
    #[arg(long, default_value_t = 20_000)]
    listed_every: u64,
}

/// Makes it.
pub fn make(what: &Load) -> Result<()> {
    match what {
        Load::CiMix { out, bytes, common } => {
            capture(out, |writer| ci_mix::write(writer, *bytes, common.seed, common.listed_every))
        }
        Load::DnsHeavy { out, packets, common } => {
            capture(out, |writer| small::write(writer, *packets, common.seed, common.listed_every))
        }
        Load::Flood { out, flows, common } => {
            capture(out, |writer| flood::write(writer, *flows, common.seed))
        }
        Load::Feed { out, domains, prefixes } => {
            std::fs::create_dir_all(out)?;
            feed::domains(&mut create(&out.join("domains.txt"))?, *domains)?;
            feed::prefixes(&mut create(&out.join("prefixes.txt"))?, *prefixes)?;
            Ok(())
        }
    }
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

fn capture(path: &Path, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
    // Under another name until it is whole, so that an interrupted run leaves nothing that looks finished.
    let unfinished = path.with_extension("unfinished");
    let mut writer = Writer::new(create(&unfinished)?)?;
    write(&mut writer)?;
    let (packets, bytes) = writer.finish()?;
    std::fs::rename(&unfinished, path)?;
    println!("{}: {packets} packets, {bytes} bytes", path.display());
    Ok(())
}

/// Bytes of any value from which payloads are cut: fresh ones for each packet would take longer than all else.
fn noise(random: &mut Random) -> Vec<u8> {
    random.bytes(1 << 16)
}
