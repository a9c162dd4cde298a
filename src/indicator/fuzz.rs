//! Entries for fuzzing: whatever stands in a file or a body, reading it ends well.

use super::base64_json::Base64Json;
use super::compiled::{heal, open};
use super::{Format, Kind, Knowledge, LoadReport, Loader, REJECTED_KEPT, REJECTED_TEXT};
use crate::protocol::dns::NameBuf;

/// Reads `data` as one of our packs.
pub fn fuzz_native(data: &[u8]) {
    check(data, "fuzz.toml");
}

/// Reads `data` as a plain list, or as CSV when it has a header.
pub fn fuzz_plain(data: &[u8]) {
    check(data, "fuzz.txt");
}

/// Reads `data` as CSV.
pub fn fuzz_csv(data: &[u8]) {
    check(data, "fuzz.csv");
}

/// Reads `data` behind its first byte as a feed of the format that the byte chooses, or of the one that its
/// content tells; and once more from a compiled file, which must say the same.
pub fn fuzz_feeds(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let name = Format::names().nth(usize::from(first));
    let format = name.and_then(Format::from_name);
    let last_line = data.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let report = check_as(data, "fuzz", format, last_line);
    let mut loader = Loader::for_compiling();
    loader.located_bytes("fuzz", data, format);
    let mut file = Vec::new();
    if loader.compile().write(&mut file).is_ok() && report.failures().count() == 0 {
        assert_eq!(check_as(&file, "fuzz.compiled", None, last_line), report);
    }
}

/// Reads `data` as a compiled file; and again with checksums that are right, so that what they guard is
/// reached.
pub fn fuzz_compiled(data: &[u8]) {
    check(data, "fuzz.compiled");
    let mut healed = data.to_vec();
    heal(&mut healed);
    // A table that begins in the directory has another checksum when the directory is complete.
    let Ok(contents) = open(&healed) else { return };
    // Its claims may be any; asking for them must end.
    let mut loader = Loader::default();
    loader.bytes("fuzz.compiled", &healed);
    let Knowledge { indicators, .. } = loader.finish();
    let mut hits = Vec::new();
    for (_, claim) in indicators.claims().take(100) {
        let name = NameBuf::from_text(claim.value.as_bytes());
        name.iter().for_each(|name| indicators.domain(name.as_name(), &mut hits));
        let address = claim.value.parse();
        address.into_iter().for_each(|address| indicators.address(address, 80, &mut hits));
        indicators.url(claim.value.as_bytes(), 80, claim.value.as_bytes(), &mut hits);
        indicators.user_agent(claim.value.as_bytes(), &mut hits);
    }
    let mut loader = Loader::for_compiling();
    loader.bytes("fuzz.compiled", &healed);
    let again = loader.compile();
    assert!(again.claims() <= contents.segment.claims.len());
}

/// Reads `data` behind its first byte as rules of Sigma or of Suricata, and again from a compiled file, which must
/// say the same.
pub fn fuzz_rules(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let format = if first.is_multiple_of(2) { Format::Sigma } else { Format::SuricataRules };
    let load = |mut loader: Loader, bytes: &[u8], format: Option<Format>| {
        loader.located_bytes("fuzz", bytes, format);
        loader
    };
    let text = load(Loader::default(), data, Some(format)).finish();
    let mut file = Vec::new();
    let written = load(Loader::for_compiling(), data, Some(format)).compile().write(&mut file);
    if written.is_err() || text.report.failures().count() > 0 {
        return;
    }
    let compiled = load(Loader::default(), &file, None).finish();
    assert_eq!(text.report, compiled.report);
    let [text, compiled] = [&text, &compiled].map(|knowledge| knowledge.indicators.all_signatures());
    assert_eq!(format!("{text:?}"), format!("{compiled:?}"));
    for signature in text {
        let (all, _) = signature.conditions();
        assert!(signature.line > 0 && !all.is_empty() && !signature.id.is_empty());
    }
}

/// Looks for keys in `data` as a body: what is found must be found again in a longer body.
pub fn fuzz_base64_json(data: &[u8]) {
    let keys: [Box<str>; 1] = ["type".into()];
    let members: [(Box<str>, Box<str>); 1] = [("type".into(), "FirstInfo".into())];
    let Some(json) = Base64Json::read(data) else { return };
    let (has_key, has_member) = (json.has(&keys, &[]), json.has(&[], &members));
    assert!(has_key || !has_member, "a member without its key");
    if has_key && !data.contains(&b'=') {
        let longer = [data, b"AAAA"].concat();
        assert!(Base64Json::read(&longer).is_some_and(|json| json.has(&keys, &[])), "lost in a longer body");
    }
}

/// What was taken is found again and written in normal form, and what was not is told in few words.
fn check(data: &[u8], file: &str) {
    check_as(data, file, None, usize::MAX);
}

/// The same of a file that is said to have a format and has so many lines; gives what is said of it.
fn check_as(data: &[u8], file: &str, format: Option<Format>, last_line: usize) -> LoadReport {
    let mut loader = Loader::default();
    loader.located_bytes(file, data, format);
    let Knowledge { indicators, well_known, report, .. } = loader.finish();
    for source in &report.sources {
        assert!(source.rejected.len() <= REJECTED_KEPT && source.rejected_count >= source.rejected.len());
        for rejected in &source.rejected {
            assert!((1..=last_line).contains(&(rejected.line as usize)) && !rejected.reason.is_empty());
            assert!(rejected.text.chars().count() <= REJECTED_TEXT + 1);
            assert!(!rejected.text.chars().any(char::is_control));
        }
    }
    let mut hits = Vec::new();
    for (id, claim) in indicators.claims() {
        assert!(!claim.value.is_empty() && !claim.value.chars().any(char::is_control));
        assert!((1..=last_line).contains(&(claim.line as usize)) && claim.provenance.confidence <= 100);
        well_known.weakens(&claim);
        hits.clear();
        match claim.kind {
            Kind::Domain => {
                let name = NameBuf::from_text(claim.value.as_bytes());
                name.into_iter().for_each(|name| indicators.domain(name.as_name(), &mut hits));
            }
            Kind::Address => {
                let address = claim.value.parse();
                address.into_iter().for_each(|address| indicators.address(address, 0, &mut hits));
            }
            Kind::Path => indicators.url(b"any.example", 80, claim.value.as_bytes(), &mut hits),
            Kind::UserAgent => indicators.user_agent(claim.value.as_bytes(), &mut hits),
            _ => continue,
        }
        assert!(hits.contains(&id), "{claim} is not found by its own value");
    }
    report
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Calls `fuzz` on `cases` mutations of `seeds`, the same ones each time.
    fn mutate(seeds: &[&[u8]], cases: usize, fuzz: fn(&[u8])) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below.max(1)
        };
        const PIECES: [&[u8]; 18] = [
            b"\"",
            b"\n",
            b"\xff",
            b"",
            b",",
            b"[[",
            b"}",
            b"\\",
            b"[.]",
            b":99999",
            b"/0",
            b"\0",
            b"=",
            b"2026-03-31",
            b"null",
            b"[{",
            b"' AND (",
            b"|",
        ];
        for seed in seeds {
            fuzz(seed);
        }
        for _ in 0..cases {
            let mut data = seeds[random(seeds.len())].to_vec();
            for _ in 0..=random(4) {
                let at = random(data.len() + 1);
                let end = (at + random(6)).min(data.len());
                match random(3) {
                    0 => drop(data.splice(at..end, PIECES[random(PIECES.len())].iter().copied())),
                    1 => data.truncate(at),
                    _ if at < data.len() => data[at] = random(256) as u8,
                    _ => data.push(random(256) as u8),
                }
            }
            fuzz(&data);
        }
    }

    const PACK: &str = r#"[pack]
id = "p"
title = "t"
references = { S = "https://a.example/" }
[[indicator]]
values = ["evil[.]example", "x.example"]
kind = "domain"
source = "S"
confidence = 90
valid_from = 2026-03-31
[[signature]]
id = "s"
title = "t"
rung = "executed"
source = ["S"]
confidence = 90
all = [{ field = "http.path", equals = ["/a", "/b"] }, { field = "response.status", min = 200 }]
[[allow]]
value = "*.example.com"
port = 443
scope = ["beacon"]
reason = "r"
[[resolver]]
operator = "o"
names = ["dns.example"]
addresses = ["192.0.2.53"]
reference = "r"
[[sinkhole]]
value = "0.0.0.0/32"
operator = "o"
reference = "r"
[[search_suffix]]
ending = "cluster.local"
labels = [0, 2]
platform = "p"
[[registry]]
ecosystem = "e"
names = { "example.org" = ["a", "b"] }
"#;

    #[test]
    fn packs() {
        mutate(&[PACK.as_bytes()], 1500, fuzz_native);
    }

    #[test]
    fn lists() {
        let seeds: [&[u8]; 3] = [
            b"[Adblock Plus 2.0]\n||evil.example^\n@@||b.example^\n198.51.100.7\t12\nc.example,x\n/x/\n",
            b"# list\nevil[.]example\n198.51.100.7:8000\nhxxp://evil.example:81/a?b#c\n2001:db8::/32\n/gate.php\n",
            "*.b\u{fc}cher.example\n[2001:db8::1]:443\nEVIL.example. # x\n".as_bytes(),
        ];
        mutate(&seeds, 4000, fuzz_plain);
    }

    #[test]
    fn tables() {
        let seeds: [&[u8]; 2] = [
            b"value,type,confidence,valid_until,tags\nevil.example,domain,90,2026-01-01,\"a, b\"\n/x,path,high,,\n",
            b"# \"ioc_value\", \"ioc_type\"\n\"198.51.100.7:8000\", \"ip:port\"\n\"Evil\"\"/1\", \"user-agent\"\n",
        ];
        mutate(&seeds, 4000, fuzz_csv);
    }

    /// A line or two of each list that comes from elsewhere.
    const FEEDS: [(&str, &[u8]); 11] = [
        (
            "urlhaus",
            b"# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n\
              \"1\",\"2026-01-02 03:04:05\",\"http://evil.example/a\",\"online\",\"\",\"x\",\"a,b\",\"https://a.example/\",\"c\"\r\n",
        ),
        ("sslbl", b"# ja3_md5,Firstseen,Lastseen,Listingreason\n0123456789abcdef0123456789abcdef,2019-01-02,,X C&C\n"),
        ("sslbl", b"# Firstseen,DstIP,DstPort\n2026-01-02 03:04:05,2001:db8::7,443\n"),
        ("hosts", b"127.0.0.1 localhost\n0.0.0.0 a.example b.example # x\n:: c.example\nfe80::1%lo0 d\n"),
        (
            "zeek-intel",
            b"#fields\tindicator\tindicator_type\tmeta.source\tmeta.do_notice\nevil.example\tIntel::DOMAIN\tx\tF\n\
              Evil/1\tIntel::SOFTWARE\tx\t-\n",
        ),
        ("suricata-dataset", b"ZXZpbC5leGFtcGxl,12\nL2dhdGUucGhw\n198.51.100.7,3\n"),
        ("suricata-iprep", b"1,CnC,x\n198.51.100.0/24,1,127\n"),
        ("maltrail", b"# Reference: https://a.example/\n# Aliases: a, b\nhttp://198.51.100.7\nevil.example/x\n[a-z]+.x\n"),
        ("datadog", b"type,indicator,context\ndomain,evil[.]example,\"x, y\"\nnpm package,a@1,z\n"),
        ("c2intel", b"#domain,ioc,uri_path,ip\nevil.example,Possible X C2 Domain,/a.js,198.51.100.7\n"),
        (
            "fox-it",
            b",ip,port,protocol,domains,host_header,first_seen,last_seen\n\
              0,198.51.100.7,443,dns,\"a.example, 198.51.100.8\",b.example,2018-07-04,2019-04-12\n",
        ),
    ];

    #[test]
    fn feeds() {
        let mut seeds: Vec<Vec<u8>> = Vec::new();
        for (name, text) in FEEDS {
            let number = Format::names().position(|one| one == name).unwrap();
            seeds.push([&[number as u8], text].concat());
            // No format has this number.
            seeds.push([&[255], text].concat());
        }
        let seeds: Vec<&[u8]> = seeds.iter().map(|seed| &**seed).collect();
        mutate(&seeds, 6000, fuzz_feeds);
    }

    #[test]
    fn feeds_are_known_by_their_content() {
        for (name, text) in FEEDS.into_iter().filter(|(name, _)| !name.starts_with("suricata-")) {
            for file in ["feed", "feed.txt"] {
                let mut loader = Loader::default();
                loader.bytes(file, text);
                let report = loader.finish().report;
                assert_eq!(
                    (report.sources[0].format.as_str(), report.accepted() > 0),
                    (name, true),
                    "{file}"
                );
            }
        }
    }

    #[test]
    fn feeds_in_json() {
        let seeds = [
            (
                "stix",
                r#"{"type": "bundle", "id": "bundle--1", "objects": [
                {"type": "indicator", "id": "indicator--1", "pattern": "[domain-name:value = 'a.example' OR url:value IN ('http://b.example/x')] OR [network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 80]",
                 "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "confidence": 85, "labels": ["c2"],
                 "object_marking_refs": ["marking-definition--1"], "created_by_ref": "identity--1"},
                {"type": "identity", "id": "identity--1", "name": "x"},
                {"type": "marking-definition", "id": "marking-definition--1", "definition": {"tlp": "red"}},
                {"type": "relationship", "relationship_type": "indicates", "source_ref": "indicator--1", "target_ref": "malware--1"},
                {"type": "malware", "id": "malware--1", "name": "y"}]}"#,
            ),
            (
                "misp",
                r#"{"response": [{"Event": {"info": "x", "date": "2026-01-01", "Tag": [{"name": "tlp:red"}], "Attribute": [
                {"type": "domain|ip", "value": "a.example|198.51.100.7", "to_ids": true, "timestamp": "1767333845"},
                {"type": "ip-dst|port", "value": "198.51.100.7|80", "to_ids": true, "Tag": [{"name": "misp:confidence-level=\"unconfident\""}]}],
                "Object": [{"Attribute": [{"type": "uri", "value": "/x", "to_ids": "1", "first_seen": "2026-01-01"}]}]}}]}"#,
            ),
            ("misp", "0123456789abcdef0123456789abcdef,5b1f0000-0000-4000-8000-000000000001\n"),
            (
                "misp-warninglist",
                r#"{"name": "x", "version": 1, "type": "hostname", "matching_attributes": ["domain", "md5"],
                "list": [".a.example", "b.example", "?"]}"#,
            ),
            (
                "misp-warninglist",
                r#"{"name": "x", "version": 1, "type": "substring", "list": ["a.e", "http://a.example/", "198.51.100.0/24"]}"#,
            ),
            (
                "threatfox",
                "# \"first_seen_utc\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"confidence_level\",\"tags\"\r\n\"2026-01-01 00:00:00\", \"198.51.100.7:80\", \"ip:port\", \"botnet_cc\", \"75\", \"a,b\"\r\n",
            ),
            (
                "threatfox",
                r#"{"query_status": "ok", "data": [{"ioc": "a.example", "ioc_type": "domain", "tags": ["x"], "first_seen": "2026-01-01 00:00:00 UTC"}]}"#,
            ),
            (
                "feodo",
                "first_seen_utc,dst_ip,dst_port,c2_status,last_online,malware\n2026-01-01 00:00:00,198.51.100.7,443,offline,2026-01-02,x\n",
            ),
            ("feodo", r#"[{"ip_address": "198.51.100.7", "port": 443, "malware": "x"}]"#),
        ];
        let seeds: Vec<_> = seeds
            .iter()
            .map(|(format, text)| {
                let number = Format::names().position(|name| name == *format).unwrap();
                [&[number as u8], text.as_bytes()].concat()
            })
            .collect();
        let seeds: Vec<&[u8]> = seeds.iter().map(|seed| &**seed).collect();
        mutate(&seeds, 3000, fuzz_feeds);
    }

    #[test]
    fn compiled_files() {
        let compile = |name: &str, text: &str| {
            let mut loader = Loader::for_compiling();
            loader.bytes(name, text.as_bytes());
            let mut file = Vec::new();
            loader.compile().write(&mut file).unwrap();
            file
        };
        let list = "evil.example\nb.evil.example\n198.51.100.7:8000\n198.51.100.0/24\n2001:db8::/32\n\
            http://evil.example/a\n/x\n";
        let seeds = [
            compile("p.toml", PACK),
            compile("b.txt", list),
            compile("c.csv", "value,source\na.b,x\na.b,y\n"),
        ];
        let seeds: Vec<&[u8]> = seeds.iter().map(|seed| &**seed).collect();
        mutate(&seeds, 3000, fuzz_compiled);
    }

    #[test]
    fn bodies() {
        let seeds: [&[u8]; 2] = [
            b"eyJ0eXBlIjogIkZpcnN0SW5mbyIsICJ1aWQiOiAieCJ9",
            b"J0eXBlIjogIkZpcnN0SW5mbyIsICJ1aWQiOiAieCJ9\r\n",
        ];
        mutate(&seeds, 4000, fuzz_base64_json);
    }

    #[test]
    fn rules() {
        let sigma = "0title: t\nid: 1\nstatus: test\ndate: 2026-03-31\nlogsource:\n  category: proxy\ndetection:\n  \
            s1:\n    c-uri|contains|all: ['a\\*b', \"\\x41\"]\n    cs-host:\n      - evil.example\n      - '*.b.example'\n  \
            s2:\n    - dst_ip|cidr: 198.51.100.0/24\n      dst_port: [80, 443]\n    - query|re: x\n  f: {cs-method: null}\n  \
            condition: 1 of s* and not (f or f)\nlevel: high\n---\ntitle: u\nlogsource: {category: dns}\ndetection:\n  \
            s:\n    query: [a.example, com]\n  condition: s\n";
        let suricata = "1# off\nalert dns $HOME_NET any -> any any (msg:\"a\\;b\"; dns.query; dotprefix; content:\".evil|2e|example\"; \
            nocase; endswith; reference:url,a.example/x; sid:1; metadata:created_at 2026_03_31, confidence High;)\n\
            drop http any any -> [198.51.100.0/24,!198.51.100.7] [80,8000:8010] (msg:\"b\"; \\\n http.uri; content:\"/x\"; \
            startswith; content:!\"y\"; bsize:2; http.host; content:\"a.example\"; depth:9; isdataat:!1,relative; sid:2;)\n\
            alert ip any any <> [198.51.100.7, 2001:db8::/32] 443 (flow:to_server; threshold: type limit, count 1; sid:3;)\n";
        mutate(&[sigma.as_bytes(), suricata.as_bytes()], 6000, fuzz_rules);
    }
}
