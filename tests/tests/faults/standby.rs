use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use skep_children::HeldPort;
use skep_tests::{Door, Hive, eventually, signal};

use crate::{SKEP, load::Load};

/// A second process for a cell, which waits for its shard. Ends with its value.
struct Standby {
    process: Child,
    _ports: [HeldPort; 4],
}

impl Standby {
    /// Of the same configuration, but for the addresses.
    async fn of(hive: &Hive, cell: u32) -> (Self, String) {
        let folder = hive.data.join(format!("cell-{cell}"));
        let text = std::fs::read_to_string(folder.join("config.toml")).unwrap();
        let mut config: toml::Table = toml::from_str(&text).unwrap();
        let ports: [_; 4] = std::array::from_fn(|_| HeldPort::any().unwrap());
        let [socket, http, relay, admin] = ports.each_ref().map(|port| port.address().to_string());
        let listen = socket.clone();
        let socket_url = format!("ws://{socket}/v1/socket");
        for (key, value) in [
            ("socket_listen", socket),
            ("socket_url", socket_url.clone()),
            ("http_listen", http),
            ("relay_listen", relay),
            ("admin_listen", admin.clone()),
            ("data_dir", folder.join("standby").display().to_string()),
        ] {
            config.insert(key.to_owned(), value.into());
        }
        let file = hive.data.join("standby.toml");
        std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
        let log = std::fs::File::create(hive.data.join("standby.log")).unwrap();
        let child = Command::new(SKEP)
            .args(["cell", "--config"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let standby = Self { process: child, _ports: ports };
        let (waits, admin) = (Duration::from_secs(40), Door::new(format!("http://{admin}")));
        eventually(waits, "the standby waits", async || {
            let health = admin.try_call(hyper::Method::GET, "/healthz", None, None, None).await;
            health.is_ok_and(|reply| reply.status == 200)
        })
        .await;
        // Whoever comes to it is refused at once and asks for the way, instead of waiting for nobody.
        let refused = tokio::net::TcpStream::connect(listen).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        (standby, socket_url)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        signal(self.process.id(), Signal::SIGTERM);
        _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_cell_is_taken_over_and_does_no_harm_when_it_wakes() {
    let hive = Hive::start(SKEP, 2).await;
    let anna = hive.sign_up_in(1, "anna").await;
    let ben = hive.sign_up_in(2, "ben").await;
    let direct = anna.direct(&ben).await;
    anna.say(&direct, "before").await;
    let (standby, socket_url) = Standby::of(&hive, 1).await;
    let load = Load::begin(&hive).await;

    let frozen = hive.parts().cells[0].pid;
    // A request that is under way when the cell freezes.
    let (mut old, _) = anna.online().await;
    signal(frozen, Signal::SIGSTOP);
    let id = uuid::Uuid::now_v7();
    let send = json!({"type": "send", "ref": 1, "conversation_id": direct, "client_message_id": id, "text": "frozen"});
    old.send(send.clone()).await;
    eventually(Duration::from_secs(40), "the standby serves", async || {
        let route = anna.get("/v1/route").await;
        route.status == 200 && route.body["socket_url"] == socket_url.as_str()
    })
    .await;
    let mut person = anna.clone();
    person.socket_url.clone_from(&socket_url);
    let (mut new, _) = person.online().await;
    new.send(send).await;
    let seq = new.until("sent").await["seq"].clone();

    // Awake again, the old one answers nothing that was decided without it, and ends.
    signal(frozen, Signal::SIGCONT);
    hive.again(|parts| parts.cells[0].pid, frozen).await;
    while let skep_tests::Received::Frame(frame) = old.receive().await {
        assert!(frame["type"] != "sent" || frame["seq"] == seq, "{frame}");
    }
    assert_eq!(ben.texts(&direct).await, ["before", "frozen"]);
    load.audited().await;
    drop(standby);
}
