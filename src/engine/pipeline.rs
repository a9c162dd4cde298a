//! Frames from a timeline, observed by any number of workers, judged in one order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    analysis::Analysis,
    turn::{Border, Turn, Turns},
};
use crate::{
    observation::{ObservationBatch, Observer, ObserverOptions, Shares, add_counters},
    output::OutputError,
    source::{Filter, FilterError, FrameBatch, Timeline},
    time::Timestamp,
};

/// Batches that may wait between two stages.
const WAITING: usize = 12;

/// How the work is shared.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Packets read so far, for whoever shows progress.
    pub packets: Arc<AtomicU64>,
    /// Workers, at least one. The events do not depend on it.
    pub threads: usize,
    /// How frames are observed.
    pub observer: ObserverOptions,
    /// Only frames that match this BPF expression are looked at.
    pub filter: Option<String>,
}

/// Why a timeline was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The filter expression is not understood.
    #[error("--filter: {0}")]
    Filter(#[from] FilterError),
    /// Events cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What is known when everything was read.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// What the workers counted, by name.
    pub counters: Vec<(&'static str, u64)>,
    /// The earliest and the latest packet time; `None` when there was no packet.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// Reads `timeline` to its end and gives everything to `analysis`.
///
/// # Errors
/// When the filter is not understood, before anything is read; when events cannot be written: reading stops then.
pub fn run(
    timeline: &mut Timeline,
    options: &PipelineOptions,
    analysis: &mut Analysis<'_>,
) -> Result<Finished, PipelineError> {
    run_with_turns(timeline, options, analysis, &mut || None)
}

/// The same, with indicators that may be exchanged between batches of frames: `turns` is asked when a batch has been
/// read, and at the end. What it gives is in force for all workers and for `analysis` from that batch on.
///
/// # Errors
/// As [`run`].
pub fn run_with_turns(
    timeline: &mut Timeline,
    options: &PipelineOptions,
    analysis: &mut Analysis<'_>,
    turns: &mut Turns<'_>,
) -> Result<Finished, PipelineError> {
    let shards = options.threads.max(1);
    let worker = |shard: usize| {
        let (shard, shards) = (shard as u64, shards as u64);
        let filter = options.filter.as_deref().map(Filter::new).transpose()?;
        let observer = Observer::new(ObserverOptions { shard, shards, ..options.observer });
        let observer = match analysis.screen() {
            Some(knowledge) => observer.with_screen(knowledge),
            None => observer,
        };
        Ok(Worker { observer, filter, screens: analysis.screen().is_some() })
    };
    let mut workers = (0..shards).map(worker).collect::<Result<Vec<_>, FilterError>>()?;
    match workers.as_mut_slice() {
        [only] => Ok(alone(timeline, only, &options.packets, analysis, turns)?),
        _ => Ok(together(timeline, workers, options, analysis, turns)?),
    }
}

/// An observer with its own copy of the filter.
struct Worker {
    observer: Observer,
    filter: Option<Filter>,
    /// Whether the observer asks the indicators, see [`Analysis::screen`].
    screens: bool,
}

impl Worker {
    fn observe(&mut self, frames: &FrameBatch, shares: Option<&Shares>, out: &mut ObservationBatch) {
        self.observer.observe(frames, shares, self.filter.as_mut(), out);
    }

    fn turn(&mut self, turn: &Turn) {
        if let Some(generation) = turn.generation() {
            let screen = self.screens.then(|| Arc::clone(&generation.knowledge) as _);
            self.observer.begin_generation(screen);
        }
    }

    fn finished(&self) -> Finished {
        Finished { counters: self.observer.counters().list(), span: self.observer.span() }
    }
}

/// One worker, in this thread.
fn alone(
    timeline: &mut Timeline,
    worker: &mut Worker,
    packets: &AtomicU64,
    analysis: &mut Analysis<'_>,
    turns: &mut Turns<'_>,
) -> Result<Finished, OutputError> {
    let mut batch = [ObservationBatch::default()];
    while let Some(frames) = timeline.next_batch() {
        packets.fetch_add(frames.len() as u64, Ordering::Relaxed);
        if let Some(border) = border(turns, Some(&frames)) {
            worker.turn(&border.turn);
            analysis.turn(&border)?;
        }
        let [observations] = &mut batch;
        observations.clear();
        worker.observe(&frames, None, observations);
        analysis.take(&batch)?;
    }
    if let Some(border) = border(turns, None) {
        worker.turn(&border.turn);
        analysis.turn(&border)?;
    }
    loop {
        let [observations] = &mut batch;
        observations.clear();
        let has_more = worker.observer.finish(observations);
        analysis.take(&batch)?;
        if !has_more {
            return Ok(worker.finished());
        }
    }
}

/// What is to be done before the first of `frames`, or at the end of input.
fn border(turns: &mut Turns<'_>, frames: Option<&FrameBatch>) -> Option<Border> {
    let first = frames.and_then(|frames| frames.frames().next());
    Some(Border { turn: turns()?, first: first.map(|frame| (frame.number, frame.time)) })
}

/// A batch of frames for all workers.
struct SharedFrames {
    frames: FrameBatch,
    /// Whose they are.
    shares: Shares,
    /// What comes before them.
    border: Option<Arc<Border>>,
}

/// What a worker makes of a batch of frames, with what came before it.
type Answer = (ObservationBatch, Option<Arc<Border>>);

/// A reader, several workers, and detection in this thread.
fn together(
    timeline: &mut Timeline,
    workers: Vec<Worker>,
    options: &PipelineOptions,
    analysis: &mut Analysis<'_>,
    turns: &mut Turns<'_>,
) -> Result<Finished, OutputError> {
    let sharing = ObserverOptions { shards: workers.len() as u64, ..options.observer };
    let packets = &options.packets;
    thread::scope(|scope| {
        let mut to_workers = Vec::new();
        let mut from_workers = Vec::new();
        let mut running = Vec::new();
        for worker in workers {
            let (frames_out, frames_in) = bounded::<Arc<SharedFrames>>(WAITING);
            let (observations_out, observations_in) = bounded(WAITING);
            let (recycle_out, recycle_in) = bounded(WAITING);
            to_workers.push(frames_out);
            from_workers.push((observations_in, recycle_out));
            running.push(scope.spawn(move || work(worker, &frames_in, &observations_out, &recycle_in)));
        }
        scope.spawn(move || {
            loop {
                let frames = timeline.next_batch();
                let border = border(turns, frames.as_ref()).map(Arc::new);
                let is_last = frames.is_none();
                if is_last && border.is_none() {
                    return;
                }
                let frames = frames.unwrap_or_default();
                packets.fetch_add(frames.len() as u64, Ordering::Relaxed);
                let shares = Shares::of(&frames, &sharing);
                let frames = Arc::new(SharedFrames { frames, shares, border });
                // A worker that is gone cannot be served: detection has stopped.
                if to_workers.iter().any(|worker| worker.send(Arc::clone(&frames)).is_err()) || is_last {
                    return;
                }
            }
        });
        let mut result = Ok(());
        loop {
            // Every worker answers every batch of frames with one of observations, in order.
            let answers = from_workers.iter().filter_map(|(answers, _)| answers.recv().ok());
            let (round, mut borders): (Vec<_>, Vec<_>) = answers.unzip();
            if round.is_empty() {
                break;
            }
            // All of them answer the same frames.
            result = borders.pop().flatten().map_or(Ok(()), |border| analysis.turn(&border));
            if result.is_ok() {
                result = analysis.take(&round);
            }
            if result.is_err() {
                break;
            }
            for (batch, (_, recycle)) in round.into_iter().zip(&from_workers) {
                // When nobody wants it back it is freed.
                let _ = recycle.try_send(batch);
            }
        }
        drop(from_workers);
        let mut all = Finished::default();
        for worker in running {
            match worker.join() {
                Ok(one) => {
                    add_counters(&mut all.counters, &one.counters);
                    // Every worker saw every packet's time.
                    all.span = one.span;
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result.map(|()| all)
    })
}

fn work(
    mut worker: Worker,
    frames: &Receiver<Arc<SharedFrames>>,
    observations: &Sender<Answer>,
    recycled: &Receiver<ObservationBatch>,
) -> Finished {
    let fresh = || {
        let mut batch: ObservationBatch = recycled.try_recv().unwrap_or_default();
        batch.clear();
        batch
    };
    for batch in frames {
        let mut out = fresh();
        let SharedFrames { frames, shares, border } = &*batch;
        if let Some(border) = border {
            worker.turn(&border.turn);
        }
        worker.observe(frames, Some(shares), &mut out);
        if observations.send((out, border.clone())).is_err() {
            return worker.finished();
        }
    }
    loop {
        let mut out = fresh();
        let has_more = worker.observer.finish(&mut out);
        // If detection has stopped, nobody reads the end.
        if observations.send((out, None)).is_err() || !has_more {
            return worker.finished();
        }
    }
}
