//! All texts of a policy in one piece, so that a list of ten thousand of them takes little more
//! memory than its letters.

use std::ops::Range;

use super::malformed::Malformed;

/// The texts of a policy, one behind the other.
#[derive(Clone, Debug)]
pub struct Texts {
    letters: Box<str>,
    /// Where each ends: a policy is far shorter than the most that such a number says.
    ends: Box<[u16]>,
}

/// The number of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u16);

/// Texts that stand behind each other, or other things of which a policy has many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    from: u16,
    to: u16,
}

/// Texts that are being gathered.
#[derive(Debug, Default)]
pub struct Gathered {
    letters: String,
    ends: Vec<u16>,
}

impl Gathered {
    /// # Errors
    /// There are more than the numbers reach, which no policy within its size has.
    pub fn add(&mut self, text: &str) -> Result<Place, Malformed> {
        let place = self.next()?;
        self.letters.push_str(text);
        self.ends.push(number(self.letters.len())?);
        Ok(place)
    }

    /// The place of what is added next.
    ///
    /// # Errors
    /// As [`Gathered::add`].
    pub fn next(&self) -> Result<Place, Malformed> {
        number(self.ends.len()).map(Place)
    }

    /// What was added since there were `from`.
    ///
    /// # Errors
    /// As [`Gathered::add`].
    pub fn since(&self, from: usize) -> Result<Run, Malformed> {
        Run::new(from, self.ends.len())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    pub fn into_texts(self) -> Texts {
        Texts {
            letters: self.letters.into_boxed_str(),
            ends: self.ends.into_boxed_slice(),
        }
    }
}

impl Run {
    /// # Errors
    /// As [`Gathered::add`].
    pub fn new(from: usize, to: usize) -> Result<Self, Malformed> {
        Ok(Self {
            from: number(from)?,
            to: number(to)?,
        })
    }

    pub fn places(self) -> Range<usize> {
        usize::from(self.from)..usize::from(self.to)
    }
}

impl Texts {
    pub fn at(&self, place: Place) -> &str {
        self.numbered(usize::from(place.0))
    }

    pub fn of(&self, run: Run) -> impl Iterator<Item = &str> {
        run.places().map(|number| self.numbered(number))
    }

    /// Bytes that they take, beside the value itself.
    pub fn held_bytes(&self) -> usize {
        self.letters.len() + size_of_val(&*self.ends)
    }

    fn numbered(&self, number: usize) -> &str {
        let from = match number.checked_sub(1) {
            Some(before) => self.ends[before],
            None => 0,
        };
        &self.letters[usize::from(from)..usize::from(self.ends[number])]
    }
}

fn number(count: usize) -> Result<u16, Malformed> {
    u16::try_from(count).map_err(|_| Malformed::new("The policy says more than can be kept."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again_one_by_one_and_in_their_runs() {
        let mut gathered = Gathered::default();
        gathered.add("ü").unwrap();
        let from = gathered.count();
        let place = gathered.add("").unwrap();
        gathered.add("bc").unwrap();
        let run = gathered.since(from).unwrap();
        let last = gathered.add("d").unwrap();
        let texts = gathered.into_texts();
        assert_eq!((texts.at(place), texts.at(last)), ("", "d"));
        assert_eq!(texts.of(run).collect::<Vec<_>>(), ["", "bc"]);
        let mut long = Gathered::default();
        assert!(long.add(&"a".repeat(70_000)).is_err());
    }
}
