//! Puts the built web app (`web/dist`) into the program. Without it there is a program all the same: it says then how
//! to build the app.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web/dist");
    // A folder that is not there yet is watched too.
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.is_dir() {
        walk(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("pub(crate) static FILES: &[File] = &[\n");
    for file in &files {
        let is_packed = file.extension().is_some_and(|e| e == "br" || e == "gz");
        if is_packed && files.contains(&file.with_extension("")) {
            continue;
        }
        let path = file.strip_prefix(&dist).expect("it was found there").to_string_lossy().replace('\\', "/");
        let packed = |ending: &str| {
            let packed = PathBuf::from(format!("{}.{ending}", file.display()));
            if files.contains(&packed) { format!("Some(include_bytes!({packed:?}))") } else { "None".to_owned() }
        };
        let (brotli, gzip) = (packed("br"), packed("gz"));
        writeln!(
            table,
            "    File {{ path: {:?}, bytes: include_bytes!({file:?}), brotli: {brotli}, gzip: {gzip} }},",
            format!("/{path}"),
        )
        .expect("a string takes all");
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("web_files.rs"), table)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
