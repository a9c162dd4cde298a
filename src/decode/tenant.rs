//! Whose network a packet belongs to: 10.0.0.5 exists in every one of them.

use std::fmt;

/// What the key of a [`Tenant`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TenantKind {
    /// No encapsulation tells: the input itself is the tenant (key 0 for capture files).
    #[default]
    Input,
    /// A VXLAN or GENEVE network identifier.
    Vni,
    /// AWS gateway load balancer endpoint (GENEVE option class 0x0108 type 1).
    AwsEndpoint,
    /// Google Cloud network (GENEVE option class 0x0132 type 1).
    GcpNetwork,
    /// An ERSPAN session.
    ErspanSession,
    /// A VLAN, where the configuration says that VLANs are tenants.
    Vlan,
    /// A GTP-U tunnel endpoint.
    GtpTunnel,
    /// A GRE key.
    GreKey,
}

impl TenantKind {
    const ALL: [Self; 8] = [
        Self::Input,
        Self::Vni,
        Self::AwsEndpoint,
        Self::GcpNetwork,
        Self::ErspanSession,
        Self::Vlan,
        Self::GtpTunnel,
        Self::GreKey,
    ];

    /// The kind whose number (`kind as u8`) this is; what is no kind's reads as the first.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }
}

/// The network that a packet belongs to, as its outermost encapsulation tells; part of every key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant {
    /// What `key` is.
    pub kind: TenantKind,
    /// The number that the encapsulation carries.
    pub key: u64,
}

impl Tenant {
    /// Whether nothing but the input tells whose packet this is.
    pub fn is_default(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Tenant {
    /// `vni:7`, `vlan:12`, `aws-endpoint:00ab...`; the default tenant is `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TenantKind::Input if self.key == 0 => f.write_str("-"),
            TenantKind::Input => write!(f, "input:{}", self.key),
            TenantKind::Vni => write!(f, "vni:{}", self.key),
            TenantKind::AwsEndpoint => write!(f, "aws-endpoint:{:016x}", self.key),
            TenantKind::GcpNetwork => write!(f, "gcp-network:{}", self.key),
            TenantKind::ErspanSession => write!(f, "erspan:{}", self.key),
            TenantKind::Vlan => write!(f, "vlan:{}", self.key),
            TenantKind::GtpTunnel => write!(f, "gtp:{:08x}", self.key),
            TenantKind::GreKey => write!(f, "gre:{}", self.key),
        }
    }
}
