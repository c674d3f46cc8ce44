//! Whatever comes in: every call and every frame, mutated, oversized, nested deeply, of wrong types and encodings. What
//! comes back is as documented (the fixtures see to that), never a fault of ours, and afterwards everything works.
//!
//! A run is told by its seed, printed at its begin: `SKEP_INPUT_SEED=7 SKEP_INPUT_COUNT=100000 ops/test any_input`.

mod frames;
mod mutate;
mod requests;

use std::sync::Arc;

use hyper::Method;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use skep_tests::{Deployment, PASSWORD, Person};

/// What all inputs together may add to the memory of a directory, a router and two cells in one process: each cell
/// decodes one picture at a time, in up to 200 MiB.
const GROWTH_BYTES: u64 = (256 + 2 * 200) * 1024 * 1024;

/// People who talk, and what they talk in.
struct Scene {
    hive: Arc<Deployment>,
    anna: Person,
    ben: Person,
    channel: String,
    code: String,
}

impl Scene {
    async fn new() -> Self {
        let hive = Deployment::start(2).await;
        let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
        let mut scene = Self { hive, anna, ben, channel: String::new(), code: String::new() };
        scene.begin_anew().await;
        scene
    }

    /// Another channel: what was asked before may have changed the one before.
    async fn begin_anew(&mut self) {
        self.as_it_was().await;
        let body = json!({"kind": "channel", "title": "honey", "user_ids": [self.ben.user_id]});
        let made = self.anna.post("/v1/conversations", body).await.expect(201);
        self.channel = made["conversation"]["conversation_id"].as_str().unwrap().to_owned();
        self.code = made["link"]["code"].as_str().unwrap().to_owned();
    }

    /// Anna may have ended her session (`current` is an input like any other), and blocked Ben.
    async fn as_it_was(&mut self) {
        if self.anna.get("/v1/me").await.status == 401 {
            let body = json!({"login": self.anna.username, "password": PASSWORD});
            let again = self.hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201);
            self.anna = Person::of(&self.hive, &again);
        }
        self.anna.delete(&format!("/v1/me/blocks/{}", self.ben.user_id)).await.expect(204);
    }

    /// Everything still works: between the cells, over HTTP and sockets, for people of before and new ones.
    async fn still_works(&self) {
        let (mut socket, _) = self.ben.online().await;
        let text = format!("still here {:x}", rand::random::<u64>());
        let direct = self.anna.direct(&self.ben).await;
        self.anna.say(&direct, &text).await;
        while socket.until("messages").await["messages"][0]["text"] != text.as_str() {}
        let carol = self.hive.sign_up(&format!("carol{:x}", rand::random::<u32>())).await;
        let group = carol.group(&[&self.anna, &self.ben]).await;
        self.ben.say(&group, &text).await;
        assert_eq!(carol.texts(&group).await, [text]);
    }
}

/// The run's randomness and length.
fn run(default: usize) -> (StdRng, usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SKEP_INPUT_SEED").unwrap_or_else(rand::random);
    let count = number("SKEP_INPUT_COUNT").map_or(default, |count| count as usize);
    eprintln!("to run it again: SKEP_INPUT_SEED={seed} SKEP_INPUT_COUNT={count}");
    (StdRng::seed_from_u64(seed), count)
}

/// Memory of this process at its height.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_takes_any_input() {
    let mut scene = Scene::new().await;
    let (mut random, count) = run(1_500);
    let before = peak_bytes();
    for i in 0..count {
        if i % 200 == 199 {
            scene.begin_anew().await;
        }
        requests::ask_something(&scene, &mut random).await;
    }
    assert!(peak_bytes() - before < GROWTH_BYTES, "memory grew from {before} to {}", peak_bytes());
    scene.as_it_was().await;
    scene.still_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_takes_any_input() {
    let scene = Scene::new().await;
    let (mut random, count) = run(500);
    let before = peak_bytes();
    frames::say_much(&scene, &mut random, count).await;
    assert!(peak_bytes() - before < GROWTH_BYTES, "memory grew from {before} to {}", peak_bytes());
    scene.still_works().await;
}
