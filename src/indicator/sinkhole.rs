//! Sinkholes: addresses that defenders give in place of an attacker's.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::document::{Fault, Fields};

/// One sinkhole.
#[derive(Clone, Debug)]
pub struct Sinkhole {
    /// Its addresses.
    pub network: IpNet,
    /// Who runs it, or what kind of block it is.
    pub operator: Arc<str>,
    /// Where that is said.
    pub reference: Arc<str>,
}

/// The sinkholes that are known.
#[derive(Clone, Debug, Default)]
pub struct Sinkholes {
    all: Vec<Sinkhole>,
}

impl Sinkholes {
    pub(super) const KEYS: &'static [&'static str] = &["value", "values", "operator", "reference"];

    /// The sinkhole that `address` is, as the answer to a question for an attacker's name.
    pub fn find(&self, address: IpAddr) -> Option<&Sinkhole> {
        let address = address.to_canonical();
        self.all.iter().find(|sinkhole| sinkhole.network.contains(&address))
    }

    /// Every one, in the order of loading.
    pub fn all(&self) -> &[Sinkhole] {
        &self.all
    }

    /// Reads one `[[sinkhole]]`: `value` or `values` (addresses and prefixes), `operator`, `reference`.
    pub(super) fn read(&mut self, fields: &Fields<'_>) -> Result<usize, Fault> {
        let operator: Arc<str> = fields.required_text("operator")?.into();
        let reference: Arc<str> = fields.required_text("reference")?.into();
        let mut networks = Vec::new();
        for (text, line) in fields.texts("value")?.into_iter().chain(fields.texts("values")?) {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            let wrong = |_| Fault { line, reason: format!("{text:?} is neither an address nor a prefix") };
            networks.push(network.map_err(wrong)?);
        }
        if networks.is_empty() {
            return Err(fields.wrong("value", "is missing"));
        }
        let count = networks.len();
        self.all.extend(networks.into_iter().map(|network| Sinkhole {
            network,
            operator: operator.clone(),
            reference: reference.clone(),
        }));
        Ok(count)
    }
}
