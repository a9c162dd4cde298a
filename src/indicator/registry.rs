//! Package registries: where builds fetch what they run.

use std::sync::Arc;

use super::document::{Fault, Fields};
use super::name_map::NameMap;
use super::value;
use crate::protocol::dns::Name;

/// The package registries that are known by name.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    names: NameMap<Option<Arc<str>>>,
    count: usize,
}

impl Registries {
    pub(super) const KEYS: &'static [&'static str] = &["ecosystem", "names", "note"];

    /// Whether `name` is, or stands below, a package registry's name.
    pub fn is_package_registry(&self, name: Name<'_>) -> bool {
        self.ecosystem(name).is_some()
    }

    /// Whose registry `name` is: `npm`, `python`, `rust` ...
    pub fn ecosystem(&self, name: Name<'_>) -> Option<&str> {
        let mut found = None;
        self.names.find(name, |ecosystem, _| found = found.or(ecosystem.as_deref()));
        found
    }

    /// How many names are listed.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none is listed.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads one `[[registry]]`: `ecosystem`, and `names`, a table from a common ending to what stands
    /// before it (`"example.org" = ["packages"]`).
    pub(super) fn read(&mut self, fields: &Fields<'_>) -> Result<usize, Fault> {
        let ecosystem: Arc<str> = fields.required_text("ecosystem")?.into();
        let mut names = Vec::new();
        for (ending, starts) in fields.lists_table("names")? {
            for start in starts {
                let name = value::name(&format!("{start}.{ending}"));
                names
                    .push(name.map_err(|refusal| fields.wrong("names", format_args!("{start}: {refusal}")))?);
            }
        }
        for name in &names {
            *self.names.entry(name) = Some(ecosystem.clone());
        }
        self.count += names.len();
        Ok(names.len())
    }
}
