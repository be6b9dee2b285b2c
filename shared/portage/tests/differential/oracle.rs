//! Portage itself, as a program that is asked questions.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The folder of this test, where the Python programs are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}

/// The checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python that has Portage; made when it is not there.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let output = Command::new(checkout().join("tests/portage-venv.sh"))
            .arg("3.0.83")
            .arg(target)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "tests/portage-venv.sh failed");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    })
}

/// Asks all `questions` and gives the answers in the same order; null is a refusal.
///
/// A crash of Portage on one of them fails the test: it is no answer.
pub(crate) fn ask(questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python())
        .arg(folder().join("oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = BufWriter::new(child.stdin.take().unwrap());
    let output = BufReader::new(child.stdout.take().unwrap());
    let answers: Vec<Value> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for question in questions {
                writeln!(input, "{question}").unwrap();
            }
        });
        output
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    });
    assert!(child.wait().unwrap().success(), "the oracle failed");
    assert_eq!(answers.len(), questions.len(), "one answer a question");
    for (question, answer) in questions.iter().zip(&answers) {
        assert!(
            answer.get("crash").is_none(),
            "Portage crashed on {question}: {answer}"
        );
    }
    answers
}
