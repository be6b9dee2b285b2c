//! The free space of a file system, as df(1) tells it.

/// The free space in a line of `df -P -k`. Names of file systems and mount points may hold
/// spaces: the three numbers before the percentage count (POSIX, df). What has no size at all, as
/// some file systems in user space, is taken for endless.
pub fn free_kilobytes(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(4).find_map(|words| {
        let [total, _used, free, share] = words else {
            return None;
        };
        let total: u64 = total.parse().ok()?;
        let free: u64 = free.parse().ok()?;
        let is_share = *share == "-" || share.strip_suffix('%')?.parse::<u64>().is_ok();
        is_share.then_some(if total == 0 { u64::MAX } else { free })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_is_read_whatever_the_names_hold() {
        let cases = [
            ("/dev/sda2 1000 900 100 90% /", Some(100)),
            ("//nas/a share 2048 0 2048 0% /mnt/1 2 3%", Some(2048)),
            ("none 0 0 0 - /mnt", Some(u64::MAX)),
            ("df: /mnt: Stale file handle", None),
            ("", None),
        ];
        for (line, free) in cases {
            assert_eq!(free_kilobytes(line), free, "{line:?}");
        }
    }
}
