//! Who asks about whom, in as few bytes as tell.

use crate::{
    address::AddressWords,
    decode::{Tenant, TenantKind},
    flow::WordHash,
};

/// Bytes of the longest pair: a tenant, two addresses of IPv6. With some to fill the last word.
const PAIR: usize = 9 + 32 + 7;
/// Bytes of a pair's first word.
const WORD: usize = 8;

/// Who asks about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub tenant: Tenant,
    pub client: AddressWords,
    pub address: AddressWords,
}

/// A pair in as few bytes as tell it from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// What follows: whether each address is IPv6, and whether a tenant comes first, unless it is the default one.
    pub mark: u8,
    pub first: u64,
    /// What the first word has no room for, of which `length` bytes count: nothing of IPv4 and the default tenant.
    rest: [u8; PAIR - WORD],
    pub length: u8,
}

impl Packed {
    #[inline]
    pub(super) fn of(pair: &Pair) -> Self {
        let (Some(client), true) = (pair.client.v4_bits(), pair.tenant.is_default()) else {
            return Self::of_any(pair);
        };
        let client = u64::from(client) << 32;
        let mut rest = [0; PAIR - WORD];
        match pair.address.v4_bits() {
            Some(address) => Self { mark: 0, first: client | u64::from(address), rest, length: 0 },
            None => {
                let bits = pair.address.bits();
                // Twelve bytes, and zeros above them.
                let (low, high) = (bits as u64, bits >> 64 & 0xffff_ffff);
                let (words, _) = rest.as_chunks_mut::<8>();
                words.iter_mut().zip([low, high as u64]).for_each(|(to, word)| *to = word.to_le_bytes());
                Self { mark: 2, first: client | (bits >> 96) as u64, rest, length: 12 }
            }
        }
    }

    /// Of a tenant, or of a client that has an address of IPv6.
    #[cold]
    fn of_any(pair: &Pair) -> Self {
        let (mut bytes, mut length) = ([0; PAIR], 0);
        let mut push = |more: &[u8]| {
            if let Some(room) = bytes.get_mut(length..length + more.len()) {
                room.copy_from_slice(more);
                length += more.len();
            }
        };
        if !pair.tenant.is_default() {
            push(&[pair.tenant.kind as u8]);
            push(&pair.tenant.key.to_le_bytes());
        }
        for address in [pair.client, pair.address] {
            match address.v4_bits() {
                Some(bits) => push(&bits.to_be_bytes()),
                None => push(&address.bits().to_be_bytes()),
            }
        }
        let mark = u8::from(pair.client.is_v6())
            | u8::from(pair.address.is_v6()) << 1
            | u8::from(!pair.tenant.is_default()) << 2;
        let (mut first, mut rest) = ([0; WORD], [0; PAIR - WORD]);
        let (front, back) = bytes.split_at(WORD);
        first.copy_from_slice(front);
        rest.copy_from_slice(back);
        // All but those that go the short way are longer than the first word.
        Self { mark, first: u64::from_le_bytes(first), rest, length: length.saturating_sub(WORD) as u8 }
    }

    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        self.rest.get(..usize::from(self.length)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn hash(&self, seed: u64) -> u64 {
        let mut hash = WordHash::from(seed).with(self.first);
        if self.length > 0 {
            let words = self.rest.as_chunks::<8>().0.iter().take(usize::from(self.length).div_ceil(8));
            hash = words.fold(hash, |hash, word| hash.with(u64::from_le_bytes(*word)));
        }
        hash.with(u64::from(self.mark)).finish()
    }

    /// The pair that was packed so: `mark`, `first` and `rest` are those of what [`Packed::of`] gave.
    pub(super) fn pair(mark: u8, first: u64, rest: &[u8]) -> Pair {
        let (client_is_v6, address_is_v6, has_tenant) = (mark & 1 != 0, mark & 2 != 0, mark & 4 != 0);
        if !client_is_v6 && !has_tenant {
            let client = AddressWords::v4((first >> 32) as u32);
            let low = u128::from(u64::from_le_bytes(Bytes(rest).take()));
            let middle = u128::from(u32::from_le_bytes(Bytes(rest.get(8..).unwrap_or_default()).take()));
            let address = match address_is_v6 {
                false => AddressWords::v4(first as u32),
                true => AddressWords::v6(u128::from(first as u32) << 96 | middle << 64 | low),
            };
            return Pair { tenant: Tenant::default(), client, address };
        }
        let bytes = [&first.to_le_bytes(), rest].concat();
        let mut bytes = Bytes(&bytes);
        let tenant = match has_tenant {
            false => Tenant::default(),
            true => {
                let [kind] = bytes.take();
                Tenant { kind: TenantKind::from_number(kind), key: u64::from_le_bytes(bytes.take()) }
            }
        };
        let mut address = |is_v6| match is_v6 {
            false => AddressWords::v4(u32::from_be_bytes(bytes.take())),
            true => AddressWords::v6(u128::from_be_bytes(bytes.take())),
        };
        Pair { tenant, client: address(client_is_v6), address: address(address_is_v6) }
    }
}

/// Bytes that are read one after the other; behind their end there are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((taken, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_the_pair_again() {
        let tenants = [
            Tenant::default(),
            Tenant { kind: TenantKind::Vni, key: 7 },
            Tenant { kind: TenantKind::GreKey, key: u64::MAX },
            Tenant { kind: TenantKind::Input, key: 3 },
        ];
        let addresses = [
            AddressWords::v4(0),
            AddressWords::v4(0xc000_0207),
            AddressWords::v4(u32::MAX),
            AddressWords::v6(0x2001_0db8_0102_0304_0506_0708_090a_0b0c),
            AddressWords::v6(u128::MAX),
            AddressWords::v6(0xffff_c000_0207),
        ];
        for tenant in tenants {
            for client in addresses {
                for address in addresses {
                    let pair = Pair { tenant, client, address };
                    let packed = Packed::of(&pair);
                    assert_eq!(Packed::pair(packed.mark, packed.first, packed.rest()), pair);
                }
            }
        }
    }
}
