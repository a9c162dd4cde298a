//! What becomes of fragments, in whatever order they come.

use super::*;

const START: Timestamp = Timestamp::from_parts(1_000, 0);

fn ipv4(id: u32, offset: u32, more: bool, length: usize) -> Network {
    Network {
        source: IpAddr::from([10, 0, 0, 1]),
        destination: IpAddr::from([10, 0, 0, 2]),
        protocol: 17,
        ttl: 64,
        fragment: Some(Fragment { id, offset, more, length: length as u32 }),
    }
}

fn push(pool: &mut Fragments, id: u32, offset: u32, more: bool, bytes: &[u8]) -> FragmentOutcome {
    pool.push(Tenant::default(), &ipv4(id, offset, more, bytes.len()), bytes, START)
}

fn payload(outcome: FragmentOutcome) -> Vec<u8> {
    match outcome {
        FragmentOutcome::Complete(datagram) => datagram.payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_order_gives_the_datagram() {
    let pieces: [(u32, bool, &[u8]); 3] =
        [(0, true, b"aaaaaaaa"), (8, true, b"bbbbbbbb"), (16, false, b"cc")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut pool = Fragments::new();
        let mut last = FragmentOutcome::Pending;
        for index in order {
            assert_eq!(last, FragmentOutcome::Pending);
            let (offset, more, bytes) = pieces[index];
            last = push(&mut pool, 7, offset, more, bytes);
        }
        assert_eq!(payload(last), b"aaaaaaaabbbbbbbbcc");
        assert!(pool.is_empty());
        assert_eq!(pool.held, 0);
        assert_eq!(pool.counters().reassembled, 1);
    }
}

#[test]
fn the_first_bytes_win_and_other_bytes_are_counted() {
    let mut pool = Fragments::new();
    push(&mut pool, 7, 8, true, b"bbbbbbbb");
    push(&mut pool, 7, 8, true, b"bbbbbbbb");
    assert_eq!((pool.counters().duplicates, pool.counters().conflicts), (1, 0));
    push(&mut pool, 7, 0, true, b"XXXXXXXXYYYYYYYYZZZZZZZZ");
    assert_eq!((pool.counters().duplicates, pool.counters().conflicts), (1, 1));
    assert_eq!(payload(push(&mut pool, 7, 24, false, b"end")), b"XXXXXXXXbbbbbbbbZZZZZZZZend");
}

#[test]
fn datagrams_are_told_apart_by_tenant_addresses_id_and_protocol() {
    let mut pool = Fragments::new();
    let first = ipv4(7, 0, true, 8);
    pool.push(Tenant::default(), &first, b"aaaaaaaa", START);
    let last = ipv4(7, 8, false, 2);
    let other_tenant = Tenant { key: 5, ..Tenant::default() };
    let others = [
        (other_tenant, last),
        (Tenant::default(), Network { protocol: 6, ..last }),
        (Tenant::default(), Network { source: IpAddr::from([10, 0, 0, 3]), ..last }),
        (Tenant::default(), ipv4(8, 8, false, 2)),
    ];
    for (tenant, network) in others {
        assert_eq!(pool.push(tenant, &network, b"bb", START), FragmentOutcome::Pending);
    }
    assert_eq!(payload(pool.push(Tenant::default(), &last, b"bb", START)), b"aaaaaaaabb");
}

#[test]
fn in_ipv6_the_first_fragment_says_what_the_payload_is() {
    let address = |last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
    let network = |protocol, offset, more, length| Network {
        source: address(1),
        destination: address(2),
        protocol,
        ttl: 64,
        fragment: Some(Fragment { id: 1, offset, more, length }),
    };
    let mut pool = Fragments::new();
    assert_eq!(pool.push(Tenant::default(), &network(6, 8, false, 1), b"b", START), FragmentOutcome::Pending);
    let outcome = pool.push(Tenant::default(), &network(60, 0, true, 8), b"aaaaaaaa", START);
    let FragmentOutcome::Complete(datagram) = outcome else { panic!("{outcome:?}") };
    assert_eq!((datagram.network.protocol, datagram.network.fragment), (60, None));
}

#[test]
fn a_late_fragment_starts_anew() {
    for seconds in [limits::FRAGMENT_TIMEOUT_SECONDS + 1, -limits::FRAGMENT_TIMEOUT_SECONDS - 1] {
        let mut pool = Fragments::new();
        push(&mut pool, 7, 0, true, b"aaaaaaaa");
        let late = START.plus(seconds * SECOND);
        let last = ipv4(7, 8, false, 2);
        assert_eq!(pool.push(Tenant::default(), &last, b"bb", late), FragmentOutcome::Pending);
        assert_eq!(pool.counters().timed_out, 1);
    }
    let mut pool = Fragments::new();
    push(&mut pool, 7, 0, true, b"aaaaaaaa");
    pool.expire(START.plus(limits::FRAGMENT_TIMEOUT_SECONDS * SECOND));
    assert_eq!(pool.len(), 1);
    pool.expire(START.plus(limits::FRAGMENT_TIMEOUT_SECONDS * SECOND + 1));
    assert_eq!((pool.len(), pool.held, pool.counters().timed_out), (0, 0, 1));
}

#[test]
fn what_cannot_be_put_together_is_refused_and_counted() {
    let refused = |outcome, refusal| assert_eq!(outcome, FragmentOutcome::Rejected(refusal));
    let mut pool = Fragments::new();
    // The datagram of "ping of death", and what follows it.
    refused(push(&mut pool, 1, 65_528, false, &[0; 16]), Refusal::TooLarge);
    refused(push(&mut pool, 1, 0, true, &[0; 8]), Refusal::GivenUp);
    // Cut by the snap length.
    let cut = ipv4(2, 0, true, 1480);
    refused(pool.push(Tenant::default(), &cut, &[0; 50], START), Refusal::Cut);
    refused(push(&mut pool, 2, 1480, false, &[0; 8]), Refusal::GivenUp);
    // Two ends, an end before bytes that are there, bytes behind the end.
    push(&mut pool, 3, 8, false, b"end");
    refused(push(&mut pool, 3, 8, false, b"other end"), Refusal::LengthConflict);
    refused(push(&mut pool, 3, 16, true, &[0; 8]), Refusal::LengthConflict);
    assert_eq!(payload(push(&mut pool, 3, 0, true, b"aaaaaaaa")), b"aaaaaaaaend");
    push(&mut pool, 4, 16, true, &[0; 8]);
    refused(push(&mut pool, 4, 8, false, b"end"), Refusal::LengthConflict);
    // No bytes, or not eight of them.
    refused(push(&mut pool, 5, 0, true, &[]), Refusal::Empty);
    refused(push(&mut pool, 5, 0, true, &[0; 7]), Refusal::Empty);
    let counters = pool.counters();
    assert_eq!((counters.too_large, counters.cut, counters.length_conflicts), (1, 1, 3));
    assert_eq!(counters.uneven, 1);
    let whole = Network { fragment: None, ..ipv4(1, 0, false, 8) };
    refused(pool.push(Tenant::default(), &whole, &[0; 8], START), Refusal::Empty);
}

#[test]
fn a_datagram_of_too_many_fragments_is_given_up() {
    let mut pool = Fragments::new();
    let count = limits::FRAGMENTS_PER_DATAGRAM as u32;
    for index in 0..count {
        for _captured_twice in 0..2 {
            assert_eq!(push(&mut pool, 1, index * 16, true, &[0; 8]), FragmentOutcome::Pending);
        }
    }
    assert_eq!(push(&mut pool, 1, count * 16, true, &[0; 8]), FragmentOutcome::Rejected(Refusal::TooMany));
    assert_eq!((pool.held, pool.counters().too_many), (0, 1));
}

#[test]
fn a_full_pool_gives_up_the_oldest() {
    let mut pool = Fragments::new();
    let count = limits::FRAGMENT_DATAGRAMS as u32;
    for id in 0..=count {
        push(&mut pool, id, 0, true, b"aaaaaaaa");
    }
    assert_eq!((pool.len(), pool.counters().evicted), (limits::FRAGMENT_DATAGRAMS, 1));
    assert_eq!(push(&mut pool, 0, 8, false, b"b"), FragmentOutcome::Pending, "the first is gone");
    assert_eq!(payload(push(&mut pool, count, 8, false, b"b")), b"aaaaaaaab");
}

#[test]
fn a_flood_stays_within_the_bytes() {
    let mut pool = Fragments::new();
    let bytes = vec![0; 60_000];
    for id in 0..200 {
        push(&mut pool, id, 0, true, &bytes);
        assert!(pool.held <= limits::FRAGMENT_BYTES);
    }
    assert_eq!(pool.len(), limits::FRAGMENT_BYTES / (60_000 + PIECE_OVERHEAD));
    assert_eq!(pool.counters().evicted as usize, 200 - pool.len());
    // Nor do names of datagrams that were given up pile up.
    for id in 0..5_000 {
        let cut = ipv4(500_000 + id, 0, true, 1480);
        pool.push(Tenant::default(), &cut, &[], START);
        assert!(pool.len() <= limits::FRAGMENT_DATAGRAMS);
    }
    // The queue of places does not grow while datagrams come and go.
    for id in 0..10_000 {
        push(&mut pool, 1_000 + id, 0, true, b"aaaaaaaa");
        push(&mut pool, 1_000 + id, 8, false, b"b");
    }
    assert!(pool.order.len() <= 2 * limits::FRAGMENT_DATAGRAMS + 1);
}

#[test]
fn fuzzed_for_a_moment() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..2_000 {
        let length = next() as usize % 300;
        // Few datagrams, small places and rarely a cut: else nothing would ever be complete.
        let data: Vec<u8> = (0..length)
            .map(|index| match index % 5 {
                0 => (next() & 0x07) as u8,
                1 => (next() & 0x0f) as u8,
                2 => (next() & 0x3f) as u8,
                3 if next() % 16 != 0 => (next() & 0x09) as u8,
                _ => next() as u8,
            })
            .collect();
        fuzz_fragments(&data);
    }
}
