//! The middle of many numbers, and other parts of them.

/// The value that this part of all is not above.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * part).ceil() as usize;
    let place = place.clamp(1, values.len().max(1));
    values.get(place - 1).copied().unwrap_or(f64::NAN)
}

/// The middle number.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}
