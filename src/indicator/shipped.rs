//! The packs in `signatures/`, built in.

/// Campaigns, by file name.
pub(super) const CAMPAIGNS: [(&str, &str); 3] = [
    ("arrayref-2026-08.toml", include_str!("../../signatures/arrayref-2026-08.toml")),
    ("axios-2026-03.toml", include_str!("../../signatures/axios-2026-03.toml")),
    ("mastra-2026-06.toml", include_str!("../../signatures/mastra-2026-06.toml")),
];

/// What the sensor knows of the world without accusing anyone.
pub(super) const BASELINE: [(&str, &str); 6] = [
    ("allow-ci-runners.toml", include_str!("../../signatures/allow-ci-runners.toml")),
    ("allow-dns.toml", include_str!("../../signatures/allow-dns.toml")),
    ("registries.toml", include_str!("../../signatures/registries.toml")),
    ("resolvers.toml", include_str!("../../signatures/resolvers.toml")),
    ("search-suffixes.toml", include_str!("../../signatures/search-suffixes.toml")),
    ("sinkholes.toml", include_str!("../../signatures/sinkholes.toml")),
];

/// All of them, in the order of loading.
pub(super) fn packs() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAMPAIGNS.into_iter().chain(BASELINE)
}

#[cfg(test)]
#[path = "shipped_tests.rs"]
mod tests;
