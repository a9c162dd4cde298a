//! Finds what lists say of an address: itself at a port, itself, and the prefixes that hold it.
//!
//! A bitmap says of each /24 of IPv4, or /32 of IPv6, whether anything in it is listed; nearly every
//! address ends there ([`AddressFront`]). Then comes one look-up in a hash table for each prefix length that occurs.

use std::net::IpAddr;

use super::flat::{Bytes, u32_at, words_of};
use super::hash::{exact, mix};
use crate::address::AddressWords;

/// From addresses, with ports, and prefixes to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct AddressTable {
    pub(super) v4: Family<8>,
    pub(super) v6: Family<20>,
}

impl AddressTable {
    /// The claim that stands for an address at a port.
    pub(super) fn first_at_port(&self, address: IpAddr, port: u16) -> Option<u32> {
        match address {
            IpAddr::V4(address) => self.v4.keys.get(&v4_key(address.to_bits(), 32, port)),
            IpAddr::V6(address) => self.v6.keys.get(&v6_key(address.to_bits(), 128, port)),
        }
    }

    /// The claim that stands for a prefix; a single address is a prefix of full length.
    pub(super) fn first(&self, base: IpAddr, length: u8) -> Option<u32> {
        match base {
            IpAddr::V4(base) => self.v4.keys.get(&v4_key(base.to_bits(), length, 0)),
            IpAddr::V6(base) => self.v6.keys.get(&v6_key(base.to_bits(), length, 0)),
        }
    }

    /// Adds an address at a port, of which [`AddressTable::first_at_port`] knows nothing.
    pub(super) fn insert_at_port(&mut self, address: IpAddr, port: u16, claim: u32) {
        match address {
            IpAddr::V4(address) => self.v4.insert(v4_key(address.to_bits(), 32, port), AT_PORT, claim),
            IpAddr::V6(address) => self.v6.insert(v6_key(address.to_bits(), 128, port), AT_PORT, claim),
        }
    }

    /// Adds a prefix, of which [`AddressTable::first`] knows nothing.
    pub(super) fn insert(&mut self, base: IpAddr, length: u8, claim: u32) {
        match base {
            IpAddr::V4(base) => self.v4.insert(v4_key(base.to_bits(), length, 0), length, claim),
            IpAddr::V6(base) => self.v6.insert(v6_key(base.to_bits(), length, 0), length, claim),
        }
    }

    /// Builds the bitmaps, once everything is in.
    pub(super) fn finish(&mut self) {
        self.v4.finish(|key| {
            let (base, length) = v4_of(key);
            (base >> 8, if length >= 24 { 1 } else { 1 << (24 - length) })
        });
        self.v6.finish(|key| {
            let (base, length) = v6_of(key);
            ((base >> 96) as u32, if length >= 32 { 1 } else { 1 << (32 - length) })
        });
    }

    /// Calls `hit` for each entry that holds `address` (at `port`, unless that is 0), most exact first.
    pub(super) fn find(&self, address: IpAddr, port: u16, hit: impl FnMut(u32)) {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                self.v4.find(|length, port| v4_key(address.to_bits(), length, port), 32, port, hit)
            }
            IpAddr::V6(address) => {
                self.v6.find(|length, port| v6_key(address.to_bits(), length, port), 128, port, hit)
            }
        }
    }
}

/// Of which addresses some table may list something, in one for all tables.
#[derive(Debug, Default)]
pub(super) struct AddressFront {
    v4: Nearby,
    v6: Nearby,
}

impl AddressFront {
    /// Of all these tables, from which what it is made of is taken.
    pub(super) fn take<'t>(tables: impl Iterator<Item = &'t mut AddressTable>) -> Self {
        let take = |table: &mut AddressTable| {
            (std::mem::take(&mut table.v4.nearby), std::mem::take(&mut table.v6.nearby))
        };
        let (v4, v6) = tables.map(take).unzip();
        Self { v4: Nearby::of(v4), v6: Nearby::of(v6) }
    }

    /// Whether [`AddressTable::find`] may find something in any of the tables, at whatever port.
    #[inline]
    pub(super) fn may_have(&self, address: AddressWords) -> bool {
        let (nearby, unit) = self.unit(address);
        nearby.may_have(unit)
    }

    #[inline]
    fn unit(&self, address: AddressWords) -> (&Nearby, u32) {
        match address.words() {
            [_, low] if !address.is_v6() => (&self.v4, low as u32 >> 8),
            // Mapped ones are IPv4.
            [0, low] if low >> 32 == 0xffff => (&self.v4, low as u32 >> 8),
            [high, _] => (&self.v6, (high >> 32) as u32),
        }
    }
}

/// Stands among the lengths for "there are entries with a port".
const AT_PORT: u8 = 255;

/// The tables of one kind of addresses, whose keys have `N` bytes.
#[derive(Debug, Default)]
pub(super) struct Family<const N: usize> {
    pub(super) keys: Keys<N>,
    /// The lengths that occur, longest first, and [`AT_PORT`] before them.
    pub(super) lengths: Bytes,
    /// Until an [`AddressFront`] takes it.
    pub(super) nearby: Nearby,
}

impl<const N: usize> Family<N> {
    /// The tables of a compiled file.
    pub(super) fn from_bytes(keys: Bytes, lengths: Bytes, bits: Bytes) -> Self {
        Self { keys: Keys { rows: keys, used: 0 }, lengths, nearby: Nearby { bits: words_of(&bits) } }
    }

    fn insert(&mut self, key: [u8; N], length: u8, claim: u32) {
        self.keys.insert(&key, claim);
        let lengths = self.lengths.to_mut();
        if let Err(place) = lengths.binary_search_by(|other| length.cmp(other)) {
            lengths.insert(place, length);
        }
    }

    /// `units` gives the first unit of the bitmap that a key covers, and how many there are.
    fn finish(&mut self, units: impl Fn(&[u8; N]) -> (u32, u32)) {
        self.keys.finish();
        let all = self.keys.iter().map(|(key, _)| u64::from(units(&key).1)).sum();
        self.nearby = Nearby::for_units(all);
        if all <= Nearby::MOST_BITS {
            for (key, _) in self.keys.iter() {
                let (first, count) = units(&key);
                self.nearby.add(first, count);
            }
        }
    }

    fn find(&self, key: impl Fn(u8, u16) -> [u8; N], full: u8, port: u16, mut hit: impl FnMut(u32)) {
        for &length in self.lengths.iter() {
            let found = match length {
                AT_PORT if port == 0 => continue,
                AT_PORT => self.keys.get(&key(full, port)),
                length => self.keys.get(&key(length, 0)),
            };
            found.into_iter().for_each(&mut hit);
        }
    }
}

/// An IPv4 prefix of that length, at a port, as a key: length, port, base, host bits cleared.
fn v4_key(address: u32, length: u8, port: u16) -> [u8; 8] {
    let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
    (u64::from(address & mask) << 32 | u64::from(port) << 8 | u64::from(length)).to_le_bytes()
}

/// Base and length of a key.
fn v4_of(key: &[u8; 8]) -> (u32, u8) {
    let key = u64::from_le_bytes(*key);
    ((key >> 32) as u32, key as u8)
}

/// The same of IPv6.
fn v6_key(address: u128, length: u8, port: u16) -> [u8; 20] {
    let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
    let mut key = [0; 20];
    let (about, base) = key.split_at_mut(4);
    about.copy_from_slice(&(u32::from(port) << 8 | u32::from(length)).to_le_bytes());
    base.copy_from_slice(&(address & mask).to_le_bytes());
    key
}

fn v6_of(key: &[u8; 20]) -> (u128, u8) {
    let base = key.last_chunk().map_or(0, |base| u128::from_le_bytes(*base));
    (base, key.first().copied().unwrap_or_default())
}

/// An open hash table: rows of a key and the claim's number plus one, 0 for none.
#[derive(Debug, Default)]
pub(super) struct Keys<const N: usize> {
    pub(super) rows: Bytes,
    used: usize,
}

impl<const N: usize> Keys<N> {
    /// Bytes of a row.
    pub(super) const ROW: usize = N + 4;

    fn get(&self, key: &[u8; N]) -> Option<u32> {
        let rows: &[u8] = &self.rows;
        let count = rows.len() / Self::ROW;
        let mut at = home(key, count);
        for _ in 0..count {
            let (other, claim) = row::<N>(rows, at)?;
            if claim == 0 {
                return None;
            }
            if other == key {
                return Some(claim - 1);
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        None
    }

    fn insert(&mut self, key: &[u8; N], claim: u32) {
        let count = self.rows.len() / Self::ROW;
        if self.used >= count / 8 * 5 {
            self.resize((count * 2).max(16));
        }
        put(self.rows.to_mut(), key, claim.wrapping_add(1));
        self.used += 1;
    }

    fn finish(&mut self) {
        if self.rows.len() / Self::ROW > self.used * 2 {
            self.resize(if self.used == 0 { 0 } else { self.used / 2 * 3 + 2 });
        }
        self.rows.to_mut().shrink_to_fit();
    }

    fn resize(&mut self, count: usize) {
        let mut rows = vec![0; count * Self::ROW];
        for (key, claim) in self.iter() {
            put(&mut rows, &key, claim);
        }
        self.rows = rows.into();
    }

    /// Every key with its claim's number plus one.
    fn iter(&self) -> impl Iterator<Item = ([u8; N], u32)> {
        let count = self.rows.len() / Self::ROW;
        (0..count)
            .filter_map(|at| row::<N>(&self.rows, at))
            .filter(|row| row.1 != 0)
            .map(|(key, claim)| (*key, claim))
    }
}

fn row<const N: usize>(rows: &[u8], at: usize) -> Option<(&[u8; N], u32)> {
    let row = rows.get(at * Keys::<N>::ROW..)?;
    let (key, rest) = row.split_first_chunk()?;
    Some((key, u32_at(rest, 0)?))
}

fn home<const N: usize>(key: &[u8; N], count: usize) -> usize {
    // Most keys are one word.
    let hash = match key.first_chunk() {
        Some(word) if N == 8 => mix(1, u64::from_le_bytes(*word)),
        _ => exact(1, key),
    };
    ((u128::from(hash) * count as u128) >> 64) as usize
}

fn put<const N: usize>(rows: &mut [u8], key: &[u8; N], claim: u32) {
    let count = rows.len() / Keys::<N>::ROW;
    let mut at = home(key, count);
    for _ in 0..count {
        let place = at * Keys::<N>::ROW;
        let Some((to, number)) = rows.get_mut(place..).and_then(<[u8]>::split_first_chunk_mut::<N>) else {
            return;
        };
        if u32_at(number, 0) == Some(0) {
            *to = *key;
            number.iter_mut().zip(claim.to_le_bytes()).for_each(|(to, from)| *to = from);
            return;
        }
        at = if at + 1 == count { 0 } else { at + 1 };
    }
}

/// A bitmap of units (a /24 of IPv4, a /32 of IPv6) in which something is listed, up to 2 MiB. Units share
/// bits where there are more of them than bits: no /24 does in the largest map.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    /// A power of two of words, or none.
    pub(super) bits: Vec<u64>,
}

impl Nearby {
    const MOST_BITS: u64 = 1 << 24;

    /// Room at 32 bits for each unit, as long as there is.
    fn for_units(units: u64) -> Self {
        if units == 0 {
            return Self::default();
        }
        let bits = units.saturating_mul(32).clamp(64, Self::MOST_BITS).next_power_of_two();
        // So many that hardly an address would be ruled out are not worth the time: all bits are set.
        let full = if units > Self::MOST_BITS { u64::MAX } else { 0 };
        Self { bits: vec![full; (bits / 64) as usize] }
    }

    /// How many of the 24 bits of a unit's number do not count, where there are so many words.
    #[inline]
    fn shift(words: usize) -> u32 {
        24_u32.saturating_sub(words.trailing_zeros() + 6)
    }

    /// The word and the bit of a unit. An odd factor keeps numbers apart that differ in their low 24 bits.
    #[inline]
    fn place(shift: u32, unit: u32) -> (usize, u64) {
        let spread = (unit ^ unit >> 24).wrapping_mul(0x9e37_79b1) & 0xff_ffff;
        let bit = spread >> shift;
        ((bit >> 6) as usize, 1 << (bit & 63))
    }

    fn add(&mut self, first: u32, count: u32) {
        let shift = Self::shift(self.bits.len());
        for unit in first..=first.saturating_add(count - 1) {
            let (word, bit) = Self::place(shift, unit);
            self.bits.get_mut(word).into_iter().for_each(|word| *word |= bit);
        }
    }

    #[inline]
    fn may_have(&self, unit: u32) -> bool {
        let (word, bit) = Self::place(Self::shift(self.bits.len()), unit);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl Nearby {
    /// Bitmaps of several tables, as one of the largest's size. Smaller ones are stretched: a bit of theirs stands for
    /// the same units as the bits that it becomes.
    fn of(mut bitmaps: Vec<Self>) -> Self {
        bitmaps.retain(|bitmap| !bitmap.bits.is_empty());
        bitmaps.sort_by_key(|bitmap| Self::shift(bitmap.bits.len()));
        let mut bitmaps = bitmaps.into_iter();
        let Some(Self { bits: mut words }) = bitmaps.next() else { return Self::default() };
        let shift = Self::shift(words.len());
        for Self { bits } in bitmaps {
            let stretch = Self::shift(bits.len()) - shift;
            for (at, mut word) in bits.into_iter().enumerate() {
                while word != 0 {
                    let first = (at * 64 + word.trailing_zeros() as usize) << stretch;
                    for bit in first..first + (1 << stretch) {
                        words.get_mut(bit >> 6).into_iter().for_each(|to| *to |= 1 << (bit & 63));
                    }
                    word &= word - 1;
                }
            }
        }
        Self { bits: words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says the same as the tables' own bitmaps, and of every address that they hold that it may be listed.
    #[test]
    fn a_front_says_what_one_of_its_tables_says() {
        let mut state = 5_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        for sizes in [vec![], vec![0], vec![1, 0], vec![3, 500], vec![2000, 1, 40], vec![30, 30]] {
            let (mut tables, mut listed) = (Vec::new(), Vec::new());
            for &size in &sizes {
                let mut table = AddressTable::default();
                for claim in 0..size {
                    let (length, v4) = (20 + next() as u8 % 13, next());
                    let v6 = u128::from(next()) << 96 | u128::from(next());
                    table.insert(v4.to_be_bytes().into(), length, claim);
                    table.insert(v6.to_be_bytes().into(), length * 4, claim);
                    listed.extend([IpAddr::from(v4.to_be_bytes()), IpAddr::from(v6.to_be_bytes())]);
                }
                table.finish();
                tables.push(table);
            }
            let single = |table: &AddressTable| AddressFront {
                v4: Nearby { bits: table.v4.nearby.bits.clone() },
                v6: Nearby { bits: table.v6.nearby.bits.clone() },
            };
            let singles: Vec<_> = tables.iter().map(single).collect();
            let front = AddressFront::take(tables.iter_mut());
            assert!(tables.iter().all(|table| table.v4.nearby.bits.is_empty()));
            assert!(listed.iter().all(|address| front.may_have((*address).into())));
            for _ in 0..50_000 {
                let v4 = next();
                let addresses: [IpAddr; 3] = [
                    v4.to_be_bytes().into(),
                    std::net::Ipv4Addr::from_bits(v4).to_ipv6_mapped().into(),
                    (u128::from(next()) << 96).to_be_bytes().into(),
                ];
                for address in addresses {
                    let expected = singles.iter().any(|single| single.may_have(address.into()));
                    assert_eq!(front.may_have(address.into()), expected, "{address} of {sizes:?}");
                }
                assert_eq!(front.may_have(addresses[0].into()), front.may_have(addresses[1].into()));
            }
        }
    }
}
