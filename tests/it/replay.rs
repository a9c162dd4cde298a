//! The engine on capture files, in this process: the events it writes and the summary it prints.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use callhome::{
    config::Config,
    decode::DecodeOptions,
    engine::{Analysis, AnalysisOptions, Finished, PipelineOptions, Turns, blindness, run_with_turns},
    event::EventOptions,
    indicator::{AsOf, Knowledge, load_builtin},
    observation::ObserverOptions,
    output::EventSink,
    report::{self, Style, Summary},
    source::{Accounting, Outcome, Timeline},
};
use serde_json::Value;

use crate::schema::assert_valid;

/// What came out of one replay.
pub struct Replayed {
    /// The event file, byte by byte.
    pub text: String,
    /// What a person reads.
    pub summary: String,
    /// What the reader says of the inputs, one line each.
    pub notices: Vec<String>,
    /// How many frames there were.
    pub accounting: Accounting,
    /// How far reading came.
    pub outcome: Outcome,
    /// Counters and span.
    pub finished: Finished,
}

impl Replayed {
    /// Every event, each checked against the schema.
    pub fn events(&self) -> Vec<Value> {
        self.text.lines().map(assert_valid).collect()
    }

    /// A counter by name; 0 when nobody counted it.
    pub fn counter(&self, name: &str) -> u64 {
        self.finished.counters.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }
}

/// How to replay.
#[derive(Clone, Copy)]
pub struct Replay {
    /// Workers.
    pub threads: usize,
    /// Whether plain traffic is written too.
    pub records: bool,
    /// Whether the usual takes its short cuts; without them this is the reference.
    pub shortcuts: bool,
}

impl Default for Replay {
    fn default() -> Self {
        Self { threads: 1, records: true, shortcuts: true }
    }
}

impl Replay {
    /// Replays `inputs` as the program does, with its built-in packs and default settings.
    pub fn of(self, inputs: &[PathBuf]) -> Replayed {
        self.with(Arc::new(load_builtin()), inputs)
    }

    /// Replays `inputs` with other indicators.
    pub fn with(self, knowledge: Arc<Knowledge>, inputs: &[PathBuf]) -> Replayed {
        self.with_turns(knowledge, inputs, &mut || None)
    }

    /// The same with indicators that are exchanged on the way.
    pub fn with_turns(
        self,
        knowledge: Arc<Knowledge>,
        inputs: &[PathBuf],
        turns: &mut Turns<'_>,
    ) -> Replayed {
        let config = Config::default();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("events.json");
        let mut sink = EventSink::create(&file, inputs).unwrap();
        let mut timeline = Timeline::open(inputs);
        let options = AnalysisOptions {
            assets: config.assets(),
            as_of: AsOf::Packet,
            records: self.records,
            events: EventOptions { community_id_seed: Some(0) },
            screen: self.shortcuts,
        };
        let mut analysis = Analysis::new(knowledge, options, Some(&mut sink));
        let pipeline = PipelineOptions {
            packets: Arc::default(),
            threads: self.threads,
            observer: ObserverOptions {
                decode: DecodeOptions { checksums: true, ..DecodeOptions::default() },
                dns_flows: self.records,
                shortcuts: self.shortcuts,
                ..ObserverOptions::default()
            },
            filter: None,
        };
        let mut finished = run_with_turns(&mut timeline, &pipeline, &mut analysis, turns).unwrap();
        analysis.finish(&mut finished).unwrap();
        let accounting = timeline.accounting();
        let notices: Vec<_> = timeline.notices().iter().map(ToString::to_string).collect();
        let unseen = blindness(&finished.counters, &accounting, &analysis.seen());
        let summary = report::summary(
            &Summary {
                inputs: &[],
                frames: accounting.frames,
                bytes: accounting.bytes,
                times: finished.span,
                machines: analysis.visibility().machines() as u64,
                incidents: analysis.incidents(),
                findings: analysis.findings(),
                unseen: &unseen,
                notices: &notices,
                counters: &[],
            },
            &Style::default(),
        );
        drop(analysis);
        sink.finish().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        Replayed { text, summary, notices, accounting, outcome: timeline.outcome(), finished }
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A capture that the project made.
pub fn pcap(name: &str) -> PathBuf {
    root().join("pcaps").join(name)
}

/// Every capture that the project made, by name.
pub fn pcaps() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root().join("pcaps"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "manifest.toml")
        .collect();
    names.sort();
    assert!(names.len() > 100, "the captures are in pcaps/");
    names
}

/// The captures made by others, which are not part of the repository; `None`, said aloud, without them.
pub fn shared_captures() -> Option<PathBuf> {
    let found = ["../shared/captures", "../../shared/captures"]
        .into_iter()
        .map(|place| root().join(place))
        .find(|place| place.join("manifest.json").is_file());
    if found.is_none() {
        eprintln!("skipped: no captures of others beside the repository");
    }
    found
}
