//! Leaves out the lines of an access log that bots caused.

mod markers;
mod user_agent;

use millrace_sdk::{Error, Output, Record};

use crate::markers::Markers;

fn init() -> Result<Markers, Error> {
    match millrace_sdk::config("markers") {
        Some(list) => Markers::parse(&list),
        None => Markers::parse(markers::DEFAULT),
    }
}

fn transform(markers: &Markers, record: Record<'_>) -> Result<Output, Error> {
    match user_agent::find(record.data()) {
        Some(user_agent) if markers.are_in(user_agent) => Ok(Output::Drop),
        _ => Ok(Output::Keep),
    }
}

millrace_sdk::transform!(transform, init = init);

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::{Outcome, run, with_config};

    use super::*;

    const LINE: &str = "127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \
        \"GET /robots.txt HTTP/1.0\" 200 23 \"http://example.org/bots\" ";

    fn outcome(config: &[(&str, &str)], line: &str) -> Outcome {
        let markers = with_config(config, init).unwrap();
        run(|record| transform(&markers, record), [line]).remove(0)
    }

    #[test]
    fn the_example_comes_out_as_it_stands_there() {
        let markers = init().unwrap();
        let lines = include_str!("../examples/access.log").split_inclusive('\n');
        let mut outcomes = run(|record| transform(&markers, record), lines);
        outcomes.retain(|outcome| *outcome != Outcome::Dropped);
        let wanted = include_str!("../examples/without-bots.log").split_inclusive('\n');
        assert_eq!(outcomes, wanted.map(Outcome::one).collect::<Vec<_>>());
    }

    #[test]
    fn a_line_is_dropped_for_its_user_agent_and_nothing_else() {
        let bot = format!("{LINE}\"Mozilla/5.0 (compatible; Googlebot/2.1)\"");
        assert_eq!(outcome(&[], &bot), Outcome::Dropped);
        let browser = format!("{LINE}\"Mozilla/5.0 (X11; Linux x86_64)\"");
        assert_eq!(outcome(&[], &browser), Outcome::one(browser));
    }

    #[test]
    fn a_record_without_a_user_agent_is_kept() {
        let cut_off = format!("{LINE}\"Googlebot/2.1");
        for record in ["", "bot", LINE, &cut_off] {
            assert_eq!(outcome(&[], record), Outcome::one(record));
        }
    }

    #[test]
    fn the_markers_are_those_of_the_configuration() {
        let config = [("markers", "curl/, Wget")];
        let googlebot = format!("{LINE}\"Googlebot/2.1\"");
        assert_eq!(outcome(&config, &googlebot), Outcome::one(googlebot));
        for dropped in ["curl/8.5.0", "wget/1.21"] {
            assert_eq!(
                outcome(&config, &format!("{LINE}\"{dropped}\"")),
                Outcome::Dropped
            );
        }
    }

    #[test]
    fn a_configuration_without_markers_is_refused() {
        for bad in ["", " ", ",", " , ,"] {
            let error = with_config(&[("markers", bad)], init).err().unwrap();
            assert_eq!(error.reason(), "config markers: names none");
        }
    }
}
