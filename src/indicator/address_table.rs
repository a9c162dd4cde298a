//! Finds what lists say of an address: itself at a port, itself, and the prefixes that hold it.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::model::ClaimId;

/// From addresses, with ports, and prefixes to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct AddressTable {
    at_port: HashMap<(IpAddr, u16), ClaimId, FixedState>,
    /// Prefixes by their length and masked base; a single address is a prefix of full length.
    prefixes: HashMap<(u8, IpAddr), ClaimId, FixedState>,
    /// The lengths that occur, longest first.
    v4_lengths: Vec<u8>,
    v6_lengths: Vec<u8>,
}

impl AddressTable {
    /// Adds an address at a port, or gives the claim that already stands for it.
    pub(super) fn insert_at_port(&mut self, address: IpAddr, port: u16, id: ClaimId) -> Option<ClaimId> {
        let found = *self.at_port.entry((address, port)).or_insert(id);
        (found != id).then_some(found)
    }

    /// Adds a prefix, or gives the claim that already stands for it.
    pub(super) fn insert(&mut self, base: IpAddr, length: u8, id: ClaimId) -> Option<ClaimId> {
        let found = *self.prefixes.entry((length, masked(base, length))).or_insert(id);
        let lengths = if base.is_ipv4() { &mut self.v4_lengths } else { &mut self.v6_lengths };
        if let Err(place) = lengths.binary_search_by(|other| length.cmp(other)) {
            lengths.insert(place, length);
        }
        (found != id).then_some(found)
    }

    /// Calls `hit` for each entry that holds `address` (at `port`, unless that is 0), most exact first.
    pub(super) fn find(&self, address: IpAddr, port: u16, mut hit: impl FnMut(ClaimId)) {
        let address = address.to_canonical();
        if port != 0
            && !self.at_port.is_empty()
            && let Some(&id) = self.at_port.get(&(address, port))
        {
            hit(id);
        }
        let lengths = if address.is_ipv4() { &self.v4_lengths } else { &self.v6_lengths };
        for &length in lengths {
            if let Some(&id) = self.prefixes.get(&(length, masked(address, length))) {
                hit(id);
            }
        }
    }
}

/// `address` with everything behind its first `length` bits cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}
