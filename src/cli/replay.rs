//! `callhome replay`: captures in, verdict out.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum};

use super::{FAILED, FOUND, NOTHING_FOUND};
use crate::{
    config::Config,
    decode::DecodeOptions,
    engine::{Analysis, AnalysisOptions, PipelineOptions, run},
    event::EventOptions,
    indicator::{AsOf, Knowledge, Loader, Severity},
    observation::ObserverOptions,
    output::EventSink,
    source::{Outcome, Timeline},
    time::Timestamp,
};

/// Inputs smaller than this are read by one thread: more would not pay.
const SMALL: u64 = 64 << 20;

/// The arguments of `callhome replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Capture files (pcap or pcapng, also compressed), directories of them, or - for the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Indicator file or directory; repeatable [default: the built-in packs]
    #[arg(long, value_name = "PATH")]
    indicators: Vec<PathBuf>,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write events as JSON lines to FILE, or - for the standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write plain traffic too: EVE's dns, tls, quic, http and flow records
    #[arg(long, requires = "json")]
    records: bool,
    /// By which time an indicator must be valid
    #[arg(long, value_name = "TIME", default_value = "packet")]
    as_of: AsOfArgument,
    /// Worker threads [default: 1 for small inputs, else one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Look only at frames that match this BPF expression (pcap-filter syntax)
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Exit with 1 when something at least so bad was found
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<SeverityArgument>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AsOfArgument {
    /// The packet's time: what was known of it then
    Packet,
    /// Now: what is still held true
    Now,
    /// Any time; expired claims are marked
    Any,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeverityArgument {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityArgument> for Severity {
    fn from(argument: SeverityArgument) -> Self {
        match argument {
            SeverityArgument::Info => Self::Info,
            SeverityArgument::Low => Self::Low,
            SeverityArgument::Medium => Self::Medium,
            SeverityArgument::High => Self::High,
            SeverityArgument::Critical => Self::Critical,
        }
    }
}

/// Runs the command.
pub fn replay(arguments: &ReplayArguments) -> ExitCode {
    match try_replay(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("callhome: {message}");
            ExitCode::from(FAILED)
        }
    }
}

fn try_replay(arguments: &ReplayArguments) -> Result<u8, String> {
    let config = match &arguments.config {
        Some(path) => Config::load(path).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    let knowledge = load_knowledge(arguments, &config)?;
    let mut timeline = Timeline::open(&arguments.paths);
    let mut sink = match &arguments.json {
        Some(path) => Some(EventSink::create(&path.to_string_lossy()).map_err(|e| e.to_string())?),
        None => None,
    };
    let options = AnalysisOptions {
        assets: config.assets(),
        as_of: as_of(arguments.as_of),
        records: arguments.records,
        events: EventOptions { community_id_seed: Some(config.community_id_seed) },
    };
    let mut analysis = Analysis::new(Arc::new(knowledge), options, sink.as_mut());
    let pipeline = PipelineOptions {
        threads: threads(arguments, &timeline),
        observer: ObserverOptions {
            decode: DecodeOptions {
                vlan_is_tenant: config.vlan_is_tenant,
                checksums: true,
                ..DecodeOptions::default()
            },
            dns_flows: arguments.records,
            ..ObserverOptions::default()
        },
        filter: arguments.filter.clone(),
    };
    let (mut counters, end) =
        run(&mut timeline, &pipeline, &mut analysis).map_err(|error| error.to_string())?;
    analysis.finish(end, &mut counters).map_err(|error| error.to_string())?;
    for incident in analysis.incidents() {
        println!("{} {:?} {} findings {} {} .. {}", incident.asset.address, incident.verdict(), incident.campaign, incident.findings, incident.first, incident.last);
        for rung in &incident.rungs {
            println!("   {:?} x{}", rung.rung, rung.count);
            for e in &rung.evidence { println!("      {} #{} {}", e.time, e.packet, e.text); }
        }
        for u in &incident.unseen { println!("   unseen: {u}"); }
    }
    for notice in timeline.notices() { eprintln!("{notice}"); }
    let found = worst_found(&analysis) >= arguments.fail_on.map(Severity::from) && arguments.fail_on.is_some();
    drop(analysis);
    if let Some(sink) = sink { sink.finish().map_err(|e| e.to_string())?; }
    if timeline.outcome() == Outcome::Nothing {
        return Ok(FAILED);
    }
    Ok(if found { FOUND } else { NOTHING_FOUND })
}

fn load_knowledge(arguments: &ReplayArguments, config: &Config) -> Result<Knowledge, String> {
    let mut loader = Loader::default();
    let configured = config.indicators.as_deref().unwrap_or_default();
    let paths = if arguments.indicators.is_empty() { configured } else { &arguments.indicators };
    if paths.is_empty() {
        loader.builtin();
    } else {
        loader.builtin_baseline();
        paths.iter().for_each(|path| loader.path(path));
    }
    Ok(loader.finish())
}

fn threads(arguments: &ReplayArguments, timeline: &Timeline) -> usize {
    match arguments.threads {
        Some(threads) => usize::from(threads),
        None if timeline.progress().total().is_some_and(|bytes| bytes < SMALL) => 1,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn as_of(argument: AsOfArgument) -> AsOf {
    match argument {
        AsOfArgument::Packet => AsOf::Packet,
        AsOfArgument::Now => AsOf::Now(now()),
        AsOfArgument::Any => AsOf::Any,
    }
}

/// The wall clock; it decides nothing but which indicators `--as-of now` takes.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

fn worst_found(analysis: &Analysis<'_>) -> Option<Severity> {
    Severity::ALL.into_iter().zip(analysis.findings()).rev().find(|(_, count)| *count > 0).map(|(s, _)| s)
}
