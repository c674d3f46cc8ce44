//! A load in the background.

use std::time::Duration;

use skep_sim::{Faults, Options, Report, Scenario, Verdict};
use skep_tests::{Door, Hive};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// All kinds of conversations, joins and leaves, returns: small enough for a machine that builds beside it.
const SCENARIO: &str = r#"
people = 45
seconds = 600
rate = 100.0
http_share = 0.05
settle_s = 60

[direct]
pairs = 30
share = 3.0

[group]
count = 6
members = 12
share = 2.0

[channel]
count = 1
members = 30
share = 0.5

[changes]
per_s = 1.0

[reads]
per_s = 5.0

[returns]
per_s = 0.5
away_ms = 1500

[audit]
trace = 80
"#;

/// A running load. It is felt by people, and ends when the test says so.
pub struct Load {
    stop: CancellationToken,
    running: JoinHandle<Report>,
}

impl Load {
    /// Begins, and returns when messages flow.
    pub async fn begin(hive: &Hive) -> Self {
        let scenario: Scenario = toml::from_str(SCENARIO).unwrap();
        let options = Options {
            router: hive.url.clone(),
            ca: None,
            scenario_name: "faults".to_owned(),
            scenario,
            accounts: hive.data.join("load"),
            people: None,
            deployment: hive.data.join("deployment.json"),
            sign_ups: 4,
            faults: Faults::Expected,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { skep_sim::run(options, stop).await.expect("the load can be run") }
        });
        let load = Self { stop, running };
        load.flows(hive).await;
        load
    }

    /// Waits until messages are committed: there are more of them than before, in every cell.
    pub async fn flows(&self, hive: &Hive) {
        let before = committed(hive).await;
        skep_tests::eventually(Duration::from_secs(90), "messages flow in every cell", async || {
            assert!(!self.running.is_finished(), "the load ended by itself");
            let now = committed(hive).await;
            now.len() == before.len() && now.iter().zip(&before).all(|(now, before)| *now > before + 20.0)
        })
        .await;
    }

    /// Ends the sending, and audits. Panics with what was found.
    pub async fn audited(self) -> Report {
        self.stop.cancel();
        let report = self.running.await.unwrap();
        assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.violations);
        report
    }
}

/// Messages committed by each cell since it started; zero for one that does not answer.
async fn committed(hive: &Hive) -> Vec<f64> {
    let mut counts = Vec::new();
    for cell in hive.parts().cells {
        counts.push(Door::new(cell.admin_url).counter("skep_messages_committed_total").await);
    }
    counts
}
