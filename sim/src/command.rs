//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    load::{self, Faults, Options},
    report::Verdict,
    scenario::Scenario,
};

/// Usage or configuration: the same code as the server's processes use.
const USAGE: u8 = 64;
/// Stopped by a second Ctrl-C, without an audit.
const INTERRUPTED: i32 = 130;
/// File descriptors beside the sockets.
const OTHER_FILES: u64 = 500;

const EXAMPLES: &str = "\
Examples:
  skep-sim load --router http://127.0.0.1:7700 --scenario sim/scenarios/smoke.toml --report target/load/smoke
  skep-sim load --router http://127.0.0.1:7700 --scenario sim/scenarios/direct.toml --rate 2000 --seconds 20 \\
      --report target/load/direct
  skep-sim load --router http://127.0.0.1:7700 --scenario sim/scenarios/mixed.toml --expect-faults \\
      --report target/load/faults        (while somebody breaks parts)
  skep-sim load --router https://chat.test:7700 --ca ca.pem --scenario sim/scenarios/smoke.toml \\
      --report target/load/tls           (a deployment with certificates of an authority of one's own)

Start the deployment with `skep up --rate-limits off`. Accounts are kept in --accounts for the next run: signing up
costs about 15 ms of a core each, on purpose.
Exit codes: 0 passed; 1 something was lost, repeated, out of order or differs; 2 faults were expected and none was
felt; 3 nothing was acknowledged; 64 usage; 70 the run could not be made.";

/// Loads a deployment over the public contract, and audits every message.
#[derive(Debug, Parser)]
#[command(name = "skep-sim", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a scenario against a deployment.
    #[command(after_help = EXAMPLES)]
    Load(Load),
}

#[derive(Debug, clap::Args)]
struct Load {
    /// The router's URL.
    #[arg(long)]
    router: String,
    /// The authority that the deployment's certificates are of (PEM), where this machine does not trust it anyway.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A TOML file, see sim/scenarios.
    #[arg(long)]
    scenario: PathBuf,
    /// The folder for report.json and summary.txt.
    #[arg(long)]
    report: PathBuf,
    /// The folder where accounts are kept; the report's parent unless given.
    #[arg(long)]
    accounts: Option<PathBuf>,
    /// The file with the people to use, such as `skep import --tokens` writes, instead of one in that folder.
    #[arg(long, value_name = "FILE", conflicts_with = "accounts")]
    people_file: Option<PathBuf>,
    /// What `skep up` wrote: CPU per message is read from its processes, and accounts are told apart by it.
    #[arg(long, default_value = "./data/deployment.json")]
    deployment: PathBuf,
    /// Messages per second, instead of the scenario's.
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds of sending, instead of the scenario's.
    #[arg(long)]
    seconds: Option<u64>,
    /// People, instead of the scenario's; pairs and members shrink to fit.
    #[arg(long)]
    people: Option<usize>,
    /// Seed of all choices, instead of the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Unanswered messages at once, instead of the scenario's.
    #[arg(long)]
    max_in_flight: Option<usize>,
    /// Seconds after the last message in which everybody must be whole, instead of the scenario's.
    #[arg(long)]
    settle: Option<u64>,
    /// Sign-ups and log-ins at once.
    #[arg(long, default_value_t = 4)]
    sign_ups: usize,
    /// Somebody breaks parts meanwhile: a run in which no client feels it fails, since it proves nothing.
    #[arg(long)]
    expect_faults: bool,
    /// Frames that each client remembers, to list them with what was wrong, instead of the scenario's.
    #[arg(long)]
    trace: Option<usize>,
}

/// Runs the command line to the process's exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let Command::Load(load) = cli.command;
    let options = match load.options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("skep-sim: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    match run(options, &load.report) {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(error) => {
            eprintln!("skep-sim: {error:#}");
            ExitCode::from(70)
        }
    }
}

#[tokio::main]
async fn run(options: Options, folder: &std::path::Path) -> anyhow::Result<Verdict> {
    allow_files(options.scenario.people as u64 + OTHER_FILES)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        _ = tokio::signal::ctrl_c().await;
        eprintln!("stopping: what was sent is still audited; Ctrl-C again ends at once");
        asked.cancel();
        _ = tokio::signal::ctrl_c().await;
        std::process::exit(INTERRUPTED);
    });
    let report = load::run(options, stop).await?;
    report.write(folder)?;
    print!("{}", report.summary());
    Ok(report.verdict)
}

/// A socket is a file: as many as are needed, as far as this process may.
fn allow_files(count: u64) -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    if soft >= count {
        return Ok(());
    }
    let wanted = count.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).context("cannot raise the limit of open files")?;
    anyhow::ensure!(wanted == count, "{count} open files are needed and {hard} are allowed: raise `ulimit -n`");
    Ok(())
}

impl Load {
    fn options(&self) -> anyhow::Result<Options> {
        let mut scenario = Scenario::load(&self.scenario)?;
        scenario.rate = self.rate.unwrap_or(scenario.rate);
        scenario.seconds = self.seconds.unwrap_or(scenario.seconds);
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.max_in_flight = self.max_in_flight.unwrap_or(scenario.max_in_flight);
        scenario.settle_s = self.settle.unwrap_or(scenario.settle_s);
        scenario.audit.trace = self.trace.unwrap_or(scenario.audit.trace);
        if let Some(people) = self.people {
            scenario.with_people(people);
        }
        scenario.check().with_context(|| format!("{} cannot be run", self.scenario.display()))?;
        let name = self.scenario.file_stem().map_or_else(|| "load".to_owned(), |n| n.to_string_lossy().into_owned());
        let beside = self.report.parent().filter(|p| !p.as_os_str().is_empty());
        let accounts = self.accounts.clone().or_else(|| beside.map(Into::into)).unwrap_or_else(|| ".".into());
        anyhow::ensure!(self.sign_ups > 0, "--sign-ups: at least 1");
        Ok(Options {
            router: self.router.clone(),
            ca: self.ca.clone(),
            scenario_name: name,
            scenario,
            accounts,
            people: self.people_file.clone(),
            deployment: self.deployment.clone(),
            sign_ups: self.sign_ups,
            faults: if self.expect_faults { Faults::Expected } else { Faults::Unexpected },
        })
    }
}
