//! The guest's own word for the store, in `binrepos.conf`: so its administrator's
//! `emerge --getbinpkg` finds there what the fleet has. Pure. portage(5), binrepos.conf.

use gentoo_updater_fleet::config::StoreUrl;

/// Where the certificate authority of the server lies on a guest.
pub(super) const AUTHORITY: &str = "/etc/gentoo-updater/store-ca.pem";

/// The content of the guest's `binrepos.conf/gentoo-updater.conf`.
///
/// `requires_signatures` is the guest's own word: `FEATURES=binpkg-request-signature`. Portage 3.0.78
/// and later ask every binhost for signatures that does not say otherwise, and of those that do not
/// sign a guest would get nothing.
pub(super) fn section(url: &StoreUrl, has_authority: bool, requires_signatures: bool) -> String {
    let mut lines = vec![
        "# Written by gentoo-updater, which writes it again where it differs.".to_owned(),
        "[gentoo-updater]".to_owned(),
        format!("sync-uri = {url}"),
        // Before the binhost of the distribution, which has 1.
        "priority = 100".to_owned(),
        "# As FEATURES=binpkg-request-signature says on this machine.".to_owned(),
        format!("verify-signature = {requires_signatures}"),
    ];
    if has_authority {
        let fetch = |more: &str| {
            format!(
                "wget{more} --ca-certificate={AUTHORITY} -t 3 -T 60 -O \"${{DISTDIR}}/${{FILE}}\" \
                 \"${{URI}}\""
            )
        };
        lines.push(format!("fetchcommand = {}", fetch("")));
        lines.push(format!("resumecommand = {}", fetch(" -c")));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::config;

    use super::*;

    fn url() -> StoreUrl {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("fleet.toml");
        let text = "[platforms.p]\nurl = \"https://store:8443/p\"\n[builders.b]\naddress = \"local\"\n\
                    [guests.g]\naddress = \"ssh://g\"\n";
        std::fs::write(&file, text).unwrap();
        let settings = config::load(&file).unwrap();
        settings
            .platforms
            .values()
            .next()
            .unwrap()
            .url
            .clone()
            .unwrap()
    }

    #[test]
    fn a_guest_is_told_where_its_binaries_are_and_whether_signatures_count() {
        let text = section(&url(), false, false);
        let expected = "[gentoo-updater]\nsync-uri = https://store:8443/p\npriority = 100\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("\nverify-signature = false\n"), "{text}");
        assert!(!text.contains("fetchcommand"), "{text}");
        let text = section(&url(), true, true);
        assert!(text.contains("\nverify-signature = true\n"), "{text}");
        let fetch = "\nfetchcommand = wget --ca-certificate=/etc/gentoo-updater/store-ca.pem -t 3 -T 60 \
                     -O \"${DISTDIR}/${FILE}\" \"${URI}\"\n";
        assert!(text.contains(fetch), "{text}");
        assert!(text.contains("\nresumecommand = wget -c "), "{text}");
    }
}
