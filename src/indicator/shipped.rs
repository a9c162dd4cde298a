//! The packs in `signatures/`, built in.

/// What stands before the name of a pack that is built in.
pub(super) const BUILTIN: &str = "builtin:";

/// Campaigns, tools and services, by file name.
pub(super) const CAMPAIGNS: [(&str, &str); 37] = [
    ("3cx-2023-03.toml", include_str!("../../signatures/3cx-2023-03.toml")),
    ("antv-2026-05.toml", include_str!("../../signatures/antv-2026-05.toml")),
    ("arrayref-2026-08.toml", include_str!("../../signatures/arrayref-2026-08.toml")),
    ("asyncapi-2026-07.toml", include_str!("../../signatures/asyncapi-2026-07.toml")),
    ("axios-2026-03.toml", include_str!("../../signatures/axios-2026-03.toml")),
    ("bee-js-2026-11.toml", include_str!("../../signatures/bee-js-2026-11.toml")),
    ("c2-frameworks.toml", include_str!("../../signatures/c2-frameworks.toml")),
    ("chalk-debug-2025-09.toml", include_str!("../../signatures/chalk-debug-2025-09.toml")),
    ("codecov-2021-01.toml", include_str!("../../signatures/codecov-2021-01.toml")),
    ("ctx-phpass-2022-05.toml", include_str!("../../signatures/ctx-phpass-2022-05.toml")),
    ("dependency-confusion-2026-05.toml", include_str!("../../signatures/dependency-confusion-2026-05.toml")),
    ("dns-tunnels.toml", include_str!("../../signatures/dns-tunnels.toml")),
    ("event-stream-2018-09.toml", include_str!("../../signatures/event-stream-2018-09.toml")),
    ("ghostaction-2025-09.toml", include_str!("../../signatures/ghostaction-2025-09.toml")),
    ("interaction-services.toml", include_str!("../../signatures/interaction-services.toml")),
    ("keyv-2026-08.toml", include_str!("../../signatures/keyv-2026-08.toml")),
    ("laravel-lang-2026-05.toml", include_str!("../../signatures/laravel-lang-2026-05.toml")),
    ("lottie-player-2024-10.toml", include_str!("../../signatures/lottie-player-2024-10.toml")),
    ("mastra-2026-06.toml", include_str!("../../signatures/mastra-2026-06.toml")),
    ("megalodon-2026-05.toml", include_str!("../../signatures/megalodon-2026-05.toml")),
    ("mini-shai-hulud-2026-05.toml", include_str!("../../signatures/mini-shai-hulud-2026-05.toml")),
    ("node-ipc-2026-05.toml", include_str!("../../signatures/node-ipc-2026-05.toml")),
    ("nx-console-2026-05.toml", include_str!("../../signatures/nx-console-2026-05.toml")),
    ("nx-s1ngularity-2025-08.toml", include_str!("../../signatures/nx-s1ngularity-2025-08.toml")),
    ("phantomraven-2025-08.toml", include_str!("../../signatures/phantomraven-2025-08.toml")),
    ("rand-user-agent-2025-05.toml", include_str!("../../signatures/rand-user-agent-2025-05.toml")),
    ("sandworm-mode-2026-02.toml", include_str!("../../signatures/sandworm-mode-2026-02.toml")),
    ("shai-hulud-2-2025-11.toml", include_str!("../../signatures/shai-hulud-2-2025-11.toml")),
    ("shai-hulud-2025-09.toml", include_str!("../../signatures/shai-hulud-2025-09.toml")),
    ("shopsprint-decimal-2023-08.toml", include_str!("../../signatures/shopsprint-decimal-2023-08.toml")),
    ("sunburst-2020-03.toml", include_str!("../../signatures/sunburst-2020-03.toml")),
    ("teampcp-2026-03.toml", include_str!("../../signatures/teampcp-2026-03.toml")),
    ("tj-actions-2025-03.toml", include_str!("../../signatures/tj-actions-2025-03.toml")),
    ("torchtriton-2022-12.toml", include_str!("../../signatures/torchtriton-2022-12.toml")),
    ("ua-parser-js-2021-10.toml", include_str!("../../signatures/ua-parser-js-2021-10.toml")),
    ("ultralytics-2024-12.toml", include_str!("../../signatures/ultralytics-2024-12.toml")),
    ("xrpl-2025-04.toml", include_str!("../../signatures/xrpl-2025-04.toml")),
];

/// What the sensor knows of the world without accusing anyone.
pub(super) const BASELINE: [(&str, &str); 7] = [
    ("allow-ci-runners.toml", include_str!("../../signatures/allow-ci-runners.toml")),
    ("allow-dns.toml", include_str!("../../signatures/allow-dns.toml")),
    ("registries.toml", include_str!("../../signatures/registries.toml")),
    ("resolvers.toml", include_str!("../../signatures/resolvers.toml")),
    ("search-suffixes.toml", include_str!("../../signatures/search-suffixes.toml")),
    ("sinkholes.toml", include_str!("../../signatures/sinkholes.toml")),
    ("well-known.toml", include_str!("../../signatures/well-known.toml")),
];

#[cfg(test)]
#[path = "shipped_tests.rs"]
mod tests;
