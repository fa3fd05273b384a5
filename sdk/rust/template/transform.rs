//! What becomes of each record.

use millrace_sdk::{Error, Output, Record};

/// What `[config]` of the manifest says.
struct Settings {
    greeting: String,
}

/// Called once on each instance. A version whose `init` fails is not taken.
fn init() -> Result<Settings, Error> {
    let greeting = millrace_sdk::config("greeting").ok_or(Error::new("config greeting: missing"))?;
    Ok(Settings { greeting })
}

/// Greets whom a record names, a line each. A record without a name is left out; one that is no
/// text fails, and is kept with the reason beside the others.
fn transform(settings: &Settings, record: Record<'_>) -> Result<Output, Error> {
    let name = record.text()?.trim();
    if name.is_empty() {
        millrace_sdk::counter("without_name", 1);
        return Ok(Output::Drop);
    }
    let line = format!("{}, {name}!\n", settings.greeting);
    Ok(Output::Replace(line.into_bytes()))
}

millrace_sdk::transform!(transform, init = init);

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::{Outcome, run, with_config};

    use super::*;

    #[test]
    fn whoever_is_named_is_greeted() {
        let settings = with_config(&[("greeting", "hi")], init).unwrap();
        let outcomes = run(|record| transform(&settings, record), ["Ann", " "]);
        assert_eq!(outcomes, [Outcome::one("hi, Ann!\n"), Outcome::Dropped]);
    }
}
