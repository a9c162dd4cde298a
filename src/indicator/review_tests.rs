use super::super::Loader;
use super::*;

fn day(day: i64) -> Timestamp {
    Timestamp::from_parts(day * 86_400, 0)
}

/// 2026-04-10, some days after the first reports on axios.
const NOW: i64 = 20_553;

fn load(files: &[(&str, &str)]) -> Knowledge {
    let mut loader = Loader::default();
    loader.builtin_baseline();
    for (name, text) in files {
        loader.bytes(name, text.as_bytes());
    }
    let knowledge = loader.finish();
    assert_eq!(knowledge.report.failures().count(), 0, "{}", knowledge.report);
    knowledge
}

fn contradictions(knowledge: &Knowledge) -> Vec<(&'static str, String, Option<String>)> {
    let value = |id: ClaimId| knowledge.indicators.claim(id).unwrap().value.to_owned();
    let review = knowledge.review(day(NOW));
    let all = review.contradictions.iter();
    all.map(|one| (one.conflict.as_str(), value(one.claim), one.other.map(value))).collect()
}

#[test]
fn a_permuted_address_of_another_source_is_told() {
    let good = ("report.txt", "142.11.206.73\n198.51.100.7\n");
    let found = contradictions(&load(&[good, ("copy.txt", "206.11.142.73\n198.51.100.7\n")]));
    let expected = ("permuted_address", "142.11.206.73".to_owned(), Some("206.11.142.73".to_owned()));
    assert_eq!(found, [expected]);
    let turned = contradictions(&load(&[good, ("copy.txt", "73.206.11.142:8000\n")]));
    assert_eq!(turned.len(), 1, "turned round, and with a port");
    for other in ["142.11.206.73\n206.11.142.73\n", "142.11.206.74\n", "11.206.73.142\n"] {
        let other = contradictions(&load(&[good, ("copy.txt", other)]));
        assert!(other.is_empty(), "{other:?}");
    }
}

#[test]
fn sources_that_disagree_are_told() {
    let head = "value,type,confidence,valid_from,valid_until\n";
    let one = format!("{head}evil.example,domain,90,2026-03-01,2026-06-01\n");
    let ended = format!("{head}evil.example,domain,80,2026-03-01,2026-04-01\n");
    let doubted = format!("{head}evil.example,domain,20,2026-03-01,2026-06-01\n");
    let sort = |other: &str| {
        let knowledge = load(&[("one.csv", &one), ("other.csv", other)]);
        contradictions(&knowledge).into_iter().map(|(sort, ..)| sort).collect::<Vec<_>>()
    };
    assert_eq!(sort(&ended), ["validity"]);
    assert_eq!(sort(&doubted), ["confidence"]);
    assert!(sort(&one).is_empty());
    let knowledge = load(&[("one.csv", &one), ("other.csv", &ended)]);
    let review = knowledge.review(day(NOW));
    assert_eq!(review.shared.len(), 1);
    assert_eq!((review.sources["one.csv"].active, review.sources["one.csv"].shared), (1, 1));
    assert_eq!((review.sources["other.csv"].expired, review.sources["other.csv"].kinds["domain"]), (1, 1));
    assert_eq!(knowledge.review(day(NOW - 100)).sources["one.csv"].not_yet_valid, 1);
}

#[test]
fn what_the_allow_list_silences_is_told() {
    let allow = "[pack]\nid = \"a\"\ntitle = \"a\"\n\
        [[allow]]\nvalues = [\"evil.example\", \"cdn.c2.example\", \"198.51.100.0/24\"]\nscope = [\"indicator\"]\nreason = \"lab\"\n\
        [[allow]]\nvalue = \"other.example\"\nscope = [\"beacon\"]\nreason = \"beacons only\"\n";
    let list = "evil.example\nx.evil.example\nc2.example\nother.example\n198.51.100.7:80\n203.0.113.7\n";
    let knowledge = load(&[("list.txt", list), ("allow.toml", allow)]);
    let review = knowledge.review(day(NOW));
    let found: Vec<_> = review
        .shadows
        .iter()
        .map(|shadow| (knowledge.indicators.claim(shadow.claim).unwrap().value, shadow.is_whole))
        .collect();
    let expected =
        [("evil.example", true), ("x.evil.example", true), ("198.51.100.7:80", true), ("c2.example", false)];
    assert_eq!(found, expected);
}

#[test]
fn sinkholes_and_shared_infrastructure_are_told() {
    let knowledge = load(&[("list.txt", "104.16.1.1\n198.51.100.7\n")]);
    let review = knowledge.review(day(NOW));
    let weak: Vec<_> =
        review.weakened.iter().map(|(id, _)| knowledge.indicators.claim(*id).unwrap().value).collect();
    assert_eq!(weak, ["104.16.1.1"]);
    let pack = "[pack]\nid = \"s\"\ntitle = \"s\"\n[[sinkhole]]\nvalue = \"198.51.100.0/24\"\n\
        operator = \"lab\"\nreference = \"https://lab.example/\"\n";
    let found = contradictions(&load(&[("list.txt", "198.51.100.7\n"), ("s.toml", pack)]));
    assert_eq!(found, [("sinkhole", "198.51.100.7".to_owned(), None)]);
}
