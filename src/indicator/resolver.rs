//! Public DNS resolvers: whom a machine may ask in place of the resolver that it was given.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::document::{Fault, Fields};
use super::name_map::NameMap;
use super::value;
use crate::protocol::dns::Name;

/// The public resolvers that are known, by the names and addresses at which they answer.
#[derive(Clone, Debug, Default)]
pub struct PublicResolvers {
    names: NameMap<Option<Arc<str>>>,
    addresses: HashMap<IpAddr, Arc<str>, FixedState>,
}

impl PublicResolvers {
    pub(super) const KEYS: &'static [&'static str] = &["operator", "names", "addresses", "reference"];

    /// Whose resolver is reached by `name`, which is listed itself or stands below a listed name.
    pub fn by_name(&self, name: Name<'_>) -> Option<&Arc<str>> {
        let mut found = None;
        self.names.find(name, |operator, _| found = found.or(operator.as_ref()));
        found
    }

    /// Whose resolver answers at `address`.
    pub fn by_address(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.addresses.get(&address.to_canonical())
    }

    /// Reads one `[[resolver]]`: `operator`, `names`, `addresses`, `reference`.
    pub(super) fn read(&mut self, fields: &Fields<'_>) -> Result<usize, Fault> {
        let operator: Arc<str> = fields.required_text("operator")?.into();
        fields.required_text("reference")?;
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for (text, line) in fields.texts("names")? {
            let name =
                value::name(text).map_err(|refusal| Fault { line, reason: format!("{text:?}: {refusal}") });
            names.push(name?);
        }
        for (text, line) in fields.texts("addresses")? {
            let wrong = |_| Fault { line, reason: format!("{text:?} is no address") };
            addresses.push(text.parse::<IpAddr>().map_err(wrong)?);
        }
        let count = names.len() + addresses.len();
        if count == 0 {
            return Err(fields.wrong("names", "is missing, and there are no addresses either"));
        }
        for name in &names {
            *self.names.entry(name) = Some(operator.clone());
        }
        self.addresses
            .extend(addresses.into_iter().map(|address| (address.to_canonical(), operator.clone())));
        Ok(count)
    }
}
