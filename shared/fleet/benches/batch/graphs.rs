//! Batches: which job needs which, and how long each takes.

use std::collections::BTreeSet;

use fastrand::Rng;

/// A batch, its jobs numbered from 0.
pub(crate) struct Batch {
    pub(crate) name: &'static str,
    pub(crate) jobs: Vec<Job>,
}

pub(crate) struct Job {
    pub(crate) build_needs: BTreeSet<usize>,
    pub(crate) runtime_needs: BTreeSet<usize>,
    /// How long its build takes, in milliseconds.
    pub(crate) duration: u64,
    /// How large its sources are, in bytes.
    pub(crate) sources: u64,
}

/// All batches that are measured.
pub(crate) fn all() -> Vec<Batch> {
    vec![
        read("KDE, 477 jobs", include_str!("graphs/kde.txt")),
        read("GURU, 810 jobs", include_str!("graphs/guru.txt")),
        layered("a world of 240 jobs", 240, 1),
        layered("a world of 1,000 jobs", 1000, 2),
        layered("a world of 3,000 jobs", 3000, 3),
    ]
}

/// How long a build takes, in milliseconds, and how large its sources are, in bytes.
///
/// Build times are many short ones and a few that take hours: about a logarithmic normal
/// distribution with half of them below a minute, as in the emerge.log of a desktop. They go with
/// the size of the sources, and not closely: the correlation of the logarithms is 0.75.
fn duration(rng: &mut Rng) -> (u64, u64) {
    // The sum of twelve equal distributions is as good as normal.
    let mut normal = || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
    let (size, other) = (normal(), normal());
    let seconds = 55.0 * (1.25 * (0.75 * size + 0.66 * other)).exp();
    let mebibytes = 1.5 * (1.6 * size).exp();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let numbers = (
        (seconds.clamp(4.0, 7200.0) * 1000.0) as u64,
        (mebibytes * 1024.0 * 1024.0) as u64,
    );
    numbers
}

/// A graph from real metadata.
fn read(name: &'static str, text: &str) -> Batch {
    let mut rng = Rng::with_seed(4);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let jobs = lines.map(|line| {
        let mut fields = line.split(';').skip(1);
        let mut needs = || -> BTreeSet<usize> {
            let numbers = fields.next().unwrap_or_default().split_whitespace();
            numbers
                .map(|word| word.parse().expect("a number"))
                .collect()
        };
        let (duration, sources) = duration(&mut rng);
        Job {
            build_needs: needs(),
            runtime_needs: needs(),
            duration,
            sources,
        }
    });
    Batch {
        name,
        jobs: jobs.collect(),
    }
}

/// A graph as the update of a whole system is: few libraries that many need, and many leaves.
fn layered(name: &'static str, count: usize, seed: u64) -> Batch {
    let mut rng = Rng::with_seed(seed);
    let jobs = (0..count).map(|number| {
        let mut below = |most: usize| -> BTreeSet<usize> {
            let wanted = rng.usize(0..=most).min(number);
            // Most of what is needed is deep down.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss
            )]
            let mut one = || (rng.f64().powi(3) * number as f64) as usize;
            (0..wanted).map(|_| one()).collect()
        };
        let (build_needs, runtime_needs) = (below(4), below(3));
        let (duration, sources) = duration(&mut rng);
        Job {
            build_needs,
            runtime_needs,
            duration,
            sources,
        }
    });
    Batch {
        name,
        jobs: jobs.collect(),
    }
}
