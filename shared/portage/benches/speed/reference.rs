//! The same work, done by Portage's own library.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The version of Portage that takes part.
const VERSION: &str = "3.0.83";

const PROGRAM: &str = include_str!("reference.py");

/// What Portage did.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The best time of its rounds, without the start of Python.
    pub(crate) seconds: f64,
    /// A number that says that it did the same work.
    pub(crate) result: usize,
}

/// Lets Portage do `task` (see reference.py) for each line.
pub(crate) fn run(task: &str, lines: &[String]) -> Result<Reference, Box<dyn Error>> {
    let mut child = Command::new(python()?)
        .args(["-c", PROGRAM, task])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // The program reads all of it before it prints anything.
        stdin.write_all(lines.join("\n").as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("Portage's {task}: {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let (seconds, result) = text
        .trim()
        .split_once(' ')
        .ok_or("reference.py printed nothing")?;
    Ok(Reference {
        seconds: seconds.parse()?,
        result: result.parse()?,
    })
}

/// A Python with Portage's library. It is made unless it is there.
fn python() -> Result<String, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/portage-venv.sh");
    // Where the differential tests have it, too: in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let output = Command::new(script)
        .arg(VERSION)
        .args(target)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("tests/portage-venv.sh: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
