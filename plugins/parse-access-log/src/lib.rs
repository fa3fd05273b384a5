//! A line of an access log in the combined format becomes a JSON object.

mod bots;
mod json;
mod line;
mod reader;
mod text;
mod time;

use millrace_sdk::{Error, Output, Record};

use crate::line::Line;

/// Whether lines of bots are left out.
const WITHOUT_BOTS: bool = cfg!(feature = "without-bots");

fn transform(record: Record<'_>) -> Result<Output, Error> {
    parsed(record.data(), WITHOUT_BOTS)
}

fn parsed(data: &[u8], without_bots: bool) -> Result<Output, Error> {
    let line = Line::parse(data)?;
    if without_bots && bots::is_bot(line.user_agent.raw()) {
        return Ok(Output::Drop);
    }
    let mut out = millrace_sdk::buffer();
    json::write(&line, &mut out);
    Ok(Output::Replace(out))
}

millrace_sdk::transform!(transform);

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::{Outcome, run};

    use super::*;

    const BROWSER: &str = "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \
        \"GET /index.html HTTP/1.0\" 200 2326 \"http://example.org/start\" \"Mozilla/4.08\"";
    const BOT: &str = "192.0.2.7 - - [10/Oct/2000:13:55:37 -0700] \
        \"GET /robots.txt HTTP/1.1\" 304 - \"-\" \"ExampleBot/1.0 (+http://example.org/bot)\"";

    fn without_bots(record: Record<'_>) -> Result<Output, Error> {
        parsed(record.data(), true)
    }

    #[test]
    fn the_example_comes_out_as_it_stands_there() {
        let lines = include_str!("../examples/access.log").split_inclusive('\n');
        let wanted = include_str!("../examples/access.json").split_inclusive('\n');
        let wanted: Vec<_> = wanted.map(Outcome::one).collect();
        assert_eq!(run(transform, lines), wanted);
    }

    #[test]
    fn a_line_that_does_not_parse_fails_and_its_neighbours_do_not() {
        let outcomes = run(transform, [BROWSER, "no line", BROWSER]);
        let reason = "column 8: expected a space after the identity";
        assert_eq!(outcomes[1], Outcome::Failed(reason.to_owned()));
        assert_eq!(outcomes[0], outcomes[2]);
        assert!(matches!(outcomes[0], Outcome::Delivered(_)));
    }

    #[test]
    fn bots_are_dropped_only_where_that_was_asked_for() {
        assert_eq!(run(without_bots, [BOT]), [Outcome::Dropped]);
        assert!(matches!(
            run(without_bots, [BROWSER])[0],
            Outcome::Delivered(_)
        ));
        let with_bots = run(|record| parsed(record.data(), false), [BOT]);
        assert!(matches!(with_bots[0], Outcome::Delivered(_)));
    }
}
