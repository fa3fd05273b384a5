//! What a record costs in a component of another language, beside one in Rust: each keeps every
//! record. Their sources lie in `languages`, beside which the components are looked for.

use std::fs;
use std::io::ErrorKind;

use crate::Failure;
use crate::bench::Bench;
use crate::components;
use crate::report::Line;
use crate::transforms::{batch, through_component, visit};

const RUST: &str = "drop-bots";
const RECORDS: usize = 100;
/// Files below the directory of components, and how to make each.
const OTHERS: [(&str, &str); 3] = [("js", "JavaScript"), ("python", "Python"), ("c", "C")];

/// Each language whose component is there.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let batches = [batch(RECORDS, visit)?];
    let rust = components::built(bench, RUST)?;
    let rust_ns = through_component(bench, RUST, &rust, &batches)?;
    let mut lines = vec![Line {
        note: format!("{RUST}, batches of {RECORDS} records of 100 B"),
        ..Line::new("languages/rust", rust_ns, "ns")
    }];
    for (name, language) in OTHERS {
        let file = bench.options.languages.join(format!("{name}.wasm"));
        let line = format!("languages/{name}");
        let component = match fs::read(&file) {
            Ok(component) => component,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let hint = format!(
                    "millrace plugin new --lang {name}, with the source in tests/bench/languages, \
                     build, and copy it there"
                );
                lines.push(Line {
                    note: format!("not measured: there is no {}: {hint}", file.display()),
                    ..Line::new(line, 0.0, "ns")
                });
                continue;
            }
            Err(error) => return Err(format!("read {}: {error}", file.display()).into()),
        };
        let ns = through_component(bench, name, &component, &batches)?;
        lines.push(Line {
            note: format!("{language}: {:.1} times as long as in Rust", ns / rust_ns),
            ..Line::new(line, ns, "ns")
        });
    }
    Ok(lines)
}
