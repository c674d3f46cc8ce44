//! What a person at a terminal sees; elsewhere a line per stage.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One stage of the run, with a bar.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    bar: ProgressBar,
    began: Instant,
}

impl Stage {
    /// Of so many steps.
    pub fn new(name: &'static str, steps: u64) -> Self {
        let template = "{prefix:>12} [{elapsed_precise}] {bar:32} {pos}/{len} {per_sec} {msg}";
        let style = ProgressStyle::with_template(template).expect("a constant template that is allowed");
        let bar = ProgressBar::new(steps).with_style(style).with_prefix(name);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { name, bar, began: Instant::now() }
    }

    /// One more step.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// So many steps in all.
    pub fn at(&self, steps: u64, message: String) {
        self.bar.set_position(steps);
        self.bar.set_message(message);
    }

    /// The stage is over; its outcome stays on the screen.
    pub fn done(&self, outcome: &str) {
        self.bar.finish_and_clear();
        eprintln!("{:>12} {outcome} ({:.1} s)", self.name, self.began.elapsed().as_secs_f64());
    }
}
