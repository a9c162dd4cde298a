//! Capture files: frames in, bytes out.

pub mod compress;
pub mod pcap;
pub mod pcapng;

use std::str::FromStr;

use crate::stage::Nanos;

/// One frame as a capture file records it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Capture time.
    pub at: Nanos,
    /// Link-layer bytes, all of them.
    pub bytes: Vec<u8>,
}

/// How a capture file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The old format in one of its variants.
    Pcap(pcap::Variant),
    /// pcapng in one of its shapes.
    Pcapng(pcapng::Variant),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        use pcap::Variant as P;
        use pcapng::Variant as N;
        Ok(match name {
            "pcap" => Self::Pcap(P::Micro),
            "pcap-be" => Self::Pcap(P::MicroBig),
            "pcap-ns" => Self::Pcap(P::Nano),
            "pcap-ns-be" => Self::Pcap(P::NanoBig),
            "pcap-modified" => Self::Pcap(P::Modified),
            "pcapng" => Self::Pcapng(N::Plain),
            "pcapng-be" => Self::Pcapng(N::Big),
            "pcapng-ms" => Self::Pcapng(N::Milliseconds),
            "pcapng-binary" => Self::Pcapng(N::Binary),
            "pcapng-offset" => Self::Pcapng(N::Offset),
            "pcapng-interfaces" => Self::Pcapng(N::Interfaces),
            "pcapng-sections" => Self::Pcapng(N::Sections),
            "pcapng-simple" => Self::Pcapng(N::Simple),
            _ => return Err(format!("no capture format is called `{name}`; README.md lists them")),
        })
    }
}

/// The bytes of a capture file, before compression.
pub fn write(format: Format, link: u16, snaplen: usize, frames: &[Frame]) -> Vec<u8> {
    match format {
        Format::Pcap(variant) => pcap::write(variant, link, snaplen, frames),
        Format::Pcapng(variant) => pcapng::write(variant, link, snaplen, frames),
    }
}
