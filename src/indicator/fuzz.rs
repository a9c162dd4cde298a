//! Entries for fuzzing: whatever stands in a file or a body, reading it ends well.

use super::base64_json::Base64Json;
use super::compiled::{heal, open};
use super::{Kind, Knowledge, Loader, REJECTED_KEPT, REJECTED_TEXT};
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
    let mut loader = Loader::default();
    loader.bytes(file, data);
    let Knowledge { indicators, report, .. } = loader.finish();
    for source in &report.sources {
        assert!(source.rejected.len() <= REJECTED_KEPT && source.rejected_count >= source.rejected.len());
        for rejected in &source.rejected {
            assert!(rejected.line > 0 && !rejected.reason.is_empty());
            assert!(rejected.text.chars().count() <= REJECTED_TEXT + 1);
            assert!(!rejected.text.chars().any(char::is_control));
        }
    }
    let mut hits = Vec::new();
    for (id, claim) in indicators.claims() {
        assert!(!claim.value.is_empty() && !claim.value.chars().any(char::is_control));
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
        const PIECES: [&[u8]; 14] = [
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
        let seeds: [&[u8]; 2] = [
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
}
