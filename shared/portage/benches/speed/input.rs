//! Inputs: as varied as real ones, and the same in every run.

use std::fmt::Write as _;

/// A generator of numbers that look random (Knuth's MMIX constants). Always the same ones.
#[derive(Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let index = self.below(words.len() as u64);
        words[usize::try_from(index).unwrap_or_default()]
    }
}

const CATEGORIES: [&str; 8] = [
    "app-misc",
    "dev-libs",
    "dev-python",
    "media-libs",
    "net-misc",
    "sys-apps",
    "www-servers",
    "x11-libs",
];
const NAMES: [&str; 10] = [
    "alpha",
    "gtk+",
    "libbeta",
    "font-adobe-100dpi",
    "hello",
    "openssl",
    "python",
    "qtbase",
    "tool",
    "zlib-ng",
];
const FLAGS: [&str; 12] = [
    "X",
    "alsa",
    "bash-completion",
    "dbus",
    "doc",
    "examples",
    "gtk",
    "nls",
    "ssl",
    "systemd",
    "test",
    "wayland",
];

/// A version such as `1.22.3_rc4-r1`.
pub(crate) fn version(numbers: &mut Numbers) -> String {
    let mut text = numbers.below(20).to_string();
    for _ in 0..numbers.below(3) + 1 {
        let _ = write!(text, ".{}", numbers.below(30));
    }
    if numbers.below(12) == 0 {
        text.push_str(numbers.pick(&["a", "b", "z"]));
    }
    if numbers.below(8) == 0 {
        let suffix = numbers.pick(&["_alpha", "_beta", "_pre", "_rc", "_p"]);
        let _ = write!(text, "{suffix}{}", numbers.below(20_250_101));
    }
    if numbers.below(3) == 0 {
        let _ = write!(text, "-r{}", numbers.below(4));
    }
    text
}

/// `category/name`, with a number to make it one of many.
pub(crate) fn name(numbers: &mut Numbers) -> String {
    let (category, name) = (numbers.pick(&CATEGORIES), numbers.pick(&NAMES));
    format!("{category}/{name}{}x", numbers.below(5_000))
}

/// An atom as ebuilds hold them.
pub(crate) fn atom(numbers: &mut Numbers) -> String {
    let name = name(numbers);
    let mut text = match numbers.below(5) {
        0 | 1 => name,
        2 => format!(">={name}-{}", version(numbers)),
        3 => format!("<{name}-{}", version(numbers)),
        _ => format!("~{name}-{}.{}", numbers.below(9), numbers.below(9)),
    };
    text.push_str(numbers.pick(&["", "", ":=", ":0", ":0=", ":2/3.1="]));
    match numbers.below(4) {
        0 => {
            let _ = write!(text, "[{},-{}]", numbers.pick(&FLAGS), numbers.pick(&FLAGS));
        }
        1 => {
            let _ = write!(text, "[{}(+)]", numbers.pick(&FLAGS));
        }
        _ => {}
    }
    text
}

/// An RDEPEND of a dozen atoms with conditions and alternatives.
pub(crate) fn dependency(numbers: &mut Numbers) -> String {
    let mut words = Vec::new();
    for _ in 0..4 {
        words.push(atom(numbers));
    }
    for _ in 0..3 {
        let not = numbers.pick(&["", "!"]);
        let flag = numbers.pick(&FLAGS);
        words.push(format!(
            "{not}{flag}? ( {} {} )",
            atom(numbers),
            atom(numbers)
        ));
    }
    words.push(format!(
        "|| ( {} ( {} {} ) )",
        atom(numbers),
        atom(numbers),
        atom(numbers)
    ));
    words.join(" ")
}

/// The flags that are enabled where dependency strings are evaluated.
pub(crate) const ENABLED: [&str; 4] = ["X", "dbus", "nls", "ssl"];

/// The output of `emerge --pretend --verbose` with a number of rows, each with eight USE flags and
/// PYTHON_TARGETS.
pub(crate) fn plan(rows: usize, seed: u64) -> String {
    let mut numbers = Numbers::new(seed);
    let mut text = "\nThese are the packages that would be merged, in order:\n\n\
                    Calculating dependencies ... done!\n\
                    Dependency resolution took 4.53 s (backtrack: 1/20).\n\n"
        .to_owned();
    for _ in 0..rows {
        let (name, new, old) = (
            name(&mut numbers),
            version(&mut numbers),
            version(&mut numbers),
        );
        let _ = write!(
            text,
            "[ebuild     U  ] {name}-{new}:0/2::gentoo [{old}:0/1::gentoo] USE=\""
        );
        let first = numbers.below(5);
        for (index, flag) in FLAGS
            .iter()
            .skip(usize::try_from(first).unwrap_or_default())
            .take(8)
            .enumerate()
        {
            // What is new and on has changed, and what is new and off has not.
            let (sign, marks) = match index {
                0..4 => ("", ["", "", "", "", "*", "%*"]),
                _ => ("-", ["", "", "", "", "*", "%"]),
            };
            let mark = numbers.pick(&marks);
            let blank = if index == 0 { "" } else { " " };
            let _ = write!(text, "{blank}{sign}{flag}{mark}");
        }
        text.push_str("\" PYTHON_TARGETS=\"python3_12 python3_13* -python3_11*\" ");
        let _ = writeln!(text, "{} KiB", numbers.below(90_000) / 1_000 * 1_000);
    }
    let size: u64 = kib(&text);
    let noun = if rows == 1 { "package" } else { "packages" };
    let upgrades = if rows == 1 { "upgrade" } else { "upgrades" };
    let _ = write!(
        text,
        "\nTotal: {rows} {noun} ({rows} {upgrades}), Size of downloads: {size} KiB\n\n \
         * IMPORTANT: 3 news items need reading for repository 'gentoo'.\n \
         * Use eselect news read to view new items.\n"
    );
    text
}

/// The sizes of all rows together.
fn kib(rows: &str) -> u64 {
    let sizes = rows.lines().filter_map(|line| {
        line.strip_suffix(" KiB")?
            .rsplit(' ')
            .next()?
            .parse::<u64>()
            .ok()
    });
    sizes.sum()
}

/// The header of an index.
pub(crate) fn index_header(packages: usize) -> String {
    format!(
        "ACCEPT_KEYWORDS: amd64\nACCEPT_LICENSE: *\nARCH: amd64\nCBUILD: x86_64-pc-linux-gnu\n\
         CHOST: x86_64-pc-linux-gnu\nPACKAGES: {packages}\nPROFILE: default/linux/amd64/23.0\n\
         TIMESTAMP: 1795407362\nVERSION: 0\n\n"
    )
}

/// One entry of an index, as Gentoo's own server has them: about 1.3 KB. The numbers give the order.
pub(crate) fn index_entry(numbers: &mut Numbers, number: usize) -> String {
    let pn = format!("pkg{number:07}x");
    let version = version(numbers);
    let category = "dev-libs";
    let mut digest = |length: usize| -> String {
        (0..length)
            .map(|_| {
                char::from_digit(u32::try_from(numbers.below(16)).unwrap_or_default(), 16)
                    .unwrap_or('0')
            })
            .collect()
    };
    let (md5, sha1) = (digest(32), digest(40));
    let rdepend = dependency(numbers);
    let depend = atom(numbers);
    let size = 10_240 + numbers.below(90_000_000);
    let time = 1_700_000_000 + numbers.below(95_000_000);
    format!(
        "BUILD_ID: 1\nBUILD_TIME: {time}\nCPV: {category}/{pn}-{version}\n\
         DEFINED_PHASES: compile configure install prepare test\nDEPEND: {depend}\nEAPI: 8\n\
         IUSE: +X alsa bash-completion dbus doc examples gtk +nls +ssl systemd test wayland\n\
         IUSE_EFFECTIVE: X abi_x86_32 abi_x86_64 alsa amd64 bash-completion dbus doc elibc_glibc examples gtk kernel_linux nls ssl systemd test wayland\n\
         KEYWORDS: ~alpha amd64 arm arm64 ~hppa ~m68k ~mips ppc ppc64 ~riscv ~s390 sparc x86\n\
         LICENSE: LGPL-2.1+ MIT\nMD5: {md5}\nPATH: {category}/{pn}/{pn}-{version}-1.gpkg.tar\n\
         PROVIDES: x86_64: lib{pn}.so.2\nRDEPEND: {rdepend}\nREPO: gentoo\n\
         REQUIRES: x86_64: libc.so.6 libm.so.6 libssl.so.3\nSHA1: {sha1}\nSIZE: {size}\nSLOT: 0/2\n\
         USE: X abi_x86_64 amd64 dbus elibc_glibc kernel_linux nls ssl\nMTIME: {time}\n\n"
    )
}
