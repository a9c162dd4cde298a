//! Playing a recipe: steps become packets, packets become the frames of a capture.

mod datagrams;
mod dns;
mod http;
mod tls;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::capture::{self, Format, Frame};
use crate::random::Random;
use crate::recipe::form::{Body, Capture, Close, Outcome, Seconds, Sees, Step, Tcp};
use crate::recipe::{Recipe, RecipeError, Scene};
use crate::stage::{Dress, Nanos, Stage};
use crate::wire::tcp::{Connection, Manner, Side};
use crate::wire::{address, link};

/// A capture file as its recipe asks for it, before compression.
pub struct Built {
    /// The bytes.
    pub content: Vec<u8>,
    /// Frames in it.
    pub frames: usize,
}

/// Plays a recipe for one of its captures.
pub fn build(recipe: &Recipe, capture: &Capture) -> Result<Built, RecipeError> {
    let start = recipe.start()?;
    let scenes = recipe.scenes(capture)?;
    let whole_file = |reason: String| {
        let path = scenes.first().map(|scene| scene.path.as_path()).unwrap_or_else(|| "".as_ref());
        RecipeError::new(path, format!("capture `{}`: {reason}", capture.file))
    };
    let format: Format = capture.format.parse().map_err(whole_file)?;
    let link: link::Link = capture.link.parse().map_err(whole_file)?;
    let mut dress = Dress::default();
    dress.shape.fragment = capture.fragment;
    dress.shape.options = capture.ip_options;
    for tunnel in &capture.tunnels {
        dress.tunnels.push(tunnel.parse().map_err(whole_file)?);
    }
    let mut stage = Stage::default();
    for scene in &scenes {
        let mut scene_dress = dress.clone();
        scene_dress.tunnels.extend_from_slice(&scene.tunnels);
        stage.dress(Rc::new(scene_dress));
        Player::new(scene, start + scene.offset, &mut stage, capture.dns_stream).play()?;
    }
    let first = capture.from.map_or(Nanos::MIN, |from| start + from.low);
    let last = capture.until.map_or(Nanos::MAX, |until| start + until.low);
    let frames: Vec<Frame> = stage
        .into_sent()
        .into_iter()
        .filter(|sent| (first..=last).contains(&sent.at))
        .filter(|sent| match capture.sees {
            Sees::Both => true,
            Sees::Client => sent.side == Side::Client,
            Sees::Server => sent.side == Side::Server,
        })
        .map(|sent| Frame { at: sent.at, bytes: link::frame(link, &sent.unit, sent.side) })
        .collect();
    let content = capture::write(format, link.0, capture.snaplen, &frames);
    Ok(Built { content, frames: frames.len() })
}

/// What a step may use: its hosts, its chance, its time, and the stage for its packets.
struct Player<'a> {
    scene: &'a Scene,
    stage: &'a mut Stage,
    /// Second 0 of the scene.
    start: Nanos,
    random: Random,
    /// How often the innermost repeated step has been played, from 0.
    turn: usize,
    /// The last port that each host took for a connection of its own.
    ports: BTreeMap<IpAddr, u16>,
    /// DNS messages that wait to be put into one TCP connection, if the capture wants them so.
    dns_stream: Option<Vec<dns::StreamMessage>>,
}

type Outcomes<T> = Result<T, String>;

impl<'a> Player<'a> {
    fn new(scene: &'a Scene, start: Nanos, stage: &'a mut Stage, dns_stream: bool) -> Self {
        Self {
            scene,
            stage,
            start,
            random: Random::new(scene.seed),
            turn: 0,
            ports: BTreeMap::new(),
            dns_stream: dns_stream.then(Vec::new),
        }
    }

    fn play(mut self) -> Result<(), RecipeError> {
        for (number, (line, step)) in self.scene.steps.iter().enumerate() {
            self.random = Random::named(self.scene.seed, &format!("step {number}"));
            self.step(step, self.start).map_err(|reason| RecipeError::at(&self.scene.path, *line, reason))?;
        }
        if let Some(messages) = self.dns_stream.take() {
            dns::play_stream(&mut self, messages)
                .map_err(|reason| RecipeError::new(&self.scene.path, reason))?;
        }
        Ok(())
    }

    /// Plays one step, repeated as it says; gives the end of the last time.
    fn step(&mut self, step: &Step, base: Nanos) -> Outcomes<Nanos> {
        if step.when == Some(false) || step.unless == Some(true) {
            return Ok(base);
        }
        let dress = self.step_dress(step)?;
        let mut at = base + self.draw(step.at);
        let count = step.repeat.as_ref().map_or(1, |repeat| repeat.count);
        let mut end = at;
        for turn in 0..count {
            if step.repeat.is_some() {
                self.turn = turn;
            }
            let before = self.stage.dress(Rc::clone(&dress));
            let played = self.once(step, at);
            self.stage.dress(before);
            end = played?;
            if let Some(repeat) = &step.repeat {
                at = match (repeat.every, repeat.sleep) {
                    (Some(every), None) => at + self.draw(every),
                    (None, Some(sleep)) => end + self.draw(sleep),
                    _ => return Err("`repeat` needs `every` or `sleep`, one of them".to_owned()),
                };
            }
        }
        Ok(end)
    }

    fn once(&mut self, step: &Step, at: Nanos) -> Outcomes<Nanos> {
        let mut ends = Vec::new();
        if let Some(form) = &step.dns {
            ends.push(dns::play(self, step, form, at)?);
        }
        if let Some(form) = &step.http {
            ends.push(http::play(self, step, form, at)?);
        }
        if let Some(form) = &step.tls {
            ends.push(tls::play(self, step, form, at)?);
        }
        if let Some(form) = &step.quic {
            ends.push(datagrams::play_quic(self, step, form, at)?);
        }
        if let Some(form) = &step.tcp {
            ends.push(self.tcp(step, form, at)?);
        }
        if let Some(form) = &step.udp {
            ends.push(datagrams::play_udp(self, step, form, at)?);
        }
        if let Some(form) = &step.ntp {
            ends.push(datagrams::play_ntp(self, step, form, at)?);
        }
        if let Some(form) = &step.icmp {
            ends.push(datagrams::play_icmp(self, step, form, at)?);
        }
        for inner in &step.steps {
            ends.push(self.step(inner, at)?);
        }
        ends.into_iter().max().ok_or_else(|| {
            "a step needs one of dns, http, tls, quic, tcp, udp, ntp, icmp, or `do` with steps in it"
                .to_owned()
        })
    }

    fn tcp(&mut self, step: &Step, form: &Tcp, at: Nanos) -> Outcomes<Nanos> {
        let sayings = form
            .say
            .iter()
            .map(|saying| {
                let after = saying.after.map(|after| self.draw(after));
                let side = if saying.server { Side::Server } else { Side::Client };
                Ok((after, side, self.content(&saying.body)?))
            })
            .collect::<Outcomes<Vec<_>>>()?;
        let mut connection = self.connection(step, &form.from, &form.to, form.port)?;
        match form.outcome {
            Outcome::Refused => return Ok(connection.refused(at)),
            Outcome::Unanswered => return Ok(connection.knock_in_vain(at)),
            Outcome::Open => {}
        }
        let mut end = connection.open(at);
        for (after, side, content) in sayings {
            let start = after.map_or(end, |after| (at + after).max(end));
            end = connection.send(side, start, &content);
        }
        Ok(connection.close(end, step.close.unwrap_or(Close::Client).into()))
    }

    /// A connection in the manner of the step.
    fn connection(&mut self, step: &Step, from: &str, to: &str, port: u16) -> Outcomes<Connection<'_>> {
        let (client, server) = self.ends(step, from, to, port)?;
        let sequence =
            step.sequence.unwrap_or_else(|| [self.random.next() as u32, self.random.next() as u32]);
        let manner = Manner {
            rtt: self.round_trip(step, server.ip()),
            mss: step.mss.unwrap_or(if server.is_ipv6() { 1440 } else { 1460 }),
            timestamps: step.timestamps.unwrap_or(true),
            reorder: step.reorder.unwrap_or(0),
            retransmit: step.retransmit.unwrap_or(0),
        };
        Ok(Connection::new(self.stage, client, server, sequence, manner))
    }

    /// Both sockets of a conversation.
    fn ends(&mut self, step: &Step, from: &str, to: &str, port: u16) -> Outcomes<(SocketAddr, SocketAddr)> {
        let (from, to) = (self.host(from)?, self.host(to)?);
        if from.is_ipv4() != to.is_ipv4() {
            return Err(format!("{from} and {to} are not of one IP version"));
        }
        let client_port = step.client_port.unwrap_or_else(|| self.next_port(from));
        Ok((SocketAddr::new(from, client_port), SocketAddr::new(to, port)))
    }

    fn next_port(&mut self, host: IpAddr) -> u16 {
        const FIRST: u16 = 32_768;
        let seed = self.scene.seed;
        let port = self
            .ports
            .entry(host)
            .or_insert_with(|| FIRST + Random::named(seed, &host.to_string()).below(20_000) as u16);
        *port += 2 + self.random.below(14) as u16 * 2;
        if *port > 60_900 {
            *port = FIRST;
        }
        *port
    }

    /// Round-trip time: told, or short at home and longer beyond.
    fn round_trip(&mut self, step: &Step, server: IpAddr) -> Nanos {
        let usual = if address::is_home(server) { [300_000, 700_000] } else { [9_000_000, 21_000_000] };
        match step.rtt {
            Some(rtt) => self.draw(rtt),
            None => self.random.between(usual[0], usual[1]),
        }
    }

    fn step_dress(&self, step: &Step) -> Outcomes<Rc<Dress>> {
        let mut dress = self.stage.current_dress().clone();
        for tunnel in step.tunnels.iter().flatten() {
            dress.tunnels.push(tunnel.parse()?);
        }
        dress.shape.fragment = step.fragment.or(dress.shape.fragment);
        dress.shape.options = step.ip_options.unwrap_or(dress.shape.options);
        Ok(Rc::new(dress))
    }

    /// The address of a host by its name in `[hosts]`, or as written.
    fn host(&self, name: &str) -> Outcomes<IpAddr> {
        match self.scene.hosts.get(name) {
            Some(address) => Ok(*address),
            None => name.parse().map_err(|_| format!("`{name}` is neither in [hosts] nor an address")),
        }
    }

    /// A text with `{n}` (the turn of a repeated step), `{letters:20}`, `{hex:8}` and `{base32:16}` put in.
    fn fill(&mut self, text: &str) -> Outcomes<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (what, after) =
                after.split_once('}').ok_or_else(|| format!("`{text}`: `{{` without `}}`"))?;
            out.push_str(before);
            let (kind, count) = what.split_once(':').unwrap_or((what, "0"));
            let count = count.parse().map_err(|_| format!("`{text}`: `{count}` is not a number"))?;
            match kind {
                "n" => out.push_str(&self.turn.to_string()),
                "letters" => out.push_str(&self.random.letters(count)),
                "hex" => out.push_str(&self.random.symbols(b"0123456789abcdef", count)),
                "base32" => out.push_str(&self.random.symbols(b"abcdefghijklmnopqrstuvwxyz234567", count)),
                "iodine" => out.push_str(&self.random.symbols(b"abcdefghijklmnopqrstuvwxyz012345", count)),
                "lower" => out.push_str(&self.random.symbols(b"abcdefghijklmnopqrstuvwxyz", count)),
                _ => {
                    let kinds = "n, letters, lower, hex, base32, iodine";
                    return Err(format!("`{text}`: `{{{what}}}` is none of {kinds}"));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// One duration of those that the recipe allows.
    fn draw(&mut self, seconds: Seconds) -> Nanos {
        if seconds.low == seconds.high { seconds.low } else { self.random.between(seconds.low, seconds.high) }
    }

    /// The bytes of a body.
    fn content(&mut self, body: &Body) -> Outcomes<Vec<u8>> {
        use base64::Engine;
        let Body { text, letters, random, hex, base64, size } = body;
        match (text, letters, random, hex, base64) {
            (None, None, None, None, None) => Ok(Vec::new()),
            (Some(text), None, None, None, None) => Ok(text.clone().into_bytes()),
            (None, Some(count), None, None, None) => Ok(self.random.letters(*count).into_bytes()),
            (None, None, Some(count), None, None) => Ok(self.random.bytes(*count)),
            (None, None, None, Some(hex), None) => crate::message::dns::hex_bytes(hex),
            (None, None, None, None, Some(template)) => {
                let fixed = template.replace("{letters}", "").len();
                let room = size.map_or(0, |size| size / 4 * 3);
                let filler = self.random.letters(room.saturating_sub(fixed));
                let text = template.replace("{letters}", &filler);
                Ok(base64::engine::general_purpose::STANDARD.encode(text).into_bytes())
            }
            _ => Err("a body is one of text, letters, random, hex, base64".to_owned()),
        }
    }
}
