//! What is on its way from the lanes to a worker: bounded, so that a worker that cannot follow costs resyncs and no memory.

use skep_protocol::{Lane, Pos};

/// Counts the changes of each lane in one worker's queue. Past the limit they are left out until half of it is taken,
/// with one note in their place: all connections of the worker are lagging then.
#[derive(Debug)]
pub struct Backlog {
    lanes: Vec<OfLane>,
    limit: usize,
}

/// What is to be put into the queue for a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queued {
    Change,
    /// [`super::Event::Skipped`], whose position is asked when it is taken.
    Note,
    /// A note that waits stands for it too.
    Nothing,
}

#[derive(Clone, Debug)]
struct OfLane {
    bytes: usize,
    flow: Flow,
    note: Note,
    /// Where the newest change that was left out ends.
    skipped_through: Pos,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    Free,
    Skipping,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Note {
    None,
    Waiting,
}

impl Backlog {
    /// Of a cell with so many lanes, the mirror lane among them. `limit` in bytes, for each lane.
    pub fn new(lanes: usize, limit: usize) -> Self {
        let lane = OfLane { bytes: 0, flow: Flow::Free, note: Note::None, skipped_through: Pos::ZERO };
        Self { lanes: vec![lane; lanes], limit }
    }

    /// A change of so many bytes comes from a lane.
    pub fn put(&mut self, lane: Lane, bytes: usize, through: Pos) -> Queued {
        let limit = self.limit;
        let lane = &mut self.lanes[usize::from(lane.0)];
        if lane.bytes <= limit / 2 {
            lane.flow = Flow::Free;
        }
        // However large one is, it may go alone.
        if lane.bytes > 0 && lane.bytes + bytes > limit {
            lane.flow = Flow::Skipping;
        }
        match (lane.flow, lane.note) {
            (Flow::Free, _) => {
                lane.bytes += bytes;
                Queued::Change
            }
            (Flow::Skipping, note) => {
                lane.skipped_through = through;
                lane.note = Note::Waiting;
                if note == Note::None { Queued::Note } else { Queued::Nothing }
            }
        }
    }

    /// The worker took a change.
    pub fn taken(&mut self, lane: Lane, bytes: usize) {
        let lane = &mut self.lanes[usize::from(lane.0)];
        lane.bytes = lane.bytes.saturating_sub(bytes);
    }

    /// The worker took a note: all up to here may have been left out.
    pub fn noted(&mut self, lane: Lane) -> Pos {
        let lane = &mut self.lanes[usize::from(lane.0)];
        lane.note = Note::None;
        lane.skipped_through
    }

    /// What waits of a lane.
    pub fn bytes(&self, lane: Lane) -> usize {
        self.lanes[usize::from(lane.0)].bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_limit_changes_are_left_out_with_one_note_until_half_is_taken() {
        let (mut backlog, lane) = (Backlog::new(2, 100), Lane(1));
        assert_eq!(backlog.put(lane, 500, Pos(1)), Queued::Change, "alone it may be as large as it is");
        backlog.taken(lane, 500);
        assert_eq!(backlog.put(lane, 60, Pos(2)), Queued::Change);
        assert_eq!(backlog.put(lane, 60, Pos(3)), Queued::Note);
        assert_eq!(
            backlog.put(lane, 10, Pos(4)),
            Queued::Nothing,
            "what would fit does not overtake what was left out"
        );
        assert_eq!(backlog.put(Lane::MIRROR, 60, Pos(1)), Queued::Change, "another lane's is another's");
        backlog.taken(lane, 60);
        assert_eq!(backlog.put(lane, 60, Pos(5)), Queued::Change);
        assert_eq!(backlog.noted(lane), Pos(4));
        assert_eq!(backlog.put(lane, 60, Pos(6)), Queued::Note, "the next loss is told again");
        assert_eq!(backlog.bytes(lane), 60);
    }
}
