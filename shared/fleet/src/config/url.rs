//! The address of a store that is served over HTTP.

use std::fmt;

use super::invalid::Invalid;

/// Where a store is served: `https://name:port/path`, or `http://…`.
///
/// It becomes a line of `binrepos.conf`, and an argument of what guests fetch with; so nothing is in
/// it that means something to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// Reads it; `key` names it in an error.
    pub(super) fn check(key: &str, text: &str) -> Result<Self, Invalid> {
        let text = text.trim_end_matches('/');
        let rest = text
            .strip_prefix("https://")
            .or(text.strip_prefix("http://"));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]+".contains(c);
        let authority = rest.and_then(|rest| rest.split('/').next());
        let has_host = authority
            .is_some_and(|a| a.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
        let is_one = rest.is_some_and(|rest| rest.chars().all(is_plain)) && has_host;
        if is_one {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::StoreUrl {
            key: key.to_owned(),
            value: text.to_owned(),
        })
    }

    /// As text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nobody on the way can read or change what comes from it.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_store_needs_no_quoting_and_has_no_password() {
        for (text, expected) in [
            (
                "https://store.example.net:8443/amd64/",
                "https://store.example.net:8443/amd64",
            ),
            ("http://192.0.2.1/amd64", "http://192.0.2.1/amd64"),
            (
                "https://[2001:db8::1]:8443/a",
                "https://[2001:db8::1]:8443/a",
            ),
        ] {
            let url = StoreUrl::check("platforms.a.url", text).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        for text in [
            "",
            "store.example.net",
            "ftp://store/amd64",
            "https://",
            "https:///amd64",
            "https://user:password@store/amd64",
            "https://store/a b",
            "https://store/a\nsync-uri = b",
            "https://store/${IFS}",
            "https://store/a?b",
            "https://store/a#b",
            "https://store/a%20b",
            "https://store/\"",
        ] {
            let error = StoreUrl::check("platforms.a.url", text).unwrap_err();
            assert!(error.to_string().contains("platforms.a.url"), "{error}");
        }
    }
}
