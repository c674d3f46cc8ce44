//! What happened, for eyes: one line per event, with time, place and story.

use std::fmt::Arguments;
use std::io::Write;

use skep_protocol::Millis;

/// The beginning of a world's time.
pub const START: Millis = Millis(1_000_000);

/// Where the story goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    Off,
    Out,
}

impl Trace {
    /// Tells a line. `place` is a cell, a lane, a link or a device.
    pub fn line(self, now: Millis, place: Arguments<'_>, story: Arguments<'_>) {
        if self == Self::Out {
            let ms = now.0 - START.0;
            let place = place.to_string();
            // A reader that has seen enough closes the pipe.
            _ = writeln!(std::io::stdout(), "{:>4}.{:03} {place:<14} {story}", ms / 1000, ms % 1000);
        }
    }
}

/// Tells a line of a world's story.
macro_rules! tell {
    ($world:expr, $place:expr, $($story:tt)*) => {
        if $world.trace == $crate::trace::Trace::Out {
            $world.trace.line($world.now, format_args!("{}", $place), format_args!($($story)*));
        }
    };
}
pub(crate) use tell;
