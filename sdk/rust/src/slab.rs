//! Byte strings as they cross to the host and back.

use crate::bindings::imports::types::Slab;

/// These strings in one buffer.
///
/// # Panics
/// When they are more than 4 GiB, which no memory of a component holds.
pub(crate) fn of<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Slab {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for string in strings {
        bytes.extend_from_slice(string.as_ref());
        let Ok(end) = u32::try_from(bytes.len()) else {
            panic!("strings of more than 4 GiB");
        };
        ends.push(end);
    }
    Slab { bytes, ends }
}

/// The strings in their order; one that ends outside of its buffer is empty.
pub(crate) fn strings(slab: &Slab) -> impl Iterator<Item = &[u8]> {
    let starts = std::iter::once(&0).chain(&slab.ends);
    let places = starts.zip(&slab.ends);
    places.map(|(start, end)| {
        let string = slab.bytes.get(*start as usize..*end as usize);
        string.unwrap_or_default()
    })
}
