//! The programs of docs/clients.md do what the page says.

use std::path::{Path, PathBuf};
use std::process::Command;

use skep_tests::Deployment;

/// What the programs are kept in, and Python's packages.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The one program of the page in this language.
fn program(page: &str, language: &str) -> String {
    let fence = format!("\n```{language}\n");
    let mut blocks = page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let program = blocks.next().unwrap_or_else(|| panic!("the page has a program in {language}")).to_owned();
    assert!(blocks.next().is_none(), "and only one in {language}, so that none goes without a test");
    program
}

/// Runs it to its end; what it printed.
async fn run(mut command: Command, api: &str) -> String {
    command.env("SKEP", api);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

fn has_program(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A Python with the packages that the page names.
fn python(page: &str) -> PathBuf {
    let venv = folder().join("venv");
    let python = venv.join("bin/python3");
    let packages = page.split("`pip install ").nth(1).unwrap().split('`').next().unwrap();
    let packages: Vec<&str> = packages.split(' ').collect();
    let has_them = || {
        let import = format!("import {}", packages.join(", "));
        Command::new(&python).args(["-c", &import]).output().is_ok_and(|output| output.status.success())
    };
    if !has_them() {
        let done = |command: &mut Command| {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        done(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(&packages));
        assert!(has_them(), "{} has {packages:?}", python.display());
    }
    python
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_of_the_page_for_client_authors_work() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md")).unwrap();
    let deployment = Deployment::start(2).await;
    let api = deployment.url.as_str();

    let mut shell = Command::new("sh");
    shell.args(["-euc", &program(&page, "sh")]);
    let said = run(shell, api).await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("\"seq\":1") && lines[0].ends_with(" 201"), "{said}");
    assert!(lines[1].contains("\"seq\":1") && lines[1].ends_with(" 200"), "{said}");
    assert!(lines[2].contains("\"text\":\"hello\""), "{said}");
    assert!(lines[3].contains("\"read_seq\":1") && lines[3].contains("\"unread\":0"), "{said}");
    assert!(lines[4].contains("\"code\":\"invalid\""), "{said}");

    let expected = |said: &str| {
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..2], ["Ben has: hello", "Ben has: you were away"], "{said}");
        assert!(lines[2].contains("read_seq") && lines[2].contains('2'), "{said}");
        assert!(lines[3].starts_with("invalid - "), "{said}");
    };
    let file = folder().join("client.mjs");
    std::fs::write(&file, program(&page, "js")).unwrap();
    let mut node = Command::new("node");
    // Since version 22 it needs no word.
    node.arg("--experimental-websocket").arg(file);
    expected(&run(node, api).await);

    if !has_program("python3") {
        eprintln!("the Python of docs/clients.md was not run: there is no python3 here");
        return;
    }
    let file = folder().join("client.py");
    std::fs::write(&file, program(&page, "python")).unwrap();
    let mut python = Command::new(python(&page));
    python.arg(file);
    expected(&run(python, api).await);
}
