//! Which file of which store a request asks for. Pure.

use percent_encoding::percent_decode_str;

/// The most bytes that the path of a request may have. Names of packages are far below it.
const LONGEST: usize = 1024;

/// The index of a store, plain and packed.
pub(crate) const INDEX: &str = "Packages";
pub(crate) const PACKED_INDEX: &str = "Packages.gz";

/// What the names of binaries end with (`portage/const.py`, `SUPPORTED_GPKG_EXTENSIONS` and
/// `SUPPORTED_XPAK_EXTENSIONS`).
const BINARIES: [&str; 3] = [".gpkg.tar", ".xpak", ".tbz2"];

/// A file that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The platform whose store it is in.
    pub(crate) platform: String,
    /// The names from the store down to it: none of them empty, a dot file, or with a slash.
    pub(crate) names: Vec<String>,
}

impl Wanted {
    /// Whether it is the packed index.
    pub(crate) fn is_packed_index(&self) -> bool {
        self.names == [PACKED_INDEX]
    }
}

/// Reads the path of a request as it came, with its percent codes.
///
/// Each name is decoded once and by itself, so an encoded slash is no slash. Nothing comes of what
/// is no index and no binary: folders, dot files and all that is below a folder that begins with a
/// dot, where half-written files and records lie, and what Portage has set aside.
pub(crate) fn wanted(path: &str) -> Option<Wanted> {
    if path.len() > LONGEST {
        return None;
    }
    let mut names = path.strip_prefix('/')?.split('/').map(name);
    let platform = names.next()??;
    let names: Vec<String> = names.collect::<Option<_>>()?;
    let is_served = match names.as_slice() {
        [] => false,
        [alone] if [INDEX, PACKED_INDEX].contains(&alone.as_str()) => true,
        [.., last] => BINARIES.iter().any(|ending| last.ends_with(ending)),
    };
    is_served.then_some(Wanted { platform, names })
}

fn name(encoded: &str) -> Option<String> {
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let is_plain = |c: char| !c.is_control() && c != '/' && c != '\\';
    let is_name = !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain);
    is_name.then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<String> {
        wanted(path).map(|wanted| format!("{} {}", wanted.platform, wanted.names.join("/")))
    }

    #[test]
    fn an_index_and_binaries_are_found() {
        let binary = "app-misc/hello/hello-2.0-3.gpkg.tar";
        for (path, expected) in [
            ("/amd64/Packages", "amd64 Packages"),
            ("/amd64/Packages.gz", "amd64 Packages.gz"),
            (
                "/amd64/app-misc/hello-2.0.tbz2",
                "amd64 app-misc/hello-2.0.tbz2",
            ),
            (
                "/amd64/dev-cpp/g%2B%2B/g%2b+-1-1.xpak",
                "amd64 dev-cpp/g++/g++-1-1.xpak",
            ),
            (&format!("/a.b/{binary}"), &format!("a.b {binary}")),
        ] {
            assert_eq!(found(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let long = format!("/amd64/{}.xpak", "a/".repeat(600));
        for path in [
            "",
            "/",
            "*",
            "amd64/Packages",
            "/amd64",
            "/amd64/",
            "//amd64/Packages",
            "/amd64//Packages",
            "/amd64/app-misc",
            "/amd64/app-misc/Packages",
            "/amd64/app-misc/",
            "/amd64/../amd64/Packages",
            "/amd64/app-misc/../../secret.xpak",
            "/amd64/%2e%2e/secret.xpak",
            "/amd64/%2E%2E%2Fsecret.xpak",
            "/amd64/..%2fsecret.xpak",
            "/amd64/a%2fb.xpak",
            "/amd64/a%5cb.xpak",
            "/amd64/a%00.xpak",
            "/amd64/%00/Packages",
            "/amd64/a%0d%0a.xpak",
            "/amd64/a%ff.xpak",
            "/amd64/%252e%252e/../x.xpak",
            "/amd64/.hidden.xpak",
            "/amd64/.gentoo-updater/keys/a.json",
            "/amd64/.gentoo-updater/incoming/a.xpak",
            "/amd64/%2egentoo-updater/incoming/a.xpak",
            "/amd64/app-misc/hello-1.xpak._checksum_failure_.x1",
            "/amd64/Packages.portage_lockfile",
            "/amd64/Packages.gentoo-updater",
            "/.amd64/Packages",
            &long,
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
