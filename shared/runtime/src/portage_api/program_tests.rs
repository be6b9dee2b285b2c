//! What the program does on machines that are made here, without Portage.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::PROGRAM;

/// Runs lines of Python behind the program, which does not begin by itself, and reads the JSON that
/// they print.
fn python(path: &Path, lines: &str) -> Value {
    let script = format!("{PROGRAM}\n{lines}").replace("__name__ == \"__main__\"", "False");
    let output = Command::new("/usr/bin/python3")
        .args(["-I", "-c", &script])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file that can be run.
fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What comes of `emerge --pretend one "two words"` with `X=1` in its environment, where `emerge` is
/// looked for in `bin` of this folder.
fn pretend(root: &Path) -> Value {
    let choice = root.join("emerge.conf");
    let lines = r#"
import types
sys.modules["portage"] = portage = types.ModuleType("portage")
sys.modules["portage.process"] = portage.process = types.ModuleType("portage.process")
portage.process.run_exitfuncs = lambda: print("and its end")
try:
    print(json.dumps(pretend({
        "argv": ["emerge", "--pretend", "one", "two words"], "environment": {"X": "1"}})))
except Become as emerge:
    emerge.run()
"#;
    let choice = format!("PYTHON_EXEC_CHOICE = {choice:?}\n");
    python(&root.join("bin"), &(choice + lines))
}

fn emerge_of_python(ending: &str) -> String {
    format!(
        "#!/usr/bin/env python3\nimport os, sys\nprint(os.environ['X'], *sys.argv[1:], sep=',')\n\
         print('note', file=sys.stderr)\nassert sys.stdin.read() == ''\n\
         assert __name__ == '__main__'\n{ending}\n"
    )
}

#[test]
fn emerge_runs_in_a_fork_where_it_is_a_program_of_the_same_python() {
    for (ending, status) in [
        ("sys.exit(3)", 3),
        ("sys.exit()", 0),
        ("sys.exit(None)", 0),
        ("", 0),
    ] {
        let root = tempfile::tempdir().unwrap();
        program(&root.path().join("bin/emerge"), &emerge_of_python(ending));
        let expected = json!({
            "stdout": match ending {
                "" => "1,--pretend,one,two words\n",
                _ => "1,--pretend,one,two words\nand its end\n",
            },
            "stderr": "note\n",
            "status": status,
        });
        assert_eq!(pretend(root.path()), expected, "{ending}");
    }
    let root = tempfile::tempdir().unwrap();
    let dying = emerge_of_python("sys.exit('a text')");
    program(&root.path().join("bin/emerge"), &dying);
    let said = pretend(root.path());
    assert_eq!(
        (&said["status"], &said["stderr"]),
        (&json!(1), &json!("note\na text\n"))
    );
    let killed = emerge_of_python("sys.stdout.flush(); os.kill(os.getpid(), 9)");
    program(&root.path().join("bin/emerge"), &killed);
    assert_eq!(pretend(root.path())["status"], -9);
}

#[test]
fn behind_python_exec_it_is_the_program_of_this_pythons_version() {
    let root = tempfile::tempdir().unwrap();
    let version = python(root.path(), "print(json.dumps(list(sys.version_info[:2])))");
    let folder = format!("lib/python-exec/python{}.{}", version[0], version[1]);
    // What decides among the versions there is no text of Python.
    program(&root.path().join("bin/emerge"), "#!/bin/sh\nexit 70\n");
    assert_eq!(pretend(root.path())["status"], 70);
    let script = root.path().join(folder).join("emerge");
    program(&script, &emerge_of_python("sys.exit(4)"));
    assert_eq!(pretend(root.path())["status"], 4);
    fs::write(root.path().join("emerge.conf"), "python9.9\n").unwrap();
    assert_eq!(
        pretend(root.path())["status"],
        70,
        "another version was chosen"
    );
}

#[test]
fn an_emerge_in_a_checkout_of_portage_starts_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let script = format!(
        "{}print(sys.modules.get('portage'))\n",
        emerge_of_python("")
    );
    program(&root.path().join("bin/emerge"), &script);
    let is_in_a_fork = |said: &Value| said["stdout"].as_str().unwrap().contains("<module");
    assert!(is_in_a_fork(&pretend(root.path())));
    fs::write(root.path().join(".portage_not_installed"), "").unwrap();
    // Its `env` finds no python3 on this PATH, so that it cannot have been started here.
    assert_eq!(pretend(root.path())["status"], 127);
}

#[test]
fn as_much_as_emerge_prints_to_both_ends_arrives_whole() {
    let root = tempfile::tempdir().unwrap();
    let ending = "for _ in range(2000):\n    print('o' * 99)\n    print('e' * 99, file=sys.stderr)\n\
                  sys.stderr.flush(); open('/dev/stderr', 'w').write('last\\n')";
    program(&root.path().join("bin/emerge"), &emerge_of_python(ending));
    let said = pretend(root.path());
    let lines = |stream: &str| said[stream].as_str().unwrap().lines().count();
    assert_eq!((lines("stdout"), lines("stderr")), (2001, 2002));
}

#[test]
fn another_program_takes_the_place_of_the_fork() {
    let root = tempfile::tempdir().unwrap();
    let text = "#!/bin/sh\necho \"$X $3\"\necho note >&2\nexit 5\n";
    program(&root.path().join("bin/emerge"), text);
    let expected = json!({ "stdout": "1 two words\n", "stderr": "note\n", "status": 5 });
    assert_eq!(pretend(root.path()), expected);
}

/// A repository of so many packages.
fn repository(packages: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for number in 0..packages {
        let category = root.path().join(format!("category-{}", number % 7));
        fs::create_dir_all(category.join(format!("package-{number}"))).unwrap();
    }
    for folder in [
        "profiles/one",
        "metadata/md5-cache",
        "eclass/two",
        ".git/refs",
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    root
}

fn watched(repository: &Path) -> Vec<String> {
    let root = repository.to_str().unwrap();
    let lines = format!("print(json.dumps(watched_of_repository({root:?})))");
    let words: Vec<String> = serde_json::from_value(python(Path::new("/"), &lines)).unwrap();
    words
        .iter()
        .map(|word| word.replace(root, "ROOT"))
        .collect()
}

#[test]
fn a_large_repository_is_known_by_its_revision_and_any_other_by_its_files() {
    let large = repository(501);
    let root = large.path();
    assert_eq!(watched(root), ["tree:ROOT"], "it has no revision");
    fs::write(root.join("metadata/timestamp.chk"), "Monday").unwrap();
    let by_revision = ["flat:ROOT", "flat:ROOT/metadata", "packages:ROOT/metadata"];
    let git = ["HEAD", "commondir", "packed-refs"].map(|name| format!("tree:ROOT/.git/{name}"));
    let expected = |more: &[&str]| -> Vec<String> {
        let words = by_revision.iter().map(|word| (*word).to_owned());
        let more = more.iter().map(|name| format!("tree:ROOT/.git/{name}"));
        words.chain(git.iter().cloned()).chain(more).collect()
    };
    assert_eq!(watched(root), expected(&[]));
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    assert_eq!(watched(root), expected(&["refs/heads/main"]));
    fs::remove_dir(root.join("metadata/md5-cache")).unwrap();
    assert_eq!(watched(root), ["tree:ROOT"], "it has no cache to look at");

    let small = repository(500);
    fs::write(small.path().join("metadata/timestamp.chk"), "Monday").unwrap();
    assert_eq!(watched(small.path()), ["tree:ROOT"]);
    fs::remove_dir_all(small.path().join("profiles")).unwrap();
    fs::remove_dir_all(small.path().join("metadata")).unwrap();
    assert_eq!(watched(small.path()), ["flat:ROOT"], "it is not mounted");
}

#[test]
fn the_kernel_of_modules_is_that_of_the_sources_with_what_is_set_in_its_configuration() {
    let root = tempfile::tempdir().unwrap();
    let sources = root.path().join("usr/src/linux");
    let ask = || {
        let settings = format!("{{'ROOT': {:?}}}", root.path().to_str().unwrap());
        python(
            root.path(),
            &format!("print(json.dumps(kernel({settings})))"),
        )
    };
    let running = ask();
    assert_eq!(running[1], false, "there are no sources: {running}");
    assert!(
        running[0]["release"]
            .as_str()
            .unwrap()
            .starts_with(|c: char| c.is_ascii_digit())
    );
    fs::create_dir_all(sources.join("include/config")).unwrap();
    let makefile = "VERSION = 6\nPATCHLEVEL = 6\nSUBLEVEL = 30\nEXTRAVERSION = -gentoo\nNAME = x\n";
    fs::write(sources.join("Makefile"), makefile).unwrap();
    assert_eq!(
        ask(),
        json!([{"release": "6.6.30-gentoo", "configuration": null}, true])
    );
    fs::write(
        sources.join(".config"),
        "# made today\nCONFIG_A=y\nCONFIG_B=m\n",
    )
    .unwrap();
    let first = ask();
    assert_eq!(first[0]["configuration"].as_str().unwrap().len(), 64);
    fs::write(
        sources.join(".config"),
        "# made later\nCONFIG_B=m\nCONFIG_A=y\n",
    )
    .unwrap();
    assert_eq!(ask(), first);
    fs::write(sources.join(".config"), "CONFIG_A=y\n").unwrap();
    assert_ne!(ask(), first);
    fs::write(
        sources.join("include/config/kernel.release"),
        "6.6.30-gentoo-dist\n",
    )
    .unwrap();
    assert_eq!(ask()[0]["release"], "6.6.30-gentoo-dist");
}

#[test]
fn a_package_builds_modules_where_its_eclass_or_what_is_installed_of_it_says_so() {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("modules"),
        "dir /lib/modules\nobj /lib/modules/6.6.30/a.ko 1 2\n",
    )
    .unwrap();
    fs::write(root.path().join("plain"), "obj /usr/lib/modules.txt 1 2\n").unwrap();
    let lines = r#"
import types
class Installed:
    def __init__(self, name):
        self.name = name
    def match(self, cp):
        return [cp] if self.name else []
    def getpath(self, cpv, filename):
        return os.path.join(FOLDER, self.name)
package = types.SimpleNamespace(cp="a/a")
print(json.dumps([builds_modules(eclasses, package, Installed(name)) for eclasses, name in [
    (["linux-mod-r1", "toolchain-funcs"], None), (["linux-info"], None), ([], "modules"),
    ([], "plain"), (["kernel-build", "linux-mod-r1"], "modules"), ([], "gone")]]))
"#;
    let folder = format!("FOLDER = {:?}\n", root.path().to_str().unwrap());
    let found = python(root.path(), &(folder + lines));
    assert_eq!(found, json!([true, false, true, false, false, false]));
}
