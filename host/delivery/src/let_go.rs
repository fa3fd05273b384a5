//! Versions that records of replays name, and that an operator does not let them wait for. Pure.

use store::Position;
use wasm::ContentHash;

/// Versions that one lane has let go at the same time, 40 bytes of its row each. With one more
/// that is forgotten whose records end first: they wait again, are shown, and can be let go again.
const LET_GO_MAX: usize = 64;

/// Records that name a version and that an operator does not let wait for it: those before a
/// position. They go by the configuration in force; what is replayed later waits as ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetGo {
    /// The version that they name.
    pub version: ContentHash,
    /// Where the last of them ends.
    pub to: Position,
}

/// All that a lane has let go, no version twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllLetGo(Vec<LetGo>);

impl AllLetGo {
    /// What lay in a lane's row.
    pub fn kept(all: Vec<LetGo>) -> Self {
        Self(all)
    }

    /// All of it.
    pub fn all(&self) -> &[LetGo] {
        &self.0
    }

    /// Lets go of what names a version before a position, and of all that was let go before. What
    /// had to be forgotten for it.
    pub fn add(&mut self, more: LetGo) -> Option<LetGo> {
        let same = self.0.iter_mut().find(|it| it.version == more.version);
        if let Some(same) = same {
            same.to = same.to.max(more.to);
            return None;
        }
        let mut forgotten = None;
        if self.0.len() >= LET_GO_MAX {
            let first = self.0.iter().enumerate().min_by_key(|(_, it)| it.to);
            forgotten = first.map(|(place, _)| place);
        }
        let forgotten = forgotten.map(|place| self.0.swap_remove(place));
        self.0.push(more);
        forgotten
    }

    /// Where those end that name a version and do not wait for it, if what lies at a position is
    /// one of them.
    pub fn end_of(&self, version: ContentHash, at: Position) -> Option<Position> {
        let of_version = self.0.iter().find(|it| it.version == version);
        of_version.map(|it| it.to).filter(|to| at < *to)
    }

    /// The lane is done with all before a position.
    pub fn pass(&mut self, position: Position) {
        self.0.retain(|it| position < it.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: usize) -> ContentHash {
        ContentHash([u8::try_from(number).unwrap(); 32])
    }

    fn let_go(number: usize, to: u64) -> LetGo {
        LetGo {
            version: version(number),
            to: Position(to),
        }
    }

    /// A second order about the first of the records had taken the rest back.
    #[test]
    fn an_order_about_fewer_records_takes_nothing_back() {
        let mut all = AllLetGo::default();
        assert_eq!(all.add(let_go(1, 600)), None);
        assert_eq!(all.add(let_go(1, 200)), None);
        assert_eq!(all.end_of(version(1), Position(599)), Some(Position(600)));
        assert_eq!(all.end_of(version(1), Position(600)), None);
        assert_eq!(all.add(let_go(1, 900)), None);
        assert_eq!(all.end_of(version(1), Position(600)), Some(Position(900)));
    }

    #[test]
    fn what_names_another_version_keeps_what_it_was_promised() {
        let mut all = AllLetGo::default();
        all.add(let_go(1, 600));
        all.add(let_go(2, 300));
        assert_eq!(all.end_of(version(1), Position(400)), Some(Position(600)));
        assert_eq!(all.end_of(version(2), Position(200)), Some(Position(300)));
        assert_eq!(all.end_of(version(3), Position(200)), None);
        all.pass(Position(300));
        assert_eq!(all.all(), [let_go(1, 600)]);
        all.pass(Position(600));
        assert_eq!(all, AllLetGo::default());
    }

    #[test]
    fn with_too_many_versions_the_one_is_forgotten_whose_records_end_first() {
        let mut all = AllLetGo::default();
        for number in 0..LET_GO_MAX {
            assert_eq!(all.add(let_go(number, 1_000 - number as u64)), None);
        }
        let last = LET_GO_MAX - 1;
        assert_eq!(all.add(let_go(last, 5_000)), None, "it is one of them");
        let first = let_go(last - 1, 1_001 - last as u64);
        assert_eq!(all.add(let_go(200, 10)), Some(first));
        assert_eq!(all.all().len(), LET_GO_MAX);
        assert_eq!(all.end_of(version(200), Position(9)), Some(Position(10)));
    }
}
