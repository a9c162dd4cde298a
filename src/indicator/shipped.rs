//! The packs in `signatures/`, built in.

/// What stands before the name of a pack that is built in.
pub(super) const BUILTIN: &str = "builtin:";

/// Campaigns, by file name.
pub(super) const CAMPAIGNS: [(&str, &str); 3] = [
    ("arrayref-2026-08.toml", include_str!("../../signatures/arrayref-2026-08.toml")),
    ("axios-2026-03.toml", include_str!("../../signatures/axios-2026-03.toml")),
    ("mastra-2026-06.toml", include_str!("../../signatures/mastra-2026-06.toml")),
];

/// What the sensor knows of the world without accusing anyone.
pub(super) const BASELINE: [(&str, &str); 5] = [
    ("allow-ci-runners.toml", include_str!("../../signatures/allow-ci-runners.toml")),
    ("registries.toml", include_str!("../../signatures/registries.toml")),
    ("search-suffixes.toml", include_str!("../../signatures/search-suffixes.toml")),
    ("sinkholes.toml", include_str!("../../signatures/sinkholes.toml")),
    ("well-known.toml", include_str!("../../signatures/well-known.toml")),
];

#[cfg(test)]
#[path = "shipped_tests.rs"]
mod tests;
