//! Suricata rules whose only conditions are addresses, ports, and texts of DNS questions, TLS hellos and HTTP
//! requests.
//!
//! | rule | becomes |
//! |---|---|
//! | `alert ip any any -> [192.0.2.1,198.51.100.0/24] any` | addresses and prefixes, at a port where there is one |
//! | `dns.query`, `tls.sni` or `http.host` with a whole name (`bsize`, or `startswith` and `endswith`) | that name alone |
//! | the same with `dotprefix`, `content:".name"` and `endswith` | the name and everything below it |
//! | anything else that [`super::suricata_options`] and [`super::suricata_header`] understand | a composite signature |
//!
//! A listed name is looked for wherever names are seen, whether its rule looks at DNS, TLS or HTTP; a name means
//! what the rule says, alone or with what is below it. What has other conditions is not taken, and the keyword is told. A rule in a comment is
//! one that its author has switched off.
//!
//! Files are large, and are read line by line; a backslash at a line's end joins it with the next.

use super::super::instant::{Edge, parse_time};
use super::super::model::{Provenance, Severity};
use super::super::signature::Signature;
use super::rule::{Conjunction, Rule};
use super::suricata_header::{NotTaken, conditions};
use super::suricata_lexer::{ACTIONS, Parts, begins_rule};
use super::suricata_options::Options;
use super::{Dates, Feed, Head, LineReader};

/// Bytes of one rule, all its lines together. Suricata itself reads no longer ones.
const RULE_BYTES: usize = 64 << 10;

/// Whether a file that begins so is written so: the first line that is no comment begins a rule.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let mut lines = head.text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.find(|line| !line.starts_with('#')) {
        Some(line) => begins_rule(line),
        // All of its rules may be switched off.
        None => head.extension == "rules",
    }
}

/// Reads a file line by line.
#[derive(Default)]
pub(super) struct Reader {
    /// A rule that goes on in the next line: the line on which it began, its lines, and the rule so far.
    open: Option<Open>,
    /// What is taken after all claims, as a compiled file does.
    signatures: Vec<Signature>,
}

struct Open {
    line: u32,
    lines: String,
    rule: String,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(_feed: &Feed<'_>) -> Self {
        Self::default()
    }

    fn rule(&mut self, line: u32, rule: &str, lines: &str, feed: &mut Feed<'_>) {
        match read_rule(line, rule, feed) {
            Ok(Some(signature)) => {
                feed.set_aside(line, lines);
                self.signatures.push(signature);
            }
            Ok(None) => {}
            Err(NotTaken::Wrong(reason)) => feed.reject(line, rule, reason),
            Err(NotTaken::NotForUs(reason)) => feed.ignore(line, reason),
        }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let text = line.trim_start_matches('\u{feff}').trim();
        if self.open.is_none() && (text.is_empty() || text.starts_with('#')) {
            return;
        }
        let (text, goes_on) = text.strip_suffix('\\').map_or((text, false), |text| (text, true));
        if !goes_on && self.open.is_none() {
            return self.rule(number, text, line, feed);
        }
        let open =
            self.open.get_or_insert_with(|| Open { line: number, lines: String::new(), rule: String::new() });
        if open.rule.len() <= RULE_BYTES {
            open.rule.push_str(text);
            open.lines.push_str(line);
            open.lines.push('\n');
        }
        if !goes_on {
            self.finish_open(feed);
        }
    }

    fn finish(&mut self, feed: &mut Feed<'_>) {
        self.finish_open(feed);
        for signature in self.signatures.drain(..) {
            feed.signature(signature.line, signature);
        }
    }
}

impl Reader {
    fn finish_open(&mut self, feed: &mut Feed<'_>) {
        match self.open.take() {
            Some(Open { line, rule, .. }) if rule.len() > RULE_BYTES => {
                feed.reject(line, &rule, "is longer than 64 KiB");
            }
            Some(Open { line, lines, rule }) => self.rule(line, &rule, lines.trim_end_matches('\n'), feed),
            None => {}
        }
    }
}

/// Takes the claims of a rule, or gives the signature that it is.
fn read_rule(line: u32, text: &str, feed: &mut Feed<'_>) -> Result<Option<Signature>, NotTaken> {
    let wrong = |reason: &'static str| NotTaken::Wrong(reason.into());
    let parts = Parts::of(text).map_err(wrong)?;
    if let Some(action) =
        ACTIONS.iter().find(|&&action| action == parts.action && matches!(action, "pass" | "config"))
    {
        let reason = match *action {
            "pass" => "allows what it describes (pass): write an [[allow]] entry in a pack",
            _ => "configures Suricata (config)",
        };
        return Err(NotTaken::NotForUs(reason.into()));
    }
    let options = Options::of(&parts).map_err(NotTaken::Wrong)?;
    let sid = options.sid.filter(|sid| !sid.is_empty() && sid.bytes().all(|byte| byte.is_ascii_digit()));
    let sid = sid.ok_or_else(|| wrong("has no sid, by which it could be told"))?;
    let looks = options.looks().map_err(NotTaken::NotForUs)?;
    let Conjunction { mut all, mut none } = conditions(&parts, looks)?;
    let (more, never) = options.terms().map_err(NotTaken::NotForUs)?;
    all.extend(more);
    none.extend(never);
    if all.is_empty() && none.is_empty() {
        return Err(NotTaken::NotForUs("has no condition that a list or signature could hold".into()));
    }
    let rule = describe(line, sid, &options, feed);
    Ok(rule.take(0, Conjunction { all, none }, feed))
}

/// What the rule says of itself.
fn describe(line: u32, sid: &str, options: &Options<'_>, feed: &Feed<'_>) -> Rule {
    let gid = options.gid.filter(|&gid| gid != "1");
    let id = gid.map_or_else(|| format!("suricata-sid-{sid}"), |gid| format!("suricata-sid-{gid}:{sid}"));
    let title = if options.msg.is_empty() { id.clone() } else { options.msg.clone() };
    let time = |key: &str| parse_time(&options.metadata(key)?.replace('_', "-"), Edge::Start);
    let all = |key: &'static str| {
        let values = options.metadata.iter().filter(move |(known, _)| *known == key);
        values.map(|&(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    let family = options.metadata("malware_family").map(str::trim);
    let family = family.filter(|family| !matches!(*family, "" | "None" | "NA" | "N/A"));
    // STIX 2.1, appendix A: the middle of each range.
    let confidence = match options.metadata("confidence").unwrap_or_default() {
        "Low" | "low" => Some(15),
        "Medium" | "medium" => Some(50),
        "High" | "high" => Some(85),
        _ => None,
    };
    let unstated = feed.unstated();
    let url =
        options.url.map(|url| if url.contains("://") { url.to_owned() } else { format!("http://{url}") });
    let classtype = options.classtype.filter(|classtype| !classtype.is_empty());
    let revision = options.rev.map(|rev| format!(", revision {rev}")).unwrap_or_default();
    let provenance = Provenance {
        campaign: family.map_or_else(|| title.as_str().into(), Into::into),
        reference: url.unwrap_or_default().into(),
        confidence: confidence.unwrap_or(unstated.confidence),
        tags: classtype.into_iter().chain(all("tag")).map(Into::into).collect(),
        mitre: all("mitre_technique_id").map(|id| id.to_ascii_uppercase().into()).collect(),
        severity: severity(options),
        note: format!("sid {sid}{revision}: {title}").into(),
        ..unstated
    };
    let dates = Dates { first_seen: time("created_at"), last_seen: time("updated_at"), ..Dates::default() };
    Rule { line, id, title: title.into(), dates, provenance }
}

/// The severity that a rule states: by its metadata, its priority, or its class.
fn severity(options: &Options<'_>) -> Option<Severity> {
    let stated = options.metadata("signature_severity").unwrap_or_default().to_ascii_lowercase();
    match (&*stated, options.priority, options.classtype.and_then(priority)) {
        ("critical", ..) => Some(Severity::Critical),
        ("major", ..) => Some(Severity::High),
        ("minor", ..) => Some(Severity::Low),
        ("informational", ..) => Some(Severity::Info),
        (_, Some("1"), _) | (_, None, Some(1)) => Some(Severity::High),
        (_, Some("2"), _) | (_, None, Some(2)) => Some(Severity::Medium),
        (_, Some("3"), _) | (_, None, Some(3)) => Some(Severity::Low),
        (_, Some(_), _) | (_, None, Some(_)) => Some(Severity::Info),
        (_, None, None) => None,
    }
}

/// The priority of a class in the `classification.config` that comes with Suricata.
fn priority(classtype: &str) -> Option<u8> {
    Some(match classtype {
        "trojan-activity"
        | "command-and-control"
        | "domain-c2"
        | "targeted-activity"
        | "exploit-kit"
        | "credential-theft"
        | "shellcode-detect"
        | "web-application-attack"
        | "attempted-admin"
        | "successful-admin"
        | "attempted-user"
        | "successful-user"
        | "unsuccessful-user"
        | "policy-violation"
        | "inappropriate-content" => 1,
        "bad-unknown"
        | "attempted-recon"
        | "successful-recon-limited"
        | "successful-recon-largescale"
        | "attempted-dos"
        | "successful-dos"
        | "denial-of-service"
        | "misc-attack"
        | "suspicious-login"
        | "suspicious-filename-detect"
        | "system-call-detect"
        | "rpc-portmap-decode"
        | "unusual-client-port-connection"
        | "non-standard-protocol"
        | "web-application-activity"
        | "default-login-attempt"
        | "external-ip-check"
        | "pup-activity"
        | "social-engineering"
        | "coin-mining" => 2,
        "not-suspicious"
        | "unknown"
        | "string-detect"
        | "network-scan"
        | "protocol-command-decode"
        | "misc-activity"
        | "icmp-event" => 3,
        "tcp-connection" => 4,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "suricata_rules_tests.rs"]
mod tests;
