//! How a known_hosts line names machines: patterns, lists, negation and hashed names.
//!
//! Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; ssh_config(5), PATTERNS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

/// Whether the first field of a known_hosts line names this machine, which is `host` or
/// `[host]:port` in lower case.
pub(super) fn names(field: &str, name: &str) -> bool {
    if field.starts_with('|') {
        return is_hash_of(field, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in field.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if matches(pattern.as_bytes(), name.as_bytes()) {
            // A negated match ends the search, whatever else the list holds.
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// `|1|salt|hash`: HMAC-SHA1 of the name under the salt, both in base64. `None`: not of this form.
fn is_hash_of(field: &str, name: &str) -> Option<bool> {
    let (salt, hash) = field.strip_prefix("|1|")?.split_once('|')?;
    let salt = STANDARD.decode(salt).ok()?;
    let hash = STANDARD.decode(hash).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// `*` stands for any characters, `?` for one, and a letter for its small one.
///
/// Linear in memory and quadratic in time at worst: on a mismatch only the last `*` is widened.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, position));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte.to_ascii_lowercase() == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    (at, position) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_ssh_config_describes() {
        for (field, name, expected) in [
            ("web1", "web1", true),
            ("WEB1", "web1", true),
            ("web", "web1", false),
            ("web?", "web1", true),
            ("web?", "web", false),
            ("*", "web1", true),
            ("*.example", "web1.example", true),
            ("*a*b*c", "xaxbxbc", true),
            ("*a*b*c", "xaxbxbd", false),
            ("127.0.0.*", "127.0.0.1", true),
            ("[127.0.0.*]:2222", "[127.0.0.1]:2222", true),
            ("db1,web1", "web1", true),
            ("*,!web1", "web1", false),
            ("!web1,*", "web1", false),
            ("!web2,*", "web1", true),
            ("!web1", "web2", false),
            ("", "web1", false),
            ("|1|nonsense", "web1", false),
        ] {
            assert_eq!(names(field, name), expected, "{field:?} {name:?}");
        }
    }
}
