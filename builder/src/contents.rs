//! What is in a finished binary: how large it gets on a guest, and which versions of the C library
//! and of the compiler's libraries its programs need. Guests are asked for both before they are
//! touched.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Contents, Failure};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::emerge::PATH;
use uuid::Uuid;

const PROGRAM: &str = include_str!("contents.py");

/// How long it may take to unpack the largest of packages.
const LIMIT: Duration = Duration::from_secs(1800);

/// Looks into a binary of a private PKGDIR below `work`. Nothing is known where the machine's
/// Portage cannot unpack it or has no readelf: then the log says so, and guests are asked for less.
///
/// # Errors
/// When the machine cannot be asked.
pub(crate) async fn of(
    host: &dyn Host,
    work: &Path,
    cpv: &Cpv,
    build_id: u32,
) -> Result<Contents, Failure> {
    let marker = format!("gentoo-updater-{}", Uuid::now_v7().simple());
    let output = ask(host, &question(work, cpv, build_id, &marker)).await?;
    let text = output.stdout_text();
    let document = text.split(&marker).nth(1).map(serde_json::from_str);
    match (&output.status, document) {
        (ExitStatus::Code(0), Some(Ok(contents))) => Ok(contents),
        (status, _) => {
            let said = output.stderr_text();
            let said = said.trim().lines().last().unwrap_or_default();
            tracing::warn!(
                package = %cpv,
                "what is in the binary is not known ({status:?}: {said}): guests will not be asked \
                 whether they have room for it and can run it"
            );
            Ok(Contents::default())
        }
    }
}

fn question(work: &Path, cpv: &Cpv, build_id: u32, marker: &str) -> Command {
    // Unpacked where the binary was built, and gone behind that.
    const UNPACKED: &str = r#"
folder=$1
shift
rm -rf "$folder" && mkdir -p "$folder" || exit 40
"$@" "$folder"
status=$?
rm -rf "$folder"
exit "$status"
"#;
    let path = format!("PATH={PATH}");
    let call = [
        "env",
        "-i",
        &path,
        "HOME=/root",
        "LC_ALL=C.UTF-8",
        "python3",
        "-",
        marker,
    ];
    let packages = work.join("packages").display().to_string();
    let parameters = std::iter::once(work.join("contents").display().to_string())
        .chain(call.map(str::to_owned))
        .chain([packages, cpv.to_string(), build_id.to_string()]);
    Command::shell("contents", UNPACKED, parameters)
        .stdin(PROGRAM)
        .timeout(LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program takes these files for, the first of them for its own machine's.
    fn machines(files: &[&[u8]]) -> Vec<Option<String>> {
        let folder = tempfile::tempdir().unwrap();
        let paths = files.iter().enumerate().map(|(number, content)| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, content).unwrap();
            path
        });
        let paths: Vec<_> = paths.collect();
        let begun = PROGRAM.trim_end().strip_suffix("main()").unwrap();
        let script = format!(
            "{begun}\nfound = [machine_of(path) for path in sys.argv[1:]]\n\
             assert found[0] == machine_of('/proc/self/exe')\n\
             print(json.dumps([machine and machine.hex() for machine in found]))"
        );
        let output = std::process::Command::new("python3")
            .args(["-I", "-c", &script])
            .args(&paths)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn programs_for_another_machine_in_one_package_are_told_apart() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let with = |place: usize, byte: u8| {
            let mut other = own[..20].to_vec();
            other[place] = byte;
            other
        };
        // elf(5): EI_CLASS, EI_DATA and the low byte of e_machine.
        let of_32_bits = with(4, if own[4] == 1 { 2 } else { 1 });
        let (of_other_order, of_other_machine) = (with(5, 3 - own[5]), with(18, own[18] ^ 0x40));
        let found = machines(&[
            &own[..20],
            &of_32_bits,
            &of_other_order,
            &of_other_machine,
            &own[..64],
            b"#!/bin/sh\n",
            b"\x7fEL",
            b"",
        ]);
        let (mine, others) = (&found[0], &found[1..4]);
        assert!(mine.is_some() && others.iter().all(Option::is_some));
        assert!(others.iter().all(|other| other != mine), "{found:?}");
        assert_eq!(&found[4], mine);
        assert_eq!(found[5..], [None, None, None]);
    }
}
