//! The rules of the house that a compiler does not know.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// A file is one idea.
const LINES: usize = 700;

/// All files that people wrote, without what builds and tools leave.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["target", ".git", "node_modules", "data", "dist"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if let Some("rs" | "md" | "proto" | "sql" | "toml") = path.extension().and_then(|e| e.to_str()) {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn all() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), &mut found);
    assert!(found.len() > 100, "this looks at the project");
    let read = |path: PathBuf| (path.strip_prefix(root()).unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
    found.into_iter().map(read).collect()
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = all()
        .into_iter()
        .filter(|(path, text)| path.extension().is_some_and(|e| e == "rs") && text.lines().count() > LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "over {LINES} lines: {long:?}");
}

#[test]
fn no_marks_are_left() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME"];
    for (path, text) in all() {
        for (number, line) in text.lines().enumerate() {
            let mark = marks.iter().find(|mark| line.contains(mark.as_str()));
            assert!(mark.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    for (path, text) in all().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "md")) {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') || link.starts_with('/') {
                continue;
            }
            let target = link.split('#').next().unwrap();
            let full = root().join(path.parent().unwrap()).join(target);
            assert!(full.exists(), "{}: {link} leads nowhere", path.display());
        }
    }
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let manifest = std::fs::read_to_string(root().join("cell/core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split('[').next().unwrap();
    let names: Vec<&str> =
        dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|n| !n.is_empty()).collect();
    let allowed = ["skep-protocol", "bytes", "uuid", "thiserror", "serde", "serde_json"];
    assert!(names.iter().all(|name| allowed.contains(name)), "{names:?}");
}
