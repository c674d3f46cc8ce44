//! One load run from the first account to the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::RngExt;
use skep_client::Http;
use skep_protocol::Kind;
use skep_tls::{Connector, Trust};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::Accounts,
    audit,
    clock::{Clock, unix_ms},
    cpu::Sample,
    crossing::Crossings,
    crowd::Crowd,
    events::Scene,
    ledger::Ledger,
    measure::Counts,
    pace::{Pace, Paced},
    progress::Stage,
    report::{Latencies, Report, Verdict, faults_felt},
    roster::Roster,
    scenario::Scenario,
    settle::{Settled, settle},
    talks::{self, Talk},
    text::Run,
    violation::Violations,
    watch::Watch,
};

/// How long one call over HTTP is repeated.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to run, and against what.
#[derive(Clone, Debug)]
pub struct Options {
    pub router: String,
    /// The authority whose certificates are accepted; those that this machine trusts unless given.
    pub ca: Option<PathBuf>,
    pub scenario_name: String,
    pub scenario: Scenario,
    /// Accounts are kept here.
    pub accounts: PathBuf,
    /// The file of people to use, instead of one in that folder.
    pub people: Option<PathBuf>,
    pub deployment: PathBuf,
    /// Sign-ups and log-ins at once.
    pub sign_ups: usize,
    pub faults: Faults,
}

/// What is known of faults beforehand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Faults {
    /// None is made on purpose; returns must be quick.
    Unexpected,
    /// Somebody breaks parts meanwhile: a run in which nobody feels it is no proof.
    Expected,
}

/// Runs it. When `stop` is cancelled, sending ends, and what was sent is still audited.
pub async fn run(options: Options, stop: CancellationToken) -> anyhow::Result<Report> {
    let Options { router, ca, scenario_name, scenario, accounts, people, deployment, sign_ups, faults } = options;
    scenario.check()?;
    let connector = connector(&router, ca.as_deref())?;
    let (began_unix_ms, http) = (unix_ms(), Arc::new(Http::over(connector, &router, PATIENCE)));
    let run = Run::new(rand::rng().random());
    let people = match people {
        Some(file) => Accounts::of_file(&file),
        None => Accounts::new(&accounts, http.base(), &deployment),
    };
    let people = Arc::new(people.people(&http, scenario.people, sign_ups, &stop).await?);
    let talks = Arc::new(talks::open(&http, &people, &scenario, &format!("{run}"), &stop).await?);
    let whole_within_ms = match faults {
        Faults::Unexpected => scenario.returns.as_ref().map(|r| r.whole_within_ms),
        Faults::Expected => None,
    };
    let heads: Vec<_> = talks.iter().map(|t| (t.id, t.base)).collect();
    let ledger = Ledger::new(run, scenario.text_bytes, people.iter().map(|p| p.user_id).collect(), &heads);
    let watch = Arc::new(Watch::new(
        Clock::start(),
        ledger,
        roster(&talks, scenario.people),
        scenario.people,
        whole_within_ms,
        Arc::new(Violations::default()),
    ));
    let observer: Arc<Watch> = Arc::clone(&watch);
    let crowd = Arc::new(Crowd::new(http, Arc::clone(&people), observer, scenario.backlog, scenario.audit.trace));
    crowd.connect(&stop).await.with_context(|| format!("the last reason: {}", watch.last_loss()))?;

    // What connecting has cost is no part of the run.
    let counts_before = watch.counters.counts();
    watch.latencies.forget();
    let before = Sample::take(&deployment);
    let paced = send(&crowd, &watch, &talks, &scenario, &stop).await?;
    let settled = settle(&crowd, &watch, &talks, scenario.settle_s).await;
    let after = Sample::take(&deployment);
    let counts = watch.counters.counts().since(&counts_before);

    if settled.not_whole > 0 {
        let detail =
            format!("{} people were not whole {} s after the last message", settled.not_whole, scenario.settle_s);
        watch.violations.add("not whole", detail);
    }
    // A second wish to stop ends the process; the first one only the sending.
    let audited = audit::audit(&crowd, &watch, &talks, &scenario, &CancellationToken::new()).await?;
    crowd.disconnect().await;
    Ok(report(Ran {
        scenario_name,
        scenario,
        run,
        began_unix_ms,
        paced,
        settled,
        audited,
        counts,
        cpu: (before, after),
        faults,
        crowd: &crowd,
        watch: &watch,
        talks: &talks,
    }))
}

/// What makes the connections to a deployment at this address.
fn connector(router: &str, ca: Option<&Path>) -> anyhow::Result<Connector> {
    Ok(match ca {
        Some(ca) => Connector::trusting(&Trust::in_file(ca).context("--ca")?),
        None if router.starts_with("https://") => Connector::trusting(&Trust::of_the_machine().context("--ca")?),
        None => Connector::bare(),
    })
}

/// Members of each conversation, and as many others again who may join it later.
fn roster(talks: &[Talk], people: usize) -> Roster {
    Roster::new(talks.iter().map(|talk| {
        let inside: std::collections::HashSet<u32> = talk.members.iter().copied().collect();
        let start = talk.members.last().copied().unwrap_or(0);
        let around = (0..people as u32).map(|i| (start + i) % people as u32);
        let outside = around.filter(|p| !inside.contains(p)).take(inside.len()).collect();
        (talk.members.as_slice(), outside)
    }))
}

async fn send(
    crowd: &Arc<Crowd>,
    watch: &Arc<Watch>,
    talks: &Arc<Vec<Talk>>,
    scenario: &Scenario,
    stop: &CancellationToken,
) -> anyhow::Result<Paced> {
    let kinds: Vec<Kind> = talks.iter().map(|t| t.id.kind()).collect();
    let pace = Pace::new(Arc::clone(crowd), Arc::clone(watch), scenario, &kinds);
    // Ends with the sending.
    let beside = stop.child_token();
    let scene = Scene {
        crowd: Arc::clone(crowd),
        watch: Arc::clone(watch),
        talks: Arc::clone(talks),
        seed: scenario.seed,
        stop: beside.clone(),
    };
    let mut tasks = tokio::task::JoinSet::new();
    scenario.returns.clone().map(|returns| tasks.spawn(scene.clone().returns(returns)));
    scenario.changes.clone().map(|often| tasks.spawn(scene.clone().changes(often)));
    scenario.reads.clone().map(|often| tasks.spawn(scene.clone().reads(often)));
    scenario.renames.clone().map(|often| tasks.spawn(scene.clone().renames(often)));
    let display = tokio::spawn(show(Arc::clone(watch), scenario.clone()));
    let (sent, is_sent) = tokio::sync::oneshot::channel();
    let (own, until) = (scenario.clone(), stop.clone());
    std::thread::Builder::new()
        .name("pace".to_owned())
        .spawn(move || sent.send(pace.run(&own, &until)))
        .context("cannot start a thread")?;
    let paced = is_sent.await.context("the sending thread broke down");
    beside.cancel();
    while let Some(done) = tasks.join_next().await {
        done.context("an event's task broke down")?;
    }
    display.abort();
    let paced = paced?;
    let seconds = paced.ended.since(paced.began) as f64 / 1e6;
    eprintln!("{:>12} {} messages ({seconds:.1} s)", "sent", watch.counters.sent.get());
    Ok(paced)
}

/// Live rates, until it is aborted.
async fn show(watch: Arc<Watch>, scenario: Scenario) {
    let stage = Stage::new("sending", (scenario.rate * scenario.seconds as f64) as u64);
    let (mut ticks, mut former) = (tokio::time::interval(Duration::from_secs(1)), 0);
    loop {
        ticks.tick().await;
        let (recent, counts) = (watch.latencies.recent.take(), watch.counters.counts());
        let delivered = counts.pushed + counts.synced + counts.fetched;
        stage.at(
            counts.sent,
            format!(
                "answered {}/s, delivered {}/s, p50 {:.1} ms, p99 {:.1} ms, open {}, wrong {}",
                recent.count,
                delivered - former,
                recent.p50_ms,
                recent.p99_ms,
                watch.in_flight(),
                watch.violations.count()
            ),
        );
        former = delivered;
    }
}

/// Everything that a report is made from.
struct Ran<'a> {
    scenario_name: String,
    scenario: Scenario,
    run: Run,
    began_unix_ms: u64,
    paced: Paced,
    settled: Settled,
    audited: audit::Audited,
    counts: Counts,
    cpu: (Sample, Sample),
    faults: Faults,
    crowd: &'a Crowd,
    watch: &'a Watch,
    talks: &'a [Talk],
}

fn report(ran: Ran<'_>) -> Report {
    let Ran { watch, paced, settled, ref counts, .. } = ran;
    let seconds = (paced.ended.since(paced.began) as f64 / 1e6).max(0.001);
    let latencies = &watch.latencies;
    let violations_count = watch.violations.count();
    let verdict = if violations_count > 0 {
        Verdict::Failed
    } else if counts.acknowledged == 0 {
        Verdict::NothingSent
    } else if ran.faults == Faults::Expected && faults_felt(counts) == 0 {
        Verdict::ProvesNothing
    } else {
        Verdict::Passed
    };
    Report {
        scenario_name: ran.scenario_name,
        scenario: ran.scenario,
        router: ran.crowd.http.base().to_owned(),
        run: ran.run.to_string(),
        began_unix_ms: ran.began_unix_ms,
        seconds,
        settle_seconds: settled.seconds,
        acknowledged_per_s: counts.acknowledged as f64 / seconds,
        delivered_per_s: counts.pushed as f64 / seconds,
        unanswered: settled.unanswered,
        never_sent: paced.never_sent,
        not_whole: settled.not_whole,
        http_repeats: ran.crowd.http.repeated(),
        latency: Latencies {
            acknowledged: latencies.acknowledged.summary(),
            delivered: latencies.delivered.summary(),
            returned: latencies.returned.summary(),
            recovered: latencies.recovered.summary(),
        },
        crossings: Crossings::of(&watch.ledger, &ran.crowd.people, ran.talks),
        cpu: ran.cpu.1.since(&ran.cpu.0, counts.acknowledged, counts.pushed + counts.synced + counts.fetched),
        audit: Some(ran.audited),
        violations_count,
        violations: watch.violations.list(),
        verdict,
        counts: ran.counts,
    }
}
