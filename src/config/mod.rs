//! Settings: a TOML file, under the same names as the flags that override it.

use std::{fmt, fs, net::IpAddr, path::Path};

use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    asset::{Assets, DEFAULT_HOME, Subnet},
    indicator::IndicatorPath,
};

/// The settings file. Every key is optional; unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Networks that are ours; [`DEFAULT_HOME`] when absent.
    pub home_networks: Option<Vec<IpNet>>,
    /// Labels and groups of our machines, by subnet.
    pub asset: Vec<AssetEntry>,
    /// Indicator files and directories, as `PATH` or `FORMAT:PATH`; the built-in packs when absent.
    pub indicators: Option<Vec<IndicatorPath>>,
    /// The resolvers that our machines shall ask; what they are is learned when absent.
    pub resolvers: Option<Vec<IpAddr>>,
    /// Whether the outermost VLAN is a tenant of its own where no tunnel tells one.
    pub vlan_is_tenant: bool,
    /// Seed of Community IDs.
    pub community_id_seed: u16,
}

/// One `[[asset]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetEntry {
    /// The addresses.
    pub cidr: IpNet,
    /// What to call a machine in it.
    pub label: Option<String>,
    /// Machines that behave alike.
    pub group: Option<String>,
}

/// Why a settings file cannot be used: one line that names the file and the place.
#[derive(Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not a settings file; the message names file, line and reason.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{}: cannot be read: {error}", path.display())))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                1 + text.as_bytes().iter().take(span.start).filter(|&&byte| byte == b'\n').count()
            });
            // The library's message may have several lines; the first says it.
            let reason = error.message().lines().next().unwrap_or_default().to_owned();
            ConfigError(format!("{}:{line}: {reason}", path.display()))
        })
    }

    /// Whose machine an address is, by these settings.
    pub fn assets(&self) -> Assets {
        let home = match &self.home_networks {
            Some(networks) => networks.clone(),
            None => DEFAULT_HOME.iter().filter_map(|text| text.parse().ok()).collect(),
        };
        let subnets = self.asset.iter().map(|entry| Subnet {
            cidr: entry.cidr,
            label: entry.label.as_deref().map(Into::into),
            group: entry.group.as_deref().map(Into::into),
        });
        Assets::new(home, subnets.collect()).with_resolvers(self.resolvers.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callhome.toml");
        fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn reads_every_key() {
        let config = load(
            "home_networks = [\"198.51.100.0/24\"]\nindicators = [\"mine.toml\"]\nvlan_is_tenant = true\n\
             resolvers = [\"198.51.100.53\"]\ncommunity_id_seed = 7\n[[asset]]\ncidr = \"198.51.100.8/29\"\nlabel = \"runner\"\ngroup = \"ci\"\n",
        )
        .unwrap();
        assert_eq!(config.community_id_seed, 7);
        let asset = config.assets().asset("198.51.100.9".parse().unwrap(), Default::default());
        assert_eq!(asset.group.as_deref(), Some("ci"));
        let is_resolver = |address: &str| config.assets().is_resolver(address.parse().unwrap());
        assert_eq!((is_resolver("198.51.100.53"), is_resolver("8.8.8.8")), (Some(true), Some(false)));
        assert_eq!(Config::default().assets().is_resolver("8.8.8.8".parse().unwrap()), None);
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = load("vlan_is_tenant = true\nhome_network = []\n").unwrap_err().to_string();
        assert!(error.contains("callhome.toml:2: unknown field `home_network`"), "{error}");
        let error = load("home_networks = [\"10.0.0.0/33\"]\n").unwrap_err().to_string();
        assert!(error.contains(":1:"), "{error}");
        let error = Config::load(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
