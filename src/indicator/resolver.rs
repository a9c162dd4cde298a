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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Loader, load_builtin};
    use crate::protocol::dns::NameBuf;

    #[test]
    fn public_resolvers_are_known_by_name_and_address() {
        let resolvers = load_builtin().resolvers;
        let by_name = |name: &str| {
            let name = NameBuf::from_text(name.as_bytes()).unwrap();
            resolvers.by_name(name.as_name()).map(|operator| operator.to_string())
        };
        assert_eq!(by_name("DNS.google").as_deref(), Some("Google Public DNS"));
        assert_eq!(by_name("family.cloudflare-dns.com").as_deref(), Some("Cloudflare"));
        for other in ["google", "www.google.com", "notdns.google", "quad9.net"] {
            assert_eq!(by_name(other), None, "{other}");
        }
        let by_address = |address: &str| resolvers.by_address(address.parse().unwrap()).is_some();
        assert!(by_address("9.9.9.9") && by_address("::ffff:9.9.9.9") && by_address("2620:fe::fe"));
        assert!(!by_address("9.9.9.8"));
    }

    #[test]
    fn a_slip_is_refused_with_its_line() {
        let mut loader = Loader::default();
        let pack = "[pack]\nid = \"p\"\ntitle = \"t\"\n[[resolver]]\noperator = \"o\"\nreference = \"r\"\n";
        loader.bytes(
            "p.toml",
            format!("{pack}[[resolver]]\noperator = \"o\"\nreference = \"r\"\naddresses = [\"x\"]\n")
                .as_bytes(),
        );
        let report = loader.finish().report;
        assert_eq!(report.rejected(), 2, "{report}");
    }
}
