use super::super::stix_observable::Observable;
use super::*;

/// The alternatives as texts: `kind value`, `- reason` of what is skipped, `~ reason` of what is foreign.
fn read(pattern: &str) -> Vec<String> {
    let alternatives = alternatives(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault}"));
    let text = |alternative: Alternative<'_>| match alternative {
        Ok(Observable { kind, value }) => format!("{} {value}", kind.as_str()),
        Err(Skip { reason, is_foreign: false }) => format!("- {reason}"),
        Err(Skip { reason, is_foreign: true }) => format!("~ {reason}"),
    };
    alternatives.into_iter().map(text).collect()
}

#[test]
fn takes_what_says_something_plain() {
    for (pattern, alternatives) in [
        ("[domain-name:value = 'a.example']", &["domain a.example"][..]),
        (" [ domain-name : value=='a.example' ] ", &["domain a.example"]),
        (
            "[domain-name:value IN ('a.example','b.example' , 'c.example')]",
            &["domain a.example", "domain b.example", "domain c.example"],
        ),
        ("[ipv4-addr:value = '198.51.100.7']", &["address 198.51.100.7"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", &["address 198.51.100.0/24"]),
        ("[ipv6-addr:value\n=\t'2001:db8::1']", &["address 2001:db8::1"]),
        ("[url:value = 'http://a.example/x?y=\\'z\\\\']", &["url http://a.example/x?y='z\\"]),
        (
            "[url:value = 'http://a.example/' OR domain-name:value = 'b.example']",
            &["url http://a.example/", "domain b.example"],
        ),
        (
            "[domain-name:value = 'a.example'] OR ([ipv4-addr:value = '198.51.100.7'])",
            &["domain a.example", "address 198.51.100.7"],
        ),
        (
            "[x509-certificate:hashes.'SHA-1' = 'aa'] or [x509-certificate:hashes.'SHA-256' = 'bb']",
            &["certificate_hash aa", "certificate_hash bb"],
        ),
        ("[x509-certificate:hashes.SHA1 = 'aa']", &["certificate_hash aa"]),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.7' \
             AND network-traffic:dst_port = 8000]",
            &["address_port 198.51.100.7:8000"],
        ),
        (
            "[network-traffic:dst_port = '443' AND network-traffic:dst_ref.value = '2001:db8::1']",
            &["address_port [2001:db8::1]:443"],
        ),
        (
            "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port IN (80, 443)]",
            &["address_port 198.51.100.7:80", "address_port 198.51.100.7:443"],
        ),
        (
            "[network-traffic:dst_ref.value = '198.51.100.7' AND (network-traffic:dst_port = 80 OR \
             network-traffic:dst_port = 443) OR domain-name:value = 'a.example']",
            &["address_port 198.51.100.7:80", "address_port 198.51.100.7:443", "domain a.example"],
        ),
        ("[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24']", &["address 198.51.100.0/24"]),
        (
            "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'a.example']",
            &["domain a.example"],
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil/1']",
            &["user_agent Evil/1"],
        ),
    ] {
        assert_eq!(read(pattern), alternatives, "{pattern}");
    }
}

#[test]
fn skips_the_rest_with_a_reason_and_nothing_beside_it() {
    let two = "[domain-name:value = 'a.example']";
    for (pattern, alternatives) in [
        ("[domain-name:value LIKE '%.example']", &["- LIKE is not read"][..]),
        ("[domain-name:value MATCHES '^a']", &["- MATCHES is not read"]),
        ("[domain-name:value != 'a.example']", &["- != is not read"]),
        ("[domain-name:value NOT = 'a.example']", &["- NOT is not read"]),
        ("[domain-name:value NOT IN ('a.example')]", &["- NOT is not read"]),
        ("[EXISTS domain-name:value]", &["- EXISTS is not read"]),
        ("[domain-name:value ISSUBSET 'a.example']", &["- ISSUBSET of what is no address is not read"]),
        ("[domain-name:value = 7]", &["- a value that is no text is not read"]),
        ("[domain-name:value = true]", &["- a value that is no text is not read"]),
        (
            "[domain-name:resolves_to_refs[*].value = '198.51.100.7']",
            &["- domain-name:resolves_to_refs[].value is not read"],
        ),
        (
            "[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[0].value = '198.51.100.7']",
            &["- AND between several properties of one object is not read"],
        ),
        (
            "[domain-name:value = 'a.example' AND ipv4-addr:value = '198.51.100.7']",
            &["- AND between unlike objects is not read"],
        ),
        ("[file:hashes.'SHA-256' = 'aa' AND file:name = 'x']", &["~ file: nothing that the wire shows"]),
        (
            "[file:hashes.MD5 = 'aa' OR domain-name:value = 'a.example']",
            &["~ file: nothing that the wire shows", "domain a.example"],
        ),
        ("[email-addr:value = 'x@a.example']", &["~ email-addr: nothing that the wire shows"]),
        ("[x509-certificate:hashes.MD5 = 'aa']", &["~ MD5 of a certificate: nothing that is compared"]),
        ("[x509-certificate:serial_number = '1']", &["- x509-certificate:serial_number is not read"]),
        ("[network-traffic:src_ref.value = '198.51.100.7']", &["- the source of a connection is not read"]),
        (
            "[network-traffic:dst_port = 8000]",
            &["- a connection without its destination's address is not read"],
        ),
        (
            "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:protocols[*] = 'tcp']",
            &["- network-traffic:protocols[] is not read"],
        ),
        (
            "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port > 8000]",
            &["- > is not read"],
        ),
        (
            "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 80000]",
            &["- a port that is no number up to 65535 is not read"],
        ),
        (
            "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'a.example' \
             AND network-traffic:dst_port = 80]",
            &["- a name with a port is not read"],
        ),
        (
            "[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24' AND network-traffic:dst_port = 80]",
            &["- a prefix with a port is not read"],
        ),
        (&format!("{two} AND {two}"), &["- AND between observations is not read"]),
        (&format!("{two} FOLLOWEDBY {two}"), &["- FOLLOWEDBY between observations is not read"]),
        (&format!("({two} AND {two}) WITHIN 300 SECONDS"), &["- WITHIN is not read"]),
        (&format!("{two} OR {two} REPEATS 5 TIMES"), &["domain a.example", "- REPEATS is not read"]),
        (
            &format!("{two} START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'"),
            &["- START ... STOP is not read"],
        ),
        ("[domain-name:value IN ()]", &[]),
    ] {
        assert_eq!(read(pattern), alternatives, "{pattern}");
    }
}

#[test]
fn says_what_is_wrong_with_what_is_no_pattern() {
    for (pattern, reason) in [
        ("", "[ must stand at its character 1"),
        ("domain-name:value = 'a.example'", "[ must stand at its character 1"),
        ("[domain-name:value = 'a.example'", "] must stand at its character 33"),
        ("[domain-name:value = 'a.example'] x", "the end of the pattern must stand at its character 35"),
        ("[domain-name:value = a.example]", "a value must stand at its character 22"),
        ("[domain-name:value 'a.example']", "an operator must stand at its character 20"),
        ("[domain-name:value = 'a.example]", "a text that ends with ' must stand at its character 22"),
        ("[domain-name = 'a.example']", ": must stand at its character 14"),
        ("[domain-name:value IN ('a.example' 'b.example')]", ", must stand at its character 36"),
        ("[a:b = 'c'] WITHIN 5 DAYS", "SECONDS must stand at its character 22"),
    ] {
        let fault = alternatives(pattern).unwrap_err().to_string();
        assert_eq!(fault, format!("not a STIX pattern: {reason}"), "{pattern}");
    }
}

#[test]
fn depth_and_combinations_have_an_end() {
    let deep = |depth: usize| format!("[{}a:b = 'c'{}]", "(".repeat(depth), ")".repeat(depth));
    assert!(alternatives(&deep(DEEPEST - 1)).is_ok());
    assert!(alternatives(&deep(DEEPEST)).unwrap_err().to_string().contains("more than 32"));
    assert!(alternatives(&"(".repeat(100_000)).is_err());
    let either = "(network-traffic:dst_port = 1 OR network-traffic:dst_port = 2)";
    let pattern = |times: usize| format!("[{}]", vec![either; times].join(" AND "));
    assert_eq!(read(&pattern(10)).len(), MOST_COMBINATIONS);
    assert!(alternatives(&pattern(11)).unwrap_err().to_string().contains("more than 1024"));
    let ports: Vec<_> = (1..=2000).map(|port| port.to_string()).collect();
    let list = format!(
        "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port IN ({})]",
        ports.join(",")
    );
    assert_eq!(read(&list), ["- more than 1024 combinations of address and port is not read"]);
}
