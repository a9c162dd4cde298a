//! What outsiders say: dated claims.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Look at it when there is time.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Somebody is in.
    Critical,
}

/// How far an incident came on one asset: the ladder of DESIGN section 3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Fetched what was poisoned.
    Exposed,
    /// Asked for the name.
    LookedUp,
    /// A connection without answer.
    Attempted,
    /// Data both ways.
    Contacted,
    /// Second stage or an implant's message seen.
    Executed,
    /// Beaconing.
    Active,
}
