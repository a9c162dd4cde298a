//! What a TLS connection tells: of hellos in which there is nothing to detect no more than is learned from them.

use std::{ops::Range, sync::Arc};

use super::{
    batch::ObservationBatch,
    screening::{HostFacts, Screening},
};
use crate::protocol::tls::{self, HelloOutline, TlsEvent, TlsSink};

/// The longest hello that is kept as it came until the certificate comes; longer ones are read at once.
const KEPT_BYTES: usize = 2 << 10;

/// What one message told, until the message's sender is known.
#[derive(Debug)]
pub(super) enum Told {
    /// What must be told in full.
    Event(TlsEvent),
    /// A ClientHello in which there is nothing to detect.
    UnlistedHello {
        /// Where its name stands in the batch, if it has one.
        sni: Option<Range<u32>>,
        ech: bool,
        facts: HostFacts,
        kept: KeptHello,
    },
    /// A ServerHello.
    UnreadAnswer,
}

/// The client's hello, while the server's certificate may come.
#[derive(Debug, Default)]
pub(super) enum KeptHello {
    /// None was seen, or it was given away.
    #[default]
    None,
    /// One was seen that nobody will ask for.
    Unread,
    /// As it came.
    Message(Box<[u8]>),
    /// Read.
    Whole(Arc<tls::ClientHello>),
}

impl KeptHello {
    /// Whether a hello was seen and not given away.
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Gives it away, read.
    pub(super) fn take(&mut self) -> Option<Arc<tls::ClientHello>> {
        match std::mem::take(self) {
            Self::None | Self::Unread => None,
            Self::Message(message) => tls::parse_client_hello(&message, tls::Transport::Tcp).map(Arc::new),
            Self::Whole(hello) => Some(hello),
        }
    }
}

/// Takes messages as they are read and puts what they tell into `told`.
pub(super) struct Telling<'t> {
    pub(super) told: &'t mut Vec<Told>,
    pub(super) batch: &'t mut ObservationBatch,
    pub(super) screening: Option<&'t mut Screening>,
}

impl Telling<'_> {
    /// A hello, if there is nothing to detect in it.
    fn unlisted(&mut self, message: &[u8]) -> Option<Told> {
        let screening = self.screening.as_mut().filter(|_| message.len() <= KEPT_BYTES)?;
        let HelloOutline { sni, ech } = HelloOutline::of(message)?;
        let facts = screening.facts_if_unlisted(sni)?;
        let keeps = screening.keeps_hellos();
        let kept = if keeps { KeptHello::Message(message.into()) } else { KeptHello::Unread };
        let sni = sni.map(|sni| self.batch.message(sni));
        Some(Told::UnlistedHello { sni, ech, facts, kept })
    }

    fn event(&mut self, tell: impl FnOnce(&mut Vec<TlsEvent>)) {
        let mut events = Vec::new();
        tell(&mut events);
        self.told.extend(events.into_iter().map(Told::Event));
    }
}

impl TlsSink for Telling<'_> {
    fn client_hello(&mut self, message: &[u8]) {
        match self.unlisted(message) {
            Some(told) => self.told.push(told),
            None => self.event(|events| events.client_hello(message)),
        }
    }

    fn ssl2_hello(&mut self, version: u16) {
        self.event(|events| events.ssl2_hello(version));
    }

    fn server_hello(&mut self, message: &[u8]) {
        if self.screening.is_some() {
            self.told.push(Told::UnreadAnswer);
        } else {
            self.event(|events| events.server_hello(message));
        }
    }

    fn certificates(&mut self, message: &[u8]) {
        self.event(|events| events.certificates(message));
    }

    /// That a side turned to encryption without showing anything is told by what is missing.
    fn encrypted(&mut self) {}
}
