//! Whether a newer kernel is installed than the one that runs. Pure.

use gentoo_updater_fleet::message::{Finding, FindingKind};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::version::Version;

use super::answer::Answer;

/// What a reboot would bring; nothing where that is what runs, and on machines without a kernel of
/// their own, such as containers.
pub(super) fn finding(answer: &Answer) -> Option<Finding> {
    let running = &answer.kernel;
    let running_version = version(running)?;
    let by_modules = answer.modules.iter().filter_map(|release| {
        let version = version(release)?;
        Some((version, release.clone()))
    });
    let by_package = answer.kernel_packages.iter().filter_map(|name| {
        let cpv: Cpv = name.parse().ok()?;
        is_kernel(cpv.package().as_str()).then(|| (cpv.version.clone(), cpv.to_string()))
    });
    let newest = by_modules
        .chain(by_package)
        .max_by(|(one, _), (other, _)| one.vercmp(other))?;
    // A package's revision says nothing in the release of some kernels.
    if newest.0.vercmp_without_revision(&running_version).is_le() {
        return None;
    }
    let text = format!(
        "runs Linux {running}, and {} is installed: reboot it",
        newest.1
    );
    Some(Finding::new(FindingKind::RebootNeeded, &text).about("kernel"))
}

/// Packages that install a kernel that can be booted. Sources alone, headers and firmware cannot.
fn is_kernel(package: &str) -> bool {
    package.ends_with("-kernel") || package.ends_with("-kernel-bin")
}

/// The version in a kernel's release: `6.12.1` of `6.12.1-gentoo-dist`, `6.13.0_rc2` of
/// `6.13.0-rc2`, `6.6.30-r1` of `6.6.30-gentoo-r1`.
fn version(release: &str) -> Option<Version> {
    let mut parts = release.split('-');
    let mut text = parts.next()?.trim_end_matches('+').to_owned();
    let mut revision = String::new();
    for part in parts {
        let number = |prefix: &str| {
            let digits = part.strip_prefix(prefix)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some(digits)
        };
        if let Some(candidate) = number("rc") {
            text.push_str("_rc");
            text.push_str(candidate);
        } else if let Some(digits) = number("r") {
            revision = format!("-r{digits}");
        }
    }
    format!("{text}{revision}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(running: &str, modules: &[&str], packages: &[&str]) -> Option<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let answer = Answer {
            kernel: running.to_owned(),
            modules: owned(modules),
            kernel_packages: owned(packages),
            ..Answer::default()
        };
        finding(&answer).map(|finding| finding.text)
    }

    #[test]
    fn a_newer_kernel_needs_a_reboot_whichever_way_it_is_known() {
        let modules = ["6.6.58-gentoo-dist", "6.12.1-gentoo-dist"];
        let text = told(modules[0], &modules, &[]).unwrap();
        assert_eq!(
            text,
            "runs Linux 6.6.58-gentoo-dist, and 6.12.1-gentoo-dist is installed: reboot it"
        );
        let text = told(
            "6.6.58-gentoo",
            &[],
            &["sys-kernel/gentoo-kernel-bin-6.10.2"],
        );
        assert!(text.unwrap().contains("gentoo-kernel-bin-6.10.2"));
        assert!(told("6.13.0-rc2", &["6.13.0"], &[]).is_some());
        assert!(
            told("6.9.9-x", &["6.10.0-x"], &[]).is_some(),
            "as versions, not as texts"
        );
    }

    #[test]
    fn the_running_kernel_an_older_one_and_what_cannot_be_booted_need_none() {
        assert_eq!(
            told("6.12.1-gentoo-dist", &["6.12.1-gentoo-dist", "6.6.58"], &[]),
            None
        );
        let no_kernel = [
            "sys-kernel/linux-headers-6.15",
            "sys-kernel/gentoo-sources-6.16.3",
        ];
        assert_eq!(told("6.12.1", &["6.12.1"], &no_kernel), None);
        let package = ["sys-kernel/gentoo-kernel-6.12.1-r2"];
        assert_eq!(
            told("6.12.1-gentoo-dist", &["6.12.1-gentoo-dist"], &package),
            None
        );
        // A container, a guest that boots what its host gives it, and a release of another kind.
        assert_eq!(told("6.1.0-host", &[], &[]), None);
        assert_eq!(told("custom", &["6.12.1"], &[]), None);
    }
}
