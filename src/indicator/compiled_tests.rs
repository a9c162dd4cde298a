use std::net::IpAddr;

use super::super::{ClaimId, ExchangeFacts, Knowledge, Loader, REJECTED_KEPT, shipped};
use super::*;
use crate::protocol::dns::NameBuf;
use crate::protocol::http::Request;

/// Sources of every form, with everything that a pack can say, and faults.
fn sources() -> Vec<(String, String)> {
    let list = "# list\nevil[.]example\n198.51.100.7:8000\n198.51.100.7\n198.51.100.0/24\n2001:db8::/32\n\
        hxxp://evil.example:81/a?b#c\nevil.example/d\n/gate.php\n10.0.0.1\nevil.example\n[2001:db8::1]:443\n";
    let csv = "value,type,confidence,valid_from,valid_until,first_seen,campaign,tags,tlp,reference\n\
        evil.example,domain,90,2026-01-01,2026-02-01,1969-12-31,case,a b,amber+strict,https://a.example/\n\
        Evil/1,user_agent,high,,,,,,,\n0123456789abcdef0123456789abcdef,ja3,,,,,,,,\n\
        t13d1516h2_8daaf6152771_b186095e22b6,ja4,,,,,,,,\n\
        aa00000000000000000000000000000000000001,certificate_hash,,,,,,,,\nx,nothing,,,,,,,,\n";
    let pack = format!(
        "[pack]\nid = \"p\"\ntitle = \"t\"\n[pack.references]\nS = \"https://a.example/\"\n\
        [[indicator]]\nvalues = [\"x.evil.example\", \"com\"]\nkind = \"domain\"\nmatch = \"exact\"\n\
        source = \"S\"\nconfidence = 70\nseverity = \"low\"\nmitre = [\"T1071\"]\nnote = \"n\"\nalert = false\n\
        [[indicator]]\nvalue = \"EVIL/1\"\nkind = \"user_agent\"\nmatch = \"ignore_case\"\nsource = \"S\"\n\
        confidence = 70\n{}",
        "[[signature]]\nid = \"s\"\ntitle = \"t\"\nrung = \"executed\"\nsource = \"S\"\nconfidence = 90\n\
        all = [{ field = \"http.path\", equals = \"/a\" }]\n\
        [[signature]]\nid = \"s\"\ntitle = \"again\"\nrung = \"executed\"\nsource = \"S\"\nconfidence = 90\n\
        all = [{ field = \"dns.query\", within = \"b.example\" }]\n\
        [[allow]]\nvalue = \"*.allowed.example\"\nport = 443\nscope = \"all\"\nreason = \"r\"\n\
        [[sinkhole]]\nvalue = \"192.0.2.0/24\"\noperator = \"o\"\nreference = \"r\"\n\
        [[search_suffix]]\nending = \"corp.example\"\nlabels = [0, 1]\nplatform = \"p\"\n\
        [[registry]]\necosystem = \"e\"\nnames = { \"example.org\" = [\"packages\"] }\n"
    );
    // Rules that are claims, rules that are signatures, ids that come twice, and what is refused, in turn.
    let rules = "# rules\nalert dns any any -> any any (msg:\"a\"; dns.query; content:\"evil.example\"; bsize:12; sid:1;)\n\
        alert http any any -> any any (msg:\"b\"; \\\n  http.uri; content:\"/a\"; startswith; sid:2;)\n\
        alert http any any -> any any (msg:\"again\"; http.uri; content:\"/b\"; sid:2;)\n\
        alert http any any -> any any (msg:\"c\"; http.uri; content:\"/a\"; pcre:\"/x/\"; sid:3;)\n\
        alert ip any any -> [198.51.100.7,10.0.0.1] any (msg:\"d\"; sid:4; metadata:updated_at 2026_01_02;)\n\
        alert ip any any (sid:5;)\nalert dns any any -> any any (msg:\"e\"; dns.query; content:\"b.\"; sid:6;)\n";
    let sigma = "title: a\nid: 1\nlogsource: {category: dns}\ndetection:\n  s:\n    query: [com, e.example]\n\
        \x20 t:\n    query|contains: evil\n  u:\n    Image: x\n  condition: 1 of *\ndate: 2026-01-03\n---\n\
        title: b\nid: 1\nlogsource: {category: proxy}\ndetection:\n  s:\n    cs-host|endswith: .e.example\n  condition: s\n---\n\
        title: c\nlogsource: {category: dns}\ndetection:\n  condition: s\n---\na: [\n";
    let mut all: Vec<_> = [
        ("a.toml", &*pack),
        ("b.txt", list),
        ("c.csv", csv),
        ("d.txt", "evil.example\nd.example\n"),
        ("e.rules", rules),
        ("f.yml", sigma),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    all.extend(shipped::CAMPAIGNS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    all
}

fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Knowledge {
    let mut loader = Loader::default();
    loader.builtin_baseline();
    files.into_iter().for_each(|(name, bytes)| loader.bytes(name, bytes));
    loader.finish()
}

fn compile<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut loader = Loader::for_compiling();
    files.into_iter().for_each(|(name, bytes)| loader.bytes(name, bytes));
    let mut file = Vec::new();
    loader.compile().write(&mut file).unwrap();
    file
}

fn as_bytes(sources: &[(String, String)]) -> impl Iterator<Item = (&str, &[u8])> {
    sources.iter().map(|(name, text)| (&**name, text.as_bytes()))
}

/// What a question finds.
fn hits(ask: impl FnOnce(&mut Vec<ClaimId>)) -> Vec<ClaimId> {
    let mut hits = Vec::new();
    ask(&mut hits);
    hits
}

/// Fails unless both say the same of everything, also of what is near to something listed.
#[track_caller]
fn assert_equal(one: &Knowledge, other: &Knowledge) {
    assert_eq!(one.report.to_string(), other.report.to_string());
    assert_eq!(one.report, other.report);
    let claims = |knowledge: &Knowledge| -> Vec<String> {
        knowledge.indicators.claims().map(|(id, claim)| format!("{id:?} {claim:?}")).collect()
    };
    assert_eq!(claims(one), claims(other));
    let rest = |knowledge: &Knowledge| {
        let Knowledge { indicators, allow, sinkholes, .. } = knowledge;
        format!("{:?} {:?} {:?}", indicators.all_signatures(), allow.entries(), sinkholes.all())
    };
    assert_eq!(rest(one), rest(other));
    assert_eq!(one.registries.len(), other.registries.len());
    let (a, b) = (&one.indicators, &other.indicators);
    for (_, claim) in a.claims() {
        let text = claim.value;
        for name in
            [text.to_owned(), format!("www.{text}"), format!("x{text}"), format!("{text}.corp.example")]
        {
            let Some(name) = NameBuf::from_text(name.as_bytes()) else { continue };
            let name = name.as_name();
            assert_eq!(hits(|hits| a.domain(name, hits)), hits(|hits| b.domain(name, hits)), "{name}");
            let behind = |indicators: &super::super::Indicators| {
                hits(|hits| _ = indicators.domain_behind_search_suffix(name, hits))
            };
            assert_eq!(behind(a), behind(b), "{name}");
            let listed = behind(a).len() + hits(|hits| a.domain(name, hits)).len() > 0;
            assert!(!listed || a.may_list_name(name) && b.may_list_name(name), "{name}");
            assert_eq!(one.registries.ecosystem(name), other.registries.ecosystem(name));
        }
        let address = text.split(['/', ']']).next().unwrap_or_default().trim_start_matches('[');
        let address =
            address.parse::<IpAddr>().or_else(|_| text.split(':').next().unwrap_or_default().parse());
        for port in [0, 80, 443, 8000] {
            for address in address.iter().copied().chain(["198.51.100.9".parse().unwrap()]) {
                let ask = |indicators: &super::super::Indicators| {
                    hits(|hits| indicators.address(address, port, hits))
                };
                assert_eq!(ask(a), ask(b), "{address} {port}");
            }
        }
        for case in [text.to_owned(), text.to_ascii_uppercase()] {
            let ask = |indicators: &super::super::Indicators| {
                [
                    hits(|hits| indicators.user_agent(case.as_bytes(), hits)),
                    hits(|hits| indicators.ja3(&case, hits)),
                    hits(|hits| indicators.ja4(&case, hits)),
                    hits(|hits| indicators.url(b"evil.example", 81, case.as_bytes(), hits)),
                    hits(|hits| indicators.url(b"proxy.example", 81, case.as_bytes(), hits)),
                ]
            };
            assert_eq!(ask(a), ask(b), "{case}");
        }
    }
    let mut sha1 = [0; 20];
    (sha1[0], sha1[19]) = (0xaa, 1);
    let ask =
        |indicators: &super::super::Indicators| hits(|hits| indicators.certificate(&sha1, &[0; 32], hits));
    assert_eq!(ask(a), ask(b));
    let request = Request { target: b"/a".into(), host: Some(b"x.e.example".into()), ..Request::default() };
    let facts = ExchangeFacts::request(("198.51.100.7".parse().unwrap(), 80), &request);
    let ask = |indicators: &super::super::Indicators| {
        let mut hits = Vec::new();
        indicators.signatures(&facts, &mut hits);
        hits
    };
    assert_eq!(ask(a), ask(b));
    assert_eq!(a.reads_hellos(), b.reads_hellos());
    assert_eq!(a.has_certificate_signatures(), b.has_certificate_signatures());
}

#[test]
fn a_compiled_file_says_what_its_sources_say() {
    let sources = sources();
    let text = load(as_bytes(&sources));
    assert!(text.report.rejected() > 3 && text.indicators.len() > 20, "{}", text.report);
    let file = compile(as_bytes(&sources));
    assert_equal(&text, &load([("x.compiled", &*file)]));
    assert_eq!(compile(as_bytes(&sources)), file, "the same sources give the same bytes");
    for (name, one) in &sources {
        let one = [(&**name, one.as_bytes())];
        assert_equal(&load(one), &load([("x.compiled", &*compile(one))]));
    }
    assert_equal(&load([]), &load([("empty.compiled", &*compile([]))]));
}

/// Places, hashes and layout are the version's. Who changes them raises it, and the number here with it.
#[test]
fn the_bytes_are_those_of_the_version() {
    let file = compile(as_bytes(&sources()[..4]));
    assert_eq!((VERSION, checksum(&file)), (2, 14_652_883_060_361_701_453), "raise VERSION");
}

#[test]
fn a_mapped_file_says_the_same() {
    use std::io::Write as _;

    let sources = sources();
    let mut file = tempfile::NamedTempFile::with_suffix(".txt").unwrap();
    file.write_all(&compile(as_bytes(&sources))).unwrap();
    let mut loader = Loader::default();
    loader.builtin_baseline();
    loader.path(file.path());
    assert_equal(&load(as_bytes(&sources)), &loader.finish());
}

#[test]
fn compiled_files_and_lists_go_together() {
    let sources = sources();
    let text = load(as_bytes(&sources));
    for (from, to) in [(0, 2), (1, 3), (2, 7), (1, 2), (3, 4), (4, 6), (5, 8)] {
        let file = compile(as_bytes(&sources[from..to]));
        let mixed: Vec<_> = as_bytes(&sources[..from])
            .chain([("x.compiled", &*file)])
            .chain(as_bytes(&sources[to..]))
            .collect();
        assert_equal(&text, &load(mixed.iter().copied()));
        // Compiled files are taken apart and compiled again with the rest.
        assert_eq!(compile(mixed.iter().copied()), compile(as_bytes(&sources)));
    }
    let each: Vec<Vec<u8>> = as_bytes(&sources).map(|source| compile([source])).collect();
    let names: Vec<String> = (0..each.len()).map(|n| format!("{n}.compiled")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| &**name).zip(each.iter().map(|file| &**file)).collect();
    assert_equal(&text, &load(files.iter().copied()));
}

#[test]
fn what_is_taken_twice_is_one_claim_each() {
    let sources = sources();
    let list = [("b.txt", sources[1].1.as_bytes())];
    let file = compile(list);
    let twice = load(list.into_iter().chain(list));
    for (first, second) in [(&*file, list[0].1), (list[0].1, &*file), (&*file, &*file)] {
        assert_equal(&twice, &load([("b.txt", first), ("b.txt", second)]));
    }
    // The same values in a file of another name are said by somebody else.
    let other = load([("b.txt", list[0].1), ("e.txt", list[0].1)]);
    assert_equal(&other, &load([("x", &*file), ("y", &*compile([("e.txt", list[0].1)]))]));
}

#[test]
fn what_was_not_taken_is_told_again() {
    let list = "10.0.0.1\n".repeat(REJECTED_KEPT + 7);
    let file = compile([("b.txt", list.as_bytes())]);
    let report = load([("x", &*file)]).report;
    assert_eq!(report.rejected(), REJECTED_KEPT + 7);
    assert_eq!(report, load([("b.txt", list.as_bytes())]).report);
}

#[test]
fn no_damaged_byte_goes_unnoticed() {
    let file = compile([("b.txt", &b"evil.example\n198.51.100.7\n/x\n"[..])]);
    let directory = check(&file).unwrap();
    let covered =
        |at: usize| at < HEAD + SECTIONS * PLACE + 8 || directory.iter().any(|range| range.contains(&at));
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        // Between the tables nothing stands.
        assert_eq!(check(&changed).is_err(), covered(at), "byte {at}");
    }
    for length in 0..file.len() {
        assert!(check(&file[..length]).is_err(), "cut to {length}");
    }
    assert!(check(&[&*file, b"\0"].concat()).is_err(), "something behind the end");
}

#[test]
fn what_cannot_be_used_is_told_clearly() {
    let good = compile([("b.txt", &b"evil.example\n"[..])]);
    let failure = |bytes: &[u8]| {
        let report = load([("x.compiled", bytes)]).report;
        report.failures().map(|source| source.failure.clone().unwrap()).collect::<Vec<_>>().join("|")
    };
    let mut other = good.clone();
    other[12] = 9;
    assert!(
        failure(&other).contains("of version 9, and this program reads version 2"),
        "{}",
        failure(&other)
    );
    let mut other = good.clone();
    other[8..12].reverse();
    assert!(failure(&other).contains("other byte order"), "{}", failure(&other));
    assert!(failure(&good[..good.len() - 1]).contains("is cut"), "{}", failure(&good[..good.len() - 1]));
    assert!(failure(&good[..5]).contains("is cut"), "{}", failure(&good[..5]));
    let mut other = good.clone();
    let value = other.windows(4).position(|bytes| bytes == b"evil").unwrap();
    other[value] ^= 1;
    assert!(failure(&other).contains("damaged (a table)"), "{}", failure(&other));
    assert_eq!(failure(&good), "");
}
