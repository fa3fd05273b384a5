//! The rules of this repository that a machine can check. Each rule is a function from the
//! repository's files to the places that break it; its tests hold the repository to it and show,
//! on a small sample, that the rule can fail.

pub mod layers;
pub mod lines;
pub mod mirror;
pub mod ownership;
pub mod repository;
pub mod source;
pub mod test_habits;
pub mod words;

#[cfg(test)]
mod assertions {
    use crate::repository::{File, Repository};

    /// Fails with every place in the repository that breaks `rule`.
    pub fn holds(rule: fn(&Repository) -> Vec<String>) {
        let found = rule(&Repository::of_this_workspace().unwrap());
        assert!(found.is_empty(), "\n  {}\n", found.join("\n  "));
    }

    /// Fails unless `rule` finds exactly `count` faults in a repository of these files.
    pub fn finds(rule: fn(&Repository) -> Vec<String>, count: usize, files: &[(&str, &str)]) {
        let files = files.iter().map(|(path, text)| File::new(path, text));
        let found = rule(&Repository::new(files.collect()));
        assert_eq!(found.len(), count, "found {found:?}");
    }
}
