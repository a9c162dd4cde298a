//! A progress bar on standard error, for a person who waits; silent for everybody else.

use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::layout::{bytes, number};

/// How far the work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressState {
    /// Bytes of the inputs read so far, as they stand on disk.
    pub bytes_done: u64,
    /// Bytes of all inputs; `None` when an input has no known end.
    pub bytes_total: Option<u64>,
    /// Packets read so far.
    pub packets: u64,
}

/// A progress bar that asks for the state by itself, from a thread of its own.
///
/// The bar is the one thing that reads a wall clock: it shows a rate, and nothing that it shows is kept.
#[derive(Debug)]
pub struct Progress {
    /// Dropping the sender ends the thread.
    drawer: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How often the bar is drawn: often enough to look alive, rarely enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(200);

impl Progress {
    /// Shows a bar if standard error is a terminal, and asks `poll` for the state from time to time.
    pub fn start(poll: impl Fn() -> ProgressState + Send + 'static) -> Self {
        if !io::stderr().is_terminal() {
            return Self { drawer: None };
        }
        let (sender, receiver) = mpsc::channel::<()>();
        let draw = move || {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let started = Instant::now();
            while receiver.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                draw(&bar, &poll(), started.elapsed());
            }
            bar.finish_and_clear();
        };
        // A machine without a thread to spare does its work without a bar.
        let drawer = thread::Builder::new().name("progress".into()).spawn(draw);
        Self { drawer: drawer.ok().map(|thread| (sender, thread)) }
    }

    /// Removes the bar, so that what is printed next begins on a clean line.
    pub fn finish(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some((sender, thread)) = self.drawer.take() {
            drop(sender);
            // The thread has nothing to give back, and a bar that broke is no reason to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

fn draw(bar: &ProgressBar, state: &ProgressState, elapsed: Duration) {
    let template = match state.bytes_total {
        Some(_) => "[{bar:30}] {percent:>3}%  {msg}",
        None => "{spinner} {msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    if let Some(total) = state.bytes_total {
        bar.set_length(total);
        bar.set_position(state.bytes_done.min(total));
    }
    bar.set_message(message(state, elapsed));
    bar.tick();
}

/// `1.2 GB of 4.0 GB, 1,234,567 packets/s, 12 s left`.
fn message(state: &ProgressState, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (state.packets as f64 / seconds) as u64;
    let mut text = bytes(state.bytes_done);
    if let Some(total) = state.bytes_total {
        text.push_str(&format!(" of {}", bytes(total)));
    }
    text.push_str(&format!(", {} packets/s", number(rate)));
    match state.bytes_total {
        // In the first second the estimate would jump about.
        Some(total) if state.bytes_done > 0 && seconds >= 1.0 => {
            let left = total.saturating_sub(state.bytes_done) as f64 * seconds / state.bytes_done as f64;
            text.push_str(&format!(", {} left", remaining(left)));
        }
        _ => {}
    }
    text
}

/// A time that is estimated: `under 1 s`, `12 s`, `3 min`, `2 h 5 min`.
fn remaining(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..=1 => "under 1 s".into(),
        2..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_tells_size_rate_and_rest() {
        let state = ProgressState { bytes_done: 1_000_000, bytes_total: Some(4_000_000), packets: 20_000 };
        assert_eq!(message(&state, Duration::from_secs(10)), "1.0 MB of 4.0 MB, 2,000 packets/s, 30 s left");
        assert_eq!(message(&state, Duration::from_millis(500)), "1.0 MB of 4.0 MB, 40,000 packets/s");
        let stream = ProgressState { bytes_total: None, ..state };
        assert_eq!(message(&stream, Duration::from_secs(10)), "1.0 MB, 2,000 packets/s");
        let done = ProgressState { bytes_done: 5_000_000, ..state };
        assert!(message(&done, Duration::from_secs(10)).ends_with("under 1 s left"));
        assert!(!message(&ProgressState::default(), Duration::ZERO).is_empty());
    }

    #[test]
    fn remaining_time_is_rounded_up() {
        assert_eq!(remaining(0.2), "under 1 s");
        assert_eq!(remaining(45.0), "45 s");
        assert_eq!(remaining(150.0), "3 min");
        assert_eq!(remaining(7_500.0), "2 h 5 min");
    }
}
