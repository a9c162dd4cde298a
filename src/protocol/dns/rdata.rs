//! What a record says, by its type.

use crate::bytes::Reader;

use super::packed::end_of_name;
use super::svcb::SvcParams;
use super::{PackedName, Record, kind};

/// RDATA, read as its type lays it down. What does not fit its type is [`RData::Unknown`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC of the type")]
pub enum RData<'a> {
    A([u8; 4]),
    Aaaa([u8; 16]),
    Cname(PackedName<'a>),
    Ns(PackedName<'a>),
    Ptr(PackedName<'a>),
    Dname(PackedName<'a>),
    Mx {
        preference: u16,
        exchange: PackedName<'a>,
    },
    Soa(Soa<'a>),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: PackedName<'a>,
    },
    /// TXT, and SPF, which has the same form.
    Txt(Strings<'a>),
    /// SVCB and HTTPS (RFC 9460 section 2.2). Priority 0 makes it an alias of `target`; the target `.`
    /// stands for the owner.
    Svcb {
        priority: u16,
        target: PackedName<'a>,
        params: SvcParams<'a>,
    },
    Opt(Options<'a>),
    Caa(Caa<'a>),
    Naptr(Naptr<'a>),
    /// DS and CDS.
    Ds(Ds<'a>),
    /// DNSKEY, CDNSKEY and KEY.
    Dnskey(Dnskey<'a>),
    /// RRSIG and SIG.
    Rrsig(Rrsig<'a>),
    Nsec {
        next: PackedName<'a>,
        types: TypeBitmap<'a>,
    },
    Sshfp {
        algorithm: u8,
        hash: u8,
        fingerprint: &'a [u8],
    },
    /// TLSA and SMIMEA.
    Tlsa {
        usage: u8,
        selector: u8,
        matching: u8,
        association: &'a [u8],
    },
    Loc(Loc),
    /// NULL: any bytes (RFC 1035 section 3.3.10).
    Null(&'a [u8]),
    /// A type that is not read, a class with other forms, or RDATA that does not fit its type.
    Unknown(&'a [u8]),
}

/// SOA (RFC 1035 section 3.3.13); times in seconds.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Soa<'a> {
    pub mname: PackedName<'a>,
    pub rname: PackedName<'a>,
    pub serial: u32,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub minimum: u32,
}

/// CAA (RFC 8659 section 4.1).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Caa<'a> {
    pub flags: u8,
    pub tag: &'a [u8],
    pub value: &'a [u8],
}

/// NAPTR (RFC 3403 section 4.1).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Naptr<'a> {
    pub order: u16,
    pub preference: u16,
    pub flags: &'a [u8],
    pub services: &'a [u8],
    pub regexp: &'a [u8],
    pub replacement: PackedName<'a>,
}

/// DS (RFC 4034 section 5.1).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Ds<'a> {
    pub key_tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
    pub digest: &'a [u8],
}

/// DNSKEY (RFC 4034 section 2.1).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Dnskey<'a> {
    pub flags: u16,
    pub protocol: u8,
    pub algorithm: u8,
    pub public_key: &'a [u8],
}

/// RRSIG (RFC 4034 section 3.1); times in seconds since 1970, in 32 bits that wrap.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are named as in the RFC")]
pub struct Rrsig<'a> {
    pub type_covered: u16,
    pub algorithm: u8,
    pub labels: u8,
    pub original_ttl: u32,
    pub expiration: u32,
    pub inception: u32,
    pub key_tag: u16,
    pub signer: PackedName<'a>,
    pub signature: &'a [u8],
}

/// LOC (RFC 1876 section 2): sizes and precisions as base and power of ten, in centimetres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loc {
    /// Diameter of the sphere around the place.
    pub size: u8,
    /// Precision across.
    pub horizontal: u8,
    /// Precision up and down.
    pub vertical: u8,
    /// Thousandths of a second of arc; 2^31 is the equator.
    pub latitude: u32,
    /// Thousandths of a second of arc; 2^31 is the prime meridian.
    pub longitude: u32,
    /// Centimetres above 100 km below the reference spheroid.
    pub altitude: u32,
}

impl<'a> Record<'a> {
    /// What the record says.
    pub fn data(&self) -> RData<'a> {
        self.read_data().0
    }

    /// What the record says, and whether RDATA has the form that its type asks for.
    pub(super) fn read_data(&self) -> (RData<'a>, bool) {
        const CHAOS: u16 = 3;
        const HESIOD: u16 = 4;
        // Addresses have other forms in other classes. OPT keeps a size where others keep the class.
        let other_class = matches!(self.class & 0x7fff, CHAOS | HESIOD);
        let unread = match self.kind {
            kind::A | kind::AAAA | kind::SVCB | kind::HTTPS => other_class,
            _ => false,
        };
        if unread {
            return (RData::Unknown(self.rdata), true);
        }
        let mut fields = Fields::of(self);
        match fields.read(self.kind) {
            Some(data) => (data, fields.wire.is_empty() && data.is_well_formed()),
            None => (RData::Unknown(self.rdata), false),
        }
    }
}

impl<'a> RData<'a> {
    /// Every name in it.
    pub(super) fn for_each_name(&self, mut each: impl FnMut(&PackedName<'a>)) {
        match self {
            Self::Cname(name) | Self::Ns(name) | Self::Ptr(name) | Self::Dname(name) => each(name),
            Self::Mx { exchange: name, .. }
            | Self::Srv { target: name, .. }
            | Self::Svcb { target: name, .. }
            | Self::Nsec { next: name, .. }
            | Self::Naptr(Naptr { replacement: name, .. })
            | Self::Rrsig(Rrsig { signer: name, .. }) => each(name),
            Self::Soa(soa) => {
                each(&soa.mname);
                each(&soa.rname);
            }
            Self::A(_)
            | Self::Aaaa(_)
            | Self::Txt(_)
            | Self::Opt(_)
            | Self::Caa(_)
            | Self::Ds(_)
            | Self::Dnskey(_)
            | Self::Sshfp { .. }
            | Self::Tlsa { .. }
            | Self::Loc(_)
            | Self::Null(_)
            | Self::Unknown(_) => {}
        }
    }

    /// Whether the lists inside end where they should.
    fn is_well_formed(&self) -> bool {
        match *self {
            // At least one string, which may be empty (RFC 1035 section 3.3.14).
            Self::Txt(strings) => !strings.0.is_empty() && strings.is_whole(),
            Self::Svcb { params, .. } => params.is_whole(),
            Self::Opt(options) => options.is_whole(),
            Self::Nsec { types, .. } => types.is_whole(),
            _ => true,
        }
    }
}

/// A cursor over one record's RDATA.
struct Fields<'a> {
    /// The message up to the end of the RDATA, so that positions are the message's own.
    wire: Reader<'a>,
    bounded: &'a [u8],
    /// The whole message, which pointers may point into.
    message: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(record: &Record<'a>) -> Self {
        let end = record.rdata_at + record.rdata.len();
        let bounded = record.message.get(..end).unwrap_or_default();
        let mut wire = Reader::new(bounded);
        wire.take_up_to(record.rdata_at);
        Self { wire, bounded, message: record.message }
    }

    fn name(&mut self) -> Option<PackedName<'a>> {
        let at = self.wire.position();
        let end = end_of_name(self.bounded, at).ok()?;
        self.wire.skip(end - at)?;
        Some(PackedName::new(self.message, at))
    }

    /// A string after a byte with its length (RFC 1035 section 3.3).
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.wire.u8()?;
        self.wire.take(length.into())
    }

    fn rest(&mut self) -> &'a [u8] {
        self.wire.take_up_to(usize::MAX)
    }

    fn read(&mut self, kind: u16) -> Option<RData<'a>> {
        Some(match kind {
            kind::A => RData::A(self.wire.array().filter(|_| self.wire.is_empty())?),
            kind::AAAA => RData::Aaaa(self.wire.array().filter(|_| self.wire.is_empty())?),
            kind::CNAME => RData::Cname(self.name()?),
            kind::NS => RData::Ns(self.name()?),
            kind::PTR => RData::Ptr(self.name()?),
            kind::DNAME => RData::Dname(self.name()?),
            kind::MX => RData::Mx { preference: self.wire.u16()?, exchange: self.name()? },
            kind::SOA => RData::Soa(self.soa()?),
            kind::SRV => RData::Srv {
                priority: self.wire.u16()?,
                weight: self.wire.u16()?,
                port: self.wire.u16()?,
                target: self.name()?,
            },
            kind::TXT | kind::SPF => RData::Txt(Strings(self.rest())),
            kind::SVCB | kind::HTTPS => RData::Svcb {
                priority: self.wire.u16()?,
                target: self.name()?,
                params: SvcParams::new(self.rest()),
            },
            kind::OPT => RData::Opt(Options(self.rest())),
            kind::CAA => RData::Caa(Caa { flags: self.wire.u8()?, tag: self.string()?, value: self.rest() }),
            kind::NAPTR => RData::Naptr(Naptr {
                order: self.wire.u16()?,
                preference: self.wire.u16()?,
                flags: self.string()?,
                services: self.string()?,
                regexp: self.string()?,
                replacement: self.name()?,
            }),
            kind::DS | kind::CDS => RData::Ds(Ds {
                key_tag: self.wire.u16()?,
                algorithm: self.wire.u8()?,
                digest_type: self.wire.u8()?,
                digest: self.rest(),
            }),
            kind::DNSKEY | kind::CDNSKEY | kind::KEY => RData::Dnskey(Dnskey {
                flags: self.wire.u16()?,
                protocol: self.wire.u8()?,
                algorithm: self.wire.u8()?,
                public_key: self.rest(),
            }),
            kind::RRSIG | kind::SIG => RData::Rrsig(self.rrsig()?),
            kind::NSEC => RData::Nsec { next: self.name()?, types: TypeBitmap(self.rest()) },
            kind::SSHFP => {
                RData::Sshfp { algorithm: self.wire.u8()?, hash: self.wire.u8()?, fingerprint: self.rest() }
            }
            kind::TLSA | kind::SMIMEA => RData::Tlsa {
                usage: self.wire.u8()?,
                selector: self.wire.u8()?,
                matching: self.wire.u8()?,
                association: self.rest(),
            },
            kind::LOC => RData::Loc(self.loc()?),
            kind::NULL => RData::Null(self.rest()),
            _ => RData::Unknown(self.rest()),
        })
    }

    fn soa(&mut self) -> Option<Soa<'a>> {
        Some(Soa {
            mname: self.name()?,
            rname: self.name()?,
            serial: self.wire.u32()?,
            refresh: self.wire.u32()?,
            retry: self.wire.u32()?,
            expire: self.wire.u32()?,
            minimum: self.wire.u32()?,
        })
    }

    fn rrsig(&mut self) -> Option<Rrsig<'a>> {
        Some(Rrsig {
            type_covered: self.wire.u16()?,
            algorithm: self.wire.u8()?,
            labels: self.wire.u8()?,
            original_ttl: self.wire.u32()?,
            expiration: self.wire.u32()?,
            inception: self.wire.u32()?,
            key_tag: self.wire.u16()?,
            signer: self.name()?,
            signature: self.rest(),
        })
    }

    /// Only version 0 is laid down.
    fn loc(&mut self) -> Option<Loc> {
        self.wire.u8().filter(|&version| version == 0)?;
        Some(Loc {
            size: self.wire.u8()?,
            horizontal: self.wire.u8()?,
            vertical: self.wire.u8()?,
            latitude: self.wire.u32()?,
            longitude: self.wire.u32()?,
            altitude: self.wire.u32()?,
        })
    }
}

/// Strings one after the other, each after a byte with its length; ends at one that does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    pub(super) const fn new(wire: &'a [u8]) -> Self {
        Self(wire)
    }

    pub(super) fn is_whole(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.0.is_empty()
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let mut wire = Reader::new(self.0);
        let length = wire.u8()?;
        let string = wire.take(length.into())?;
        self.0 = wire.rest();
        Some(string)
    }
}

/// EDNS options as code and data (RFC 6891 section 6.1.2); ends at one that does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a>(&'a [u8]);

impl Options<'_> {
    pub(super) fn is_whole(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.0.is_empty()
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut wire = Reader::new(self.0);
        let code = wire.u16()?;
        let length = wire.u16()?;
        let data = wire.take(length.into())?;
        self.0 = wire.rest();
        Some((code, data))
    }
}

/// The types at a name, as NSEC lists them (RFC 4034 section 4.1.2).
#[derive(Clone, Copy, Debug)]
pub struct TypeBitmap<'a>(&'a [u8]);

impl<'a> TypeBitmap<'a> {
    /// The types, by rising numbers where the sender kept the order.
    pub fn types(self) -> impl Iterator<Item = u16> {
        self.windows().flat_map(|(window, bits)| {
            bits.iter().zip(0_u16..).flat_map(move |(&byte, index)| {
                let first = u16::from(window) << 8 | index << 3;
                (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| first | bit)
            })
        })
    }

    /// Blocks of 256 types, of which at most the first 32 bytes count.
    fn windows(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut wire = Reader::new(self.0);
        std::iter::from_fn(move || {
            let window = wire.u8()?;
            let length = wire.u8().filter(|length| *length <= 32)?;
            Some((window, wire.take(length.into())?))
        })
    }

    fn is_whole(self) -> bool {
        self.windows().map(|(_, bits)| 2 + bits.len()).sum::<usize>() == self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, response, wire};
    use super::*;
    use crate::protocol::dns::{Message, NameScratch, SvcValue};

    fn name(name: PackedName<'_>) -> String {
        name.unpack(&mut NameScratch::new()).unwrap().to_string()
    }

    #[test]
    fn names_in_rdata_reach_into_the_message() {
        let bytes = response("www.example.com", kind::CNAME, b"\x03cdn\xc0\x10");
        let record = Message::parse(&bytes).unwrap().records().next().unwrap();
        assert!(matches!(record.data(), RData::Cname(target) if name(target) == "cdn.example.com"));
    }

    #[test]
    fn service_bindings_tell_target_and_addresses() {
        let rdata = b"\0\x01\x03svc\xc0\x0c\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02";
        let bytes = response("example.com", kind::HTTPS, rdata);
        let record = Message::parse(&bytes).unwrap().records().next().unwrap();
        let RData::Svcb { priority: 1, target, mut params } = record.data() else {
            panic!("{:?}", record.data())
        };
        assert_eq!(name(target), "svc.example.com");
        let hint = params.next().unwrap();
        assert!(matches!(hint.value(), SvcValue::Ipv4Hint([[192, 0, 2, 1], [192, 0, 2, 2]])));
        assert!(params.next().is_none());
    }

    #[test]
    fn a_chaos_address_is_not_an_internet_address() {
        let chaos =
            Sample::new(0x8180, [0, 1, 0, 0]).record(&wire("example"), kind::A, 3, &[192, 0, 2, 1]).build();
        let record = Message::parse(&chaos).unwrap().records().next().unwrap();
        assert!(matches!(record.data(), RData::Unknown([192, 0, 2, 1])));
        let flush = Sample::new(0x8400, [0, 1, 0, 0])
            .record(&wire("a.local"), kind::A, 0x8001, &[10, 0, 0, 1])
            .build();
        let record = Message::parse(&flush).unwrap().records().next().unwrap();
        assert!(matches!(record.data(), RData::A([10, 0, 0, 1])));
    }

    #[test]
    fn strings_and_options_end_at_what_does_not_fit() {
        assert!(Strings(b"\x01a\0\x05bc").eq([b"a".as_slice(), b""]));
        assert!(Options(b"\0\x0a\0\x01z\0\x03\0\x09").eq([(10, b"z".as_slice())]));
    }

    #[test]
    fn a_bitmap_lists_types_of_all_windows() {
        let wire = [b"\0\x01\x40\x01\x01\x40\xff\x20".as_slice(), &[0; 31], &[1]].concat();
        let types = TypeBitmap(&wire);
        assert!(types.is_whole());
        assert_eq!(types.types().collect::<Vec<_>>(), [1, 257, 65535]);
    }
}
