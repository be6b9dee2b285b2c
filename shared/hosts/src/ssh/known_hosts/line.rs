//! One line of a known_hosts file.
//!
//! Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::key::parse_public_key;

use crate::host_key::HostKey;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The key of the machine itself.
    None,
    /// `@revoked`: the key must never be accepted.
    Revoked,
    /// `@cert-authority`: the key signs host certificates.
    CertAuthority,
}

/// One line that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// What it says about the key.
    pub marker: Marker,
    /// The key.
    pub key: HostKey,
    /// Which machines it names.
    pub hosts: String,
}

const BLANKS: [char; 2] = [' ', '\t'];

/// A line whose key is not read yet.
pub(super) struct Line<'a> {
    pub(super) marker: Marker,
    /// Which machines it names.
    pub(super) hosts: &'a str,
    /// What [`key`] reads.
    pub(super) key: &'a str,
}

/// Reads a line, but for its key, which takes the longest. `None`: it says nothing.
pub(super) fn parse(line: &str) -> Result<Option<Line<'_>>, &'static str> {
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() || line == "\r" || line.starts_with('#') {
        return Ok(None);
    }
    let (marker, line) = if line.starts_with('@') {
        let end = line.find(BLANKS).ok_or("nothing follows the marker")?;
        let (marker, rest) = line.split_at(end);
        let marker = match marker {
            "@revoked" => Marker::Revoked,
            // OpenSSH ends a marker at the first space of the line, or where there is none at the
            // first tab. An authority that it does not see is none here either; a revoked key is.
            "@cert-authority" if rest.starts_with(' ') || !rest.contains(' ') => {
                Marker::CertAuthority
            }
            _ => return Err("the marker is unknown"),
        };
        (marker, rest.trim_start_matches(BLANKS))
    } else {
        (Marker::None, line)
    };
    if line.starts_with('@') {
        return Err("there are two markers");
    }
    let (hosts, key) = line.split_once(BLANKS).ok_or("there is no key")?;
    Ok(Some(Line { marker, hosts, key }))
}

/// Reads a key as it ends a line: algorithm, base64, and a comment. A `.pub` file is such a line.
pub(crate) fn key(text: &str) -> Result<HostKey, &'static str> {
    let (algorithm, rest) = text
        .trim_start_matches(BLANKS)
        .split_once(BLANKS)
        .ok_or("the key is cut off")?;
    let text = rest.trim_start_matches(BLANKS);
    let text = text.split(BLANKS).next().unwrap_or_default();
    // The base64 reader of OpenSSH passes over white space, so a carriage return does no harm.
    let blob = STANDARD
        .decode(text.trim_end_matches('\r'))
        .map_err(|_| "the key is not base64")?;
    parse_public_key(&blob).map_err(|_| "the key is not one")?;
    let key = HostKey::from_blob(blob).ok_or("the key is not one")?;
    if key.algorithm() != algorithm {
        return Err("the key is of another algorithm than the line says");
    }
    Ok(key)
}
