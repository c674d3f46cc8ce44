//! A page that is drawn again in place on a terminal.

use std::fmt::Write as _;

use console::{Term, truncate_str};

/// What stands on the terminal now, to be drawn over.
pub(crate) struct Canvas {
    term: Term,
    shown: String,
}

impl Canvas {
    /// Standard output.
    pub fn new() -> Self {
        Self { term: Term::stdout(), shown: String::new() }
    }

    /// Whether somebody looks at it; else it is a file or a pipe.
    pub fn is_term(&self) -> bool {
        self.term.is_term()
    }

    /// Draws over the last page, if anything in it is new. A terminal that is gone is no reason to end.
    pub fn draw(&mut self, text: &str) {
        if text == self.shown {
            return;
        }
        let (_, columns) = self.term.size();
        let mut drawing = String::new();
        let above = self.shown.lines().count();
        if above > 0 {
            _ = write!(drawing, "\x1b[{above}A");
        }
        for line in text.lines() {
            // To the end of the line: what stood there was longer, maybe.
            _ = write!(drawing, "\r{}\x1b[K\n", truncate_str(line, columns.into(), "…"));
        }
        drawing.push_str("\x1b[J");
        _ = self.term.write_str(&drawing);
        _ = self.term.flush();
        text.clone_into(&mut self.shown);
    }
}
