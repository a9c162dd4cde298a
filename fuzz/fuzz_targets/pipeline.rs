//! A whole capture through everything: frames, observations, findings, events. The events must be the
//! same with one worker and with three, and with the short cuts and without: with records every message is told
//! in full, without them quiet ones go the short way.

#![no_main]

use std::sync::{Arc, LazyLock};

use callhome::{
    asset::Assets,
    decode::LinkType,
    detect::Detection,
    event::{self, EventOptions, Records},
    indicator::{AsOf, Knowledge, load_builtin},
    names::Names,
    observation::{Item, ObservationBatch, Observer, ObserverOptions, Shares, merge_in_order},
    source::{Chunk, FrameBatch, FrameRecord},
    time::Timestamp,
};

static KNOWLEDGE: LazyLock<Arc<Knowledge>> = LazyLock::new(|| Arc::new(load_builtin()));

/// Frames of at most 255 bytes, each behind its length and a step in time.
fn frames(data: &[u8]) -> FrameBatch {
    let chunk: Chunk = Arc::new(data.to_vec());
    let mut batch = FrameBatch::starting_at(1);
    let index = batch.add_chunk(&chunk);
    let (mut at, mut time) = (0, Timestamp::from_parts(1_774_920_650, 0));
    while let Some(&[length, step]) = data.get(at..at + 2) {
        at += 2;
        let length = usize::from(length).min(data.len() - at);
        // Steps of up to two seconds, so that timeouts strike too.
        time = time.plus(i64::from(step) * 8_000_000);
        batch.push(FrameRecord {
            time,
            offset: at as u64,
            length: length as u32,
            wire_length: length as u32,
            chunk: index,
            input: 0,
            link: LinkType::ETHERNET,
        });
        at += length;
    }
    batch
}

fn events(frames: &FrameBatch, shards: u64, shortcuts: bool, with_records: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let mut ends = Vec::new();
    for shard in 0..shards {
        let options = ObserverOptions {
            shard,
            shards,
            dns_flows: with_records,
            shortcuts,
            // Tables are made anew for every run: as large as in earnest they would take all its time.
            flows: 1_000,
            ..ObserverOptions::default()
        };
        let mut observer = Observer::new(options);
        if shortcuts && !with_records {
            observer = observer.with_screen(Arc::clone(&KNOWLEDGE) as _);
        }
        let (mut middle, mut end) = (ObservationBatch::default(), ObservationBatch::default());
        let shares = (shards > 1).then(|| Shares::of(frames, &options));
        observer.observe(frames, shares.as_ref(), None, &mut middle);
        while observer.finish(&mut end) {}
        seen.push(middle);
        ends.push(end);
    }
    let (assets, mut names) = (Assets::default(), Names::with_capacity(1_000));
    let mut detection = Detection::new(Arc::clone(&KNOWLEDGE), AsOf::Any);
    if !shortcuts {
        detection = detection.without_screen();
    }
    let mut records = Records::new(EventOptions::default());
    let mut lines = Vec::new();
    for batches in [&seen, &ends] {
        merge_in_order(batches, |item| {
            let observation = match item {
                Item::Observation(observation) => observation,
                Item::QuietDns(quiet) => return names.learn_quiet(&quiet),
            };
            names.learn(&observation);
            if with_records {
                records.observe(&observation, &mut |line| lines.push(line.to_owned()));
            }
            detection.observe(&observation, &assets, &names, &mut |finding| {
                lines.push(event::alert(&finding, &EventOptions::default()));
            });
        });
    }
    records.finish(&mut |line| lines.push(line.to_owned()));
    lines
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let frames = frames(data);
    for with_records in [true, false] {
        let alone = events(&frames, 1, true, with_records);
        assert_eq!(alone, events(&frames, 3, true, with_records), "threads");
        assert_eq!(alone, events(&frames, 1, false, with_records), "short cuts");
    }
});
