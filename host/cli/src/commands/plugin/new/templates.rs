//! Which files a new plugin has: those of its language's template, and the SDK with the interfaces,
//! so that nothing but the language's own registry is needed to build it.

use super::rust;
use crate::commands::plugin::project::{Language, World};

/// A file of a new folder.
#[derive(Clone, Copy)]
pub(super) struct File {
    /// Where it lies in the folder.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

/// A file of the repository, at a place of the new folder.
macro_rules! file {
    ($path:literal, $from:literal) => {
        $crate::commands::plugin::new::templates::File {
            path: $path,
            text: include_str!(concat!("../../../../../../", $from)),
        }
    };
}
pub(super) use file;

/// The interfaces, below `millrace/wit/0.1`.
pub(super) const WIT: &[File] = &[
    file!("millrace/wit/0.1/checkpoint.wit", "wit/0.1/checkpoint.wit"),
    file!("millrace/wit/0.1/context.wit", "wit/0.1/context.wit"),
    file!("millrace/wit/0.1/emit.wit", "wit/0.1/emit.wit"),
    file!("millrace/wit/0.1/lifecycle.wit", "wit/0.1/lifecycle.wit"),
    file!(
        "millrace/wit/0.1/record-processor-simple.wit",
        "wit/0.1/record-processor-simple.wit"
    ),
    file!(
        "millrace/wit/0.1/record-processor.wit",
        "wit/0.1/record-processor.wit"
    ),
    file!("millrace/wit/0.1/records.wit", "wit/0.1/records.wit"),
    file!("millrace/wit/0.1/state.wit", "wit/0.1/state.wit"),
    file!("millrace/wit/0.1/table.wit", "wit/0.1/table.wit"),
    file!(
        "millrace/wit/0.1/transform-simple.wit",
        "wit/0.1/transform-simple.wit"
    ),
    file!("millrace/wit/0.1/transform.wit", "wit/0.1/transform.wit"),
    file!("millrace/wit/0.1/types.wit", "wit/0.1/types.wit"),
    file!("millrace/wit/0.1/worlds.wit", "wit/0.1/worlds.wit"),
];

/// All files of a new plugin.
pub(super) fn of(language: Language, world: World) -> Vec<File> {
    let own = match language {
        Language::Rust => rust::files(world),
    };
    own.into_iter().chain(WIT.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files of a folder of the repository.
    fn lying_in(folder: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// The names of those files that a new plugin has in `folder`.
    fn given(files: &[File], folder: &str) -> BTreeSet<String> {
        let inside = files
            .iter()
            .filter_map(|file| file.path.strip_prefix(folder));
        inside
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_new_plugin_has_every_interface_and_the_whole_sdk() {
        let files = of(Language::Rust, World::Transform);
        assert_eq!(given(&files, "millrace/wit/0.1/"), lying_in("wit/0.1"));
        let sources = given(&files, "millrace/sdk/rust/src/");
        assert_eq!(sources, lying_in("sdk/rust/src"));
    }

    #[test]
    fn no_two_files_of_a_new_plugin_lie_at_one_place() {
        for language in [Language::Rust] {
            for world in [World::Transform, World::Consumer] {
                let files = of(language, world);
                let places: BTreeSet<&str> = files.iter().map(|file| file.path).collect();
                assert_eq!(places.len(), files.len(), "{language:?} {world:?}");
            }
        }
    }

    #[test]
    fn a_copied_sdk_asks_for_the_same_bindings_as_the_one_of_the_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let workspace: toml::Table = toml::from_str(&workspace).unwrap();
        let version = &workspace["workspace"]["dependencies"]["wit-bindgen"]["version"];
        let files = of(Language::Rust, World::Transform);
        let copied = files
            .iter()
            .find(|it| it.path == "millrace/sdk/rust/Cargo.toml");
        let copied: toml::Table = toml::from_str(copied.unwrap().text).unwrap();
        let pinned = copied["dependencies"]["wit-bindgen"]["version"]
            .as_str()
            .unwrap();
        assert_eq!(pinned, format!("={}", version.as_str().unwrap()));
    }
}
