//! What a way to update a fleet costs, and how far it comes.

use std::error::Error;
use std::time::Instant;

use gentoo_updater_tests::assertions::planned;
use gentoo_updater_tests::fixtures::Lab;

use crate::processor::Processor;

/// A guest, the flags that make its kind, and what its own Portage still plans.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) flags: &'static str,
    pub(crate) left: Vec<String>,
}

impl Guest {
    /// Asks the guests.
    pub(crate) fn ask(lab: &Lab, guests: Vec<(String, &'static str)>) -> Vec<Self> {
        let ask = |(name, flags): (String, &'static str)| {
            let left = planned(lab, &name);
            Self { name, flags, left }
        };
        guests.into_iter().map(ask).collect()
    }
}

/// The cost of one way.
#[derive(Debug)]
pub(crate) struct Cost {
    /// Seconds from the begin to the end.
    pub(crate) wall: f64,
    /// Seconds of all processors, for all that has to do with the lab.
    pub(crate) processor: f64,
    /// How often anything was compiled.
    pub(crate) compilations: usize,
    pub(crate) guests: Vec<Guest>,
}

impl Cost {
    /// How many guests have nothing left to do.
    pub(crate) fn converged(&self) -> usize {
        let guests = self.guests.iter();
        guests.filter(|guest| guest.left.is_empty()).count()
    }
}

/// Seconds that something takes, and those of all processors meanwhile.
///
/// # Errors
/// Where the kernel does not tell.
pub(crate) fn taken(
    processor: &Processor,
    work: impl FnOnce(),
) -> Result<(f64, f64), Box<dyn Error>> {
    let (begun, before) = (Instant::now(), processor.seconds()?);
    work();
    Ok((begun.elapsed().as_secs_f64(), processor.seconds()? - before))
}
