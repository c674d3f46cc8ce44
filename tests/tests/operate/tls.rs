//! The program where parts speak TLS.

use std::path::Path;

use serde_json::json;
use skep_sim::{Faults, Options, Scenario, Verdict};
use skep_tests::{Authority, Deployment, Hive, SECRET};
use tokio_util::sync::CancellationToken;

use crate::{
    SKEP,
    tool::{Said, skep},
};

/// One call, beside the parts that run in this process.
async fn said(arguments: Vec<String>) -> Said {
    let call = move || skep(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "");
    tokio::task::spawn_blocking(call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_work_where_parts_speak_tls_among_themselves() {
    let hive = Deployment::start_over_tls(2).await;
    let anna = hive.sign_up_in(2, "anna").await;
    let (ours, theirs) = (Authority::known().inner(), Authority::new());
    let ask = async |verb: &[&str], ca: &Path| -> Said {
        let file = |option: &str, file: &Path| [format!("--inner-{option}"), file.display().to_string()];
        let at = ["--json", "--directory", &hive.directory_url, "--cluster-secret", SECRET];
        let mut arguments: Vec<String> = verb.iter().chain(&at).map(|&argument| argument.to_owned()).collect();
        arguments.extend([file("ca", ca), file("certificate", &ours.certificate), file("key", &ours.key)].concat());
        said(arguments).await
    };
    let shown = ask(&["user", "show", &anna.username], &ours.ca).await.json(0);
    assert_eq!((&shown["user_id"], &shown["cell_id"]), (&json!(anna.user_id), &json!(2)));
    let map = ask(&["map"], &ours.ca).await.json(0);
    assert_eq!(map["cells"].as_array().unwrap().len(), 2);
    assert!(map["cells"][0]["socket_url"].as_str().unwrap().starts_with("wss://"), "{map}");
    let status = ask(&["status"], &ours.ca).await;
    assert_eq!(status.json(status.code)["cells"].as_array().unwrap().len(), 2);

    let refused = ask(&["map"], &theirs.ca()).await;
    assert_eq!(refused.code, 69, "{refused:?}");
    assert!(refused.err.contains("of another authority"), "{refused:?}");
    let without = ["map", "--directory", &hive.directory_url, "--cluster-secret", SECRET];
    let without = said(without.map(str::to_owned).to_vec()).await;
    assert_eq!(without.code, 64, "{without:?}");
    assert!(without.err.contains("https needs --inner-ca"), "{without:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_runs_against_public_ports_that_speak_tls() {
    let hive = Hive::start_with(SKEP, 2, Some(Authority::known().public())).await;
    let parts = hive.parts();
    assert!(parts.router.url.starts_with("https://"), "{}", parts.router.url);
    assert!(parts.cells.iter().all(|cell| cell.socket_url.starts_with("wss://")), "{:?}", parts.cells);
    // A machine that builds beside it may be slow: what counts is that nothing is lost.
    let scenario = include_str!("../../../sim/scenarios/smoke.toml").replace("within_ms = 2000", "within_ms = 20000");
    let scenario: Scenario = toml::from_str(&scenario).unwrap();
    let options = Options {
        router: hive.url.clone(),
        ca: Some(Authority::known().ca()),
        scenario_name: "smoke".to_owned(),
        scenario: Scenario { seconds: 3, ..scenario },
        accounts: hive.data.join("load"),
        people: None,
        deployment: hive.data.join("deployment.json"),
        sign_ups: 4,
        faults: Faults::Unexpected,
    };
    let report = skep_sim::run(options, CancellationToken::new()).await.expect("the load can be run");
    assert_eq!(report.verdict, Verdict::Passed, "{}", report.summary());
}
