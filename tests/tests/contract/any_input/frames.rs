//! Frames that are not quite as they should be.

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};
use skep_contract::{Sender, frames};
use skep_tests::{Received, Socket, masked};

use super::{
    Scene,
    mutate::{bytes, json_text},
};

/// Codes with which a socket may be closed for what was said.
const CLOSED: [u16; 4] = [1000, 4100, 4101, 4102];

/// Says so many things. After each one the socket lives and answers, or is closed with a code that says why.
pub async fn say_much(scene: &Scene, random: &mut StdRng, count: usize) {
    let examples: Vec<Value> = frames().into_iter().filter(|f| f.sender == Sender::Client).map(|f| f.example).collect();
    let (mut socket, _) = scene.anna.online().await;
    for i in 0..count {
        // Now and then it is the first frame of a connection.
        if i % 50 == 49 {
            socket = Socket::connect(&scene.anna.socket_url).await;
        }
        let said = wire(scene, random, &examples);
        socket.send_raw(&said).await;
        if !lives(&mut socket, i as u64).await {
            socket = scene.anna.online().await.0;
        }
    }
}

/// Whether it still answers; else it was closed as documented.
async fn lives(socket: &mut Socket, reference: u64) -> bool {
    // A number that no frame has said.
    let reference = (1 << 52) + reference;
    socket.send(json!({"type": "ping", "ref": reference})).await;
    loop {
        match socket.receive().await {
            Received::Frame(frame) if frame["type"] == "pong" && frame["ref"] == reference => return true,
            Received::Frame(frame) => assert_ne!(frame["code"], "internal", "{frame}"),
            Received::Closed(code) => {
                assert!(code.is_none_or(|code| CLOSED.contains(&code)), "closed with {code:?}");
                return false;
            }
        }
    }
}

fn wire(scene: &Scene, random: &mut StdRng, examples: &[Value]) -> Vec<u8> {
    let mut right = examples[random.random_range(0..examples.len())].clone();
    for (field, value) in [("conversation_id", &scene.channel), ("token", &scene.anna.token)] {
        if right.get(field).is_some() {
            right[field] = value.as_str().into();
        }
    }
    let text = json_text(random, &right);
    match random.random_range(0..30) {
        // The frame around it is changed, too. Its length stays: a frame that is never whole says nothing.
        0 => masked(random.random(), &text),
        1 => masked(0x81, &bytes(random, &text)),
        2 => masked(0x81, &vec![b' '; 127 * 1024]),
        3 => masked(0x81, &vec![b'['; 129 * 1024]),
        _ => masked(0x81, &text),
    }
}
