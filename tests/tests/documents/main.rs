//! README and the book (`docs/`): every command in them is run, on a lab of real Portage guests, page by page as a
//! reader would; and every link leads somewhere.

mod links;
mod page;
mod pages;
mod rules;
mod stage;

use std::path::{Path, PathBuf};

/// The folder of the project.
fn project() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the project is above its tests")
        .to_owned()
}

/// A file of the project.
fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the book, by their paths in the project.
fn book() -> Vec<String> {
    let root = project();
    let mut pages = Vec::new();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("docs is a folder");
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                let inside = path.strip_prefix(&root).expect("it is below the project");
                pages.push(inside.display().to_string());
            }
        }
    }
    pages.sort();
    pages
}
