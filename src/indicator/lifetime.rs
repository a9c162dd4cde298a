//! How long a claim holds when its feed gives dates but no last day.

use super::model::Kind;
use crate::time::{Nanos, SECOND};

const DAY: Nanos = 86_400 * SECOND;

/// How long after it was last seen a claim of `kind` is held true; `None` for ever.
///
/// An address is rented to somebody else within weeks, a name stays its owner's until the registration ends,
/// and a fingerprint or a path is what the software is. MISP's decaying models and OpenCTI's default rules
/// put addresses at one to three months and names at about a year.
pub(super) const fn of(kind: Kind) -> Option<Nanos> {
    match kind {
        Kind::Address | Kind::AddressPort | Kind::Network => Some(90 * DAY),
        Kind::Url => Some(180 * DAY),
        Kind::Domain => Some(365 * DAY),
        Kind::CertificateHash => Some(730 * DAY),
        Kind::Path | Kind::UserAgent | Kind::Ja3 | Kind::Ja4 => None,
    }
}
