//! EVE's `dns` (version 3) and `mdns`.

use serde::Serialize;

use super::{
    EventOptions,
    eve::{ApplicationObject, Event},
    line::Bounds,
};
use crate::{
    observation::{DnsSeen, DnsService, Head},
    protocol::dns::Message,
};

#[derive(Serialize)]
pub(super) struct DnsObject {
    version: u8,
}

#[derive(Serialize)]
pub(super) struct MdnsObject {}

impl DnsObject {
    pub(super) fn new(_message: &Message<'_>, _tx_id: Option<u64>, _bounds: Bounds) -> Self {
        Self { version: 3 }
    }
}

/// The record of one message.
pub(super) fn event<'a>(
    head: &'a Head,
    seen: &DnsSeen<'_>,
    number: u64,
    options: &EventOptions,
    bounds: Bounds,
) -> Event<'a> {
    let mut event = Event::from_client("dns", head, options, bounds);
    event.application = ApplicationObject::Dns(DnsObject::new(&seen.message, Some(number), bounds));
    let _ = DnsService::Dns;
    event
}
