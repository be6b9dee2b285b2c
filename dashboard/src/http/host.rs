//! By which name a browser calls the server. Pure.
//!
//! A page of somebody else can make its own name lead to this server (DNS rebinding), and would then read
//! what this server says as if it were its own. It cannot make the browser call it by an address, nor by a
//! name that is not its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Whether a `Host` is an address, this machine, or one of the names. Names are in lower case.
pub(super) fn is_own(host: &str, names: &BTreeSet<String>) -> bool {
    let name = without_port(host);
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if address.unwrap_or(name).parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    name == "localhost" || names.contains(&name)
}

/// Whether an `Origin` is that of the page that this server gave under this `Host`.
pub(super) fn is_same_origin(origin: &str, host: &str) -> bool {
    let authority = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn without_port(host: &str) -> &str {
    let end_of_address = host.find(']').map_or(0, |end| end + 1);
    match host[end_of_address..].find(':') {
        Some(colon) => &host[..end_of_address + colon],
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_own_names_are_taken_for_this_server() {
        let names = ["fleet.example.org".to_owned()].into();
        for own in [
            "127.0.0.1:8090",
            "[::1]:8090",
            "[::1]",
            "10.0.0.7",
            "localhost:1",
            "Fleet.Example.Org:443",
            "fleet.example.org.",
        ] {
            assert!(is_own(own, &names), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "fleet.example.org.evil.example",
            "127.0.0.1.evil.example:8090",
            "x@127.0.0.1",
        ] {
            assert!(!is_own(foreign, &names), "{foreign}");
        }
    }

    #[test]
    fn a_page_of_another_server_or_of_none_has_another_origin() {
        assert!(is_same_origin("http://127.0.0.1:8090", "127.0.0.1:8090"));
        assert!(is_same_origin(
            "https://fleet.example.org",
            "Fleet.example.org"
        ));
        for origin in [
            "null",
            "http://127.0.0.1",
            "http://evil.example",
            "127.0.0.1:8090",
            "",
        ] {
            assert!(!is_same_origin(origin, "127.0.0.1:8090"), "{origin}");
        }
    }
}
