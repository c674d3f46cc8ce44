//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::{
    config,
    exit::{Exit, Failure},
    operate::{self, Import, Map, Status, UserCommand},
    part, up,
};

/// Skep, an instant-messaging platform.
#[derive(Debug, Parser)]
#[command(name = "skep", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  skep up                                 all parts on this machine, under ./data
  skep config example cell > cell.toml    a configuration to start from
  skep cell --config cell.toml            one cell, as in production
  skep status                             how all parts are
  skep user show anna                     somebody's account

Environment:
  SKEP_LOG          what is logged, such as info or skep_cell=debug,info (default info)
  SKEP_LOG_FORMAT   plain or json (default plain)
  SKEP_...          every key of a part's configuration, such as SKEP_LISTEN; it wins over the file

Exit codes:
  0 clean, 1 not found, refused or not well, 64 wrong usage or configuration, 69 a part cannot start or be reached,
  70 a bug";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: directory, router, cells with their PostgreSQL and Redis.
    #[command(after_help = UP_EXAMPLES)]
    Up(up::Options),
    /// Run a directory.
    Directory(PartArgs),
    /// Run a router.
    Router(PartArgs),
    /// Run a cell.
    Cell(CellArgs),
    /// Show how all parts are.
    #[command(after_help = operate::STATUS_EXAMPLES)]
    Status(Status),
    /// Show which cell owns what.
    #[command(after_help = operate::MAP_EXAMPLES)]
    Map(Map),
    /// Look at somebody's account, or change it.
    #[command(subcommand, after_help = operate::USER_EXAMPLES)]
    User(UserCommand),
    /// Bring accounts, conversations and members in, by the thousand.
    #[command(after_help = operate::IMPORT_EXAMPLES)]
    Import(Import),
    /// About configuration files.
    #[command(subcommand)]
    Config(ConfigCommand),
}

const UP_EXAMPLES: &str = "\
Examples:
  skep up                                   three cells under ./data; open http://127.0.0.1:7700
  skep up --data /srv/skep --cells 5        somewhere else, more cells (fixed at a folder's first start)
  skep up --public-host chat.example.org    reachable from other machines
  skep up --rate-limits off                 for load runs
  skep up --public-host chat.example.org --tls-certificate chat.pem --tls-key chat.key
                                            https and wss at the public ports

DIR/deployment.json names every part with its pid and address once all are ready; logs are in DIR/logs.
Ctrl-C stops everything; what was stored is there at the next start.";

#[derive(Debug, Args)]
struct PartArgs {
    /// The part's configuration (TOML); `skep config example PART` prints one.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct CellArgs {
    #[command(flatten)]
    part: PartArgs,
    /// Note that the cell's PostgreSQL was restored from an older copy, and end. Only while the cell is stopped; needed
    /// unless PostgreSQL itself began a new timeline. Other cells then set aside what was lost.
    #[arg(long)]
    restored: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a commented configuration file.
    Example {
        #[arg(value_enum)]
        part: PartName,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartName {
    Directory,
    Router,
    Cell,
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; they come as errors too.
            _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => Exit::Usage.into(),
            };
        }
    };
    // A panic has said what and where; its exit code is to be ours, not the language's.
    match std::panic::catch_unwind(|| run(cli.command)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            eprintln!("skep: {failure}");
            failure.exit.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(options) => up::run(options),
        Command::Directory(args) => part::run(&args.config, skep_directory::run),
        Command::Router(args) => part::run(&args.config, skep_router::run),
        Command::Cell(CellArgs { part, restored: true }) => part::once(&part.config, skep_cell::restored),
        Command::Cell(CellArgs { part, restored: false }) => part::run(&part.config, skep_cell::run),
        Command::Status(status) => status.run(),
        Command::Map(map) => map.run(),
        Command::User(command) => command.run(),
        Command::Import(import) => import.run(),
        Command::Config(ConfigCommand::Example { part }) => {
            let text = match part {
                PartName::Directory => config::example::<skep_directory::Config>(),
                PartName::Router => config::example::<skep_router::Config>(),
                PartName::Cell => config::example::<skep_cell::Config>(),
            };
            // Whoever reads it may have read enough.
            _ = std::io::stdout().write_all(text.as_bytes());
            Ok(())
        }
    }
}
