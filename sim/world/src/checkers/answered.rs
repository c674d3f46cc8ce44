//! Every request gets one answer, or its connection dies. (A second answer is seen by the mind itself.)

use super::{Found, Violation};
use crate::device::Device;

/// At rest nobody waits for anything.
pub fn nothing_unanswered(device: &Device) -> Found {
    let mind = &device.mind;
    if mind.asked.is_empty() && mind.unsent.is_empty() {
        return Ok(());
    }
    let story = format!("device {} waits for {:?}, unsent {:?}", device.id, mind.asked, mind.unsent);
    Err(Violation::of("answers", story))
}
