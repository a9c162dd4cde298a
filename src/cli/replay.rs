//! `callhome replay`: captures in, verdict out.

use std::{
    io::{self, IsTerminal, Write},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use clap::{Args, ValueEnum};

use super::{FAILED, FOUND, NOTHING_FOUND, loading::Loading, now, say, terminal_style};
use crate::{
    config::Config,
    decode::DecodeOptions,
    engine::{Analysis, AnalysisOptions, Finished, PipelineOptions, blindness, run_with_turns},
    event::EventOptions,
    indicator::{AsOf, IndicatorPath, Severity},
    observation::ObserverOptions,
    output::{EventSink, OutputError},
    report::{self, Progress, ProgressState, Style, Summary},
    source::{Outcome, Timeline},
};

/// The arguments of `callhome replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Capture files (pcap or pcapng, also compressed), directories of them, or - for the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Indicator file or directory, as PATH or FORMAT:PATH; repeatable [default: the built-in packs]
    #[arg(long, value_name = "PATH")]
    indicators: Vec<IndicatorPath>,
    /// Read the indicators again whenever their files have changed, not only at SIGHUP; for - and pipes
    #[arg(long)]
    reload_indicators: bool,
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
    /// Worker threads; the events do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
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
            say(&message);
            ExitCode::from(FAILED)
        }
    }
}

fn try_replay(arguments: &ReplayArguments) -> Result<u8, String> {
    let config = match &arguments.config {
        Some(path) => Config::load(path).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    let (knowledge, reloads) = loading(arguments, &config)?.start()?;
    let mut timeline = Timeline::open(&arguments.paths);
    let mut sink = open_sink(arguments, &timeline).map_err(|error| error.to_string())?;
    let options = AnalysisOptions {
        assets: config.assets(),
        as_of: as_of(arguments.as_of),
        records: arguments.records,
        events: EventOptions { community_id_seed: Some(config.community_id_seed) },
        screen: true,
    };
    let mut analysis = Analysis::new(knowledge, options, sink.as_mut());
    let pipeline = pipeline_options(arguments, &config);

    let progress = show_progress(&timeline, &pipeline.packets);
    let outcome = run_with_turns(&mut timeline, &pipeline, &mut analysis, &mut || reloads.turn());
    let outcome = outcome.map_err(|error| error.to_string());
    progress.finish();
    let mut finished = outcome?;
    analysis.finish(&mut finished).map_err(|error| error.to_string())?;

    let text = summary_text(arguments, &timeline, &analysis, &finished);
    let findings = analysis.findings();
    drop(analysis);
    if let Some(sink) = sink {
        sink.finish().map_err(|error| error.to_string())?;
    }
    if timeline.outcome() == Outcome::Nothing {
        return Err(nothing_read(&timeline));
    }
    print_summary(arguments, &text);
    let fails = |severity: &Severity| findings.of(*severity) > 0;
    let limit = arguments.fail_on.map(Severity::from);
    let found = limit.is_some_and(|limit| Severity::ALL.iter().any(|one| *one >= limit && fails(one)));
    Ok(if found { FOUND } else { NOTHING_FOUND })
}

/// Why nothing could be read: one line where there is one reason.
fn nothing_read(timeline: &Timeline) -> String {
    let notices = timeline.notices();
    if let [only] = notices.as_slice() {
        return only.to_string();
    }
    for notice in notices {
        say(&notice.to_string());
    }
    "nothing could be read".to_owned()
}

/// The events' file must be none of the captures, also of those that were found in a folder.
fn open_sink(arguments: &ReplayArguments, timeline: &Timeline) -> Result<Option<EventSink>, OutputError> {
    match &arguments.json {
        None => Ok(None),
        Some(path) if is_standard_stream(path) => EventSink::standard_output().map(Some),
        Some(path) => EventSink::create(path, &timeline.paths()).map(Some),
    }
}

fn is_standard_stream(path: &Path) -> bool {
    path == Path::new("-")
}

fn pipeline_options(arguments: &ReplayArguments, config: &Config) -> PipelineOptions {
    PipelineOptions {
        threads: arguments.threads.into(),
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
        packets: Arc::default(),
    }
}

fn show_progress(timeline: &Timeline, packets: &Arc<AtomicU64>) -> Progress {
    let (read, packets) = (timeline.progress(), Arc::clone(packets));
    Progress::start(move || ProgressState {
        bytes_done: read.done(),
        bytes_total: read.total(),
        packets: packets.load(Ordering::Relaxed),
    })
}

/// What a person reads: on standard output, or on standard error when events go to the former.
fn summary_text(
    arguments: &ReplayArguments,
    timeline: &Timeline,
    analysis: &Analysis<'_>,
    finished: &Finished,
) -> String {
    let accounting = timeline.accounting();
    let inputs: Vec<_> = arguments.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let notices: Vec<_> = timeline.notices().iter().map(ToString::to_string).collect();
    let unseen = blindness(&finished.counters, &accounting, &analysis.seen());
    let counters: Vec<_> = finished
        .counters
        .iter()
        .filter(|(name, count)| *count > 0 && SHOWN_COUNTERS.contains(name))
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    let summary = Summary {
        inputs: &inputs,
        frames: accounting.frames,
        bytes: accounting.bytes,
        times: finished.span,
        machines: analysis.visibility().machines() as u64,
        incidents: analysis.incidents(),
        findings: analysis.findings(),
        unseen: &unseen,
        notices: &notices,
        counters: &counters,
    };
    report::summary(&summary, &style(arguments))
}

/// Counters that a person may want to see at once; the statistics have all of them.
const SHOWN_COUNTERS: [&str; 13] = [
    "ipv4.invalid_checksum",
    "tcp.invalid_checksum",
    "udp.invalid_checksum",
    "tcp.overlap_diff_data",
    "detect.alerts_allowed",
    "detect.alerts_suppressed",
    "detect.indicators_out_of_date",
    "detect.evicted",
    "incident.evicted",
    "incident.unlisted",
    "flow.evicted",
    "names.evicted",
    "indicators.reload_failures",
];

fn summary_to_stderr(arguments: &ReplayArguments) -> bool {
    arguments.json.as_deref().is_some_and(is_standard_stream)
}

fn style(arguments: &ReplayArguments) -> Style {
    terminal_style(if summary_to_stderr(arguments) {
        io::stderr().is_terminal()
    } else {
        io::stdout().is_terminal()
    })
}

fn print_summary(arguments: &ReplayArguments, text: &str) {
    // A reader that went away (`| head`) has seen enough.
    let _ = if summary_to_stderr(arguments) {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    };
}

/// Which indicators are loaded, and whether they are read again without being told to.
fn loading(arguments: &ReplayArguments, config: &Config) -> Result<Loading, String> {
    let configured = config.indicators.as_deref().unwrap_or_default();
    let paths = if arguments.indicators.is_empty() { configured } else { &arguments.indicators };
    let is_pipe = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    let is_live = arguments.paths.iter().any(|path| is_standard_stream(path) || is_pipe(path));
    let watched = arguments.reload_indicators;
    if watched && !is_live {
        return Err(
            "--reload-indicators is for traffic as it comes, from - or a pipe: what is read from files \
                    must not depend on when that is done"
                .to_owned(),
        );
    }
    if watched && paths.iter().all(IndicatorPath::is_builtin) {
        return Err(
            "--reload-indicators: the indicators are built in; name files with --indicators".to_owned()
        );
    }
    Ok(Loading { paths: paths.to_vec(), is_live, watched })
}

fn as_of(argument: AsOfArgument) -> AsOf {
    match argument {
        AsOfArgument::Packet => AsOf::Packet,
        AsOfArgument::Now => AsOf::Now(now()),
        AsOfArgument::Any => AsOf::Any,
    }
}
