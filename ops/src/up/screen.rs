//! What people see: a table that is drawn again in place on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::style;

use crate::{
    canvas::Canvas,
    deployment::Deployment,
    up::{
        board::{Board, Status},
        parts::PartId,
        plan::Plan,
        rates::{Rates, Reading},
    },
};

pub(crate) struct Screen {
    plan: Arc<Plan>,
    begun: Instant,
    canvas: Canvas,
    said_beginning: bool,
    said_ready: bool,
}

/// How parts are, with the pids of their processes.
type View = BTreeMap<PartId, (Status, Option<u32>)>;

impl Screen {
    pub fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            begun: Instant::now(),
            canvas: Canvas::new(),
            said_beginning: false,
            said_ready: false,
        }
    }

    /// Shows what is new.
    pub fn draw(&mut self, board: &Board, rates: &Rates) {
        let news = board.news();
        if self.canvas.is_term() {
            let text = self.table(&board.view(), board.is_announced(), board.is_stopping(), rates);
            self.canvas.draw(&text);
            return;
        }
        if !std::mem::replace(&mut self.said_beginning, true) {
            let cells = self.plan.cells().count();
            let plural = if cells == 1 { "" } else { "s" };
            let root = self.plan.folder.root().display();
            self.line(&format!(
                "Starting a router, a directory and {cells} cell{plural} in {root} (a first start makes their databases)"
            ));
        }
        for (part, status) in news.into_iter().filter(|(_, status)| *status != Status::Waiting) {
            self.line(&format!("{:>6.2} s  {part}: {}", self.begun.elapsed().as_secs_f64(), sentence(&status)));
        }
        if board.is_announced() && !self.said_ready {
            self.said_ready = true;
            self.line(&self.places());
        }
    }

    pub fn farewell(&mut self) {
        self.line("Stopped. Everything that was stored is there at the next start.");
    }

    fn table(&self, view: &View, announced: bool, stopping: bool, rates: &Rates) -> String {
        let mut text = format!("Skep in {}\n\n", self.plan.folder.root().display());
        _ = writeln!(
            text,
            "  {:<10} {:<10} {:<11} {:<10} {:>8} {:>8} {:>12}",
            "part", "state", "PostgreSQL", "Redis", "sockets", "sent/s", "delivered/s"
        );
        let state = |part: PartId, width: usize| {
            let status = view.get(&part).map(|(status, _)| status);
            let word = format!("{:<width$}", status.map(word).unwrap_or_default());
            match status {
                Some(Status::Ready) => style(word).green().to_string(),
                Some(Status::Down { .. }) => style(word).red().to_string(),
                _ => style(word).yellow().to_string(),
            }
        };
        _ = writeln!(text, "  {:<10} {}", "router", state(PartId::Router, 10));
        let postgres = state(PartId::DirectoryPostgres, 11);
        _ = writeln!(text, "  {:<10} {} {postgres}", "directory", state(PartId::Directory, 10));
        for cell in self.plan.cells() {
            let rate = |of: fn(&Reading) -> f64| {
                rates.of(cell).map_or_else(|| "-".to_owned(), |reading| format!("{:.0}", of(&reading)))
            };
            _ = writeln!(
                text,
                "  {:<10} {} {} {} {:>8} {:>8} {:>12}",
                PartId::Cell(cell).to_string(),
                state(PartId::Cell(cell), 10),
                state(PartId::CellPostgres(cell), 11),
                state(PartId::CellRedis(cell), 10),
                rate(|r| r.connections),
                rate(|r| r.messages_per_s),
                rate(|r| r.deliveries_per_s),
            );
        }
        text.push('\n');
        for (part, (status, _)) in view {
            if let Status::Down { .. } = status {
                _ = writeln!(text, "  {part}: {}", sentence(status));
            }
        }
        if stopping {
            text.push_str("Stopping ...");
        } else if announced {
            text.push_str(&self.places());
        } else {
            _ = write!(text, "Starting ... {:.0} s", self.begun.elapsed().as_secs_f64());
        }
        text
    }

    /// Where to go.
    fn places(&self) -> String {
        let root = self.plan.folder.root();
        format!(
            "Skep is ready.\n  router   {}\n  parts    {}\n  logs     {}\n  stop     Ctrl-C",
            self.plan.public_url(),
            Deployment::file(root).display(),
            self.plan.folder.logs().display()
        )
    }

    fn line(&self, text: &str) {
        let mut out = std::io::stdout();
        // Whoever reads this may have gone away.
        _ = writeln!(out, "{text}");
        _ = out.flush();
    }
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Preparing => "being made",
        Status::Waiting => "waiting",
        Status::Starting => "starting",
        Status::Ready => "ready",
        Status::Down { .. } => "down",
        Status::Stopping => "stopping",
        Status::Stopped => "stopped",
    }
}

fn sentence(status: &Status) -> String {
    match status {
        Status::Down { reason, again_at } => match again_at.saturating_duration_since(Instant::now()) {
            Duration::ZERO => format!("{reason}; again now"),
            wait => format!("{reason}; again in {:.1} s", wait.as_secs_f64()),
        },
        status => word(status).to_owned(),
    }
}
