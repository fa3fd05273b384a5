//! Who is no person. Only the feature `without-bots` asks; a filter with a list of its own is the
//! plugin `drop-bots`.

/// What bots have in their name, in lower case.
const MARKERS: [&[u8]; 4] = [b"bot", b"crawl", b"slurp", b"spider"];

/// Whether this user agent names itself a bot.
pub fn is_bot(user_agent: &[u8]) -> bool {
    MARKERS.iter().any(|marker| {
        let mut places = user_agent.windows(marker.len());
        places.any(|place| place.eq_ignore_ascii_case(marker))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_is_found_by_a_part_of_its_name_in_any_case() {
        for bot in [
            "Googlebot/2.1",
            "x YandexBOT",
            "Baiduspider",
            "Yahoo! Slurp",
            "crawler",
        ] {
            assert!(is_bot(bot.as_bytes()), "{bot}");
        }
        for other in ["", "-", "bo", "Mozilla/5.0 (X11; Linux)", "curl/8.5.0"] {
            assert!(!is_bot(other.as_bytes()), "{other}");
        }
    }
}
