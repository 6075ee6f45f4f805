//! Generates the table of the built pages in `web/dist/pages`, which `src/http/assets.rs` includes. If the pages are
//! not built the table is empty: the server builds without npm.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("web/dist");
    // This folder always exists, because git keeps a file in it; a missing folder would make every build run this
    // again.
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");

    let pages = folder.join("pages");
    let mut files = Vec::new();
    if pages.is_dir() {
        find(&pages, &mut files)?;
    }
    files.sort();
    let mut table = String::from("[\n");
    for file in files.iter().filter(|file| !is_compressed(file)) {
        let path = file.strip_prefix(&pages)?.to_str().ok_or("a path that is no text")?;
        let (gzip, brotli) = (include_if_there(file, "gz"), include_if_there(file, "br"));
        writeln!(
            table,
            "Asset {{ path: {path:?}, identity: include_bytes!({file:?}), gzip: {gzip}, brotli: {brotli} }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("assets.rs"), table)?;
    Ok(())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn is_compressed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "gz" || extension == "br")
}

/// Returns an expression that includes the file with this ending appended to its name, or `None` if there is none.
fn include_if_there(file: &Path, ending: &str) -> String {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    let compressed = PathBuf::from(name);
    if compressed.is_file() { format!("Some(include_bytes!({compressed:?}))") } else { "None".to_owned() }
}
