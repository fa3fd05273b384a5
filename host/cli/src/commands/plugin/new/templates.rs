//! Which files a new plugin has: those of its language's template, and the SDK with the interfaces,
//! so that nothing but the language's own registry is needed to build it.

use super::rust::RUST;
use super::single_file::{C, JS, PYTHON};
use crate::commands::plugin::project::Language;

/// What a new plugin begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Transform,
    Consumer,
    /// A consumer that hands on what it keeps in its memory.
    Stateful,
}

/// The files of a language: its SDK, and what is added for each shape.
pub(super) struct Sources {
    pub(super) sdk: &'static [File],
    pub(super) transform: &'static [File],
    pub(super) consumer: &'static [File],
    pub(super) stateful: &'static [File],
}

impl Sources {
    fn of(&self, shape: Shape) -> &'static [File] {
        match shape {
            Shape::Transform => self.transform,
            Shape::Consumer => self.consumer,
            Shape::Stateful => self.stateful,
        }
    }
}

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
    file!("millrace/wit/0.1/http.wit", "wit/0.1/http.wit"),
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
    file!("millrace/wit/0.1/secrets.wit", "wit/0.1/secrets.wit"),
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

const ALL: &[File] = &[file!(".gitignore", "sdk/template/gitignore")];
const TRANSFORM: &[File] = &[
    file!("plugin.toml", "sdk/template/transform.toml"),
    file!("README.md", "sdk/template/transform.md"),
    file!(
        "tests/greetings.in.jsonl",
        "sdk/template/greetings.in.jsonl"
    ),
];
const CONSUMER: &[File] = &[
    file!("plugin.toml", "sdk/template/consumer.toml"),
    file!("README.md", "sdk/template/consumer.md"),
    file!("tests/words.in.jsonl", "sdk/template/words.in.jsonl"),
    file!("tests/words.out.jsonl", "sdk/template/words.out.jsonl"),
    file!("tests/words.after.jsonl", "sdk/template/words.after.jsonl"),
];
const STATEFUL: &[File] = &[
    file!("plugin.toml", "sdk/template/state.toml"),
    file!("README.md", "sdk/template/state.md"),
    file!("tests/words.in.jsonl", "sdk/template/words.in.jsonl"),
    file!("tests/words.out.jsonl", "sdk/template/totals.out.jsonl"),
];

/// All files of a new plugin.
pub(super) fn of(language: Language, shape: Shape) -> Vec<File> {
    let sources = match language {
        Language::Rust => &RUST,
        Language::Js => &JS,
        Language::Python => &PYTHON,
        Language::C => &C,
    };
    let of_shape = match shape {
        Shape::Transform => TRANSFORM,
        Shape::Consumer => CONSUMER,
        Shape::Stateful => STATEFUL,
    };
    [ALL, of_shape, WIT, sources.sdk, sources.of(shape)].concat()
}

/// The name of a language in a manifest, and the file of the author's source.
pub(super) fn words(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Rust => ("rust", "src/lib.rs"),
        Language::Js => ("js", "plugin.js"),
        Language::Python => ("python", "plugin.py"),
        Language::C => ("c", "plugin.c"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files of a folder of the repository, and of those in it.
    fn lying_in(folder: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(folder);
        let mut waiting = vec![root.clone()];
        let mut found = BTreeSet::new();
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    let inside = path.strip_prefix(&root).unwrap();
                    found.insert(inside.to_str().unwrap().to_owned());
                }
            }
        }
        found
    }

    /// The files that a new plugin has in `folder`.
    fn given(language: Language, folder: &str) -> BTreeSet<String> {
        let files = of(language, Shape::Transform);
        let inside = files
            .iter()
            .filter_map(|file| file.path.strip_prefix(folder));
        inside.map(str::to_owned).collect()
    }

    #[test]
    fn a_new_plugin_has_every_interface_and_the_whole_sdk() {
        for (language, folder) in [
            (Language::Rust, "sdk/rust/src/"),
            (Language::Rust, "sdk/rust/bindings/src/"),
            (Language::Python, "sdk/python/millrace/"),
        ] {
            let copied = given(language, &format!("millrace/{folder}"));
            assert_eq!(copied, lying_in(folder));
            assert_eq!(given(language, "millrace/wit/0.1/"), lying_in("wit/0.1"));
        }
        for (language, folder, end) in [
            (Language::Js, "sdk/js/", ".js"),
            (Language::C, "sdk/c/", ".h"),
        ] {
            let mut lying = lying_in(folder);
            lying.retain(|file| file.ends_with(end) && !file.starts_with("template"));
            assert_eq!(given(language, &format!("millrace/{folder}")), lying);
        }
    }

    #[test]
    fn no_two_files_of_a_new_plugin_lie_at_one_place() {
        for language in [Language::Rust, Language::Js, Language::Python, Language::C] {
            for shape in [Shape::Transform, Shape::Consumer, Shape::Stateful] {
                let files = of(language, shape);
                let places: BTreeSet<&str> = files.iter().map(|file| file.path).collect();
                assert_eq!(places.len(), files.len(), "{language:?} {shape:?}");
            }
        }
    }

    #[test]
    fn a_copied_sdk_asks_for_the_packages_that_the_one_of_the_repository_does() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let workspace = read(&fs::read_to_string(root.join("Cargo.toml")).unwrap());
        let pinned = &workspace["workspace"]["dependencies"];
        for (copy, original) in [
            ("millrace/sdk/rust/Cargo.toml", "sdk/rust/Cargo.toml"),
            (
                "millrace/sdk/rust/bindings/Cargo.toml",
                "sdk/rust/bindings/Cargo.toml",
            ),
        ] {
            let files = of(Language::Rust, Shape::Transform);
            let copied = files.iter().find(|it| it.path == copy).unwrap();
            let copied = read(copied.text);
            let original = read(&fs::read_to_string(root.join(original)).unwrap());
            assert_eq!(copied.get("features"), original.get("features"), "{copy}");
            let names = |table: &toml::Table| {
                let table = table["dependencies"].as_table().unwrap();
                table.keys().cloned().collect::<BTreeSet<_>>()
            };
            assert_eq!(names(&copied), names(&original), "{copy}");
            for (name, dependency) in copied["dependencies"].as_table().unwrap() {
                let Some(version) = dependency.get("version") else {
                    continue;
                };
                let wanted = pinned[name].get("version").unwrap_or(&pinned[name]);
                let version = version.as_str().unwrap().trim_start_matches('=');
                assert_eq!(Some(version), wanted.as_str(), "{copy}: {name}");
            }
        }
    }
}
