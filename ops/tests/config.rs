//! Wrong configurations are refused before anything is bound, with file, key and reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Output};

fn skep(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    command.args(arguments);
    command
}

fn file(name: &str, text: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("skep-{}-{name}", std::process::id()));
    std::fs::write(&file, text).unwrap();
    file
}

fn example(part: &str) -> String {
    let output = skep(&["config", "example", part]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn is_refused(output: &Output, words: &[&str]) {
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{reason}");
    for word in words {
        assert!(reason.contains(word), "{word:?} is not in: {reason}");
    }
}

/// An example with one line replaced.
fn changed(part: &str, key: &str, line: &str) -> String {
    let begins = format!("{key} = ");
    let text = example(part);
    assert!(text.lines().any(|l| l.starts_with(&begins)), "{key} is in the example");
    text.lines().map(|l| if l.starts_with(&begins) { line } else { l }).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_is_named_with_file_key_and_reason() {
    let cases = [
        ("cell", "cell_id", "cell_id = \"one\"", "expected u32"),
        ("cell", "cell_id", "", "missing"),
        ("cell", "cell_id", "cell_id = 0", "counting begins at 1"),
        ("cell", "http_listen", "http_listen = \"nowhere\"", "socket address"),
        ("cell", "directory", "directory = \"127.0.0.1\"", "http://"),
        ("cell", "socket_url", "socket_url = \"http://a/v1/socket\"", "ws://"),
        ("cell", "database", "database = \"dbname\"", "connection string"),
        ("cell", "admin_listen", "admin_listen = \"0.0.0.0:7711\"", "socket_listen"),
        ("cell", "relay_listen", "relay_listen = \"0.0.0.0:7731\"", "set `relay_address`"),
        ("directory", "database", "database = \"dbname=skep\"", "names no host"),
        ("directory", "listen", "listens = \"127.0.0.1:1\"", "unknown; the keys are listen, admin_listen, database"),
        ("directory", "cluster_secret", "cluster_secret = \"hush\"", "secret 1 has 4 bytes"),
        ("directory", "cluster_secret", "cluster_secret = \"file:/no/such/secret\"", "/no/such/secret"),
        ("cell", "cluster_secret", "cluster_secret = 12345678901234567", "a secret is text"),
        ("router", "cluster_secret", "", "missing"),
        ("router", "public_url", "public_url = 3", "expected a string"),
        ("cell", "directory", "directory = \"https://127.0.0.1:7701\"", "needs `inner_tls`"),
    ];
    for (at, (part, key, line, reason)) in cases.into_iter().enumerate() {
        let file = file(&format!("case-{at}.toml"), &changed(part, key, line));
        let output = skep(&[part, "--config", file.to_str().unwrap()]).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        is_refused(&output, &[file.to_str().unwrap(), key, reason]);
    }
}

#[test]
fn tls_files_are_looked_at_before_anything_is_bound() {
    let missing = |key: &str, files: &str| {
        let file = file(&format!("{key}.toml"), &format!("{}\n{key} = {{ {files} }}\n", example("cell")));
        let output = skep(&["cell", "--config", file.to_str().unwrap()]).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        is_refused(&output, &[file.to_str().unwrap(), key, "/no/such/certificate"]);
    };
    missing("tls", r#"certificate = "/no/such/certificate", key = "/no/such/key""#);
    missing("inner_tls", r#"ca = "/no/such/certificate", certificate = "/no/such/certificate", key = "/no/such/key""#);
}

#[test]
fn an_address_that_contradicts_tls_is_refused() {
    let plain = changed("cell", "socket_url", "socket_url = \"ws://a/v1/socket\"");
    let files = "certificate = \"/no/such/certificate\", key = \"/no/such/key\"";
    let file = file("scheme.toml", &format!("{plain}\ntls = {{ {files} }}\n"));
    let output = skep(&["cell", "--config", file.to_str().unwrap()]).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    is_refused(&output, &["socket_url", "does not begin with wss://"]);
}

#[test]
fn the_environment_wins_over_the_file_and_is_named_when_it_is_wrong() {
    let file = file("environment.toml", &example("router"));
    let output = skep(&["router", "--config", file.to_str().unwrap()]).env("SKEP_LISTEN", "here").output().unwrap();
    std::fs::remove_file(&file).unwrap();
    is_refused(&output, &["environment variable SKEP_LISTEN", "socket address"]);
}

#[test]
fn a_secret_is_never_shown() {
    let file = file("secret.toml", &example("cell"));
    let run = |keys: &[(&str, &str)]| {
        skep(&["cell", "--config", file.to_str().unwrap()]).envs(keys.iter().copied()).output().unwrap()
    };
    // What looks like a number is not read as a text, and an error about a value usually names it.
    let number = run(&[("SKEP_IMAGES_SECRET_KEY", "8675309")]);
    let alone = run(&[("SKEP_IMAGES_SECRET_KEY", "x8675309")]);
    std::fs::remove_file(&file).unwrap();
    is_refused(&number, &["SKEP_IMAGES_SECRET_KEY", "quote"]);
    is_refused(&alone, &["images_bucket"]);
    for output in [number, alone] {
        assert!(!String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("8675309"));
    }
}

#[test]
fn no_file_or_no_toml_is_said_with_what_to_do() {
    is_refused(
        &skep(&["cell", "--config", "/no/such/file"]).output().unwrap(),
        &["/no/such/file", "config example cell"],
    );
    let file = file("syntax.toml", "cell_id = = 1\n");
    let output = skep(&["cell", "--config", file.to_str().unwrap()]).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    is_refused(&output, &[file.to_str().unwrap(), "line 1"]);
}

#[test]
fn a_wrong_command_line_is_wrong_usage_and_help_is_not() {
    is_refused(&skep(&["fly"]).output().unwrap(), &["fly"]);
    is_refused(&skep(&["up", "--router-port", "65530"]).output().unwrap(), &["--router-port"]);
    is_refused(&skep(&["up", "--public-host", "http://a"]).output().unwrap(), &["--public-host"]);
    let help = skep(&["up", "--help"]).output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}

#[test]
fn a_port_that_is_taken_is_named_and_the_part_cannot_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = file("taken.toml", &example("directory"));
    let output = skep(&["directory", "--config", file.to_str().unwrap()])
        .env("SKEP_LISTEN", &address)
        .env("SKEP_CLUSTER_SECRET", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{reason}");
    assert!(reason.contains(&address), "{reason}");
}
