//! The right half of the hourglass: observations in, events and verdicts out.

use std::sync::Arc;

use super::{
    pipeline::Finished,
    turn::{Border, Generation, Reload, ReloadCounts, named},
};
use crate::{
    asset::Assets,
    detect::{Detection, DetectionCounters, Finding, Sifted, Telling},
    event::{self, EventOptions, IncidentAction, IndicatorsState, Records},
    flow::TcpState,
    incident::{Change, Incident, Incidents, Visibility},
    indicator::{AsOf, Knowledge},
    limits,
    names::Names,
    observation::{
        self, DnsService, FirstPacket, Item, Observation, ObservationBatch, QuietDns, merge_in_order,
    },
    output::{EventSink, OutputError},
    report::FindingCounts,
    time::Timestamp,
};

/// How observations are judged and told.
#[derive(Clone, Debug)]
pub struct AnalysisOptions {
    /// Whose machine an address is.
    pub assets: Assets,
    /// By which time validity is judged.
    pub as_of: AsOf,
    /// Whether plain traffic is written too.
    pub records: bool,
    /// How events are written.
    pub events: EventOptions,
    /// Whether the indicators' filters are asked before the detectors; the events do not depend on it.
    pub screen: bool,
}

/// What kinds of traffic an analysis has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// DNS messages (no mDNS, no LLMNR).
    pub dns_messages: u64,
    /// TLS and QUIC hellos.
    pub tls: u64,
    /// Of those, hellos that offered an encrypted name.
    pub encrypted_names: u64,
    /// TCP connections that came to an end and had been answered or begun before the capture.
    pub connections: u64,
    /// Of those, connections of which one direction only was captured.
    pub one_direction: u64,
}

impl Seen {
    fn count(&mut self, observation: &Observation<'_>) {
        match &observation.seen {
            observation::Seen::Dns(dns) => self.dns_messages += u64::from(dns.service == DnsService::Dns),
            observation::Seen::UnlistedHello(hello) => {
                self.tls += 1;
                self.encrypted_names += u64::from(hello.ech);
            }
            observation::Seen::TlsClient(hello) => {
                self.tls += 1;
                self.encrypted_names += u64::from(hello.ech);
            }
            observation::Seen::Quic(quic) => {
                self.tls += 1;
                self.encrypted_names += u64::from(quic.hello.ech);
            }
            observation::Seen::FlowClosed(closed) => {
                let unanswered =
                    matches!(closed.state, TcpState::None | TcpState::SynSent | TcpState::Refused);
                if !unanswered || closed.opened == FirstPacket::Midstream && closed.state != TcpState::None {
                    self.connections += 1;
                    let silent = closed.to_server.packets == 0 || closed.to_client.packets == 0;
                    self.one_direction += u64::from(silent);
                }
            }
            _ => {}
        }
    }
}

/// Everything behind the workers, in one thread.
pub struct Analysis<'s> {
    knowledge: Arc<Knowledge>,
    assets: Assets,
    names: Names,
    detection: Detection,
    incidents: Incidents,
    visibility: Visibility,
    records: Option<Records>,
    screen: bool,
    events: EventOptions,
    sink: Option<&'s mut EventSink>,
    closed: Closed,
    findings: FindingCounts,
    seen: Seen,
    observations: u64,
    last: Timestamp,
    /// The number of the generation of indicators that is in force.
    generation: u64,
    reloads: ReloadCounts,
}

impl<'s> Analysis<'s> {
    /// An analysis that has seen nothing; events go to `sink`, if there is one.
    pub fn new(knowledge: Arc<Knowledge>, options: AnalysisOptions, sink: Option<&'s mut EventSink>) -> Self {
        let detection = Detection::new(Arc::clone(&knowledge), options.as_of);
        let detection = if options.screen { detection } else { detection.without_screen() };
        Self {
            detection,
            knowledge,
            assets: options.assets,
            names: Names::default(),
            incidents: Incidents::default(),
            visibility: Visibility::default(),
            screen: options.screen,
            records: options.records.then(|| Records::new(options.events)),
            events: options.events,
            sink,
            closed: Closed::default(),
            findings: FindingCounts::default(),
            seen: Seen::default(),
            observations: 0,
            last: Timestamp::MIN,
            generation: 1,
            reloads: ReloadCounts::default(),
        }
    }

    /// What workers may screen messages by; `None` where every message must be told, because records tell of it
    /// or nothing is to be screened.
    pub fn screen(&self) -> Option<Arc<Knowledge>> {
        (self.screen && self.records.is_none()).then(|| Arc::clone(&self.knowledge))
    }

    /// Does and tells what a turn brings, before the observations of the batch of frames behind the border.
    ///
    /// # Errors
    /// When events cannot be written any more.
    pub fn turn(&mut self, border: &Border) -> Result<(), OutputError> {
        self.reloads = border.turn.counts;
        for reload in &border.turn.reloads {
            let refusal = match reload {
                Reload::Taken(Generation { number, knowledge }) => {
                    self.generation = *number;
                    self.knowledge = Arc::clone(knowledge);
                    self.detection.begin_generation(Arc::clone(knowledge));
                    None
                }
                Reload::Refused(refusal) => Some(refusal),
            };
            let (files, entries) = named(&self.knowledge.report);
            let state = IndicatorsState { generation: self.generation, files, entries, refusal };
            let (packet, time) = match border.first {
                Some((packet, time)) => (Some(packet), time),
                None => (None, self.last.max(Timestamp::default())),
            };
            if let Some(sink) = &mut self.sink {
                sink.write(&event::indicators(time, packet, &state))?;
                // Whoever asked for it waits for the answer.
                sink.flush()?;
            }
        }
        Ok(())
    }

    /// Takes the observations of one batch of frames, one batch from each worker.
    ///
    /// # Errors
    /// When events cannot be written any more; what was taken stays taken.
    pub fn take(&mut self, batches: &[ObservationBatch]) -> Result<(), OutputError> {
        let mut result = Ok(());
        self.detection.look_again(&self.names);
        for batch in batches {
            self.names.prefetch(batch.quiet_messages());
            self.visibility.prefetch(batch.quiet_messages());
        }
        merge_in_order(batches, |item| {
            let told = match item {
                Item::Observation(observation) if self.is_quiet(&observation) => {
                    self.observe_flow(&observation)
                }
                Item::Observation(observation) => self.observe(&observation),
                Item::QuietDns(quiet) => self.observe_quiet(&quiet),
            };
            if result.is_ok() {
                result = told;
            }
        });
        result
    }

    /// A DNS message of which there is nothing to detect: what it says of names and of what was visible counts.
    #[inline]
    fn observe_quiet(&mut self, quiet: &QuietDns<'_>) -> Result<(), OutputError> {
        let now = quiet.about.time;
        self.observations += 1;
        self.last = self.last.max(now);
        self.seen.dns_messages += 1;
        self.names.learn_quiet(quiet);
        self.visibility.observe_quiet(quiet, &self.assets);
        match self.detection.sift(quiet) {
            None => self.sweep(now),
            Some(sifted) => self.observe_asked(quiet, sifted, now),
        }
    }

    /// A quiet message whose name or server is worth a look.
    #[inline(never)]
    fn observe_asked(
        &mut self,
        quiet: &QuietDns<'_>,
        sifted: Sifted,
        now: Timestamp,
    ) -> Result<(), OutputError> {
        let swept = self.sweep(now);
        let findings = self.detection.quiet_names_asked(quiet, sifted, &self.assets, &self.names);
        swept.and(self.tell_found(findings, now))
    }

    /// Tells findings that no single observation gave, at `now`.
    fn tell_found(&mut self, findings: Vec<Finding>, now: Timestamp) -> Result<(), OutputError> {
        let mut out = Output { sink: self.sink.as_deref_mut(), result: Ok(()) };
        let (closed, visibility) = (&mut self.closed, &self.visibility);
        for finding in findings {
            if finding.telling == Telling::Alert {
                self.findings.add(finding.severity);
                out.make(|| event::alert(&finding, &self.events));
            }
            self.incidents.take(&finding, &mut |incident, change| {
                tell(incident, change, now, visibility, closed, &mut out);
            });
        }
        out.result
    }

    /// Closes incidents that have gone quiet by `now`.
    #[inline]
    fn sweep(&mut self, now: Timestamp) -> Result<(), OutputError> {
        if !self.incidents.is_due(now) {
            return Ok(());
        }
        let mut out = Output { sink: self.sink.as_deref_mut(), result: Ok(()) };
        let (closed, visibility) = (&mut self.closed, &self.visibility);
        self.incidents.advance(now, &mut |incident| {
            tell(incident, Change::Close, now, visibility, closed, &mut out);
        });
        out.result
    }

    /// Whether it is a flow's beginning, exchange, going on or end of which there is nothing to detect, or nothing that
    /// anybody detects anything by.
    #[inline]
    fn is_quiet(&self, observation: &Observation<'_>) -> bool {
        let is_unlisted_flow =
            observation.is_unlisted && !self.detection.may_know_listed_name(&observation.head.flow);
        let is_unread =
            matches!(observation.seen, observation::Seen::UnlistedHello(_) | observation::Seen::UnreadAnswer);
        (is_unlisted_flow || is_unread) && self.records.is_none()
    }

    /// What is quiet: what it says of names and of what was visible counts.
    fn observe_flow(&mut self, observation: &Observation<'_>) -> Result<(), OutputError> {
        let now = observation.head.time;
        self.observations += 1;
        self.last = self.last.max(now);
        match &observation.seen {
            observation::Seen::FlowClosed(_) => {
                self.seen.count(observation);
                self.visibility.observe(observation, &self.assets, false);
            }
            observation::Seen::UnlistedHello(hello) => {
                self.seen.count(observation);
                self.names.learn(observation, &|name| self.detection.may_be_listed(name));
                self.visibility.observe(observation, &self.assets, hello.is_registry);
            }
            _ => self.visibility.note(now),
        }
        let swept = self.sweep(now);
        let is_of_names = match &observation.seen {
            observation::Seen::FlowOpened(_) => self.detection.asks_about_flow(observation.head),
            observation::Seen::UnlistedHello(hello) => hello.is_resolver,
            _ => false,
        };
        if !is_of_names {
            return swept;
        }
        let findings = self.detection.names_asked(observation, &self.assets, &self.names);
        swept.and(self.tell_found(findings, now))
    }

    fn observe(&mut self, observation: &Observation<'_>) -> Result<(), OutputError> {
        self.observations += 1;
        self.last = self.last.max(observation.head.time);
        self.seen.count(observation);
        let mut out = Output { sink: self.sink.as_deref_mut(), result: Ok(()) };
        let is_registry = match &observation.seen {
            // They name nothing, and are most of what is not quiet.
            observation::Seen::FlowOpened(_)
            | observation::Seen::Exchange(_)
            | observation::Seen::StillOpen(_)
            | observation::Seen::FlowClosed(_) => false,
            _ => {
                self.names.learn(observation, &|name| self.detection.may_be_listed(name));
                let sni = observation.sni();
                sni.is_some_and(|sni| self.detection.is_package_registry(sni))
            }
        };
        self.visibility.observe(observation, &self.assets, is_registry);
        if let Some(records) = &mut self.records {
            records.observe(observation, &mut |line| out.write(line));
        }
        let (incidents, findings, events) = (&mut self.incidents, &mut self.findings, &self.events);
        let (closed, visibility) = (&mut self.closed, &self.visibility);
        let now = observation.head.time;
        let mut told = |incident: &Incident, change: Change, out: &mut Output<'_>| {
            tell(incident, change, now, visibility, closed, out);
        };
        incidents.advance(now, &mut |incident| told(incident, Change::Close, &mut out));
        self.detection.observe(observation, &self.assets, &self.names, &mut |finding: Finding| {
            if finding.telling == Telling::Alert {
                findings.add(finding.severity);
                out.make(|| event::alert(&finding, events));
            }
            incidents.take(&finding, &mut |incident, change| told(incident, change, &mut out));
        });
        let result = out.result;
        if matches!(observation.seen, observation::Seen::Exchange(_) | observation::Seen::FlowClosed(_)) {
            return result;
        }
        let findings = self.detection.names_asked(observation, &self.assets, &self.names);
        result.and(self.tell_found(findings, now))
    }

    /// The end of input: closes every incident, adds our counters to the workers' and writes all of them.
    ///
    /// # Errors
    /// When events cannot be written.
    pub fn finish(&mut self, finished: &mut Finished) -> Result<(), OutputError> {
        let findings = self.detection.finish_names(&self.assets, &self.names);
        self.tell_found(findings, self.last)?;
        let ours = self.counters();
        let end = finished.span.map_or(Timestamp::default(), |(_, last)| last);
        let mut out = Output { sink: self.sink.as_deref_mut(), result: Ok(()) };
        if let Some(records) = &mut self.records {
            records.finish(&mut |line| out.write(line));
        }
        for mut incident in self.incidents.finish() {
            incident.unseen = self.visibility.unseen(&incident, Some(end));
            out.make(|| event::incident(&incident, IncidentAction::Close, end));
            // At most as many as can be open.
            self.closed.incidents.push(incident);
        }
        finished.counters.extend(ours);
        out.make(|| event::stats(end, &finished.counters));
        out.result
    }

    /// The incidents that were closed, in the order of their closing. After [`Analysis::finish`] that is all
    /// there were, but for those beyond [`limits::INCIDENTS`] that closed before: events told them.
    pub fn incidents(&self) -> &[Incident] {
        &self.closed.incidents
    }

    /// Findings by severity.
    pub fn findings(&self) -> FindingCounts {
        self.findings
    }

    /// What kinds of traffic there were.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// What was seen of our machines.
    pub fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let DetectionCounters {
            alerts,
            allowed,
            repeated,
            suppressed,
            unsupported,
            out_of_date,
            evicted,
            questions,
        } = self.detection.counters();
        vec![
            ("detect.observations", self.observations),
            ("detect.alert", alerts),
            ("detect.alerts_allowed", allowed),
            ("detect.alerts_repeated", repeated),
            ("detect.alerts_suppressed", suppressed),
            ("detect.alerts_unsupported", unsupported),
            ("detect.indicators_out_of_date", out_of_date),
            ("detect.evicted", evicted),
            ("dns_tunnel.active", questions.followed),
            ("dns_tunnel.evicted", questions.followed_evicted),
            ("dga.evicted", questions.failing_evicted),
            ("resolver.evicted", questions.resolvers_evicted),
            ("incident.total", self.incidents.opened()),
            ("incident.evicted", self.incidents.evicted()),
            ("incident.unlisted", self.closed.unlisted),
            ("names.active", self.names.len() as u64),
            ("names.evicted", self.names.evicted()),
            ("machines.active", self.visibility.machines() as u64),
            ("machines.evicted", self.visibility.evicted()),
            ("indicators.generation", self.generation),
            ("indicators.reloads", self.reloads.taken),
            ("indicators.reload_failures", self.reloads.refused),
        ]
    }
}

/// Writes what became of an incident at `now`, and keeps it for the summary when it is closed.
fn tell(
    incident: &Incident,
    change: Change,
    now: Timestamp,
    visibility: &Visibility,
    closed: &mut Closed,
    out: &mut Output<'_>,
) {
    let mut incident = incident.clone();
    if change == Change::Close {
        incident.unseen = visibility.unseen(&incident, None);
    }
    out.make(|| event::incident(&incident, action(change), now));
    if change == Change::Close {
        closed.add(incident);
    }
}

/// Incidents that were closed, for the summary.
#[derive(Debug, Default)]
struct Closed {
    incidents: Vec<Incident>,
    /// Those for which there was no room.
    unlisted: u64,
}

impl Closed {
    fn add(&mut self, incident: Incident) {
        if self.incidents.len() < limits::INCIDENTS {
            self.incidents.push(incident);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Where lines go; remembers the first failure, so that callbacks need not.
struct Output<'o> {
    sink: Option<&'o mut EventSink>,
    result: Result<(), OutputError>,
}

impl Output<'_> {
    /// Writes the line that `make` makes, which is not called when nobody wants it.
    fn make(&mut self, make: impl FnOnce() -> String) {
        if self.sink.is_some() {
            self.write(&make());
        }
    }

    fn write(&mut self, line: &str) {
        if self.result.is_ok()
            && let Some(sink) = &mut self.sink
        {
            self.result = sink.write(line);
        }
    }
}

fn action(change: Change) -> IncidentAction {
    match change {
        Change::Create => IncidentAction::Create,
        Change::Update => IncidentAction::Update,
        Change::Close => IncidentAction::Close,
    }
}
