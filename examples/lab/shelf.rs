//! The shelf of captures: every recipe of `tests/cases`, and its files in `pcaps`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::capture::compress;
use crate::manifest::{self, Entry};
use crate::play;
use crate::recipe::Recipe;
use crate::recipe::form::Capture;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Writes the captures of one case or of all, and with all of them the manifest.
pub fn build(case: Option<&str>, large: bool, out: Option<PathBuf>) -> Result<()> {
    let committed = out.is_none() && !large;
    let folder = out.unwrap_or_else(|| root().join(if large { "target/lab" } else { "pcaps" }));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut entries = Vec::new();
    for order in orders(case, large)? {
        let path = folder.join(&order.capture.file);
        let (content, entry) = order.make()?;
        // A compressed file of the same content stays as it is.
        let present = fs::read(&path).ok().and_then(|packed| compress::unpack(&entry.file, &packed).ok());
        if present.as_deref() != Some(content.as_slice()) {
            let packed = compress::pack(&entry.file, &content)?;
            fs::write(&path, packed).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("{} ({} packets)", path.display(), entry.packets);
        }
        entries.push(entry);
    }
    if committed && case.is_none() {
        remove_strangers(&folder, &entries)?;
        fs::write(folder.join(MANIFEST), manifest::text(entries))?;
    }
    Ok(())
}

/// Compares the committed captures, and with all of them the manifest, with what the recipes give.
pub fn check(case: Option<&str>) -> Result<()> {
    let folder = root().join("pcaps");
    let mut faults = Vec::new();
    let mut entries = Vec::new();
    for order in orders(case, false)? {
        let path = folder.join(&order.capture.file);
        let (content, entry) = order.make()?;
        match fs::read(&path).and_then(|packed| compress::unpack(&entry.file, &packed)) {
            Err(error) => faults.push(format!("{}: {error}", entry.file)),
            Ok(present) if present != content => {
                faults.push(format!("{}: {}", entry.file, first_difference(&present, &content)))
            }
            Ok(_) => {}
        }
        entries.push(entry);
    }
    if case.is_none() {
        let present = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
        if present != manifest::text(entries) {
            faults.push(format!("{MANIFEST} is not what the recipes give"));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.push("run `cargo run --example lab -- build`, or undo the change to the recipe".to_owned());
    Err(faults.join("\nlab: ").into())
}

/// Names the captures and what they show.
pub fn list(case: Option<&str>, large: bool) -> Result<()> {
    let mut last_case = String::new();
    for order in orders(case, large)? {
        if order.case != last_case {
            println!("{}: {}", order.case, order.recipe.title());
            last_case = order.case;
        }
        println!("    {:40} {}", order.capture.file, order.capture.shows);
    }
    Ok(())
}

const MANIFEST: &str = "manifest.toml";

/// A capture to be made.
struct Order {
    case: String,
    recipe: std::rc::Rc<Recipe>,
    capture: Capture,
}

impl Order {
    fn make(&self) -> Result<(Vec<u8>, Entry)> {
        let built = play::build(&self.recipe, &self.capture)?;
        let entry = Entry {
            file: self.capture.file.clone(),
            shows: self.capture.shows.clone(),
            case: self.case.clone(),
            packets: built.frames,
            bytes: built.content.len(),
            sha256: manifest::sha256(&built.content),
        };
        Ok((built.content, entry))
    }
}

/// The captures that the recipes ask for, in the order of the cases' names.
fn orders(case: Option<&str>, large: bool) -> Result<Vec<Order>> {
    let cases = root().join("tests/cases");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&cases).map_err(|error| format!("{}: {error}", cases.display()))? {
        let entry = entry?;
        if entry.path().join("recipe.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    if let Some(case) = case {
        names.retain(|name| name == case);
        if names.is_empty() {
            return Err(format!("no recipe in {}", cases.join(case).display()).into());
        }
    }
    let mut orders: Vec<Order> = Vec::new();
    for name in names {
        let recipe = std::rc::Rc::new(Recipe::read(&cases.join(&name).join("recipe.toml"))?);
        for capture in recipe.captures()?.into_iter().filter(|capture| capture.large == large) {
            if let Some(other) = orders.iter().find(|order| order.capture.file == capture.file) {
                return Err(format!("{} and {name} both write {}", other.case, capture.file).into());
            }
            orders.push(Order { case: name.clone(), recipe: std::rc::Rc::clone(&recipe), capture });
        }
    }
    Ok(orders)
}

/// Removes captures that no recipe makes any more.
fn remove_strangers(folder: &Path, entries: &[Entry]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_capture = name.contains(".pcap");
        if is_capture && !entries.iter().any(|entry| entry.file == name) {
            fs::remove_file(&path)?;
            println!("{} removed: no recipe makes it", path.display());
        }
    }
    Ok(())
}

fn first_difference(present: &[u8], wanted: &[u8]) -> String {
    let at = present.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    format!("differs at byte {at}; {} bytes are there, the recipe gives {}", present.len(), wanted.len())
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

    use super::*;

    /// Nobody edits the committed captures by hand, and nothing in the lab changes them unnoticed.
    #[test]
    fn the_committed_captures_match_their_recipes() {
        if let Err(error) = check(None) {
            panic!("{error}");
        }
    }

    /// What is committed is cloned by everybody.
    #[test]
    fn the_committed_captures_stay_small() {
        let sizes: Vec<u64> = fs::read_dir(root().join("pcaps"))
            .expect("the folder")
            .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
            .collect();
        assert!(sizes.iter().all(|size| *size < 250_000), "one file is too large");
        assert!(sizes.iter().sum::<u64>() < 4_500_000, "all files together are too large");
    }

    /// A reader that is not ours finds every checksum right.
    #[test]
    fn every_checksum_is_right() {
        let mut checked = 0;
        for order in orders(None, false).expect("recipes") {
            let capture = &order.capture;
            let plain = capture.format == "pcap" && capture.link == "ethernet" && capture.tunnels.is_empty();
            if !plain || capture.snaplen < 2000 || capture.fragment.is_some() {
                continue;
            }
            let (content, entry) = order.make().expect("a capture");
            for frame in frames(&content) {
                checked +=
                    usize::from(checksums_are_right(frame).unwrap_or_else(|| panic!("{}", entry.file)));
            }
        }
        assert!(checked > 10_000, "{checked} frames had checksums");
    }

    /// The frames of a little-endian pcap file.
    fn frames(content: &[u8]) -> Vec<&[u8]> {
        let mut frames = Vec::new();
        let mut rest = &content[24..];
        while let Some(length) = rest.get(8..12) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
            frames.push(&rest[16..16 + length]);
            rest = &rest[16 + length..];
        }
        frames
    }

    /// Whether there was a checksum of TCP or UDP to check; `None` if one was wrong.
    fn checksums_are_right(frame: &[u8]) -> Option<bool> {
        let packet = PacketHeaders::from_ethernet_slice(frame).ok()?;
        let payload = packet.payload.slice();
        let (stored, right) = match (&packet.net, &packet.transport) {
            (Some(NetHeaders::Ipv4(ip, _)), transport) => {
                if ip.header_checksum != ip.calc_header_checksum() {
                    return None;
                }
                match transport {
                    Some(TransportHeader::Tcp(tcp)) => (tcp.checksum, tcp.calc_checksum_ipv4(ip, payload)),
                    // Zero is "none", which VXLAN's outer header says.
                    Some(TransportHeader::Udp(udp)) if udp.checksum != 0 => {
                        (udp.checksum, udp.calc_checksum_ipv4(ip, payload))
                    }
                    _ => return Some(false),
                }
            }
            (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Tcp(tcp))) => {
                (tcp.checksum, tcp.calc_checksum_ipv6(ip, payload))
            }
            (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Udp(udp))) => {
                (udp.checksum, udp.calc_checksum_ipv6(ip, payload))
            }
            _ => return Some(false),
        };
        (right.ok()? == stored).then_some(true)
    }
}
