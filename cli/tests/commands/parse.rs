//! `gentoo-updater parse`, the program itself: what it prints where, and its exit code.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A recorded output of Portage, or a golden file.
fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/portage/tests/fixtures");
    fixtures.join(name).to_str().unwrap().to_owned()
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gentoo-updater"));
    program
        .arg("parse")
        .env_remove("GENTOO_UPDATER_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    texts(program().args(arguments).output().unwrap())
}

fn run_with_stdin(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    texts(child.wait_with_output().unwrap())
}

fn texts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What a call prints that understands its text: exit code 0 and nothing on standard error.
fn understood(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
    stdout
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&understood(arguments)).unwrap()
}

/// What a call says that does not: nothing on standard output.
fn refused(arguments: &[&str]) -> (i32, String) {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!(stdout, "", "{arguments:?}");
    (code, stderr)
}

const PLAIN: [&str; 2] = ["plan/a-NDpuv1-plain.out", "plan/a-NDpuv1-plain.err"];

#[test]
fn the_json_of_a_recorded_plan_is_that_of_the_golden_file() {
    let [out, err] = PLAIN.map(fixture);
    let found = json_of(&[
        "plan", "--stdout", &out, "--stderr", &err, "--status", "0", "--json",
    ]);
    let golden = std::fs::read_to_string(fixture("document/a-NDpuv1-plain.json")).unwrap();
    assert_eq!(found, serde_json::from_str::<Value>(&golden).unwrap());
    assert_eq!(found["rows"].as_array().unwrap().len(), 14);
}

#[test]
fn a_plan_is_a_table_for_people() {
    let text = understood(&["plan", "--stdout", &fixture("document/every-field.out")]);
    for line in [
        "kind       status  package                                             installed  repository  fetch     USE",
        "ebuild     rR      dev-libs/libbeta-1.0:0                              1.0        gentoo      0 KiB     fast -doc",
        "binary     N       app-misc/newdep-1.0-5:0                                        gentoo      0 KiB",
        "blocks     b       app-misc/oldblocked by app-misc/newdep-1.0",
        "packages: 3 (1 new, 1 in a new slot, 1 reinstalled, 1 as a binary, 1 removed, 1 blocking); \
         to fetch: 1234 KiB",
        "news_unread:",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nis not in\n{text}"
        );
    }
}

#[test]
fn a_plan_that_emerge_refuses_is_understood_and_says_so() {
    let [out, err] = ["out", "err"].map(|end| fixture(&format!("plan/bb2-hardblock.{end}")));
    let text = understood(&["plan", "--stdout", &out, "--stderr", &err, "--status", "1"]);
    assert!(
        text.contains("\nemerge refused it: it ended with status 1\n"),
        "{text}"
    );
    assert!(
        text.contains("blocks  B       app-misc/oldblocked by app-misc/hardblocker-1.0\n"),
        "{text}"
    );
}

#[test]
fn a_line_that_is_not_understood_is_named_with_its_number_and_why() {
    let out = std::fs::read_to_string(fixture(PLAIN[0])).unwrap();
    let garbled = out.replace(
        "[ebuild  N     ] app-misc/newdep",
        "[ebuild  Q     ] app-misc/newdep",
    );
    let number = 1 + garbled
        .lines()
        .position(|line| line.contains("[ebuild  Q"))
        .unwrap();
    for json in [
        &["plan", "--stdout", "-"][..],
        &["plan", "--stdout", "-", "--json"],
    ] {
        let (code, stdout, stderr) = run_with_stdin(json, garbled.as_bytes());
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(
            stderr.starts_with(&format!(
                "standard input: line {number} is not understood: "
            )),
            "{stderr}"
        );
        assert!(
            stderr.contains("[ebuild  Q     ] app-misc/newdep-1.0::gentoo"),
            "{stderr}"
        );
    }
}

#[test]
fn a_list_that_was_cut_and_a_status_that_nothing_explains_are_not_understood() {
    let out = std::fs::read(fixture(PLAIN[0])).unwrap();
    let (code, _, stderr) = run_with_stdin(&["plan", "--stdout", "-"], &out[..600]);
    assert_eq!(code, 1);
    assert!(stderr.contains("\"Total:\""), "{stderr}");
    let (code, stderr) = refused(&[
        "plan",
        "--stdout",
        &fixture("document/every-field.out"),
        "--status",
        "-9",
    ]);
    assert_eq!(code, 1);
    assert!(stderr.contains("status -9"), "{stderr}");
}

#[test]
fn bytes_that_are_not_utf8_are_named_and_refused_only_within_the_list() {
    let out = std::fs::read(fixture(PLAIN[0])).unwrap();
    let replace = |from: &str, to: &[u8]| {
        let text = std::str::from_utf8(&out).unwrap();
        let (before, after) = text.split_once(from).unwrap();
        [before.as_bytes(), to, after.as_bytes()].concat()
    };
    let (code, stdout, stderr) = run_with_stdin(
        &["plan", "--stdout", "-"],
        &replace("These are", b"caf\xe9\nThese are"),
    );
    assert_eq!((code, stderr.lines().count()), (0, 1), "{stderr}");
    assert!(
        stderr.starts_with("standard input: line 2 is not UTF-8"),
        "{stderr}"
    );
    assert!(stdout.contains("caf\u{fffd}"), "{stdout}");
    let (code, stdout, stderr) = run_with_stdin(
        &["plan", "--stdout", "-"],
        &replace("newdep-1.0", b"newdep-1.\xe9"),
    );
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains(" is not UTF-8") && stderr.contains(" is not understood"),
        "{stderr}"
    );
    for command in ["index", "depend"] {
        let (code, stdout, stderr) = run_with_stdin(&[command, "-"], b"A: b\nC: \xe9\n\n");
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.contains("line 2"), "{stderr}");
    }
}

#[test]
fn control_characters_reach_no_terminal() {
    let out = std::fs::read_to_string(fixture(PLAIN[0])).unwrap();
    let bell = out.replace("These are", "ring\u{7}\rring\nThese are");
    let (code, stdout, _) = run_with_stdin(&["plan", "--stdout", "-"], bell.as_bytes());
    assert_eq!(code, 0);
    assert!(stdout.contains("ring"), "{stdout}");
    assert!(
        stdout.chars().all(|c| c == '\n' || !c.is_control()),
        "{stdout:?}"
    );
}

#[test]
fn an_index_is_a_table_or_json() {
    let file = fixture("index/Packages");
    let text = understood(&["index", &file]);
    assert!(text.starts_with("package  "), "{text}");
    let json = json_of(&["index", &file, "--json"]);
    let packages = json["packages"].as_array().unwrap();
    let bound = "dev-libs/libalpha:0/1=";
    let is_bound = |package: &&Value| package["rdepend"].as_str().unwrap().contains(bound);
    let libbeta = packages.iter().find(is_bound).unwrap();
    assert_eq!(libbeta["chost"], "x86_64-pc-linux-gnu");
    assert_eq!(libbeta["md5"].as_str().unwrap().len(), 32);
    assert!(
        text.ends_with(&format!("\n{} packages\n", packages.len())),
        "{text}"
    );
    for package in packages {
        let exact = format!(
            "{}-{}",
            package["cpv"].as_str().unwrap(),
            package["build_id"]
        );
        assert!(
            text.lines()
                .any(|line| line.split(' ').next() == Some(&exact)),
            "{exact}"
        );
    }
    let whole = std::fs::read(file).unwrap();
    let (code, stdout, stderr) = run_with_stdin(&["index", "-"], &whole[..whole.len() - 100]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("standard input: "), "{stderr}");
}

#[test]
fn a_dependency_string_is_a_tree_and_with_flags_one_without_conditions() {
    let string = "ssl? ( dev-libs/openssl:= ) || ( a/b !c/d )";
    let tree = "ssl? (\n    dev-libs/openssl:=\n)\n|| (\n    a/b\n    !c/d\n)\n";
    assert_eq!(understood(&["depend", string]), tree);
    let choice = "|| (\n    a/b\n    !c/d\n)\n";
    assert_eq!(understood(&["depend", string, "--use", ""]), choice);
    assert_eq!(
        understood(&["depend", "--use", "-doc ssl", string]),
        format!("dev-libs/openssl:=\n{choice}")
    );
    assert_eq!(
        understood(&["depend", "--use", "ssl", "--use", "-ssl", string]),
        choice
    );
    let openssl = json!({"kind": "atom", "atom": "dev-libs/openssl:="});
    let expected = json!({
        "dependency": string,
        "nodes": [
            {"kind": "if_enabled", "flag": "ssl", "nodes": [openssl]},
            {"kind": "any_of", "nodes": [{"kind": "atom", "atom": "a/b"}, {"kind": "atom", "atom": "!c/d"}]},
        ],
        "use": ["ssl"],
        "reduced": "dev-libs/openssl:= || ( a/b !c/d )",
        "packages": ["dev-libs/openssl:=", "a/b"],
        "blockers": ["!c/d"],
    });
    assert_eq!(
        json_of(&["depend", string, "--use", "ssl", "--json"]),
        expected
    );
    assert_eq!(
        json_of(&["depend", string, "--json"])["packages"],
        Value::Null
    );
}

#[test]
fn a_dependency_string_comes_from_a_file_and_its_error_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("RDEPEND");
    std::fs::write(&file, "a/b\nssl? (\n  c/d;e\n)\n").unwrap();
    let file = file.to_str().unwrap();
    let (code, stderr) = refused(&["depend", file]);
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with(&format!("{file}: line 3: word 4 ")),
        "{stderr}"
    );
    assert!(stderr.ends_with(": \"  c/d;e\"\n"), "{stderr}");
    std::fs::write(file, "a/b\nc/d\n").unwrap();
    assert_eq!(understood(&["depend", file]), "a/b\nc/d\n");
}

#[test]
fn versions_are_compared_as_portage_does() {
    for (left, right, text, order) in [
        ("1.0_rc1", "1.0", "1.0_rc1 < 1.0\n", "less"),
        ("1.0", "1.0-r0", "1.0 = 1.0-r0\n", "equal"),
        ("1.10", "1.9", "1.10 > 1.9\n", "greater"),
    ] {
        assert_eq!(understood(&["version", left, right]), text);
        let json = json_of(&["version", left, right, "--json"]);
        assert_eq!(json, json!({"left": left, "order": order, "right": right}));
    }
    let (code, stderr) = refused(&["version", "1.0", "one"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("\"one\" is not a valid version"),
        "{stderr}"
    );
}

#[test]
fn wrong_usage_and_missing_files_end_with_64() {
    let both = ["plan", "--stdout", "-", "--stderr", "-"];
    for (arguments, words) in [
        (&["plan"][..], "--stdout <FILE>"),
        (
            &["plan", "--stdout", "/nowhere/plan.out"],
            "/nowhere/plan.out: No such file",
        ),
        (&["plan", "--stdout", "/"], "/: Is a directory"),
        (&["plan", "--stdout", "x", "--status", "one"], "--status"),
        (&both, "not both"),
        (
            &["index", "/nowhere/Packages"],
            "/nowhere/Packages: No such file",
        ),
        (
            &["depend", "/nowhere/RDEPEND"],
            "/nowhere/RDEPEND: No such file",
        ),
        (&["depend", "a/b", "--use", "s;l"], "not a valid USE flag"),
        (&["version", "1.0"], "<B>"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let (code, stderr) = refused(arguments);
        assert_eq!(code, 64, "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn each_help_has_examples() {
    for arguments in [
        &["--help"][..],
        &["plan", "--help"],
        &["index", "--help"],
        &["depend", "--help"],
        &["version", "--help"],
    ] {
        let help = understood(arguments);
        assert!(help.contains("Examples:\n  "), "{help}");
        assert!(help.contains("gentoo-updater parse "), "{help}");
    }
}

/// `parse index … | head -1` is no failure.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = program()
        .args(["index", &fixture("index/Packages")])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let (code, _, stderr) = texts(child.wait_with_output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
}
