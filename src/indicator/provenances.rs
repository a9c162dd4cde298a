//! Who says what, kept once for all claims that have it in common.

use std::sync::{Arc, OnceLock};

use super::coding::{Decoder, Encoder};
use super::flat::{Bytes, u64_at};
use super::model::{Provenance, Severity, Tlp};

/// Provenances by number. Those of a compiled file are read when they are asked for: a feed may have one
/// for each of a million rows, of which a replay sees a few.
#[derive(Debug, Default)]
pub(super) struct Provenances {
    kept: Vec<OnceLock<Arc<Provenance>>>,
    /// Where each begins in `encoded`, and after the last where it ends.
    starts: Bytes,
    encoded: Bytes,
}

impl Provenances {
    /// Those of a compiled file.
    pub(super) fn from_bytes(starts: Bytes, encoded: Bytes) -> Self {
        let count = (starts.len() / 8).saturating_sub(1);
        let kept = std::iter::repeat_with(OnceLock::new).take(count).collect();
        Self { kept, starts, encoded }
    }

    /// Adds one and gives its number.
    pub(super) fn push(&mut self, provenance: Arc<Provenance>) -> u32 {
        self.kept.push(provenance.into());
        self.kept.len() as u32 - 1
    }

    /// That of the number.
    pub(super) fn get(&self, number: u32) -> Option<&Arc<Provenance>> {
        let slot = self.kept.get(number as usize)?;
        if let Some(provenance) = slot.get() {
            return Some(provenance);
        }
        let (start, end) =
            (u64_at(&self.starts, number as usize)?, u64_at(&self.starts, number as usize + 1)?);
        let encoded = self.encoded.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        let provenance = read(&mut Decoder(encoded))?;
        Some(slot.get_or_init(|| Arc::new(provenance)))
    }

    /// Gives back what was only needed for adding.
    pub(super) fn finish(&mut self) {
        self.kept.shrink_to_fit();
    }

    /// All of them for a compiled file: where each begins, and what they are.
    pub(super) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut starts, mut encoded) = (Encoder::default(), Encoder::default());
        for number in 0..self.kept.len() as u32 {
            starts.u64(encoded.0.len() as u64);
            self.get(number).into_iter().for_each(|provenance| write(&mut encoded, provenance));
        }
        starts.u64(encoded.0.len() as u64);
        (starts.0, encoded.0)
    }
}

fn write(to: &mut Encoder, provenance: &Provenance) {
    let Provenance {
        file,
        campaign,
        title,
        sources,
        reference,
        confidence,
        tlp,
        tags,
        mitre,
        severity,
        alert,
        force,
        note,
    } = provenance;
    to.text(file);
    to.text(campaign);
    to.optional(title.as_deref());
    to.list(sources, |to, text| to.text(text));
    to.text(reference);
    to.u8(*confidence);
    to.optional(tlp.map(Tlp::as_str));
    to.list(tags, |to, text| to.text(text));
    to.list(mitre, |to, text| to.text(text));
    to.optional(severity.map(Severity::as_str));
    to.u8(u8::from(*alert));
    to.u8(u8::from(*force));
    to.text(note);
}

fn read(from: &mut Decoder<'_>) -> Option<Provenance> {
    Some(Provenance {
        file: from.shared()?,
        campaign: from.shared()?,
        title: from.optional(Decoder::shared)?,
        sources: from.list(Decoder::shared)?,
        reference: from.shared()?,
        confidence: from.u8()?,
        tlp: from.optional(|from| Tlp::from_name(from.text()?))?,
        tags: from.list(Decoder::shared)?,
        mitre: from.list(Decoder::shared)?,
        severity: from.optional(|from| Severity::from_name(from.text()?))?,
        alert: from.bool()?,
        force: from.bool()?,
        note: from.shared()?,
    })
}
