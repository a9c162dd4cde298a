//! What can be odd about a DNS message.

/// One oddity of a message; a message may have several. None of them hides what could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DnsAnomaly {
    /// The message ends inside a question or record.
    Cut,
    /// The header counts more questions or records than stand there.
    CountsTooHigh,
    /// Bytes follow the last record.
    TrailingBytes,
    /// A name's pointers go in a circle.
    PointerLoop,
    /// A pointer goes forward.
    PointerForward,
    /// A pointer goes beyond the end of the message.
    PointerOutside,
    /// A pointer goes into the header.
    PointerIntoHeader,
    /// A name has more than 255 bytes.
    NameTooLong,
    /// A label has a type other than text and pointer.
    LabelType,
    /// One name needs more than [`crate::limits::DNS_NAME_POINTER_HOPS`] pointers, or all checked names together
    /// more than [`crate::limits::DNS_POINTER_HOPS`].
    TooManyHops,
    /// More than [`crate::limits::DNS_RECORDS`] questions or records; those after that are not read.
    TooManyRecords,
    /// TC: the sender says that it left something out.
    Truncated,
    /// The reserved bit Z is set (RFC 1035 section 4.1.1).
    ReservedBit,
    /// More than one OPT record (RFC 6891 section 6.1.1).
    SeveralOpt,
    /// An OPT record whose owner is not the root (RFC 6891 section 6.1.2).
    OptOwner,
    /// More than one question (RFC 9619); mDNS does so as a matter of course.
    SeveralQuestions,
    /// RDATA is shorter or longer than its type needs, or a length inside it does not fit.
    RdataLength,
    /// An opcode that is not assigned.
    UnknownOpcode,
    /// A dynamic update (RFC 2136).
    Update,
    /// A label holds a byte above 0x7f.
    HighBytes,
}

impl DnsAnomaly {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 20] = [
        Self::Cut,
        Self::CountsTooHigh,
        Self::TrailingBytes,
        Self::PointerLoop,
        Self::PointerForward,
        Self::PointerOutside,
        Self::PointerIntoHeader,
        Self::NameTooLong,
        Self::LabelType,
        Self::TooManyHops,
        Self::TooManyRecords,
        Self::Truncated,
        Self::ReservedBit,
        Self::SeveralOpt,
        Self::OptOwner,
        Self::SeveralQuestions,
        Self::RdataLength,
        Self::UnknownOpcode,
        Self::Update,
        Self::HighBytes,
    ];

    /// The word for it in events and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::CountsTooHigh => "counts_too_high",
            Self::TrailingBytes => "trailing_bytes",
            Self::PointerLoop => "pointer_loop",
            Self::PointerForward => "pointer_forward",
            Self::PointerOutside => "pointer_outside",
            Self::PointerIntoHeader => "pointer_into_header",
            Self::NameTooLong => "name_too_long",
            Self::LabelType => "label_type",
            Self::TooManyHops => "too_many_hops",
            Self::TooManyRecords => "too_many_records",
            Self::Truncated => "truncated",
            Self::ReservedBit => "reserved_bit",
            Self::SeveralOpt => "several_opt",
            Self::OptOwner => "opt_owner",
            Self::SeveralQuestions => "several_questions",
            Self::RdataLength => "rdata_length",
            Self::UnknownOpcode => "unknown_opcode",
            Self::Update => "update",
            Self::HighBytes => "high_bytes",
        }
    }
}

/// The set of a message's anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsAnomalies(u32);

impl DnsAnomalies {
    /// Those that leave a part of the message unread.
    const BREAKS: Self = Self(
        1 << DnsAnomaly::Cut as u8
            | 1 << DnsAnomaly::CountsTooHigh as u8
            | 1 << DnsAnomaly::PointerLoop as u8
            | 1 << DnsAnomaly::PointerOutside as u8
            | 1 << DnsAnomaly::NameTooLong as u8
            | 1 << DnsAnomaly::LabelType as u8
            | 1 << DnsAnomaly::TooManyHops as u8
            | 1 << DnsAnomaly::TooManyRecords as u8
            | 1 << DnsAnomaly::RdataLength as u8,
    );

    /// Adds one.
    pub fn add(&mut self, anomaly: DnsAnomaly) {
        self.0 |= 1 << anomaly as u8;
    }

    /// Adds one if `odd`.
    pub(super) fn add_if(&mut self, odd: bool, anomaly: DnsAnomaly) {
        self.0 |= u32::from(odd) << anomaly as u8;
    }

    /// Whether it is there.
    pub fn has(self, anomaly: DnsAnomaly) -> bool {
        self.0 & (1 << anomaly as u8) != 0
    }

    /// Whether nothing was odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a part of the message could not be read.
    pub fn is_broken(self) -> bool {
        self.0 & Self::BREAKS.0 != 0
    }

    /// Those that are there, in the order of [`DnsAnomaly::ALL`].
    pub fn iter(self) -> impl Iterator<Item = DnsAnomaly> {
        DnsAnomaly::ALL.into_iter().filter(move |&anomaly| self.has(anomaly))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_anomaly_once_and_in_order() {
        assert!(DnsAnomaly::ALL.iter().enumerate().all(|(index, &anomaly)| anomaly as usize == index));
        let mut set = DnsAnomalies::default();
        assert!(set.is_empty());
        set.add(DnsAnomaly::HighBytes);
        set.add(DnsAnomaly::Truncated);
        assert!(!set.is_broken());
        set.add(DnsAnomaly::Cut);
        assert!(set.is_broken());
        let words: Vec<_> = set.iter().map(DnsAnomaly::as_str).collect();
        assert_eq!(words, ["cut", "truncated", "high_bytes"]);
    }
}
