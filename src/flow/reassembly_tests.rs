//! What a side's reader is told of its segments, in whatever order they come.

use super::*;
use crate::limits::{REASSEMBLY_SIDE_BYTES, REASSEMBLY_SIDE_PIECES};

/// A stream under test and what its reader was told.
#[derive(Default)]
struct Bench {
    side: SideStream,
    budget: ReassemblyBudget,
    told: Vec<Told>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Data(Vec<u8>),
    Gap(u64),
    Skipped(u64),
}

fn keep(told: &mut Vec<Told>) -> impl FnMut(Piece<'_>) {
    |piece| match (piece, told.last_mut()) {
        (Piece::Data(bytes), Some(Told::Data(known))) => known.extend_from_slice(bytes),
        (Piece::Data(bytes), _) => told.push(Told::Data(bytes.to_vec())),
        (Piece::Gap(count), Some(Told::Gap(known))) => *known = known.saturating_add(count),
        (Piece::Gap(count), _) => told.push(Told::Gap(count)),
        (Piece::Skipped(count), _) => told.push(Told::Skipped(count)),
    }
}

impl Bench {
    fn segment(&mut self, sequence: u32, payload: &[u8]) {
        self.cut_segment(sequence, payload, payload.len() as u32);
    }

    fn cut_segment(&mut self, sequence: u32, payload: &[u8], wire_length: u32) {
        self.side.segment(sequence, payload, wire_length, &mut self.budget, &mut keep(&mut self.told));
    }

    fn acknowledge(&mut self, acknowledgment: u32) {
        self.side.acknowledged(acknowledgment, &mut self.budget, &mut keep(&mut self.told));
    }

    fn finish(&mut self) {
        self.side.finish(&mut self.budget, &mut keep(&mut self.told));
        assert_eq!(self.budget.held(), 0);
    }
}

fn data(bytes: &[u8]) -> Told {
    Told::Data(bytes.to_vec())
}

#[test]
fn an_orderly_stream_holds_nothing() {
    assert!(size_of::<SideStream>() <= 40, "a million flows have two of these");
    let mut bench = Bench::default();
    bench.side.start(100);
    bench.segment(100, b"in the SYN, ");
    bench.segment(112, b"then more");
    assert!(bench.side.waiting.is_none());
    assert_eq!(bench.told, [data(b"in the SYN, then more")]);
    assert_eq!(bench.budget.counters, ReassemblyCounters::default());
}

#[test]
fn sequence_numbers_wrap() {
    let mut bench = Bench::default();
    bench.side.start(u32::MAX - 2);
    bench.segment(1, b"efg");
    bench.segment(u32::MAX - 2, b"abcd");
    assert_eq!(bench.told, [data(b"abcdefg")]);
    assert_eq!(bench.budget.counters.out_of_order, 1);
    assert_eq!(bench.budget.held(), 0);
}

#[test]
fn the_first_arrival_wins_and_a_conflict_is_remembered() {
    let mut bench = Bench::default();
    bench.side.start(0);
    bench.segment(4, b"EFGH");
    bench.segment(6, b"ghIJ");
    assert!(bench.side.conflicting());
    bench.segment(0, b"abcdef");
    assert_eq!(bench.told, [data(b"abcdEFGHIJ")]);
    assert_eq!(bench.budget.counters.conflicting_overlaps, 2);
    assert_eq!(bench.budget.counters.overlaps, 2);
}

#[test]
fn repeats_and_keep_alives_bring_nothing() {
    let mut bench = Bench::default();
    bench.segment(10, b"abc");
    bench.segment(10, b"abc");
    bench.segment(12, b"\0");
    bench.segment(13, b"");
    bench.segment(20, b"later");
    bench.segment(20, b"later");
    assert_eq!(bench.told, [data(b"abc")]);
    assert_eq!(bench.budget.counters.retransmissions, 2);
    assert!(!bench.side.conflicting());
    // A repeat that grew: only the growth is new.
    bench.segment(10, b"abcdef");
    assert_eq!(bench.told, [data(b"abcdef")]);
}

#[test]
fn a_cut_payload_is_data_and_then_a_gap() {
    let mut bench = Bench::default();
    bench.cut_segment(0, b"head", 10);
    bench.cut_segment(15, b"tail", 8);
    bench.segment(10, b"12345");
    assert_eq!(bench.told, [data(b"head"), Told::Gap(6), data(b"12345tail"), Told::Gap(4)]);
    assert_eq!(bench.budget.counters.gap_bytes, 10);
}

#[test]
fn an_acknowledged_hole_is_a_gap() {
    let mut bench = Bench::default();
    bench.side.start(0);
    bench.segment(10, b"klm");
    bench.segment(20, b"uvw");
    bench.acknowledge(5);
    assert!(bench.told.is_empty());
    bench.acknowledge(13);
    assert_eq!(bench.told, [Told::Gap(10), data(b"klm")]);
    bench.segment(13, b"nopqrst");
    assert_eq!(bench.told, [Told::Gap(10), data(b"klmnopqrstuvw")]);
}

#[test]
fn what_waits_comes_out_at_the_end() {
    let mut bench = Bench::default();
    bench.side.start(0);
    bench.segment(2, b"c");
    bench.segment(5, b"f");
    bench.finish();
    assert_eq!(bench.told, [Told::Gap(2), data(b"c"), Told::Gap(2), data(b"f")]);
    bench.segment(6, b"after the end");
    assert_eq!(bench.told.len(), 4);
}

#[test]
fn passing_over_a_segment_is_reading_it_for_nothing() {
    let mut state = 3_u64;
    let mut passed = 0;
    for _ in 0..2_000 {
        let (mut short, mut long) = (Bench::default(), Bench::default());
        let mut sequence = 1_000_u32;
        for bench in [&mut short, &mut long] {
            bench.side.start(sequence);
        }
        for turn in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if turn % 4 == 0 {
                short.side.skip(state >> 40 & 63);
                long.side.skip(state >> 40 & 63);
            }
            let payload = vec![turn as u8; 1 + (state >> 33 & 15) as usize];
            // Mostly the one that is next; some repeat, some leave a hole.
            let at = sequence.wrapping_add([0, 0, 0, 0, 0, 0, 5, 7][(state >> 50 & 7) as usize]);
            if short.side.pass_over(at, payload.len() as u32) {
                passed += 1;
            } else {
                short.segment(at, &payload);
            }
            long.segment(at, &payload);
            assert_eq!(short.told, long.told);
            assert_eq!(short.side.expected(), long.side.expected());
            sequence = long.side.expected().unwrap();
        }
        assert_eq!(format!("{:?}", short.side), format!("{:?}", long.side));
        assert_eq!(short.budget.counters, long.budget.counters);
    }
    assert!(passed > 1_000, "{passed}");
}

#[test]
fn a_skip_costs_nothing_even_out_of_order() {
    let mut bench = Bench::default();
    bench.segment(0, b"head");
    bench.side.skip(3000);
    bench.segment(1004, &[1; 1000]);
    assert_eq!(bench.budget.held(), PIECE_COST);
    bench.segment(2004, &[2; 1003]);
    bench.segment(4, &[0; 1000]);
    assert_eq!(bench.told, [data(b"head"), Told::Skipped(3000), data(&[2, 2, 2])]);
    // Lost bytes inside a skip are passed over too, and a skip that does not end is told at the end.
    bench.side.skip(100);
    bench.segment(3057, &[3; 10]);
    bench.finish();
    assert_eq!(bench.told.last(), Some(&Told::Skipped(60)));
}

#[test]
fn a_stopped_side_lets_go() {
    let mut bench = Bench::default();
    bench.side.start(0);
    bench.segment(5, b"held");
    assert!(bench.budget.held() > 0);
    bench.side.stop(&mut bench.budget);
    bench.segment(0, b"01234");
    assert_eq!(bench.budget.held(), 0);
    assert!(bench.told.is_empty());
}

#[test]
fn a_side_that_waits_too_long_declares_its_first_hole() {
    let mut bench = Bench::default();
    bench.side.start(0);
    let mut sequence = 100;
    while bench.told.is_empty() {
        bench.segment(sequence, &[7; 1400]);
        sequence += 1400;
    }
    assert_eq!(bench.told.first(), Some(&Told::Gap(100)));
    assert_eq!(sequence as usize - 100, (REASSEMBLY_SIDE_BYTES / 1400 + 1) * 1400);
    let mut bench = Bench::default();
    bench.side.start(0);
    for piece in 0..=REASSEMBLY_SIDE_PIECES as u32 {
        bench.segment(1 + piece * 2, b"x");
    }
    assert_eq!(bench.told, [Told::Gap(1), data(b"x")]);
    assert_eq!(bench.budget.counters.side_overflows, 1);
}

#[test]
fn a_spent_budget_declares_the_holes_of_who_asks() {
    let mut bench = Bench { budget: ReassemblyBudget::new(300), ..Bench::default() };
    bench.side.start(0);
    bench.segment(10, b"klm");
    bench.segment(20, &[b'u'; 200]);
    assert_eq!(bench.told, [Told::Gap(10), data(b"klm"), Told::Gap(7), data(&[b'u'; 200])]);
    assert_eq!(bench.budget.counters.budget_refused, 1);
    assert_eq!(bench.budget.held(), 0);
}

#[test]
fn one_stray_is_ignored_and_many_that_agree_are_followed() {
    let mut bench = Bench::default();
    bench.segment(5, b"wrong guess");
    let real = 3_000_000_000;
    for index in 0..3 {
        bench.segment(real + index * 4, b"real");
    }
    assert_eq!(bench.told, [data(b"wrong guess")]);
    bench.segment(real + 12, b"REAL");
    bench.segment(real + 16, b"more");
    assert_eq!(bench.told, [data(b"wrong guess"), Told::Gap(Piece::UNKNOWN_GAP), data(b"REALmore")]);
    assert_eq!(bench.budget.counters.outside_window, 3);
    assert_eq!(bench.budget.counters.resyncs, 1);
}

/// xorshift64: the same cases in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A stream of random length cut into segments, some overlapping, some twice, in random order.
fn segments(dice: &mut Dice, stream: &[u8]) -> Vec<(usize, usize)> {
    let mut cuts = Vec::new();
    let mut start = 0;
    while start < stream.len() {
        let end = (start + 1 + dice.below(300)).min(stream.len());
        cuts.push((start.saturating_sub(dice.below(3) * dice.below(50)), end));
        start = end;
    }
    for _ in 0..dice.below(10) {
        let copy = cuts[dice.below(cuts.len())];
        cuts.push(copy);
    }
    for index in (1..cuts.len()).rev() {
        cuts.swap(index, dice.below(index + 1));
    }
    cuts
}

#[test]
fn any_order_of_any_cuts_gives_the_stream() {
    let mut dice = Dice(0x0dd_ba11);
    for _ in 0..500 {
        let stream: Vec<u8> = (0..1 + dice.below(6000)).map(|_| dice.below(256) as u8).collect();
        let first = (dice.below(1 << 32)) as u32;
        let mut bench = Bench::default();
        bench.side.start(first);
        for (start, end) in segments(&mut dice, &stream) {
            bench.segment(first.wrapping_add(start as u32), &stream[start..end]);
        }
        assert_eq!(bench.told, [data(&stream)]);
        assert!(!bench.side.conflicting());
        assert_eq!(bench.budget.held(), 0);
    }
}

#[test]
fn loss_gives_the_stream_with_exactly_its_holes() {
    let mut dice = Dice(0xbad_cab1e);
    for _ in 0..500 {
        let stream: Vec<u8> = (0..100 + dice.below(6000)).map(|_| dice.below(256) as u8).collect();
        let mut seen = vec![false; stream.len()];
        let mut bench = Bench::default();
        bench.side.start(0);
        for (start, end) in segments(&mut dice, &stream) {
            if dice.below(5) > 0 {
                bench.segment(start as u32, &stream[start..end]);
                seen[start..end].fill(true);
            }
        }
        // The receiver has all of it: the sensor is the one who lost.
        bench.acknowledge(stream.len() as u32);
        let mut expected = Vec::new();
        let last = seen.iter().rposition(|seen| *seen).map_or(0, |last| last + 1);
        let mut tell = keep(&mut expected);
        for (byte, seen) in stream[..last].iter().zip(&seen) {
            tell(if *seen { Piece::Data(std::slice::from_ref(byte)) } else { Piece::Gap(1) });
        }
        drop(tell);
        assert_eq!(bench.told, expected);
        bench.finish();
    }
}

#[test]
fn thousands_of_random_inputs_hold_the_invariants() {
    let mut dice = Dice(0x0ca1_140e);
    for _ in 0..3000 {
        let length = dice.below(400);
        let input: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        fuzz_reassembly(&input);
    }
}
